"""A memory -> those that say most nearly the same, in the model's atlas."""

from __future__ import annotations

import logging
from dataclasses import replace

from visit.assemble.residency import Resident
from visit.engine.progress import Progress
from visit.errors import OutputError, RequestError
from visit.graph.explored.contexts import NearMemory
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.models.rows import RowId

_COUNT = 8
_N_SAID = 5
_LOG = logging.getLogger(__name__)


def find_nearest(
    memory: NodeId, resident: Resident, tell: Progress
) -> tuple[NearMemory, ...] | None:
    """The memories whose values say most nearly what one's says, the nearest first.

    The atlas of a small model is built when it is first needed, as a search of it does.

    Args:
        memory: The memory's value.
        resident: The model.
        tell: Told how far a build is.

    Returns:
        None at all where the memory says the same of every token; ``None`` where there is no atlas.
    """
    atlas = resident.atlas
    assert memory.layer is not None and memory.index is not None
    if not atlas.is_whole():
        if not atlas.is_quick():
            return None
        try:
            atlas.build(lambda part: tell("atlas", part))
        except OutputError as error:
            _LOG.warning("%s", error)
            return None
    try:
        row = RowId(NodeKind.MEMORY_VALUE, memory.layer, memory.index)
        found = atlas.like(row, (NodeKind.MEMORY_VALUE,), _COUNT)
    except RequestError:  # nothing is like a row that says nothing
        return ()
    return tuple(
        NearMemory(
            id=replace(memory, layer=one.row.layer, index=one.row.index),
            sign=one.row.sign,
            correlation=one.correlation,
            says=tuple(top.text for top in one.reading.top[:_N_SAID]),
        )
        for one in found
        if one.correlation is not None
    )

"""Every picture and every panel that a page without a server can show, made in advance.

One picture has everything closed, one has open what was open when the page was made, and one for
each block that the graph holds has that block alone open (a head or the attention neurons inside
their opened attention). Most elements of two pictures are the same, so each is kept once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dash.development.base_component import Component

from visit.document import compact_json
from visit.flow import NodeId, NodeKind, Note
from visit.web import elements, ids, inspector
from visit.web.index import Index
from visit.web.picture import attention_of, can_open
from visit.web.surroundings import note
from visit.web.tree import trees

NOTED = "noted"


def pictures(index: Index, opened: Sequence[NodeId] = ()) -> dict[str, Any]:
    """The pictures: ``parts``, each an element, and ``pictures``, which name them by number.

    Args:
        index: The graph.
        opened: What is open at first.
    """
    parts: dict[str, int] = {}
    made = []
    for shown in _opened(index, opened):
        drawn, picture = elements.draw(index, shown)
        made.append(
            {
                "opened": [str(node_id) for node_id in shown],
                "parts": [parts.setdefault(compact_json(part), len(parts)) for part in picture],
                "panels": {ids.NOTE: trees(note(drawn))},
            }
        )
    return {"parts": list(parts), "pictures": made}


def _opened(index: Index, opened: Sequence[NodeId]) -> Iterator[tuple[NodeId, ...]]:
    """What is open in each picture, none twice."""
    seen = set()
    for shown in ((), tuple(opened), *_alone(index)):
        if frozenset(shown) not in seen:
            seen.add(frozenset(shown))
            yield shown


def _alone(index: Index) -> Iterator[tuple[NodeId, ...]]:
    for node_id in index.nodes:
        if can_open(index, node_id):
            is_block = node_id.kind in (NodeKind.ATTN, NodeKind.MLP)
            yield (node_id,) if is_block else (attention_of(node_id), node_id)


def panels(index: Index) -> str:
    """The inspector's panels, a line each: the node, the tab, and the panel's trees as JSON.

    They are without notes, which the page shows as they are then. The line without a node is of
    the trace as a whole, and the tab ``NOTED`` stands for a node in its list of notes. A line is
    read when it is needed.
    """
    return "\n".join(
        f"{node}\t{tab}\t{compact_json(trees(panel))}" for node, tab, panel in _panels(index)
    )


def _panels(index: Index) -> Iterator[tuple[str, str, Iterable[Component]]]:
    yield "", "", inspector.about(index)
    for node in index.flow.nodes:
        yield str(node.id), NOTED, [inspector.noted_node(index, Note(node.id))]
        for tab in inspector.Tab:
            yield str(node.id), tab, inspector.node_panel(index, node, tab)

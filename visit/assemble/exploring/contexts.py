"""Request, a part and a text -> Contexts; what is found in a text is kept on the disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from visit import __version__
from visit.assemble.exploring.chosen import choose_part, read_with_bos
from visit.assemble.exploring.nearest import find_nearest
from visit.assemble.kept_files import find_in_file
from visit.assemble.named import resolve_position
from visit.assemble.reference_text import TEXT
from visit.assemble.residency import Resident
from visit.engine.exploring import FindContexts
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.explore.contexts import LayerPeaks, find_peaks, heads_at, piece_length
from visit.formats.files import cache_folder
from visit.graph.explored.contexts import Context, Contexts
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.text import one_line, shorten
from visit.tracing.trace import Trace

_VERSION = 1
"""Of the files; raised whenever what they hold, or how it is found, changes."""
_BEFORE, _AFTER = 12, 6
"""How many tokens are shown around one."""
_Kept = dict[str, Tensor]
"""Peaks of all layers, by ``L3.memories.values`` and the like."""


def find_contexts(question: FindContexts, resident: Resident, tell: Progress) -> Contexts:
    """Where in a text a part is most active.

    Raises:
        RequestError: there is no such part, or the text has no two tokens.
    """
    request = question.request
    trace = resident.trace(request, tell)
    position = resolve_position(request.position, len(trace.token_ids))
    part = choose_part(question.part, position, request, resident, tell)
    text = question.text or TEXT
    bos = read_with_bos(request, resident)
    read = resident.tokens.read(Request(text, model=request.model, bos=bos))
    first = read[0].id if read and read[0].special else None
    ids = [token.id for token in read if first is None or token.position > 0]
    if len(ids) < 2:
        raise RequestError("the text is no two tokens long; give a longer one, or leave it out")
    kept = _read_text(resident, ids, first, tell)
    texts = _Texts(
        resident.tokens.texts(ids),
        None if first is None else resident.tokens.text(first),
        piece_length(resident.loaded.architecture.sizes, first),
    )
    is_head = part.kind is NodeKind.HEAD
    sort = "heads" if is_head else "memories"
    here = _value_here(resident, trace, part)
    side = "negative" if here < 0 else sort
    values = kept[f"L{part.layer}.{side}.values"][part.number]
    above = int((values > abs(here)).sum())
    return Contexts(
        visit_version=__version__,
        request=request,
        model=resident.info,
        tokens=resident.tokens.read(request),
        part=part,
        text="the bundled text" if text == TEXT else f"“{shorten(one_line(text), 40)}”",
        n_tokens=len(ids),
        highest=_list_contexts(kept, f"L{part.layer}.{sort}", part, texts)[: question.contexts],
        lowest=()
        if is_head
        else _list_contexts(kept, f"L{part.layer}.negative", part, texts)[: question.contexts],
        here=here,
        rank=None if above == len(values) else above + 1,
        nearest=() if is_head else find_nearest(part, resident, tell),
    )


@dataclass(frozen=True, slots=True)
class _Texts:
    """A text's tokens, as they are read.

    Attributes:
        tokens: What each says.
        first: What each piece begins with that is not of the text, such as a BOS.
        length: How many of the text's tokens a piece has.
    """

    tokens: Sequence[str]
    first: str | None
    length: int

    def read_from(self, at: int, distance: int) -> str:
        """The token so far before another in its piece."""
        source, begin = at - distance, at - at % self.length
        return self.first if self.first is not None and source < begin else self.tokens[source]


def _value_here(resident: Resident, trace: Trace, part: NodeId) -> float:
    """The memory's activation, or what the head writes, at the traced position."""
    assert part.layer is not None and part.number is not None
    if part.kind is NodeKind.HEAD:
        norms, _, _ = heads_at(resident.loaded.architecture, trace, part.layer)
        return float(norms[part.position, part.number])
    activation = trace.layers[part.layer].activation
    assert activation is not None
    return float(activation[part.position, part.number])


def _list_contexts(kept: _Kept, start: str, part: NodeId, texts: _Texts) -> tuple[Context, ...]:
    """The kept tokens of one part; of ``negative`` those alone that are below 0."""
    columns = {
        name.removeprefix(f"{start}."): column[part.number].tolist()
        for name, column in kept.items()
        if name.startswith(f"{start}.")
    }
    is_negative = start.endswith("negative")
    sources, attention = (columns.get(name) for name in ("sources", "attention"))
    return tuple(
        Context(
            value=-value if is_negative else value,
            at=at,
            before=tuple(texts.tokens[max(0, at - _BEFORE) : at]),
            token=texts.tokens[at],
            after=tuple(texts.tokens[at + 1 : at + 1 + _AFTER]),
            reads=None if sources is None else texts.read_from(at, sources[place]),
            attention=None if attention is None else attention[place],
        )
        for place, (value, at) in enumerate(zip(columns["values"], columns["at"], strict=True))
        if value > (0.0 if is_negative else float("-inf"))
    )


def _read_text(resident: Resident, ids: Sequence[int], first: int | None, tell: Progress) -> _Kept:
    """The peaks of every part in a text; read once a model and text, and kept in the cache."""
    info = resident.info
    said = json.dumps([_VERSION, first, list(ids)]).encode()
    digest = hashlib.sha256(said).hexdigest()[:16]
    name = f"{info.weights_sha256[:32]}-{info.dtype}-{digest}.safetensors"
    loaded = resident.loaded

    def read() -> _Kept:
        layers = find_peaks(
            loaded.model, loaded.architecture, ids, lambda part: tell("contexts", part), first
        )
        return _tensors(layers)

    return find_in_file(cache_folder() / "contexts" / name, read)


def _tensors(layers: Sequence[LayerPeaks]) -> _Kept:
    return {
        f"L{number}.{sort}.{name}": column.cpu().contiguous()
        for number, layer in enumerate(layers)
        for sort, peaks in layer.all.items()
        for name, column in peaks.columns.items()
    }

"""Request, a part and a text -> Contexts; what is found in a text is kept on the disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Sequence

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from visit import __version__
from visit.assemble import ranking
from visit.assemble.named import check_there, resolve_position
from visit.assemble.reference_text import TEXT
from visit.assemble.residency import Resident
from visit.engine.exploring import FindContexts
from visit.engine.progress import Progress
from visit.engine.questions import RankParts
from visit.errors import OutputError, RequestError
from visit.explore.contexts import LayerPeaks, find_peaks, heads_at
from visit.formats.files import cache_folder, write_whole
from visit.graph.explored.contexts import Context, Contexts
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.models.architectures.base import Experts
from visit.text import one_line, shorten
from visit.tracing.trace import Trace

_VERSION = 1
"""Of the files; raised whenever what they hold, or how it is found, changes."""
_BEFORE, _AFTER = 12, 6
"""How many tokens are shown around one."""
_PART = re.compile(r"(L\d+\.(?:head|memory)\d+)(?:\.value)?(?:@.*)?")
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
    part = _find_part(question.part, position, resident, request, tell)
    text = question.text or TEXT
    read = resident.tokens.read(Request(text, model=request.model, bos=request.bos))
    first = read[0].id if read and read[0].special else None
    ids = [token.id for token in read if first is None or token.position > 0]
    if len(ids) < 2:
        raise RequestError("the text is no two tokens long; give a longer one, or leave it out")
    kept, texts = _read_text(resident, ids, first, tell), resident.tokens.texts(ids)
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
    )


def _find_part(
    named: str, position: int, resident: Resident, request: Request, tell: Progress
) -> NodeId:
    """The part that is named, at the traced position; the memory with the most flow of none.

    Raises:
        RequestError: the model has none of that name.
    """
    architecture = resident.loaded.architecture
    if not named:
        parts = ranking.rank(RankParts(request, memories=1), resident, tell).parts
        sort = {NodeKind.MEMORY_VALUE} & {part.id.kind for part in parts} or {NodeKind.HEAD}
        return max((p for p in parts if p.id.kind in sort), key=lambda part: abs(part.flow)).id
    found = _PART.fullmatch(named.strip())
    if found is None:
        raise RequestError(f"part is {named!r}; give a memory, like L3.memory17, or a head")
    value = ".value" if "memory" in found[1] else ""
    part = NodeId.parse(f"{found[1]}{value}@{position}")
    assert part.layer is not None and part.number is not None
    check_there("layer", part.layer, architecture.sizes.n_layers)
    if part.kind is NodeKind.HEAD:
        check_there("head", part.number, architecture.sizes.n_heads)
        return part
    mlp = architecture.outline[part.layer].mlp
    if isinstance(mlp, Experts):
        raise RequestError(f"layer {part.layer} is a mixture of experts and has no memories")
    check_there("memory", part.number, len(mlp.w_out))
    return part


def _value_here(resident: Resident, trace: Trace, part: NodeId) -> float:
    """The memory's activation, or what the head writes, at the traced position."""
    assert part.layer is not None and part.number is not None
    if part.kind is NodeKind.HEAD:
        norms, _, _ = heads_at(resident.loaded.architecture, trace, part.layer)
        return float(norms[part.position, part.number])
    activation = trace.layers[part.layer].activation
    assert activation is not None
    return float(activation[part.position, part.number])


def _list_contexts(
    kept: _Kept, start: str, part: NodeId, texts: Sequence[str]
) -> tuple[Context, ...]:
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
            before=tuple(texts[max(0, at - _BEFORE) : at]),
            token=texts[at],
            after=tuple(texts[at + 1 : at + 1 + _AFTER]),
            reads=None if sources is None else texts[max(0, at - sources[place])],
            attention=None if attention is None else attention[place],
        )
        for place, (value, at) in enumerate(zip(columns["values"], columns["at"], strict=True))
        if value > (0.0 if is_negative else float("-inf"))
    )


def _read_text(resident: Resident, ids: Sequence[int], first: int | None, tell: Progress) -> _Kept:
    """The peaks of every part in a text; read once a model and text, and kept in the cache."""
    info = resident.info
    said = json.dumps([_VERSION, first, list(ids)]).encode()
    folder = cache_folder() / "contexts"
    digest = hashlib.sha256(said).hexdigest()[:16]
    file = folder / f"{info.weights_sha256[:32]}-{info.dtype}-{digest}.safetensors"
    try:
        return load_file(file)
    except (OSError, SafetensorError):
        pass  # not there yet, or cut short: read the text
    loaded = resident.loaded
    layers = find_peaks(
        loaded.model, loaded.architecture, ids, lambda part: tell("contexts", part), first
    )
    kept = _tensors(layers)
    with contextlib.suppress(OutputError, OSError):  # a cache that cannot be written is left out
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(file, save(kept))
    return kept


def _tensors(layers: Sequence[LayerPeaks]) -> _Kept:
    return {
        f"L{number}.{sort}.{name}": column.cpu().contiguous()
        for number, layer in enumerate(layers)
        for sort, peaks in layer.all.items()
        for name, column in peaks.columns.items()
    }

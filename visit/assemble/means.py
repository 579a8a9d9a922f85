"""The means of every site over positions: what mean ablation puts in a part's place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from visit.assemble.kept_files import find_in_file
from visit.assemble.reference_text import TEXT
from visit.assemble.residency import Resident
from visit.engine.progress import Progress
from visit.formats.files import cache_folder
from visit.graph.interventions import Site
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.tracing.precision import ledger_dtype
from visit.tracing.sites import whole_of
from visit.tracing.trace import Trace

_VERSION = 1
"""Of the files; raised whenever the text, or what is kept of it, changes."""

_LENGTH = 256
"""How many tokens are read at once, or as many as the model reads."""

_OF_LAYERS = (
    NodeKind.HEAD, NodeKind.MEMORY_VALUE, NodeKind.ATTN, NodeKind.MLP, NodeKind.RESID_MID,
    NodeKind.RESID_POST,
)  # fmt: skip
Means = dict[str, Tensor]
"""The mean of each kind of site over positions, by ``_key``."""


def count_positions(traces: Iterable[Trace]) -> int:
    """How many positions a mean over these passes is over."""
    return sum(len(range(*_after_first(len(trace.token_ids)))) for trace in traces)


def _after_first(n_positions: int) -> tuple[int, int]:
    """The positions a mean is over: the first is left out, where most models park attention."""
    return (1 if n_positions > 1 else 0, n_positions)


def means_of(traces: Sequence[Trace]) -> Means:
    """The mean of every site's value over the positions of some passes, but each one's first."""
    totals: Means = {}
    for trace in traces:
        places = slice(*_after_first(len(trace.token_ids)))
        _add(totals, _key(NodeKind.EMBED, None), trace.residuals[0][places])
        for number, layer in enumerate(trace.layers):
            for kind in _OF_LAYERS:
                whole = whole_of(layer, kind)
                if whole is not None:
                    _add(totals, _key(kind, number), whole[places])
    count = count_positions(traces)
    return {name: total / count for name, total in totals.items()}


def _add(totals: Means, name: str, values: Tensor) -> None:
    total = values.to(ledger_dtype(values)).sum(0)
    totals[name] = total + totals[name] if name in totals else total


def _key(kind: NodeKind, layer: int | None) -> str:
    return kind if layer is None else f"L{layer}.{kind}"


def find_mean(means: Means, site: Site) -> Tensor:
    """The mean at a site, whatever its position."""
    if site.kind is NodeKind.ATTN_NEURON:
        return means[_key(NodeKind.HEAD, site.layer)].flatten()[site.number]
    whole = means[_key(site.kind, site.layer)]
    return whole if site.number is None else whole[site.number]


def bundled_means(resident: Resident, tell: Progress) -> tuple[Means, int]:
    """The means over the bundled text, read once a model and kept in the cache."""
    info = resident.info
    ids = resident.tokens.read(Request(TEXT, model=info.name))
    length = min(resident.loaded.architecture.sizes.n_context, _LENGTH)
    pieces = [ids[begin : begin + length] for begin in range(0, len(ids), length)]
    count = sum(len(range(*_after_first(len(piece)))) for piece in pieces)
    name = f"{info.weights_sha256}-{info.dtype}-{_VERSION}.safetensors"

    def read() -> Means:
        traces = []
        for done, piece in enumerate(pieces):
            tell("reference", done / len(pieces))
            prompt = Request(prompt_ids=tuple(token.id for token in piece), model=info.name)
            traces.append(resident.trace(prompt, lambda *_: None))
        return means_of(traces)

    return find_in_file(cache_folder() / "means" / name, read), count

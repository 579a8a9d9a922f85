"""Request -> Norms."""

from __future__ import annotations

from visit import __version__
from visit.assemble.named import resolve_position
from visit.assemble.residency import Resident
from visit.engine.exploring import ReadNorms
from visit.engine.progress import Progress
from visit.explore.norms import norms_of_layer
from visit.graph.explored.norms import HeadNorms, LayerMixing, Norms


def read_norms(question: ReadNorms, resident: Resident, tell: Progress) -> Norms:
    """How much each head moves from where, and how layers mix positions."""
    request, architecture = question.request, resident.loaded.architecture
    trace = resident.trace(request, tell)
    position = resolve_position(request.position, len(trace.token_ids))
    heads, traced, everywhere = list[HeadNorms](), list[LayerMixing](), list[LayerMixing]()
    for layer in range(architecture.sizes.n_layers):
        found = norms_of_layer(architecture, trace, layer, position)
        pattern = trace.layers[layer].attention[:, position, : position + 1].tolist()
        rows = zip(pattern, found.moved.tolist(), found.head_mixing.tolist(), strict=True)
        heads += [
            HeadNorms(layer, head, tuple(weights), tuple(moved), mixing)
            for head, (weights, moved, mixing) in enumerate(rows)
        ]
        traced.append(_mixing(layer, found.mixing[:, position].tolist(), found.has_norm))
        if len(trace.token_ids) > 1:
            mean = found.mixing[:, 1:].mean(1).tolist()
            everywhere.append(_mixing(layer, mean, found.has_norm))
        tell("norms", (layer + 1) / architecture.sizes.n_layers)
    return Norms(
        visit_version=__version__,
        request=request,
        model=resident.info,
        tokens=resident.tokens.read(request),
        position=position,
        heads=tuple(heads),
        traced=tuple(traced),
        everywhere=tuple(everywhere),
    )


def _mixing(layer: int, ratios: list[float], has_norm: bool) -> LayerMixing:
    attention, residual, norm = ratios
    return LayerMixing(layer, attention, residual, norm if has_norm else None)

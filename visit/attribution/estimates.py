"""What a change is predicted to do to the metric, from a gradient, without running the change.

All predictions are ``<gradient at the site, new value - old value>``; they differ in the gradient:

- *direct*: at the last residual, nothing downstream counted; the final norm's scale is frozen.
- *flow*: through the held pass (patterns, norm scales and gates as they were).
- *estimate*: through the live pass, the first-order total effect (attribution patching, AtP); or
  its mean on the way from other embeddings (integrated gradients).

A knocked-out source is no small change of its score. Its head's new mix of values is known exactly
while the scores are as they were, so that is the change whose effect is predicted (AtP*'s QK fix).

Source: Nanda 2023, "Attribution patching"; Kramár et al. 2024, "AtP*", section 3; Hanna et al.
2024, "Have Faith in Faithfulness" (integrated gradients over inputs).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution.flow import LayerGradient, sweep_back
from visit.attribution.ledgers import apply_gain
from visit.attribution.metric import pull_back_through_final_norm
from visit.attribution.metric_flow import MetricFlow
from visit.graph.interventions import Site
from visit.graph.kinds import NodeKind
from visit.models.architectures import Architecture
from visit.models.architectures.base import Attention, Block, Mlp
from visit.tracing.gradients import SiteGradient, gradient_at_last_residual, sweep_back_live
from visit.tracing.hooks import LayerTrace
from visit.tracing.interventions import Edit
from visit.tracing.precision import ledger_dtype, multiply_wide, reading_dtype
from visit.tracing.sites import value_at
from visit.tracing.sweep import Resumed
from visit.tracing.trace import Trace, record


def direct_gradient(
    architecture: Architecture,
    trace: Trace,
    layer: int,
    position: int,
    direction: Float[Tensor, " d_model"],
) -> SiteGradient:
    """The gradient at one layer's sites when nothing downstream is counted.

    Zero but at the traced position.

    Args:
        architecture: The model.
        trace: The forward pass.
        layer: The layer.
        position: The traced position.
        direction: A part's dot product with it is the part's direct logit.
    """
    block, recorded = architecture.blocks[layer], trace.layers[layer]
    n_positions = len(trace.token_ids)

    def at_position(row: Tensor) -> Tensor:
        return torch.zeros(n_positions, *row.shape, dtype=row.dtype).index_put(
            (torch.tensor(position),), row
        )

    whole = at_position(direction)
    attn_raw = apply_gain(direction, recorded.attn_gain, position)
    mlp_raw = apply_gain(direction, recorded.mlp_gain, position)
    activation = _at_memories(block, mlp_raw[None])
    return SiteGradient(
        resid_pre=whole,
        z=at_position(_at_heads(block, attn_raw[None])[0]),
        attn_raw=at_position(attn_raw),
        attn=whole,
        activation=None if activation is None else at_position(activation[0]),
        mlp_raw=at_position(mlp_raw),
        mlp=whole,
        resid_post=whole,
    )


def _at_heads(
    block: Block, attn_raw: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "pos head d_head"]:
    """From the gradient at the output projection's result to that at each head's mix of values."""
    w_o = block.attention.w_o
    z: Tensor = multiply_wide(attn_raw, w_o.flatten(0, 1).T).unflatten(1, w_o.shape[:2])
    return z


def _at_memories(
    block: Block, mlp_raw: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "pos d_mlp"] | None:
    """Likewise to each memory's activation; ``None`` of a mixture of experts."""
    return multiply_wide(mlp_raw, block.mlp.w_out.T) if isinstance(block.mlp, Mlp) else None


def gradients_of_flow(
    architecture: Architecture, trace: Trace, flow: MetricFlow, first: int = 0
) -> Iterator[tuple[int, SiteGradient]]:
    """The metric's gradient through the held pass at every layer's sites, the last layer first.

    Args:
        architecture: The model.
        trace: The forward pass.
        flow: The metric's, which holds its gradients in the residual stream.
        first: The first position that they are wanted at.
    """
    for layer in reversed(range(len(trace.layers))):
        block, recorded = architecture.blocks[layer], trace.layers[layer]
        seen = slice(first, len(flow.mid[layer]))
        mid, post = flow.mid[layer][seen], flow.residual[layer + 1][seen]
        attn_raw, mlp_raw = (
            gradient if gain is None else gradient * gain[seen].to(gradient)
            for gradient, gain in ((mid, recorded.attn_gain), (post, recorded.mlp_gain))
        )
        yield (
            layer,
            SiteGradient(
                resid_pre=flow.residual[layer][seen],
                z=_at_heads(block, attn_raw),
                attn_raw=attn_raw,
                attn=mid,
                activation=_at_memories(block, mlp_raw),
                mlp_raw=mlp_raw,
                mlp=post,
                resid_post=post,
                first=first,
            ),
        )


def held_gradients(
    architecture: Architecture,
    trace: Trace,
    position: int,
    unembedding: Float[Tensor, " d_model"],
    first: int = 0,
) -> Iterator[tuple[int, SiteGradient]]:
    """The same of any functional, by a sweep of its own.

    Args:
        architecture: The model.
        trace: The forward pass.
        position: The traced position.
        unembedding: The functional's gradient at the normed residual.
        first: The first position that they are wanted at.
    """
    resid = trace.residuals[-1][position].to(ledger_dtype(trace.logits))
    direction = pull_back_through_final_norm(architecture, resid, unembedding.to(resid))
    for layer, at in sweep_back(architecture, trace, position, direction[None], first=first):
        yield layer, held_gradient(at, first=first)


def held_gradient(at: LayerGradient, column: int = 0, first: int = 0) -> SiteGradient:
    """The gradient at one layer's sites through the held pass, from the flow's own sweep.

    Args:
        at: What the sweep gives of the layer.
        column: Which functional's.
        first: The position that the sweep began at.
    """
    return SiteGradient(
        resid_pre=at.pre[column],
        z=at.z[column],
        attn_raw=at.attn_raw[column],
        attn=at.mid[column],
        activation=None if at.activation is None else at.activation[column],
        mlp_raw=at.mlp_raw[column],
        mlp=at.post[column],
        resid_post=at.post[column],
        first=first,
    )


def live_gradients(
    architecture: Architecture,
    trace: Trace,
    position: int,
    unembedding: Float[Tensor, " d_model"],
    resumed: Resumed | None = None,
) -> Iterator[tuple[int, SiteGradient]]:
    """The metric's gradient through the live pass at every layer's sites, the last layer first.

    Args:
        architecture: The model.
        trace: The forward pass.
        position: The traced position.
        unembedding: The metric's, as ``Metric.unembedding`` gives it.
        resumed: From the first position that is asked about; every position by default.
    """
    dtype = reading_dtype(trace.logits.dtype)
    last = gradient_at_last_residual(architecture, trace, position, unembedding.to(dtype))
    last = last.to(trace.residuals[-1])
    if resumed is None:
        yield from sweep_back_live(architecture, trace.layers.calls, last)
    else:
        own = last[resumed.start : position + 1]
        yield from sweep_back_live(architecture, resumed.as_called, own, resumed.start)


def integrated_gradients(
    model: object,
    architecture: Architecture,
    trace: Trace,
    position: int,
    unembedding: Float[Tensor, " d_model"],
    baseline: Float[Tensor, "pos d_model"],
    steps: int,
) -> dict[int, SiteGradient]:
    """The live gradient's mean over passes whose embeddings go from others to the prompt's own.

    Args:
        model: The model itself.
        architecture: The same, laid open.
        trace: The plain pass.
        position: The traced position.
        unembedding: The metric's.
        baseline: The embeddings that they come from: the reference's, means, or zeros.
        steps: How many passes; the last is the plain one.

    Source: Hanna et al. 2024, EAP-IG (inputs), of sites instead of edges.
    """
    own = trace.residuals[0]
    total: dict[int, SiteGradient] = {}
    for step in range(1, steps + 1):
        mixed = torch.lerp(baseline.to(own), own, step / steps)
        edits = [Edit(Site(NodeKind.EMBED, place), constant=row) for place, row in enumerate(mixed)]
        here = trace if step == steps else record(model, architecture, trace.token_ids, edits=edits)
        for layer, at in live_gradients(architecture, here, position, unembedding):
            total[layer] = _add(total.get(layer), at, 1 / steps)
    return total


def _add(total: SiteGradient | None, more: SiteGradient, factor: float) -> SiteGradient:
    values: dict[str, Any] = {}
    for part in fields(SiteGradient):
        new = getattr(more, part.name)
        if isinstance(new, Tensor):
            values[part.name] = new * factor + (0 if total is None else getattr(total, part.name))
    return replace(more, **values)


def predict(
    architecture: Architecture, trace: Trace, edits: Iterable[Edit], at: SiteGradient
) -> float:
    """What edits of one layer change the metric by, to first order in this gradient.

    Args:
        architecture: The model.
        trace: The plain pass.
        edits: All of the layer that the gradient is of.
        at: The gradient.
    """
    return sum(_predict_one(architecture, trace, one, at) for one in edits)


def _predict_one(architecture: Architecture, trace: Trace, one: Edit, at: SiteGradient) -> float:
    site, place = one.site, _place(at, one)
    block = architecture.blocks[one.layer]
    match site.kind:
        case NodeKind.ATTN_BIAS:
            return _dot(at.attn_raw[place], block.attention.b_o) * (one.factor - 1)
        case NodeKind.MLP_BIAS:
            return _dot(at.mlp_raw[place], getattr(block.mlp, "b_out", None)) * (one.factor - 1)
    if one.knocks_out:
        layer = trace.layers[one.layer]
        gradient = at.z[place, site.number]
        moved = mix_without(block.attention, layer, site) - layer.z[site.position, site.number]
    else:
        value = value_at(architecture, trace, site)
        gradient, moved = gradient_at(at, one), one.change(value) - value
    return _dot(gradient, moved)


def gradient_at(at: SiteGradient, one: Edit) -> Tensor:
    """The part of a layer's gradient that an edit's site has."""
    site, place = one.site, _place(at, one)
    match site.kind:
        case NodeKind.EMBED:
            return at.resid_pre[place]
        case NodeKind.HEAD:
            return at.z[place, site.number]
        case NodeKind.ATTN_NEURON:
            return at.z[place].flatten()[site.number]
        case NodeKind.ATTN | NodeKind.RESID_MID:
            return at.attn[place]
        case NodeKind.MEMORY_VALUE:
            assert at.activation is not None
            return at.activation[place, site.number]
        case NodeKind.EXPERT:
            return at.mlp_raw[place]
        case NodeKind.MLP:
            return at.mlp[place]
    return at.resid_post[place]


def _place(at: SiteGradient, one: Edit) -> int:
    """Where the gradient has the edit's position."""
    position = one.site.position
    assert position is not None and position >= at.first
    return position - at.first


def mix_without(attention: Attention, layer: LayerTrace, site: Site) -> Float[Tensor, " d_head"]:
    """A head's mix of values where the site's source may not be read.

    The others are read in the same proportions; nothing is, where all of them round to zero.

    Source: Kramár et al. 2024, equation 8, with a new pattern of 0 at that source.
    """
    assert site.number is not None and site.source is not None and site.position is not None
    values = attention.value(layer.ln1[: site.position + 1], site.number)
    others = layer.attention[site.number, site.position, : site.position + 1].to(values, copy=True)
    others[site.source] = 0  # their sum is exact where the source takes nearly all, 1 - it is not
    return others @ values / others.sum().clamp_min(torch.finfo(others.dtype).tiny)


def _dot(gradient: Tensor, moved: Tensor | None) -> float:
    if moved is None:
        return 0.0
    return float((gradient.to(torch.float64) * moved.to(torch.float64)).sum())


def by_layer(edits: Sequence[Edit]) -> dict[int, list[Edit]]:
    """Edits by the layer that they are made in."""
    found: dict[int, list[Edit]] = {}
    for one in edits:
        found.setdefault(one.layer, []).append(one)
    return found

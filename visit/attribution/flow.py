"""Flow: how much of the metric passes through every part when patterns, norms and gates are held.

1. Hold every attention pattern, every norm's scale, and every gate: a gated MLP's ``act(gate)``, in
   any other MLP ``activation / pre-activation``. The pass is then linear in the embeddings and
   the biases.
2. Sweep back once from the metric over the recorded layers. That gives the metric's gradient
   through the held pass wherever something is written into the residual stream.
3. A part's flow is its dot product with the gradient where it is written. At every depth the
   residuals' flows, with those of the biases still to come, add up to the metric; a head's is the
   sum of its sources', an MLP's that of its memories and its bias.

The same sweep takes many functionals at once, a column each: one for every candidate token gives
every part's outcome.

Source: layer-wise relevance propagation with patterns, norms and gates held (Ali et al. 2022, "XAI
for Transformers"; Achtibat et al. 2024, AttnLRP), as a gradient; influence in the attribution
graphs of Ameisen et al. 2025.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.graph.kinds import NodeKind
from visit.models.architectures import Architecture
from visit.models.architectures.base import Attention, Block, Expert, Experts, Mlp, Norm
from visit.tracing.hooks import LayerTrace
from visit.tracing.precision import ledger_dtype, reading_dtype
from visit.tracing.trace import Trace

Gradient = Float[Tensor, "column pos d_model"]


@dataclass(frozen=True, slots=True)
class HeldExpert:
    """One expert of a mixture with its gate and its weight held, where it was routed to.

    Attributes:
        expert: Its weights.
        places: The positions.
        gate: ``act(gate)`` there.
        weight: Its weight there.
    """

    expert: Expert
    places: Int[Tensor, " place"]
    gate: Float[Tensor, "place d_expert"]
    weight: Float[Tensor, " place"]


@dataclass(frozen=True, slots=True)
class HeldLayer:
    """One layer as a linear map: what is held of it, at the positions that can matter.

    Attributes:
        block: Its weights.
        ln1_scale: The scale of the norm before attention, or ``None`` where there is no norm.
        ln2_scale: Likewise before the MLP.
        pattern: The attention.
        attn_gain: As the trace has it; likewise ``mlp_gain``.
        slope: What each memory's input is multiplied by, or ``None`` in a mixture of experts.
        experts: Of a mixture.
    """

    block: Block
    ln1_scale: Float[Tensor, "pos 1"] | None
    ln2_scale: Float[Tensor, "pos 1"] | None
    pattern: Float[Tensor, "head pos pos"]
    attn_gain: Float[Tensor, "pos d_model"] | None
    mlp_gain: Float[Tensor, "pos d_model"] | None
    slope: Float[Tensor, "pos d_mlp"] | None
    experts: tuple[HeldExpert, ...]


@dataclass(frozen=True, slots=True)
class LayerGradient:
    """Functionals' gradients through the held pass, at one layer; a column each.

    Attributes:
        post: At the residual that leaves and at what the MLP writes.
        mid: At what attention writes; in a sequential layer also at the residual between.
        pre: At the residual that enters.
        attn_raw: At the output projection's result, before what lies between it and the residual.
        mlp_raw: Likewise the MLP's.
        z: At each head's mix of values.
        v: At each head's values.
        ln1: At what attention reads, through values alone: the pattern is held.
        ln2: At what the MLP reads.
        into_attn: At the residual that enters, through attention alone.
        into_mlp: At the residual that the MLP reads, through the MLP alone.
        activation: At each memory's activation; ``None`` in a mixture.
        memory_input: At each memory's pre-activation, or in a gated MLP what its gate is
            multiplied with; ``None`` in a mixture.
    """

    post: Gradient
    mid: Gradient
    pre: Gradient
    attn_raw: Gradient
    mlp_raw: Gradient
    z: Float[Tensor, "column pos head d_head"]
    v: Float[Tensor, "column head pos d_head"]
    ln1: Gradient
    ln2: Gradient
    into_attn: Gradient
    into_mlp: Gradient
    activation: Float[Tensor, "column pos d_mlp"] | None
    memory_input: Float[Tensor, "column pos d_mlp"] | None


def sweep_back(
    architecture: Architecture,
    trace: Trace,
    position: int,
    directions: Float[Tensor, "column d_model"],
    *,
    first: int = 0,
    positions: Sequence[int] | None = None,
) -> Iterator[tuple[int, LayerGradient]]:
    """The gradients of some functionals at every layer, from the last one down.

    Positions after the traced one can't matter and are left out. What is written at a position is
    read there and later, so the gradients from some position on can be had without the others'.

    Args:
        architecture: The model.
        trace: The forward pass.
        position: The traced position.
        directions: Of each functional, its gradient at the last residual of its position.
        first: The position from which on gradients are taken.
        positions: Of each functional, the position whose last residual it is of, none after the
            traced one; that of all of them by default.
    """
    dtype = sweep_dtype(trace)
    n_positions = position + 1 - first
    gradient = directions.new_zeros(len(directions), n_positions, directions.shape[1], dtype=dtype)
    places = [position] * len(directions) if positions is None else positions
    columns = torch.arange(len(directions), device=gradient.device)
    gradient[columns, torch.tensor(places, device=gradient.device) - first] = directions.to(dtype)
    for layer in reversed(range(len(trace.layers))):
        recorded = trace.layers[layer]
        recorded = _take_from(recorded, first) if first else recorded
        held = hold_layer(architecture.blocks[layer], recorded, n_positions, dtype)
        held = _hold_memories(held, trace, layer, first)
        at = step_back(held, gradient)
        yield layer, at
        gradient = drop_underflow(at.pre)


def drop_underflow(x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The same, with zero for what is so small that its products would be denormal numbers.

    Processors are twenty times as slow with those. Below the root of the smallest normal number
    (1e-19 in float32, 1e-154 in float64) nothing reaches the last digit of any sum.
    """
    return torch.nn.functional.hardshrink(x, torch.finfo(x.dtype).tiny ** 0.5)


def sweep_dtype(trace: Trace) -> torch.dtype:
    """The dtype that gradients are taken in: the model's own, but never half precision."""
    return reading_dtype(trace.logits.dtype)


def hold_layer(
    block: Block, recorded: LayerTrace, n_positions: int, dtype: torch.dtype
) -> HeldLayer:
    """A layer as a linear map, at the first positions."""
    resid = recorded.resid_pre if recorded.resid_mid is None else recorded.resid_mid
    ln2 = recorded.ln2[:n_positions]
    slope: Tensor | None = None
    experts: tuple[HeldExpert, ...] = ()
    if isinstance(block.mlp, Experts):
        experts = tuple(_hold_experts(block.mlp, recorded, n_positions, dtype))
    else:
        slope = slopes(block.mlp, ln2.to(dtype))
    return HeldLayer(
        block=block,
        ln1_scale=_scale(block.ln1, recorded.resid_pre[:n_positions], dtype),
        ln2_scale=_scale(block.ln2, resid[:n_positions], dtype),
        pattern=drop_underflow(recorded.attention[:, :n_positions, :n_positions].to(dtype)),
        attn_gain=_first(recorded.attn_gain, n_positions, dtype),
        mlp_gain=_first(recorded.mlp_gain, n_positions, dtype),
        slope=slope,
        experts=experts,
    )


def _take_from(recorded: LayerTrace, first: int) -> LayerTrace:
    """What a layer read and wrote from a position on, as if the prompt began there."""
    taken = {
        one.name: value[first:]
        for one in fields(recorded)
        if one.name != "attention" and (value := getattr(recorded, one.name)) is not None
    }
    return replace(recorded, attention=recorded.attention[:, first:, first:], **taken)


def _hold_memories(held: HeldLayer, trace: Trace, layer: int, first: int) -> HeldLayer:
    """The same layer where memories were set to zero or multiplied in the pass.

    Args:
        held: The layer, from a position on.
        trace: The pass.
        layer: Its number.
        first: That position.
    """
    if held.slope is None:
        return held
    slope = held.slope
    for one in trace.layers.edits:
        site = one.site
        if site.layer != layer or site.kind is not NodeKind.MEMORY_VALUE:
            continue
        if site.position is not None and 0 <= site.position - first < len(slope):
            slope = slope.clone()
            slope[site.position - first, site.number] *= one.factor
    return held if slope is held.slope else replace(held, slope=slope)


def slopes(mlp: Mlp, ln2: Float[Tensor, "pos d_model"]) -> Float[Tensor, "pos d_mlp"]:
    """What each memory's input is multiplied by to give its activation.

    In a gated MLP the input is the up-projection and the slope ``act(gate)``. In any other it is
    the pre-activation, and the slope ``activation / pre-activation``; where that is 0, what the
    quotient tends to, the mean of both sides.

    Source: the ratio rule, Ali et al. 2022, equation 5.
    """
    match = _add(ln2 @ mlp.w_in.to(ln2), mlp.b_in)
    activation = mlp.act(match)
    if mlp.w_up is not None:
        return activation
    tiny = torch.full_like(match[:1, :1], torch.finfo(match.dtype).eps)
    limit = (mlp.act(tiny) - mlp.act(-tiny)) / (2 * tiny)
    is_zero = match == 0
    return torch.where(is_zero, limit, activation / match.masked_fill(is_zero, 1.0))


def _hold_experts(
    mixture: Experts, recorded: LayerTrace, n_positions: int, dtype: torch.dtype
) -> Iterator[HeldExpert]:
    assert recorded.routed is not None and recorded.routing_weight is not None
    read = recorded.ln2[:n_positions].to(dtype)
    routed, weights = recorded.routed[:n_positions], recorded.routing_weight[:n_positions].to(dtype)
    for number in routed.unique().tolist():
        places, choices = (routed == number).nonzero(as_tuple=True)
        expert = mixture.experts[number]
        yield _hold_expert(expert, read, places, weights[places, choices])
    if mixture.shared is not None:
        places = torch.arange(n_positions, device=read.device)
        yield _hold_expert(mixture.shared.expert, read, places, mixture.shared.weight(read))


def _hold_expert(expert: Expert, read: Tensor, places: Tensor, weight: Tensor) -> HeldExpert:
    return HeldExpert(expert, places, expert.act(read[places] @ expert.w_gate.to(read)), weight)


def step_back(held: HeldLayer, post: Gradient) -> LayerGradient:
    """The gradients at a layer, from those at the residual that leaves it."""
    block, attention = held.block, held.block.attention
    mlp_raw = post if held.mlp_gain is None else post * held.mlp_gain
    activation, memory_input, ln2 = _through_mlp(held, mlp_raw)
    into_mlp = _through_norm(block.ln2, held.ln2_scale, ln2)
    mid = post if block.parallel else post + into_mlp
    attn_raw = mid if held.attn_gain is None else mid * held.attn_gain
    z = _multiply(attn_raw, attention.w_o.flatten(0, 1).T).unflatten(2, attention.w_o.shape[:2])
    v = torch.einsum("hrs,crhd->chsd", held.pattern, z)
    ln1 = _through_values(attention, v)
    into_attn = _through_norm(block.ln1, held.ln1_scale, ln1)
    pre = mid + into_attn + into_mlp if block.parallel else mid + into_attn
    return LayerGradient(
        post=post,
        mid=mid,
        pre=pre,
        attn_raw=attn_raw,
        mlp_raw=mlp_raw,
        z=z,
        v=v,
        ln1=ln1,
        ln2=ln2,
        into_attn=into_attn,
        into_mlp=into_mlp,
        activation=activation,
        memory_input=memory_input,
    )


def _through_mlp(held: HeldLayer, raw: Gradient) -> tuple[Tensor | None, Tensor | None, Gradient]:
    """The gradients at its activations and at what makes them, and at what it reads."""
    mlp = held.block.mlp
    if isinstance(mlp, Mlp):
        assert held.slope is not None
        activation = _multiply(raw, mlp.w_out.T)
        memory_input = activation * held.slope
        ln2 = _multiply(memory_input, (mlp.w_in if mlp.w_up is None else mlp.w_up).T)
        return activation, memory_input, ln2
    ln2 = torch.zeros_like(raw)
    for one in held.experts:
        weighted = raw[:, one.places] * one.weight.unsqueeze(1)
        up = _multiply(weighted, one.expert.w_down.T) * one.gate
        ln2.index_add_(1, one.places, _multiply(up, one.expert.w_up.T))
    return None, None, ln2


def _through_values(attention: Attention, v: Float[Tensor, "column head pos d_head"]) -> Gradient:
    """From the gradient at each head's values to that at what attention reads."""
    n_kv_heads = len(attention.w_v)
    shared = v.unflatten(1, (n_kv_heads, -1)).sum(2)
    flat = attention.w_v.transpose(0, 1).flatten(1)
    return _multiply(shared.transpose(1, 2).flatten(2), flat.T)


def _through_norm(
    norm: Norm | None, scale: Float[Tensor, "pos 1"] | None, gradient: Gradient
) -> Gradient:
    if norm is None or scale is None:
        return gradient
    return norm.pulled_back(gradient) * scale


def _multiply(
    x: Float[Tensor, "column pos row"], weight: Float[Tensor, "row out"]
) -> Float[Tensor, "column pos out"]:
    return x @ weight.to(x)


def _scale(norm: Norm | None, resid: Tensor, dtype: torch.dtype) -> Tensor | None:
    return None if norm is None else norm.scale(resid.to(ledger_dtype(resid))).to(dtype)


def _first(gain: Tensor | None, n_positions: int, dtype: torch.dtype) -> Tensor | None:
    return None if gain is None else gain[:n_positions].to(dtype)


def _add(product: Tensor, bias: Tensor | None) -> Tensor:
    return product if bias is None else product + bias.to(product)

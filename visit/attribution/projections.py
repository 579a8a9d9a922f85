"""What a layer made of the normed residuals that it read, computed again.

Queries, keys and values: before any rotary embedding, after any query and key norm, biases
included. And what each expert of a mixture wrote, with the routing that the model itself chose.
All are in the dtype of the ledgers, but for queries: they are only read, never added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution import circuits
from visit.models.architectures import Architecture
from visit.models.architectures.base import Attention, Experts, Norm
from visit.tracing.precision import ledger_dtype, multiply_wide, reading_dtype
from visit.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class SourceValues:
    """What each head of a layer would write from each source if it attended to it alone.

    All of it at once would be heads times sources times ``d_model`` numbers, 134 MB for one layer
    of GPT-2 medium at 1,024 tokens, so it is made of what is asked for, in the ledgers' dtype.

    Attributes:
        v: The values, repeated where heads share them.
        w_o: The output projection.

    Source: the OV circuit, ``v · W_O``, Elhage et al. 2021.
    """

    v: Float[Tensor, "head source d_head"]
    w_o: Float[Tensor, "head d_head d_model"]

    def write(
        self, sources: slice, heads: slice = slice(None)
    ) -> Float[Tensor, "some_head some_source d_model"]:
        """What some heads, or all, would write from each of some sources."""
        return circuits.source_values(self.v[heads, sources], self.w_o[heads])

    def mix(self, weights: Float[Tensor, "head source"]) -> Float[Tensor, " d_model"]:
        """Everything added up, weighted: with a reader's pattern, what its heads write together."""
        z = torch.einsum("hs,hsd->hd", weights, self.v)
        return circuits.head_outputs(z, self.w_o).sum(0)


def queries_of(
    attention: Attention, ln1: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "head pos d_head"]:
    """Each head's queries, in the dtype of what attention reads."""
    return _apply_norm(_project(ln1, attention.w_q, attention.b_q), attention.q_norm)


def keys_of(
    attention: Attention, ln1: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "kv_head pos d_head"]:
    """Each key-value head's keys."""
    return _apply_norm(_project(ln1, attention.w_k, attention.b_k), attention.k_norm)


def values_of(
    attention: Attention, ln1: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "head pos d_head"]:
    """Each head's values, repeated where heads share them."""
    return circuits.repeat_kv_heads(_project(ln1, attention.w_v, attention.b_v), len(attention.w_q))


def queries_at(
    architecture: Architecture, trace: Trace, layer: int, position: int
) -> Float[Tensor, "head d_head"]:
    """Each head's query at one position."""
    read = trace.layers[layer].ln1[position : position + 1]
    ln1 = read.to(reading_dtype(read.dtype))
    return queries_of(architecture.blocks[layer].attention, ln1).squeeze(1)


def keys_by_source(
    architecture: Architecture, trace: Trace, layer: int, sources: Sequence[int] | None = None
) -> Float[Tensor, "kv_head source d_head"]:
    """Each key-value head's keys at some positions, or at every one."""
    attention, ln1 = architecture.blocks[layer].attention, trace.layers[layer].ln1
    read = ln1 if sources is None else ln1[list(sources)]
    return keys_of(attention, read.to(ledger_dtype(read)))


def values_by_source(architecture: Architecture, trace: Trace, layer: int) -> SourceValues:
    """What each head of a layer would write from each source if it attended to it alone."""
    attention, ln1 = architecture.blocks[layer].attention, trace.layers[layer].ln1
    v = values_of(attention, ln1.to(ledger_dtype(ln1)))
    return SourceValues(v, attention.w_o.to(v))


def value_gain(
    architecture: Architecture, trace: Trace, layer: int
) -> Float[Tensor, " d_model"] | None:
    """What a value is multiplied by before it is read, the same for every reader.

    On its way into the residual stream a value passes the output norm, if there is one, and the
    model's multiplier. Of the norm this is the gain alone: its scale is that of the position that
    reads, and would give one value another length for every reader. ``None`` where nothing lies
    between.
    """
    block, recorded = architecture.blocks[layer], trace.layers[layer].attn_gain
    if recorded is None:
        return None
    if block.attn_norm is None:
        gain = torch.full_like(recorded[0], block.write_scale)
    else:
        gain = block.attn_norm.gain.to(recorded) * block.write_scale
    return gain.to(ledger_dtype(gain))


def experts_at(
    architecture: Architecture, trace: Trace, layer: int, position: int
) -> tuple[Float[Tensor, " part"], Float[Tensor, "part d_model"]]:
    """The weight of each expert of a mixture at one position, and ``weight · expert(ln2)``.

    First the experts that the position was routed to, in the order of ``LayerTrace.routed``, then
    the shared one if there is one. They add up to the mixture's output.

    Raises:
        ValueError: the layer has memories and no experts.

    Source: Shazeer et al. 2017, equation 1.
    """
    mixture, recorded = architecture.blocks[layer].mlp, trace.layers[layer]
    routed, routing_weight = recorded.routed, recorded.routing_weight
    if not isinstance(mixture, Experts) or routed is None or routing_weight is None:
        raise ValueError(f"layer {layer} has no experts; take its memories")
    x = recorded.ln2[position].to(ledger_dtype(recorded.ln2))
    weights = routing_weight[position].to(x)
    outputs = [mixture.experts[number](x) for number in routed[position].tolist()]
    if mixture.shared is not None:
        weights = torch.cat([weights, mixture.shared.weight(x)[None]])
        outputs.append(mixture.shared.expert(x))
    return weights, weights.unsqueeze(1) * torch.stack(outputs)


def _project(
    ln1: Float[Tensor, "pos d_model"],
    weight: Float[Tensor, "any_head d_model d_head"],
    bias: Float[Tensor, "any_head d_head"] | None,
) -> Float[Tensor, "any_head pos d_head"]:
    # Side by side, the heads are one matrix, a view of what the model holds.
    flat = weight.transpose(0, 1).flatten(1)
    together = multiply_wide(ln1, flat)
    projected: Tensor = together.unflatten(1, (len(weight), -1)).transpose(0, 1)
    return projected if bias is None else projected + bias.to(projected).unsqueeze(1)


def _apply_norm(
    x: Float[Tensor, "any_head pos d_head"], norm: Norm | None
) -> Float[Tensor, "any_head pos d_head"]:
    """Queries or keys through their norm, which is each head's own or one for all heads."""
    if norm is None:
        return x
    if len(norm.gain) == x.shape[-1]:
        return norm(x)
    together: Tensor = norm(x.transpose(0, 1).flatten(1)).unflatten(1, (len(x), -1))
    return together.transpose(0, 1)


def pull_back_through_norm(
    directions: Float[Tensor, "*batch d_head"], norm: Norm | None, head: int
) -> Float[Tensor, "*batch d_head"]:
    """Directions among a head's normed queries or keys, as directions among those not normed.

    The norm's scale, which is each vector's own, is left out.
    """
    if norm is None:
        return directions
    if len(norm.gain) == directions.shape[-1]:
        return norm.pulled_back(directions)
    gain: Tensor = norm.gain.unflatten(0, (-1, directions.shape[-1]))[head]
    return directions * gain.to(directions)

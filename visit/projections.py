"""A layer's queries, keys and values, from the normed residual that its attention read.

Before any rotary embedding, biases included, in the ledgers' dtype.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from visit import circuits
from visit.architectures import Architecture
from visit.trace import Trace, ledger_dtype


def queries_at(
    architecture: Architecture, trace: Trace, layer: int, position: int
) -> Float[Tensor, "head d_head"]:
    """Each head's query at one position."""
    attention = architecture.blocks[layer].attention
    ln1 = trace.layers[layer].ln1[position : position + 1]
    return _projected(ln1, attention.w_q, attention.b_q).squeeze(1)


def keys_by_source(
    architecture: Architecture, trace: Trace, layer: int
) -> Float[Tensor, "kv_head source d_head"]:
    """Each key-value head's keys at every position."""
    attention = architecture.blocks[layer].attention
    return _projected(trace.layers[layer].ln1, attention.w_k, attention.b_k)


def values_by_source(
    architecture: Architecture, trace: Trace, layer: int
) -> Float[Tensor, "head source d_model"]:
    """What each head would write from each source if it attended to it alone: ``v · W_O``."""
    attention = architecture.blocks[layer].attention
    v = _projected(trace.layers[layer].ln1, attention.w_v, attention.b_v)
    v = circuits.repeat_kv_heads(v, architecture.sizes.n_heads)
    return circuits.source_values(v, attention.w_o.to(v))


def _projected(
    ln1: Float[Tensor, "pos d_model"],
    weight: Float[Tensor, "any_head d_model d_head"],
    bias: Float[Tensor, "any_head d_head"] | None,
) -> Float[Tensor, "any_head pos d_head"]:
    dtype = ledger_dtype(ln1)
    projected = torch.einsum("pm,hmd->hpd", ln1.to(dtype), weight.to(dtype))
    return projected if bias is None else projected + bias.to(dtype).unsqueeze(1)

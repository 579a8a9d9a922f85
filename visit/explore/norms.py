"""How much each head moves from each source, and how much of a layer comes from elsewhere.

A head's part of a source is ``attention · v · W_O``, through an output norm with its scale held.
With the residual, a position's own part is also what went past attention; with the norm that reads
both, each part goes through that norm with its scale held. Biases are of no position, left out.

Source: Kobayashi et al. 2020, equation 3; 2021, equations 5 to 11.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution.projections import values_by_source
from visit.models.architectures import Architecture
from visit.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class MovedInLayer:
    """What one layer's attention moves.

    Attributes:
        moved: The norm of each head's part of each source, at the traced reader.
        head_mixing: Of each head, at that reader.
        mixing: Of each reader: all heads together; with the residual; with the norm that reads
            both, which is 0 throughout where there is none.
        has_norm: Whether there is one.
    """

    moved: Float[Tensor, "head source"]
    head_mixing: Float[Tensor, " head"]
    mixing: Float[Tensor, "3 reader"]
    has_norm: bool


def norms_of_layer(
    architecture: Architecture, trace: Trace, layer: int, position: int
) -> MovedInLayer:
    """What one layer's attention moves to a reader, and how it mixes positions at every reader.

    Args:
        architecture: The model.
        trace: The forward pass.
        layer: The layer.
        position: The reader whose heads are told apart.
    """
    block, recorded = architecture.blocks[layer], trace.layers[layer]
    values = values_by_source(architecture, trace, layer)
    n_readers, n_sources = len(trace.token_ids), position + 1
    pattern = recorded.attention.to(values.v)
    gain = None if recorded.attn_gain is None else recorded.attn_gain.to(values.v)

    written = values.write(slice(0, n_sources)) * pattern[:, position, :n_sources, None]
    if gain is not None:
        written = written * gain[position]
    moved = written.norm(dim=-1)
    others = written[:, :position].sum(1).norm(dim=-1)
    own = moved[:, position]
    head_mixing = _mixing(others, own)

    # All heads together: the sum of what they write at a reader, and its own part of that.
    z = torch.einsum("hrs,hsd->rhd", pattern, values.v)
    whole = torch.einsum("rhd,hdm->rm", z, values.w_o)
    diagonal = pattern.diagonal(dim1=1, dim2=2)
    own_part = torch.einsum("hr,hrd,hdm->rm", diagonal, values.v, values.w_o)
    if gain is not None:
        whole, own_part = whole * gain, own_part * gain
    from_others, residual = whole - own_part, recorded.resid_pre.to(whole)
    with_residual = own_part + residual
    mixing = whole.new_zeros(3, n_readers)
    mixing[0] = _mixing(from_others.norm(dim=-1), own_part.norm(dim=-1))
    mixing[1] = _mixing(from_others.norm(dim=-1), with_residual.norm(dim=-1))
    norm = None if block.parallel else block.ln2
    if norm is not None and recorded.resid_mid is not None:
        scale = norm.scale(recorded.resid_mid.to(whole))
        normed = (norm.linear(one, scale) for one in (from_others, with_residual))
        mixing[2] = _mixing(*(one.norm(dim=-1) for one in normed))
    return MovedInLayer(moved, head_mixing, mixing, norm is not None)


def _mixing(others: Float[Tensor, "*any"], own: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The part of both that is of other positions; 0 where nothing is moved."""
    both = others + own
    return torch.where(both > 0, others / both.where(both > 0, torch.ones_like(both)), 0.0)

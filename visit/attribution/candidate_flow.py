"""Every part's flow to each candidate's logit, less its mean over the likeliest candidates.

One sweep back with a column a candidate. Whatever the target, these flows are the same, and so are
those of parts that are not drawn yet: of a pass that was recorded, another target or another route
needs no other sweep.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution.flow import Gradient, LayerGradient, sweep_back, sweep_dtype
from visit.attribution.metric import candidate_unembeddings, pull_back_through_final_norm
from visit.attribution.metric_flow import values_in_sweep
from visit.models.architectures import Architecture
from visit.tracing.precision import ledger_dtype
from visit.tracing.trace import Trace

COLUMN_ELEMENTS = 1 << 25
"""How many numbers a layer's widest gradient may hold: 128 MiB in float32."""


@dataclass(frozen=True, slots=True)
class CandidateFlow:
    """What of each candidate's centred logit passes through every part of the model.

    Attributes:
        candidates: Their token ids.
        first: The position that all but the kept gradients begin at.
        embed: Through each position's embedding.
        post: Through the residual that leaves each layer.
        mid: Through the residual between; in a parallel layer, the one that enters.
        attn: Through what attention writes.
        mlp: Through what the MLP writes.
        heads: Through each head.
        values: Through each head's value of each source, to all that read it.
        positions: Where gradients are kept, for parts that are chosen later: memories, attention
            neurons and experts.
        post_gradients: The gradients there at what the MLP writes.
        mid_gradients: Likewise at what attention writes.
    """

    candidates: tuple[int, ...]
    first: int
    embed: Float[Tensor, "candidate pos"]
    post: Float[Tensor, "layer candidate pos"]
    mid: Float[Tensor, "layer candidate pos"]
    attn: Float[Tensor, "layer candidate pos"]
    mlp: Float[Tensor, "layer candidate pos"]
    heads: Float[Tensor, "layer candidate pos head"]
    values: Float[Tensor, "layer candidate head pos"]
    positions: tuple[int, ...]
    post_gradients: Float[Tensor, "layer candidate kept_pos d_model"]
    mid_gradients: Float[Tensor, "layer candidate kept_pos d_model"]

    @property
    def n_bytes(self) -> int:
        """The memory it takes."""
        parts = (getattr(self, part.name) for part in fields(self))
        return sum(part.nbytes for part in parts if isinstance(part, Tensor))


def find_candidate_flow(
    architecture: Architecture,
    trace: Trace,
    position: int,
    candidates: Sequence[int],
    positions: Collection[int],
    *,
    centre: Sequence[int] | None = None,
    first: int = 0,
) -> CandidateFlow:
    """The flow of every part to each candidate, by one sweep back over the recorded layers.

    Args:
        architecture: The model.
        trace: The forward pass.
        position: The traced position, from the start.
        candidates: Their token ids.
        positions: Where gradients are kept; none after the traced one, nor before the first.
        centre: The tokens whose mean logit is taken off: the candidates themselves by default.
        first: The position from which on parts are measured.
    """
    resid = trace.residuals[-1][position].to(ledger_dtype(trace.logits))
    centre = candidates if centre is None else centre
    columns = candidate_unembeddings(architecture, candidates, centre, resid.dtype)
    directions = pull_back_through_final_norm(architecture, resid, columns)
    # Made before the sweep: what is kept between its large tensors would keep their memory too.
    found = _make_room(
        architecture, trace, range(first, position + 1), tuple(candidates), tuple(sorted(positions))
    )
    width = (position + 1 - first) * max(architecture.sizes.d_mlp, architecture.sizes.d_model)
    step = max(1, COLUMN_ELEMENTS // width)
    for start in range(0, len(candidates), step):
        some = slice(start, start + step)
        for layer, at in sweep_back(architecture, trace, position, directions[some], first=first):
            _measure(found, some, architecture, trace, layer, at)
    return found


def _make_room(
    architecture: Architecture,
    trace: Trace,
    measured: range,
    candidates: tuple[int, ...],
    positions: tuple[int, ...],
) -> CandidateFlow:
    n_layers, n_candidates, n_positions = len(trace.layers), len(candidates), len(measured)
    n_heads, d_model = architecture.sizes.n_heads, architecture.sizes.d_model

    def room(*sizes: int) -> Tensor:
        return trace.logits.new_empty(*sizes, dtype=sweep_dtype(trace))

    by_position = (n_layers, n_candidates, n_positions)
    gradients = (n_layers, n_candidates, len(positions), d_model)
    return CandidateFlow(
        candidates=candidates,
        first=measured.start,
        embed=room(n_candidates, n_positions),
        post=room(*by_position),
        mid=room(*by_position),
        attn=room(*by_position),
        mlp=room(*by_position),
        heads=room(*by_position, n_heads),
        values=room(n_layers, n_candidates, n_heads, n_positions),
        positions=positions,
        post_gradients=room(*gradients),
        mid_gradients=room(*gradients),
    )


def _measure(
    found: CandidateFlow,
    some: slice,
    architecture: Architecture,
    trace: Trace,
    layer: int,
    at: LayerGradient,
) -> None:
    """Write down one layer's flows to some of the candidates."""
    recorded, block = trace.layers[layer], architecture.blocks[layer]
    own = slice(found.first, found.first + at.post.shape[1])
    kept = [position - found.first for position in found.positions]
    resid_mid = recorded.resid_pre if recorded.resid_mid is None else recorded.resid_mid
    found.post[layer, some] = _dot(at.post, recorded.resid_post[own])
    found.mlp[layer, some] = _dot(at.post, recorded.mlp_out[own])
    found.mid[layer, some] = _dot(at.mid, resid_mid[own])
    found.attn[layer, some] = _dot(at.mid, recorded.attn_out[own])
    found.heads[layer, some] = (at.z * recorded.z[own].to(at.z)).sum(-1)
    values = values_in_sweep(block, recorded.ln1[own].to(at.post))
    found.values[layer, some] = (at.v * values).sum(-1)
    found.post_gradients[layer, some] = at.post[:, kept]
    found.mid_gradients[layer, some] = at.mid[:, kept]
    if layer == 0:
        found.embed[some] = _dot(at.pre, recorded.resid_pre[own])


def _dot(
    gradient: Gradient, vectors: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "candidate pos"]:
    """Each position's dot products with its vector."""
    own = vectors.to(gradient).unsqueeze(-1)
    return torch.bmm(gradient.transpose(0, 1), own).squeeze(-1).T

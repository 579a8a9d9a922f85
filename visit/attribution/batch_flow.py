"""The flow of several prompts' metrics at once: one sweep back over a recorded batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution.flow import LayerGradient, drop_underflow, hold_layer, step_back
from visit.attribution.metric import Metric, metric_direction
from visit.attribution.metric_flow import values_in_sweep
from visit.models.architectures import Architecture
from visit.models.architectures.base import Block
from visit.tracing.batch import Batch
from visit.tracing.hooks import LayerTrace
from visit.tracing.precision import ledger_dtype, reading_dtype


@dataclass(frozen=True, slots=True)
class BatchLayer:
    """What flows through one layer's parts, and the direct logits at the traced positions.

    Attributes:
        pre: Through the residual that enters.
        heads: Through what each head writes.
        sources: Of that, through each source.
        mlp: Through what the MLP writes.
        direct_heads: Each head's direct logit, at the traced position.
        direct_mlp: The MLP's.
    """

    pre: Float[Tensor, "prompt pos"]
    heads: Float[Tensor, "prompt pos head"]
    sources: Float[Tensor, "prompt head pos source"]
    mlp: Float[Tensor, "prompt pos"]
    direct_heads: Float[Tensor, "prompt head"]
    direct_mlp: Float[Tensor, " prompt"]


def find_batch_flow(
    architecture: Architecture, batch: Batch, metrics: Sequence[Metric]
) -> tuple[list[BatchLayer], Float[Tensor, " prompt"]]:
    """The flow of every prompt's own metric through everything, layer by layer.

    Args:
        architecture: The model.
        batch: The recorded pass.
        metrics: What is explained of each prompt.

    Returns:
        Of every layer, and what flows through each last residual.
    """
    wide = ledger_dtype(batch.logits)
    last = batch.last.to(wide)
    pairs = zip(last, metrics, strict=True)
    directions = torch.stack([metric_direction(architecture, *pair) for pair in pairs])
    n_positions = batch.n_positions
    dtype = reading_dtype(batch.logits.dtype)
    gradient = directions.new_zeros(1, len(metrics) * n_positions, last.shape[1], dtype=dtype)
    gradient[0, n_positions - 1 :: n_positions] = directions.to(dtype)
    found = []
    for number in reversed(range(len(batch.layers))):
        block, recorded = architecture.blocks[number], batch.layers[number]
        at = step_back(hold_layer(block, recorded, gradient.shape[1], dtype), gradient)
        found.append(_measure(batch, block, recorded, at, directions))
        gradient = drop_underflow(at.pre)
    return found[::-1], (last * directions).sum(-1)


def _measure(
    batch: Batch, block: Block, recorded: LayerTrace, at: LayerGradient, directions: Tensor
) -> BatchLayer:
    wide, n_positions = directions.dtype, batch.n_positions

    def dot(gradient: Tensor, vectors: Tensor) -> Tensor:
        return batch.by_prompt((gradient[0].to(wide) * vectors.to(wide)).sum(-1))

    v = values_in_sweep(block, recorded.ln1.to(at.post)).transpose(0, 1)
    patterns = recorded.attention.unflatten(1, (-1, n_positions)).unflatten(3, (-1, n_positions))
    own = patterns.diagonal(dim1=1, dim2=3).movedim(-1, 0)
    taken = torch.einsum("brhd,bshd->bhrs", batch.by_prompt(at.z[0]), batch.by_prompt(v))
    traced = slice(n_positions - 1, None, n_positions)
    raw = directions
    if recorded.attn_gain is not None:
        raw = raw * recorded.attn_gain[traced].to(wide)
    w_o = block.attention.w_o
    z_direct = (raw.to(at.z) @ w_o.flatten(0, 1).T.to(at.z)).unflatten(1, w_o.shape[:2])
    return BatchLayer(
        pre=dot(at.pre, recorded.resid_pre),
        heads=dot(at.z, recorded.z),
        sources=own.to(wide) * taken.to(wide),
        mlp=dot(at.post, recorded.mlp_out),
        direct_heads=(z_direct.to(wide) * recorded.z[traced].to(wide)).sum(-1),
        direct_mlp=(directions * recorded.mlp_out[traced].to(wide)).sum(-1),
    )

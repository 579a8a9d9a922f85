"""Attention that rests on a token, and coordinates out of all proportion, in one pass.

Source: Sun et al. 2024, section 2 (massive: above 100, and 1,000 times the median size of the
hidden state, which is all tokens' at that depth); Gu et al. 2024, equation 4 (a position's mean
attention over the readers from it on).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.tracing.precision import ledger_dtype

MASSIVE, TIMES_MEDIAN = 100.0, 1000.0


def mean_attention(pattern: Float[Tensor, "head pos pos"]) -> Float[Tensor, "head pos"]:
    """What each source gets of each head, the mean over the readers that see it."""
    n_readers = torch.arange(pattern.shape[-1], 0, -1, device=pattern.device)
    mean: Tensor = pattern.sum(1) / n_readers
    return mean


def outliers_of(
    residual: Float[Tensor, "pos d_model"], count: int
) -> tuple[Int[Tensor, " far"], Int[Tensor, " far"], Float[Tensor, " far"]]:
    """The coordinates that are farthest above the median size at their depth.

    Args:
        residual: Of every position.
        count: How many.

    Returns:
        Their positions, their numbers, and how many times the median they are, farthest first.
    """
    sizes = residual.to(ledger_dtype(residual)).abs()
    median = sizes.median()
    ratios = sizes / median.clamp_min(torch.finfo(sizes.dtype).tiny)
    found = ratios.flatten().topk(min(count, ratios.numel()))
    positions = found.indices.div(residual.shape[1], rounding_mode="floor")
    return positions, found.indices % residual.shape[1], found.values

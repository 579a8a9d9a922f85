"""Which dtype measures what, whatever dtype the model runs in, and how weights are widened."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

WIDENED_ELEMENTS = 1 << 19
"""How many numbers are widened at once: 4 MiB in float64, which never leaves the cache."""


def ledger_dtype(like: Tensor) -> torch.dtype:
    """The dtype that ledgers are kept in on this tensor's device: float64 where it has it."""
    return torch.float32 if like.device.type == "mps" else torch.float64


def reading_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype that a model's readings and logits are compared in: never half precision."""
    return dtype if dtype is torch.float64 else torch.float32


def widen(
    matrix: Float[Tensor, "row column"], like: Tensor, elements: int
) -> Iterator[tuple[slice, Float[Tensor, "some_row column"]]]:
    """A few rows of a matrix at a time, and which, in another tensor's dtype and on its device.

    The rows of every step are written over those of the step before, because newly allocated memory
    costs more than the widening: a step's rows must be used before the next is asked for.
    """
    step = max(1, elements // matrix.shape[1])
    is_wide = (matrix.dtype, matrix.device) == (like.dtype, like.device)
    place = matrix if is_wide else like.new_empty(min(step, len(matrix)), matrix.shape[1])
    for start in range(0, len(matrix), step):
        rows = slice(start, start + step)
        some = matrix[rows]
        yield rows, some if is_wide else place[: len(some)].copy_(some)


def multiply_wide(
    x: Float[Tensor, "vector row"], matrix: Float[Tensor, "row column"]
) -> Float[Tensor, "vector column"]:
    """``x @ matrix`` in the dtype of ``x``, without a whole matrix in it."""
    product = x.new_zeros(len(x), matrix.shape[1])
    for rows, wide in widen(matrix, x, WIDENED_ELEMENTS):
        product.addmm_(x[:, rows], wide)
    return product

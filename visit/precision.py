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


def widened(
    rows: Float[Tensor, "row column"], like: Tensor, elements: int
) -> Iterator[Float[Tensor, "some column"]]:
    """A matrix in the dtype and on the device of another tensor, a few rows at a time."""
    for some in rows.split(max(1, elements // rows.shape[1])):
        yield some.to(like)


def wide_product(
    x: Float[Tensor, "vector row"], matrix: Float[Tensor, "row column"]
) -> Float[Tensor, "vector column"]:
    """``x @ matrix`` in the dtype of ``x``, without a whole matrix in it."""
    product, start = x.new_zeros(len(x), matrix.shape[1]), 0
    for rows in widened(matrix, x, WIDENED_ELEMENTS):
        product.addmm_(x[:, start : start + len(rows)], rows)
        start += len(rows)
    return product

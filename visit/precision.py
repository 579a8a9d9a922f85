"""Which dtype measures what, whatever dtype the model runs in."""

from __future__ import annotations

import torch
from torch import Tensor


def ledger_dtype(like: Tensor) -> torch.dtype:
    """The dtype that ledgers are kept in on this tensor's device: float64 where it has it."""
    return torch.float32 if like.device.type == "mps" else torch.float64


def reading_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype that a model's readings and logits are compared in: never half precision."""
    return dtype if dtype is torch.float64 else torch.float32

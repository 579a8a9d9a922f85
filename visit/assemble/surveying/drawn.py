"""Random vectors to compare with, the same for a prompt whatever it runs with."""

from __future__ import annotations

import zlib

import torch
from jaxtyping import Float
from torch import Tensor

from visit.assemble.surveying.batches import SurveyBatch


def draw_like(
    vectors: Float[Tensor, "prompt d_model"], batch: SurveyBatch, seed: int, number: int
) -> Float[Tensor, "prompt d_model"]:
    """A random vector for each prompt's own, of the same norm.

    Args:
        vectors: What they stand for.
        batch: The prompts.
        seed: Of the drawing.
        number: Tells it from other drawings for the same prompts: the layer, say.
    """
    rows = []
    for one in batch.prompts:
        drawn = zlib.crc32(repr((seed, number, one.ids)).encode())
        generator = torch.Generator().manual_seed(drawn)
        rows.append(torch.randn(vectors.shape[-1], generator=generator))
    random = torch.stack(rows).to(vectors)
    scaled: Tensor = random * (vectors.norm(dim=-1) / random.norm(dim=-1)).unsqueeze(-1)
    return scaled

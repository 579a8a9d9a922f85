"""Where a position enters a score: the rotation of queries and keys, and biases by distance.

Both are the model's own numbers, as it called the block with them, so that no rule of scaling them
(linear, YaRN, Llama 3's) is written again here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from visit.models.architectures.base import Attention
from visit.tracing.hooks import Call
from visit.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class Rotation:
    """What queries and keys are rotated by at each position before they meet: a linear map.

    Attributes:
        cos: Of the angles, a column for each rotated coordinate; they are the first ones.
        sin: Likewise.
        interleaved: Whether a coordinate turns with its neighbour, or with the one half of the
            rotated ones further on.

    Source: Su et al. 2021, RoFormer, equation 34; what it calls ``R``.
    """

    cos: Float[Tensor, "pos rotated"]
    sin: Float[Tensor, "pos rotated"]
    interleaved: bool

    def rotate(
        self, vectors: Float[Tensor, "some_pos *any d_head"], positions: list[int]
    ) -> Float[Tensor, "some_pos *any d_head"]:
        """Vectors of some positions, each turned as its position has it."""
        width = self.cos.shape[1]
        turned, rest = vectors[..., :width], vectors[..., width:]
        shape = (len(positions), *[1] * (vectors.ndim - 2), width)
        cos, sin = (one[positions].to(vectors).view(shape) for one in (self.cos, self.sin))
        turned = turned * cos + self._quarter_turn(turned) * sin
        return torch.cat([turned, rest], dim=-1)

    def _quarter_turn(self, x: Float[Tensor, "*any rotated"]) -> Float[Tensor, "*any rotated"]:
        if self.interleaved:
            first, second = x[..., ::2], x[..., 1::2]
            return torch.stack([-second, first], dim=-1).flatten(-2)
        first, second = x.chunk(2, dim=-1)
        return torch.cat([-second, first], dim=-1)


def find_rotation(attention: Attention, trace: Trace, layer: int) -> Rotation | None:
    """What one layer rotates its queries and keys by; ``None`` where it does not.

    Raises:
        ValueError: the model was not called with its angles.
    """
    if not attention.rotary:
        return None
    first, second = _find_angles(attention, trace.layers.calls[layer])
    if attention.interleaved:  # GPT-J has the sine first, and each angle once
        sin, cos = (one.repeat_interleave(2, dim=-1) for one in (first, second))
    else:
        cos, sin = first, second
    home = trace.layers.home
    cos, sin = (one.reshape(-1, one.shape[-1]).to(home) for one in (cos, sin))
    return Rotation(cos, sin, attention.interleaved)


def _find_angles(attention: Attention, call: Call) -> tuple[Tensor, Tensor]:
    named = call.named
    found: Any = named.get("position_embeddings")
    if found is None:  # transformers 4: Gemma 3 has two tables, GPT-J one in every layer
        is_local = getattr(attention.module, "is_sliding", False)
        found = named.get(f"position_embeddings_{'local' if is_local else 'global'}")
    table: Any = getattr(attention.module, "embed_positions", None)
    if found is None and isinstance(table, Tensor):
        found = table.to(call.residual.device)[named["position_ids"]].chunk(2, dim=-1)
    if found is None:
        raise ValueError("the model was not called with the angles that it rotates by")
    first, second = found
    return first, second


def find_position_bias(
    attention: Attention, trace: Trace, layer: int, head: int
) -> Float[Tensor, "reader source"] | None:
    """What is added to a head's scores for where reader and source stand; ``None`` for nothing.

    That is ALiBi, from the model's own table, and what its mask adds beside hiding: transformers
    puts Falcon's table into the mask as well. It means nothing where a reader sees no source.

    Source: Press et al. 2022, "Train short, test long", section 3.
    """
    named, n_positions = trace.layers.calls[layer].named, len(trace.token_ids)
    found: Tensor | None = None
    mask = named.get("attention_mask")
    if isinstance(mask, Tensor) and mask.is_floating_point() and mask.ndim == 4:
        own = mask[0, head if mask.shape[1] > 1 else 0, :n_positions, :n_positions]
        seen = own.where(own > torch.finfo(own.dtype).min / 2, 0.0)
        found = seen if bool(seen.any()) else None
    if attention.alibi_scale is not None:
        alibi = named["alibi"].reshape(len(attention.w_q), 1, -1)[head] * attention.alibi_scale
        found = alibi.expand(n_positions, -1) if found is None else found + alibi
    return None if found is None else found.to(trace.layers.home)

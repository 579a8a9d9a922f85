"""Queries and keys of a head in one space, in which near is attended.

A head's queries and keys lie apart. Two changes leave the pattern as it is: a vector added to all
keys, which adds the same to all scores of a reader; and queries multiplied by a number that keys
are divided by. The first moves both centroids together; of the second the number is taken that lets
score and distance agree best. Rotation, norms of queries and keys and biases are in both, so that
their products are the model's own scores, but for what ALiBi adds for the distance.

Source: Yeh et al. 2023, "AttentionViz", section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_SCALES = torch.logspace(-1.5, 1.5, 61, base=10.0)
"""What is tried: a thirtieth to thirty."""
_FEWEST_PAIRS = 6
_MOST_PAIRS = 20_000
"""So many pairs are correlated; of more, every second or third and so on."""


@dataclass(frozen=True, slots=True)
class Joint:
    """Queries and keys in one space.

    Attributes:
        queries: Multiplied by ``scale``.
        keys: Moved, and divided by it.
        scale: That number.
        correlation: Of score and distance over the pairs that see each other; NaN where there are
            too few, or either is the same for all.
    """

    queries: Float[Tensor, "reader d_head"]
    keys: Float[Tensor, "source d_head"]
    scale: float
    correlation: float


def join(
    queries: Float[Tensor, "reader d_head"],
    keys: Float[Tensor, "source d_head"],
    seen: Bool[Tensor, "reader source"],
) -> Joint:
    """One head's queries and keys in one space.

    Args:
        queries: As they meet keys: rotated, normed, biased.
        keys: Likewise.
        seen: Which sources each reader sees.
    """
    moved = keys + (queries.mean(0) - keys.mean(0))
    readers, sources = seen.nonzero(as_tuple=True)
    step = -(-len(readers) // _MOST_PAIRS) or 1
    readers, sources = readers[::step], sources[::step]
    products = (queries[readers] * moved[sources]).sum(-1)
    of_queries, of_keys = (x.square().sum(-1) for x in (queries, moved))
    scales = _SCALES.to(queries)[:, None]
    # |c q - k / c|² for every c at once.
    squares = scales**2 * of_queries[readers] + of_keys[sources] / scales**2 - 2 * products
    found = _correlate(products, squares.clamp_min(0).sqrt())
    if len(readers) < _FEWEST_PAIRS or bool(found.isnan().all()):
        return Joint(queries, moved, 1.0, float("nan"))
    best = int(found.nan_to_num(1.0).argmin())
    scale = float(scales[best, 0])
    return Joint(queries * scale, moved / scale, scale, float(found[best]))


def _correlate(
    x: Float[Tensor, " pair"], y: Float[Tensor, "scale pair"]
) -> Float[Tensor, " scale"]:
    """Pearson's correlation of one row with each of several."""
    x, y = x - x.mean(), y - y.mean(-1, keepdim=True)
    found: Tensor = (y @ x) / (x.norm() * y.norm(dim=-1))
    return found


def join_prompts(
    sides: Sequence[tuple[Tensor, Tensor, Tensor]],
) -> Joint:
    """The same of several prompts together; tokens of two prompts never see each other.

    Args:
        sides: Of each prompt its queries, keys, and which sources each reader sees.
    """
    queries = torch.cat([one for one, _, _ in sides])
    keys = torch.cat([one for _, one, _ in sides])
    seen = torch.block_diag(*(one for _, _, one in sides)).bool()
    return join(queries, keys, seen)

"""What a head's pattern is known by: the part of attention that goes where such a head looks.

Each score is ``Σ (A ∘ D) / Σ A`` over the readers that have such a source, where ``D`` marks it: so
1 is possible, however few readers have one. The first position has nothing before it.

- *previous token*: the position just before;
- *duplicate*: earlier positions with the reader's own token;
- *induction*: the positions just after those;
- *sink*: the first position.

Source: TransformerLens, ``head_detector``; Olsson et al. 2022, "In-context learning and induction
heads"; Gu et al. 2024, "When attention sink emerges", for the sink.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def marks(token_ids: Sequence[int]) -> Float[Tensor, "kind pos pos"]:
    """Where a head of each kind looks: 1 from a reader to such a source, else 0.

    Kinds are in the order of ``visit.graph.explored.heads.KINDS``.
    """
    ids = torch.tensor(token_ids)
    n = len(ids)
    earlier = torch.ones(n, n).tril(-1)
    same = (ids[:, None] == ids[None]).float() * earlier
    after = torch.zeros(n, n)
    after[:, 1:] = same[:, :-1]
    first = torch.zeros(n, n)
    first[1:, 0] = 1
    return torch.stack([torch.eye(n).roll(-1, 1).tril(-1), same, after * earlier, first])


def score_heads(
    pattern: Float[Tensor, "head pos pos"], marked: Float[Tensor, "kind pos pos"]
) -> Float[Tensor, "kind head"]:
    """Each head's scores of each kind, 0 to 1; NaN of a kind whose source no reader has."""
    marked = marked.to(pattern)
    readers = marked.any(-1).to(pattern)
    there = torch.einsum("hrs,krs->kh", pattern, marked)
    given = torch.einsum("hr,kr->kh", pattern.sum(-1), readers)
    return there / given


def repeated_tokens(ids: Sequence[int], length: int, count: int, seed: int) -> list[list[int]]:
    """Random tokens, each row said twice.

    Args:
        ids: The tokens to draw from.
        length: How many before they are said again.
        count: How many rows.
        seed: Of the drawing.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(ids), (count, length), generator=generator)
    rows = [[ids[place] for place in row] for row in drawn.tolist()]
    return [[*row, *row] for row in rows]

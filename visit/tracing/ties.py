"""The greatest of some numbers, in an order that holds where some of them are equal.

torch's own ``topk`` orders equal numbers by how many are asked for, so that the ten greatest need
not be the first ten of the greatest twenty.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor


def find_greatest(
    values: Float[Tensor, "*batch place"], count: int, *, least: bool = False
) -> Int[Tensor, "*batch found"]:
    """The places of the greatest numbers, greatest first; of equal ones the first.

    Whatever is asked for, fewer are the first of more.

    Args:
        values: None is NaN.
        count: How many are sought; all of them if there are fewer.
        least: Whether the least are sought, least first.
    """
    found = values.topk(min(count + 1, values.shape[-1]), largest=not least)
    places: Tensor = found.indices[..., :count]
    is_tied = (found.values[..., 1:] == found.values[..., :-1]).any(-1)
    if bool(is_tied.any()):
        order = values[is_tied].sort(dim=-1, descending=not least, stable=True).indices
        places = places.clone()
        places[is_tied] = order[..., :count]
    return places

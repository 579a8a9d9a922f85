"""What a request names by number: is it there, and which one is it."""

from __future__ import annotations

from visit.errors import RequestError


def check_there(part: str, number: int, count: int) -> None:
    """Refuse a ``layer`` or ``head`` that the model does not have.

    Raises:
        RequestError: its number is none of ``count``.
    """
    if not 0 <= number < count:
        owner = "the model" if part == "layer" else "each layer"
        raise RequestError(f"{part} {number} does not exist; {owner} has 0 to {count - 1}")


def resolve_position(position: int | None, n_positions: int) -> int:
    """A position counted from the start: the last one by default, negative ones from the end.

    Raises:
        RequestError: the prompt does not have it.
    """
    if position is None:
        return n_positions - 1
    if not -n_positions <= position < n_positions:
        raise RequestError(
            f"position {position} does not exist; the prompt has 0 to {n_positions - 1}"
        )
    return position % n_positions

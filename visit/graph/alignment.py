"""Which token of one prompt stands beside which of another: the columns of a comparison.

Prompts of equal length stand side by side, position by position. Others are laid along their
longest common sequence of tokens, with the traced positions always together: they are what is
compared. What lies between two common tokens, ``New Zealand`` here and ``Japan`` there, is laid
side by side from its last token, where a model has read all of it. A token that has none beside it
has a column of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class AlignedBy(StrEnum):
    """How two prompts' tokens were brought together."""

    POSITION = "position"
    COMMON_SEQUENCE = "longest common sequence"


@dataclass(frozen=True, slots=True)
class Column:
    """A place in a comparison, and the position that each prompt has there, if any."""

    first: int | None
    second: int | None


@dataclass(frozen=True, slots=True)
class Alignment:
    """Two prompts side by side.

    Attributes:
        by: How they were brought together.
        columns: In order; each position of either prompt is in exactly one.
    """

    by: AlignedBy
    columns: tuple[Column, ...]

    @property
    def of_first(self) -> dict[int, int]:
        """The column of every position of the first prompt."""
        return {c.first: at for at, c in enumerate(self.columns) if c.first is not None}

    @property
    def of_second(self) -> dict[int, int]:
        """The column of every position of the second prompt."""
        return {c.second: at for at, c in enumerate(self.columns) if c.second is not None}


def align_tokens(first: Sequence[int], second: Sequence[int], traced: tuple[int, int]) -> Alignment:
    """Bring two prompts together.

    Args:
        first: The token ids of one.
        second: Of the other.
        traced: The traced position of each, which stand together.
    """
    at_first, at_second = traced
    if len(first) == len(second) and at_first == at_second:
        columns = tuple(Column(place, place) for place in range(len(first)))
        return Alignment(AlignedBy.POSITION, columns)
    before = _lay(first[:at_first], second[:at_second])
    after = _lay(first[at_first + 1 :], second[at_second + 1 :])
    return Alignment(
        AlignedBy.COMMON_SEQUENCE,
        (
            *before,
            Column(at_first, at_second),
            *(_moved(one, at_first + 1, at_second + 1) for one in after),
        ),
    )


def _moved(column: Column, first: int, second: int) -> Column:
    return Column(
        None if column.first is None else column.first + first,
        None if column.second is None else column.second + second,
    )


def _lay(first: Sequence[int], second: Sequence[int]) -> Iterator[Column]:
    """Columns along the longest common sequence, with what lies between two of its tokens."""
    lengths = _common_lengths(first, second)
    i = j = begin_i = begin_j = 0
    while i < len(first) and j < len(second):
        if first[i] == second[j]:
            yield from _beside(range(begin_i, i), range(begin_j, j))
            yield Column(i, j)
            i, j = i + 1, j + 1
            begin_i, begin_j = i, j
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    yield from _beside(range(begin_i, len(first)), range(begin_j, len(second)))


def _beside(first: range, second: range) -> Iterator[Column]:
    """What stands in the same place without being alike: side by side from the ends."""
    n_both = min(len(first), len(second))
    yield from (Column(at, None) for at in first[: len(first) - n_both])
    yield from (Column(None, at) for at in second[: len(second) - n_both])
    ends = zip(first[len(first) - n_both :], second[len(second) - n_both :], strict=True)
    yield from (Column(*pair) for pair in ends)


def _common_lengths(first: Sequence[int], second: Sequence[int]) -> list[list[int]]:
    """How long the longest common sequence is of what follows from each pair of places."""
    lengths = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in reversed(range(len(first))):
        row, below = lengths[i], lengths[i + 1]
        for j in reversed(range(len(second))):
            row[j] = below[j + 1] + 1 if first[i] == second[j] else max(below[j], row[j + 1])
    return lengths

"""Two prompts side by side: every position in one column, and the traced positions together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from visit.graph.alignment import AlignedBy, Column, align_tokens

TOKENS = st.lists(st.integers(0, 3), min_size=1, max_size=8)


def both(columns: tuple[Column, ...]) -> list[tuple[int, int]]:
    return [(c.first, c.second) for c in columns if c.first is not None and c.second is not None]


def longest(first: list[int], second: list[int]) -> int:
    """The longest common sequence by its definition."""
    if not first or not second:
        return 0
    if first[0] == second[0]:
        return 1 + longest(first[1:], second[1:])
    return max(longest(first[1:], second), longest(first, second[1:]))


@given(TOKENS, TOKENS)
def test_every_position_has_a_column_in_order_and_the_traced_stand_together(
    first: list[int], second: list[int]
):
    made = align_tokens(first, second, (len(first) - 1, len(second) - 1))
    assert [c.first for c in made.columns if c.first is not None] == list(range(len(first)))
    assert [c.second for c in made.columns if c.second is not None] == list(range(len(second)))
    assert (len(first) - 1, len(second) - 1) in both(made.columns)
    if len(first) == len(second):
        assert made.by is AlignedBy.POSITION
    else:
        alike = [first[i] == second[j] for i, j in both(made.columns)[:-1]]
        assert sum(alike) == longest(first[:-1], second[:-1])


def test_values_stand_side_by_side_from_their_last_tokens():
    """The capital of New Zealand is / The capital of Japan is."""
    made = align_tokens([1, 2, 3, 8, 9, 4], [1, 2, 3, 7, 4], (5, 4))
    assert made.by is AlignedBy.COMMON_SEQUENCE
    assert made.columns == (
        Column(0, 0), Column(1, 1), Column(2, 2), Column(3, None), Column(4, 3), Column(5, 4),
    )  # fmt: skip


def test_other_traced_positions_are_brought_together_and_what_follows_goes_on():
    made = align_tokens([1, 2, 3], [1, 2, 3], (1, 2))
    assert both(made.columns) == [(0, 0), (1, 2)]
    assert made.columns[-1] == Column(2, None)

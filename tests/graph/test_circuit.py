"""The sizes of a curve, what is chosen on it, and which parts a circuit could do without."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visit.graph.circuit import (
    CircuitPart,
    Point,
    choose_point,
    faithfulness,
    list_sizes,
    size_above,
    size_of_sum,
)
from visit.graph.interventions import Site


@given(n_parts=st.integers(1, 5_000), n_points=st.integers(2, 60))
def test_sizes_go_from_none_to_all_and_grow(n_parts: int, n_points: int):
    sizes = list_sizes(n_parts, n_points)
    assert sizes[0] == 0 and sizes[-1] == n_parts
    assert len(sizes) == min(n_points, n_parts + 1)
    assert all(earlier < later for earlier, later in pairwise(sizes))


def test_small_circuits_are_all_points_and_large_ones_are_far_apart():
    assert list_sizes(270, 20)[:6] == [0, 1, 2, 3, 4, 5]
    assert list_sizes(270, 20)[-3:] == [152, 203, 270]
    assert list_sizes(3, 20) == [0, 1, 2, 3]


def test_what_a_threshold_keeps_is_counted_without_signs():
    assert size_above([-3.0, 2.0, -0.5, 0.1], 0.5) == 3
    assert size_above([-3.0], 4.0) == 0


def test_the_fewest_parts_that_make_up_a_part_of_all_scores_are_kept():
    scores = [-4.0, 3.0, 2.0, -1.0]
    assert [size_of_sum(scores, part) for part in (0.0, 0.4, 0.41, 0.7, 1.0)] == [0, 1, 2, 2, 4]
    assert size_of_sum([0.1] * 7, 1.0) == 7


def test_all_kept_is_1_and_none_kept_is_0_to_the_last_bit():
    assert faithfulness(0.0, -3.7) == 1.0
    assert faithfulness(-3.7, -3.7) == 0.0
    with pytest.raises(ValueError, match="the metric is as it was"):
        faithfulness(0.0, 0.0)


def test_the_smallest_circuit_that_keeps_about_all_is_chosen_and_one_that_overshoots_is_not():
    curve = [Point(n, 0.0, part) for n, part in enumerate((0.0, 1.5, 0.7, 0.9, 1.0))]
    assert choose_point(curve).size == 3


def test_a_kept_part_that_changes_nothing_is_idle_and_one_left_out_that_would_add_is_missed():
    site = Site.parse("L1.head2@7")

    def part(kept: bool, change: float | None) -> CircuitPart:
        return CircuitPart(site, 1.0, kept, change)

    assert [part(True, change).is_idle for change in (-0.5, -0.001, 0.3, None)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert [part(False, change).is_missed for change in (-0.5, 0.001, 0.3, None)] == [
        False, False, True, False,
    ]  # fmt: skip
    assert not part(True, 0.3).is_missed and not part(False, -0.3).is_idle

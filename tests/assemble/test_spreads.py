"""What varies from prompt to prompt: numbers are those of their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from visit.assemble.spreads import spread_over, strongest_in
from visit.graph.spread import Spread
from visit.graph.studied.intervals import mean_interval


def test_means_and_deviations_are_over_the_prompts_that_have_the_part():
    values = np.array([[1.0, 5.0, np.nan], [3.0, np.nan, np.nan], [8.0, np.nan, np.nan]])
    strong = np.array([[True, False, False], [False, False, False], [True, False, False]])
    several, single, none = spread_over(values, strong)
    assert several is not None
    of_one = mean_interval(values[:, :1])
    assert (several.n, several.mean) == (3, 4.0)
    assert (several.low, several.high) == (of_one.low[0], of_one.high[0])
    assert (several.sd, several.among) == pytest.approx((13**0.5, 2 / 3))
    assert single == Spread(1, 5.0, among=0.0)
    assert none is None


def test_what_does_not_vary_has_an_interval_of_no_width():
    (still,) = spread_over(np.full((6, 1), 2.5))
    assert still == Spread(6, 2.5, 0.0, 2.5, 2.5)


def test_the_strongest_are_so_signs_aside_and_zero_and_absent_parts_are_not():
    values = np.array([[1.0, -3.0, np.nan, 2.0], [0.0, 0.5, 0.0, np.nan]])
    assert strongest_in(values, 2).tolist() == [
        [False, True, False, True], [False, True, False, False],
    ]  # fmt: skip

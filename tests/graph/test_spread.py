"""Intervals hold the truth as often as they say, and numbers are those of their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from visit.graph.spread import Spread, intervals, spread_over, strongest_in


@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_the_interval_holds_the_truth_in_93_to_97_of_100_studies(draw: str):
    """Of 40 prompts each: 1,500 studies of a symmetric and of a skewed number, of mean 1."""
    chance = np.random.default_rng(11)
    size = (40, 1500)
    values = chance.normal(1, 2, size) if draw == "normal" else chance.exponential(1, size)
    low, high = intervals(values)
    assert 0.93 <= float(((low <= 1) & (high >= 1)).mean()) <= 0.97


def test_means_and_deviations_are_over_the_prompts_that_have_the_part():
    values = np.array([[1.0, 5.0, np.nan], [3.0, np.nan, np.nan], [8.0, np.nan, np.nan]])
    strong = np.array([[True, False, False], [False, False, False], [True, False, False]])
    several, single, none = spread_over(values, strong)
    assert several is not None
    assert (several.n, several.mean, several.low) == (3, 4.0, None)
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

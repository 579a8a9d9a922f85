"""What studies make their figures of, and numbers in sentences."""

from __future__ import annotations

import numpy as np
import pytest

from visit.graph.studied.figure import FigureKind, Line
from visit.graph.studied.intervals import mean_interval
from visit.studies.drawing import (
    bars_figure,
    line,
    lines_figure,
    map_figure,
    number_in_words,
    share_in_words,
)

VALUES = np.random.default_rng(0).normal(size=(40, 3, 5))
WORDS = {"x_title": "layer", "y_title": "bits", "n": 40}


def test_a_line_has_the_means_with_their_intervals_and_nothing_where_nothing_is_known():
    values = VALUES[:, 0].copy()
    values[:, 2] = np.nan
    values[:30, 1] = np.nan
    made = line("depth", values)
    found = mean_interval(values)
    assert made.n == 40
    for at in (0, 1, 3, 4):
        assert (made.mean[at], made.low[at], made.high[at]) == (
            found.mean[at], found.low[at], found.high[at]
        )  # fmt: skip
    assert made.mean[2] is made.low[2] is made.high[2] is None
    with pytest.raises(ValueError, match="depth has 3 axes"):
        line("depth", VALUES)


def test_lines_and_bars_stand_from_0_by_ones_unless_places_are_given():
    made = lines_figure("a", "A", "It is.", [line("b", VALUES[:, 0])], **WORDS)
    assert made.kind is FigureKind.LINES and made.x == (0, 1, 2, 3, 4)
    bars = bars_figure("a", "A", "It is.", [line("b", VALUES[:, 0])], x="abcde", **WORDS)
    assert bars.kind is FigureKind.BARS and bars.x == ("a", "b", "c", "d", "e")
    assert len(made.table().rows) == 5


def test_a_maps_rows_are_its_lines():
    made = map_figure("a", "A", "It is.", VALUES, ["one", "two", "three"], **WORDS)
    assert [row.name for row in made.lines] == ["one", "two", "three"]
    np.testing.assert_allclose([row.mean for row in made.lines], VALUES.mean(0), rtol=1e-12)
    assert made.lines[1].low == pytest.approx(line("two", VALUES[:, 1]).low, abs=1e-5)
    with pytest.raises(ValueError, match="for 2 rows"):
        map_figure("a", "A", "It is.", VALUES, ["one", "two"], **WORDS)


def test_numbers_in_sentences_have_their_interval_and_a_true_minus():
    made = Line("a", (0.1234, -1.236, None, 0.5, -0.0001), (0.119, -1.31, None, None, -0.2),
                (0.1266, -1.17, None, None, 0.1))  # fmt: skip
    assert share_in_words(made, 0) == "12.3 % (11.9 to 12.7)"
    assert number_in_words(made, 1) == "−1.24 (−1.31 to −1.17)"
    assert share_in_words(made, 2) == "unknown"
    assert share_in_words(made, 3, 0) == "50 %"
    assert number_in_words(made, 4) == "0.00 (−0.20 to 0.10)"
    assert number_in_words(Line("b", (2.0,)), 0) == "2.00"

"""The report on sinks, on rows that nobody measured."""

from __future__ import annotations

import numpy as np
import pytest
from made_rows import figures_of, made_rows, percent

from visit.graph.studied.columns import Array
from visit.studies.builtin.sinks import Sinks


def values(n: int) -> dict[str, Array]:
    draw = np.random.default_rng(1)
    on_first = draw.uniform(0, 0.6, (n, 2, 3))
    return {
        "on_first": on_first,
        "on_strongest": np.maximum(on_first, draw.uniform(0, 0.6, (n, 2, 3))),
        "sink": np.ones((n, 2, 3), int),
        "largest": np.full((n, 3), 200.0),
        "times_median": np.array([[10.0, 100.0, 2000.0]] * n),
        "where": np.array([[0, 1, 0]] * n),
        "norm_first": np.array([[1.0, 30.0, 10.0]] * n),
        "norm_others": np.array([[1.0, 10.0, 10.0]] * n),
    }


def test_a_head_rests_on_the_first_token_whatever_else_it_rests_on():
    given = values(20)
    found = figures_of(Sinks(), made_rows(given))
    on_first = given["on_first"] > 0.3
    alone = (given["on_strongest"] > 0.3) & ~on_first
    assert percent(on_first.mean()) in found["heads"].says
    assert percent(alone.mean()) in found["heads"].says
    assert found["heads"].lines[0].mean == pytest.approx(on_first.mean((0, 2)))
    assert found["heads"].finding[0] == "Gu et al. (2024)"


def test_depths_are_named_where_coordinates_and_norms_stand_out_most():
    found = figures_of(Sinks(), made_rows(values(9)))
    assert "2,000 (2,000 to 2,000) times the median at layer 1" in found["times-median"].says
    assert "3.00 (3.00 to 3.00) times the others' at layer 0" in found["norms"].says
    assert found["massive"].lines[0].mean == (0.0, 0.0, 1.0)
    assert "layer 1, where most are" in found["massive"].says


def test_no_massive_coordinate_is_said_of_every_depth():
    given = values(5)
    given["largest"] = np.full((5, 3), 50.0)
    assert figures_of(Sinks(), made_rows(given))["massive"].says.endswith("at every depth.")


def test_one_prompt_of_one_token_has_no_norm_beside_the_first():
    given = values(1)
    given["norm_others"] = np.full((1, 3), np.nan)
    assert "unknown" in figures_of(Sinks(), made_rows(given))["norms"].says

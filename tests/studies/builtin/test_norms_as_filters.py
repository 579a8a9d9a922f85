"""The report on norms, on rows that nobody measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_rows import figures_of, made_rows, percent

from visit.graph.studied.columns import Array
from visit.graph.studied.function_words import WordClass
from visit.studies.builtin.norms_as_filters import NormsAsFilters

N_LAYERS = 2
FUNCTION = list(WordClass).index(WordClass.FUNCTION)


def values(n: int) -> dict[str, Array]:
    draw, n_norms = np.random.default_rng(5), 2 * N_LAYERS + 1
    classes = (n, n_norms, len(WordClass))
    given = {name: draw.uniform(0, 0.3, classes)
             for name in ("before", "after", "control_before", "control_after")}  # fmt: skip
    for name in ("entropy", "frequency", "rank"):
        for side in ("before", "after"):
            given[f"{name}_{side}"] = draw.integers(1, 9, (n, n_norms)).astype(float)
    words = json.dumps([[[" of", " is"], [" Japan"]]] * n_norms)
    given["words"] = np.array([words] * n, object)
    return given


def points(value: float) -> str:
    return percent(value).replace(" %", " points")


def test_both_kinds_of_norm_are_said_with_their_controls():
    given = values(10)
    found = figures_of(NormsAsFilters(), made_rows(given))
    for own, name in (("", ""), ("control_", "random")):
        change = (given[f"{own}after"] - given[f"{own}before"])[:, :-1, FUNCTION]
        for kind in range(2):
            assert points(change[:, kind::2].mean()) in found["classes"].says, name
    assert "Across ln1" in found["classes"].says and "Across ln2" in found["classes"].says


def test_a_loss_of_nearly_nothing_is_not_counted():
    given = values(10)
    given["before"] = np.zeros_like(given["before"])
    given["after"] = np.zeros_like(given["after"])
    a_little = np.linspace(-0.01, 0.01, 10)
    given["after"][:, 0, FUNCTION] = -1e-5 * (1 + a_little)  # ln1 of layer 0
    given["after"][:, 2, FUNCTION] = -0.2 + a_little  # ln1 of layer 1
    says = figures_of(NormsAsFilters(), made_rows(given))["function-words"].says
    assert "across ln1 in 1 of 2 layers, layer 1 being lowest with −20.0 points" in says
    assert "across ln2 in 0 of 2 layers" in says


def test_ranks_and_changes_are_those_of_their_norm():
    given = values(10)
    found = figures_of(NormsAsFilters(), made_rows(given))
    kept = (given["rank_after"] <= given["rank_before"])[:, :-1].mean(0)
    assert found["ranks"].lines[0].mean == pytest.approx(kept[0::2])
    assert found["ranks"].lines[1].mean == pytest.approx(kept[1::2])
    change = (given["entropy_after"] - given["entropy_before"])[:, :-1].mean(0)
    largest = max(change[1::2], key=abs)
    assert f"across ln2, {largest:.2f}".replace("-", "−") in found["entropy"].says


def test_tokens_are_kept_as_they_are_with_the_part_of_prompts():
    found = figures_of(NormsAsFilters(), made_rows(values(3)))
    assert found["losers"].x == (" of", " is") and found["gainers"].x == (" Japan",)
    assert "' Japan' on 100.0 %" in found["gainers"].says


def test_layers_without_ln2_and_one_prompt_are_a_report():
    given = values(1)
    for name, column in given.items():
        if column.dtype == float:
            given[name] = column.copy()
            given[name][:, 1:-1:2] = np.nan
    found = figures_of(NormsAsFilters(), made_rows(given))
    assert [line.name for line in found["ranks"].lines] == ["ln1"]
    assert "ln2" not in found["classes"].says

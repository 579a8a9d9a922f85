"""The report on predicted and measured effects, on rows that nobody measured."""

from __future__ import annotations

import numpy as np
import pytest
from made_rows import figures_of, made_rows, percent

from visit.graph.effect import WAYS_OF_PREDICTING
from visit.studies.builtin.agreement import Agreement


def test_the_sentences_say_the_means_of_equal_signs_and_of_what_is_flagged():
    draw, n_ways = np.random.default_rng(4), len(WAYS_OF_PREDICTING)
    given = {name: draw.uniform(0, 1, (9, 2, n_ways)) for name in ("pearson", "spearman", "sign")}
    given |= {name: draw.uniform(0, 1, (9, 2)) for name in ("repaired", "reversed")}
    given["pearson"][0] = np.nan
    found = figures_of(Agreement(), made_rows(given))
    for sort, name in enumerate(("agreement-heads", "agreement-mlps")):
        for way in range(n_ways):
            assert percent(given["sign"][:, sort, way].mean()) in found[name].says
            known = given["pearson"][1:, sort, way]
            assert found[name].lines[0].mean[way] == pytest.approx(known.mean())
    for name in ("repaired", "reversed"):
        for sort in range(2):
            assert percent(given[name][:, sort].mean()) in found["flagged"].says


def test_one_prompt_without_a_noticeable_effect_is_a_report():
    nothing = np.full((1, 2, len(WAYS_OF_PREDICTING)), np.nan)
    given = {"pearson": nothing, "spearman": nothing, "sign": nothing,
             "repaired": np.zeros((1, 2)), "reversed": np.zeros((1, 2))}  # fmt: skip
    assert "unknown" in figures_of(Agreement(), made_rows(given))["agreement-heads"].says

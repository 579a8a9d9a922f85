"""The maps of head scores, on rows that nobody measured."""

from __future__ import annotations

import numpy as np
import pytest
from made_rows import figures_of, made_rows, percent

from visit.graph.explored.heads import KINDS
from visit.studies.builtin.head_scores import HeadScores


def test_the_strongest_heads_are_named_by_layer_and_head_with_their_means():
    score = np.random.default_rng(2).uniform(0, 0.2, (12, len(KINDS), 2, 3))
    score[:, 0, 1, 2] += 0.7
    found = figures_of(HeadScores(), made_rows({"score": score}))
    one = found[KINDS[0]]
    assert f"1.2 with {percent(score[:, 0, 1, 2].mean())}" in one.says
    assert "prompts that have" not in one.says
    assert [line.mean for line in one.lines] == [
        pytest.approx(score[:, 0, :, head].mean(0)) for head in range(3)
    ]


def test_a_kind_that_some_prompts_lack_says_so_and_one_that_all_lack_is_left_out():
    score = np.random.default_rng(3).uniform(0, 1, (4, len(KINDS), 2, 3))
    score[0, 1] = np.nan
    score[:, 2] = np.nan
    found = figures_of(HeadScores(), made_rows({"score": score}))
    assert found[KINDS[1]].says.endswith("over the 3 prompts that have such a token.")
    assert KINDS[2] not in found


def test_one_prompt_is_a_report():
    score = np.full((1, len(KINDS), 1, 1), 0.5)
    assert len(figures_of(HeadScores(), made_rows({"score": score}))) == len(KINDS)

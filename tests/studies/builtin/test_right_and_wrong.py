"""The report on right and wrong answers, on rows that nobody measured."""

from __future__ import annotations

import numpy as np
from made_rows import figures_of, made_rows, percent

from visit.graph.studied.columns import Array
from visit.studies.builtin.right_and_wrong import RightAndWrong


def values(is_right: list[int]) -> dict[str, Array]:
    n, draw = len(is_right), np.random.default_rng(0)
    rising = np.linspace(0.0, 0.8, 4) + draw.uniform(0, 0.1, (n, 4))
    return {
        "is_right": np.array(is_right),
        "answer_prob": rising,
        "target_prob": rising / 2,
        "target_rank": np.array([[90, 40, 10, 1]] * n),
        "entropy": np.array([[0.0, 3.0, 2.0, 1.0]] * n) + draw.uniform(0, 0.1, (n, 4)),
    }


def test_the_sentences_say_the_means_of_right_and_wrong_prompts():
    given = values([1, 1, 0, 1, 0])
    found = figures_of(RightAndWrong(), made_rows(given))
    right = given["is_right"] == 1
    for name, column in (("answer", "answer_prob"), ("right-answer", "target_prob")):
        assert found[name].says.startswith("3 of 5 prompts are answered rightly.")
        for part in (right, ~right):
            assert percent(given[column][part, -1].mean()) in found[name].says
    assert [line.name for line in found["answer"].lines] == [
        "answered rightly", "answered wrongly",
    ]  # fmt: skip
    assert found["answer"].x == ("embedding", "0", "1", "2")
    assert found["rank"].lines[0].mean == (0.0, 0.0, 1.0, 1.0)  # rank 10 is among the first ten
    assert f"{given['entropy'][right, -1].mean():.2f}" in found["entropy"].says


def test_it_says_where_half_of_the_last_probability_is_passed():
    given = values([1, 1])
    given["answer_prob"] = np.array([[0.0, 0.1, 0.5, 0.8]] * 2)
    found = figures_of(RightAndWrong(), made_rows(given))
    assert "after layer 1" in found["answer"].says  # 0.5 of 0.8; before it 0.1


def test_prompts_that_are_all_right_or_but_one_have_one_line():
    for is_right in ([1, 1, 1], [0, 0], [1], [0]):
        found = figures_of(RightAndWrong(), made_rows(values(is_right)))
        assert all(len(one.lines) == 1 for one in found.values())

"""The report on memories that are always on, on rows that nobody measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_rows import figures_of, made_rows, percent

from visit.engine.surveys import CONDITIONS
from visit.graph.studied.columns import Array
from visit.studies.builtin.always_on import AlwaysOn

OPTIONS = {"strongest": 10, "often": 0.85, "sample": 2, "seed": 0}
MEASURES = {"text_loss": "text-loss", "loss": "loss", "entropy": "entropy",
            "confidence": "confidence"}  # fmt: skip


def prepared(memories: list[list[int]], sampled: list[int]) -> dict[str, Any]:
    n = len(memories)
    return {
        "sampled": sampled,
        "n_memories": [3, 50],
        "memories": memories,
        "others": memories,
        "often": [1.0 - 0.01 * at for at in range(n)],
        "most_often": [1.0, 0.5, 0.9],
        "entropy": [[4.0 + at for at in range(n)], [6.0] * n],
        "norm": [[2.0] * n, [1.0] * n],
        "words": [[" the", " of", " a"]] * n,
    }


def values(n: int) -> dict[str, Array]:
    draw = np.random.default_rng(7)
    given: dict[str, Array] = {"n_on": draw.integers(0, 3, (n, 3)) * np.array([1, 0, 0])}
    return given | {name: draw.uniform(0, 1, (n, len(CONDITIONS))) for name in MEASURES}


MEMORIES = [[0, 4], [0, 9], [2, 1]]


def test_figures_are_over_the_prompts_that_are_not_in_the_sample():
    given = values(12)
    rows = made_rows(given, options=OPTIONS, prepared=prepared(MEMORIES, [0, 5]))
    found = figures_of(AlwaysOn(), rows)
    unseen = np.setdiff1d(np.arange(12), [0, 5])
    assert found["where"].n == 10
    assert found["where"].says.startswith("3 of 150 memories")
    assert percent((given["n_on"][unseen, 0] > 0).mean()) in found["where"].says
    assert percent((given["n_on"][unseen].sum(1) / 3).mean()) in found["kept"].says
    for measure, name in MEASURES.items():
        change = (given[measure][:, 1:] - given[measure][:, :1])[unseen].mean(0)
        assert found[name].n == 10
        for one in change:
            assert f"{one:.3f}".replace("-", "−") in found[name].says


def test_as_many_memories_by_chance_stand_beside_those_that_are_on():
    rows = made_rows(values(12), options=OPTIONS, prepared=prepared(MEMORIES, [0]))
    lines = figures_of(AlwaysOn(), rows)["where"].lines
    assert lines[1].mean == pytest.approx((1 - 0.8**2, 0.0, 1 - 0.8))  # 10 of 50 are strongest


def test_what_they_say_is_over_memories_each_figure_in_one_unit():
    rows = made_rows(values(12), options=OPTIONS, prepared=prepared(MEMORIES, [0]))
    found = figures_of(AlwaysOn(), rows)
    assert (found["said"].n, found["said"].of) == (3, "memory")
    assert found["said"].lines[0].mean == (5.0, 6.0) and found["norm"].lines[0].mean == (2.0, 1.0)
    assert found["said"].table().columns[-1] == "memories"
    assert "0.4 ' the', ' of', ' a'" in found["said"].says


def test_no_memory_that_is_always_on_leaves_where_and_peaks():
    rows = made_rows(values(6), options=OPTIONS, prepared=prepared([], [0]))
    found = figures_of(AlwaysOn(), rows)
    assert [*found] == ["where", "peaks"]
    assert found["where"].says.startswith("0 of 150 memories")


def test_one_prompt_which_is_the_sample_is_a_report_that_says_so():
    rows = made_rows(values(1), options=OPTIONS, prepared=prepared(MEMORIES, [0]))
    found = figures_of(AlwaysOn(), rows)
    assert "all of the sample" in found["where"].says and found["loss"].n == 1

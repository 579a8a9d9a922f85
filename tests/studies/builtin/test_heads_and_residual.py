"""The report on heads and the residual stream, on rows that nobody measured."""

from __future__ import annotations

import numpy as np
import pytest
from made_rows import figures_of, made_rows, percent

from visit.graph.studied.columns import Array
from visit.studies.builtin.heads_and_residual import HeadsAndResidual

OVERLAPS = ("head_attention", "head_block", "head_final", "bare_attention", "bare_block")


def values(n: int, n_heads: int = 5, n_ranks: int = 2) -> dict[str, Array]:
    draw = np.random.default_rng(6)
    given = {name: draw.uniform(0, 1, (n, 4, n_heads)) for name in (*OVERLAPS, "norm", "query_key")}
    given |= {name: draw.uniform(0, 1, (n, 4)) for name in (
        "random_block", "attention_block", "attention_final", "block_final")}  # fmt: skip
    given |= {name: draw.uniform(0, 1, (n, 4, n_heads, n_ranks))
              for name in ("value_head", "value_token")}  # fmt: skip
    return given


def test_the_sentences_say_the_layer_where_most_is_shared():
    given = values(10)
    found = figures_of(HeadsAndResidual(), made_rows(given, options={"k": 50}))
    shared = given["head_block"].mean((0, 2))
    at = int(shared.argmax())
    says = found["heads-by-layer"].says
    assert percent(shared[at]) in says and f"in layer {at}," in says
    assert percent(given["bare_block"].mean((0, 2))[at]) in says
    assert percent(given["random_block"].mean(0)[at]) in says
    assert percent(given["query_key"].mean((0, 2)).max()) in found["queries-and-keys"].says
    assert percent(given["value_head"][..., 0].mean()) in found["values-by-attention"].says


def test_ranks_are_those_of_the_heads_norms():
    given = values(8)
    figure = figures_of(HeadsAndResidual(), made_rows(given, options={"k": 50}))["heads-by-norm"]
    first = np.take_along_axis(given["head_block"], given["norm"].argmax(-1)[..., None], -1)[..., 0]
    assert figure.lines[0].mean == pytest.approx(first.mean(0))
    assert percent(first[:, 2:].mean()) in figure.says


@pytest.mark.parametrize("n_heads", [1, 2, 3])
def test_few_heads_one_prompt_and_one_rank_are_a_report(n_heads: int):
    given = values(1, n_heads, 1)
    found = figures_of(HeadsAndResidual(), made_rows(given, options={"k": 50}))
    assert "fourth" not in found["heads-by-norm"].says
    assert len(found["values-by-attention"].lines) == 1


def test_heads_that_have_no_bare_words_have_no_line_of_them():
    given = values(3)
    given |= {name: np.full_like(given[name], np.nan) for name in ("bare_attention", "bare_block")}
    figure = figures_of(HeadsAndResidual(), made_rows(given, options={"k": 50}))["heads-by-layer"]
    assert len(figure.lines) == 4 and "before W_O unknown" in figure.says


def test_values_and_queries_that_were_not_read_have_no_figure():
    given = values(3)
    for name in ("value_head", "value_token", "query_key"):
        del given[name]
    found = figures_of(HeadsAndResidual(), made_rows(given, options={"k": 50}))
    assert [*found] == ["heads-by-layer", "heads-by-norm", "attention-by-layer"]

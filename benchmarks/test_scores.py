"""What it costs to say why a head attends, of a GPT-2-medium-sized model at 64 tokens.

All scores of one head, every reader and source by every part of either side, are to take no more
than 50 ms; the last layer has the most parts. The floor is one product with each earlier layer's
output weights, which any way of it needs. One score is what a click in the app asks, with pairs,
words and the attention without each part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sized import ask_anew, gpt2_medium_sized, numbered_prompt

from visit.attribution.scored import score_head
from visit.attribution.scores import split_scores
from visit.engine.questions import SplitScore
from visit.graph.request import Request
from visit.models.loading import Loaded
from visit.session import Session
from visit.tracing.trace import record

ROUNDS = 10
N_TOKENS = 64


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """The model."""
    return gpt2_medium_sized(sharpness=8.0)


def timed(benchmark: BenchmarkFixture, work: Callable[[], Any]) -> Any:
    """Run it a few times; the report takes the fastest, which noise disturbs least."""
    with torch.inference_mode():
        return benchmark.pedantic(work, rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("layer", [12, 23])
def test_all_scores_of_a_head_in_layer(
    benchmark: BenchmarkFixture, loaded: Loaded, layer: int
) -> None:
    ids = loaded.tokenizer(numbered_prompt(N_TOKENS))["input_ids"]
    trace = record(loaded.model, loaded.architecture, ids)

    def split() -> Any:
        scored = score_head(loaded.architecture, trace, layer, 3, torch.float32)
        return split_scores(loaded.architecture, trace, scored, range(N_TOKENS))

    timed(benchmark, split)


@pytest.mark.parametrize("layer", [12, 23])
def test_all_scores_floor_in_layer(benchmark: BenchmarkFixture, loaded: Loaded, layer: int) -> None:
    blocks = map(loaded.architecture.blocks.__getitem__, range(layer))
    weights = [block.attention.w_o.flatten(0, 1) for block in blocks]
    both = torch.randn(weights[0].shape[1], 2 * loaded.architecture.sizes.d_head)
    timed(benchmark, lambda: [weight @ both for weight in weights])


def test_one_score_with_its_words(benchmark: BenchmarkFixture, loaded: Loaded) -> None:
    session = Session(loaded)
    request = Request(numbered_prompt(N_TOKENS))
    timed(benchmark, lambda: ask_anew(session, SplitScore(request, "L23.head3@63", 5)))

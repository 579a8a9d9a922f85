"""What explorables cost of 64 tokens, of the bundled model and of one of SmolLM2's sizes.

The pass is recorded already, as it is once a graph is shown. Composition is of a model of GPT-2
medium's sizes: all pairs of its 384 heads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sized import ask_anew, numbered_prompt, smollm2_sized

from visit.engine.exploring import FindFactors, MapQueryKey, MapResiduals, ReadNorms
from visit.engine.questions import Question
from visit.explore.composition import SIDES, Factors, compose
from visit.explore.head_scores import marks, score_heads
from visit.graph.request import Request
from visit.session import Session

N_TOKENS = 64
STORY = "One day Tom met a small dog near the old tree and gave the dog a red ball. " * 4
MEDIUM_LAYERS, MEDIUM_HEADS, MEDIUM_WIDTH, MEDIUM_HEAD = 24, 16, 1024, 64


@pytest.fixture(scope="module", params=("mini", "smollm2-sized"))
def session(request: pytest.FixtureRequest) -> Session:
    return Session.load("mini") if request.param == "mini" else Session(smollm2_sized())


@pytest.fixture(scope="module")
def asked(session: Session) -> Request:
    """A prompt of 64 tokens, traced."""
    request = Request(numbered_prompt(N_TOKENS))
    if session.model.name == "mini":
        tokens = session.resident.tokens.read(Request(STORY))[:N_TOKENS]
        request = Request(prompt_ids=tuple(token.id for token in tokens))
    session.resident.trace(request, lambda *_: None)
    return request


QUESTIONS: dict[str, Callable[[Request], Question[Any]]] = {
    "factors": FindFactors,
    "maps": MapResiduals,
    "norms": ReadNorms,
    "query_key": MapQueryKey,
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_explorable(
    benchmark: BenchmarkFixture, session: Session, asked: Request, name: str
) -> None:
    question = QUESTIONS[name](asked)
    benchmark.pedantic(lambda: ask_anew(session, question), rounds=3, warmup_rounds=1)


def test_head_scores(benchmark: BenchmarkFixture, session: Session, asked: Request) -> None:
    """Of every head on the prompt, from its patterns."""
    trace = session.resident.trace(asked, lambda *_: None)
    marked = marks(trace.token_ids)

    def score() -> list[torch.Tensor]:
        return [score_heads(layer.attention, marked) for layer in trace.layers]

    benchmark.pedantic(score, rounds=5, warmup_rounds=1)


def test_composition_of_all_pairs(benchmark: BenchmarkFixture) -> None:
    """Three kinds of each of 384² / 2 pairs."""
    generator = torch.Generator().manual_seed(0)
    n_heads = MEDIUM_LAYERS * MEDIUM_HEADS

    def draw(*sizes: int) -> torch.Tensor:
        return torch.randn(*sizes, generator=generator)

    factors = Factors(
        draw(n_heads, MEDIUM_HEAD, MEDIUM_WIDTH),
        {side: draw(n_heads, MEDIUM_WIDTH, MEDIUM_HEAD) for side in SIDES},
        {side: torch.ones(n_heads) for side in SIDES},
        [head // MEDIUM_HEADS for head in range(n_heads)],
    )
    benchmark.pedantic(lambda: compose(factors, lambda _: None), rounds=2, warmup_rounds=0)

"""What a survey of heads costs beside its floor; ``surveyed.py`` says what that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sized import numbered_prompt, smollm2_sized
from surveyed import capitals, measure

from visit.engine.surveys import SurveyHeads
from visit.session import Session

HEADS_ONLY = {"values": 0, "queries": False}
N_PROMPTS = 12
"""Of SmolLM2's sizes, of 10 tokens each: 252 vectors a layer fill what is multiplied together to
98 %, as the 64 prompts of a study do all of it."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Processor time is compared; of several threads it would count those that wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def note(benchmark: BenchmarkFixture, session: Session, question: SurveyHeads) -> None:
    """The rounds are the measure's own: the survey and its floor in turn."""
    found = benchmark.pedantic(measure, (session, question), rounds=1)
    benchmark.extra_info |= {
        "vectors": found.vectors,
        "floor": found.forward + found.product,
        "taken": found.taken,
        "part": found.part,
    }
    print(found)


@pytest.mark.parametrize("which", ["mini-all", "mini-heads", "smollm2-sized-heads"])
def test_heads_against_their_floor(benchmark: BenchmarkFixture, which: str) -> None:
    options: dict[str, Any] = HEADS_ONLY if which.endswith("heads") else {}
    if which.startswith("mini"):
        note(benchmark, Session.load("mini"), capitals(64, **options))
    else:
        prompts = [numbered_prompt(10, seed=seed) for seed in range(N_PROMPTS)]
        note(benchmark, Session(smollm2_sized()), SurveyHeads.of(prompts, **options))

"""What a consensus costs, of a model of GPT-2 small's sizes: 100 prompts of 8 tokens.

Flow of every part and the effect of every head and MLP. The floor is plain batched forward passes,
and the matrix products alone of the flow's sweep back and of every changed row from its layer on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sized import gpt2_sized, numbered_prompt
from torch import Tensor

from visit.engine.progress import silent
from visit.engine.questions import ReadConsensus
from visit.graph.request import Request
from visit.models.loading import Loaded
from visit.session import Session

N_PROMPTS, N_TOKENS, BATCH = 100, 8, 16
PROMPTS = [numbered_prompt(N_TOKENS, seed=seed) for seed in range(N_PROMPTS)]
QUESTION = ReadConsensus(
    Request(PROMPTS[0]),
    values=tuple((prompt,) for prompt in PROMPTS),
    lines=tuple(range(1, N_PROMPTS + 1)),
    targets=("",) * N_PROMPTS,
    batch=BATCH,
)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return gpt2_sized(seed=0, n_layer=12, n_embd=768, n_head=12, n_positions=64)


@torch.inference_mode()
def run_floor(loaded: Loaded) -> None:
    """The forward passes, then each batch's products, all rows of a layer in one product."""
    sizes = loaded.architecture.sizes
    shapes = [
        (sizes.d_model, 3 * sizes.d_model),
        (sizes.d_model, sizes.d_model),
        (sizes.d_model, sizes.d_mlp),
        (sizes.d_mlp, sizes.d_model),
    ]
    weights = [torch.randn(shape) for shape in shapes]
    for begin in range(0, N_PROMPTS, BATCH):
        prompts = PROMPTS[begin : begin + BATCH]
        ids = [[int(one) for one in prompt.split()] for prompt in prompts]
        loaded.model(input_ids=torch.tensor(ids), use_cache=False)
        for layer in range(sizes.n_layers):
            changed = len(prompts) * (sizes.n_heads + 1) * (layer + 1)
            for rows in (changed, len(prompts) * N_TOKENS):
                for weight in weights:
                    _ones(rows, weight) @ weight


def _ones(rows: int, weight: Tensor) -> Tensor:
    return torch.ones(1, len(weight)).expand(rows, -1)


def test_consensus_against_its_floor(benchmark: BenchmarkFixture, loaded: Loaded) -> None:
    """One after the other in turn, so that whatever else the machine does slows both alike."""
    session = Session(loaded)
    floor: list[float] = []
    taken: list[float] = []

    def both() -> None:
        session.resident.answers.clear()  # else it is told again what it was
        floor.append(_time(lambda: run_floor(loaded)))
        taken.append(_time(lambda: session.ask(QUESTION, silent)))

    benchmark.pedantic(both, rounds=2, warmup_rounds=1)
    part = min(floor) / min(taken)
    benchmark.extra_info |= {"prompts": N_PROMPTS, "floor": min(floor), "part of floor": part}
    print(f"consensus {min(taken):.2f} s, floor {min(floor):.2f} s: {part:.2f} of its throughput")


def _time(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

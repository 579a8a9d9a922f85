"""What measured effects cost, of a GPT-2-medium-sized model at 8 tokens, and their floor.

1,032 sites at the traced position: every head, attention and MLP, and 25 memories a layer. The
floor is the matrix products alone: of each row from its site's layer on, at one position.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sized import ask_anew, gpt2_medium_sized, numbered_prompt
from test_whole_graph import plain_forward, timed

from visit.engine.questions import Measure
from visit.graph.request import Request
from visit.models.loading import Loaded
from visit.session import Session

REQUEST = Request(numbered_prompt(8), strongest=0, layers="none", outcome=False)
QUESTION = Measure(REQUEST, ("heads", "attn", "mlp", "memories"))
N_SITES = 1032


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return gpt2_medium_sized(sharpness=8.0)


@pytest.fixture(scope="module")
def session(loaded: Loaded) -> Session:
    session = Session(loaded)
    session.explain(REQUEST)
    return session


def test_effects_forward(benchmark: BenchmarkFixture, loaded: Loaded) -> None:
    """One pass with a change takes as long as this, which runs none."""
    ids = [int(number) for number in numbered_prompt(8).split()]
    timed(benchmark, lambda: plain_forward(loaded, ids), rounds=20)


def test_effects_measured(benchmark: BenchmarkFixture, session: Session) -> None:
    answer = timed(benchmark, lambda: ask_anew(session, QUESTION), rounds=3)
    assert len(answer.effects) == N_SITES
    benchmark.extra_info["sites"] = N_SITES


def test_effects_estimated(benchmark: BenchmarkFixture, session: Session) -> None:
    question = Measure(REQUEST, QUESTION.parts, estimate_only=True)
    timed(benchmark, lambda: ask_anew(session, question), rounds=3)


def test_effects_floor(benchmark: BenchmarkFixture, loaded: Loaded) -> None:
    """Each row's products from its site's layer on, all rows of a layer in one product."""
    sizes = loaded.architecture.sizes
    per_layer = N_SITES // sizes.n_layers
    shapes = [
        (sizes.d_model, 3 * sizes.d_model),
        (sizes.d_model, sizes.d_model),
        (sizes.d_model, sizes.d_mlp),
        (sizes.d_mlp, sizes.d_model),
    ]
    weights = [torch.randn(shape) for shape in shapes]
    unembedding = loaded.architecture.unembedding

    @torch.inference_mode()
    def products() -> Any:
        for layer in range(sizes.n_layers):
            rows = per_layer * (layer + 1)
            for weight in weights:
                torch.randn(1, weight.shape[0]).expand(rows, -1).contiguous() @ weight
        return torch.zeros(N_SITES, sizes.d_model) @ unembedding

    timed(benchmark, products, rounds=3)

"""What a faithfulness curve of 20 points costs, of a GPT-2-medium-sized model at 8 and 64 tokens.

All 384 heads and 24 MLPs, at the traced position or at every position together, ranked by flow and
set to zero. The goal is the time of 25 plain forward passes.
"""

from __future__ import annotations

from functools import partial

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sized import gpt2_medium_sized, numbered_prompt
from test_whole_graph import plain_forward, timed

from visit.assemble.site_sets import find_sites
from visit.attribution.keeping import keep_only
from visit.engine.progress import silent
from visit.graph.circuit import list_sizes
from visit.graph.interventions import Intervention, Positions
from visit.graph.request import Request
from visit.models.loading import Loaded
from visit.session import Session
from visit.tracing.interventions import edits_from
from visit.tracing.precision import reading_dtype

N_POINTS, LENGTHS = 20, (8, 64)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return gpt2_medium_sized(sharpness=8.0)


@pytest.mark.parametrize("n_tokens", LENGTHS)
def test_circuit_forward(benchmark: BenchmarkFixture, loaded: Loaded, n_tokens: int) -> None:
    """One plain pass."""
    ids = [int(number) for number in numbered_prompt(n_tokens).split()]
    timed(benchmark, lambda: plain_forward(loaded, ids), rounds=5)


@pytest.mark.parametrize("n_tokens", LENGTHS)
@pytest.mark.parametrize("positions", [Positions.TRACED, Positions.ALL])
def test_circuit_curve(
    benchmark: BenchmarkFixture, loaded: Loaded, positions: Positions, n_tokens: int
) -> None:
    """The curve alone: what its parts are ranked by is measured as effects are."""
    request = Request(numbered_prompt(n_tokens), strongest=0, layers="none", outcome=False)
    resident = Session(loaded).resident
    trace = resident.trace(request, silent)
    asked = resident.builder.resolve(trace, request)
    sites = find_sites(asked, ("heads", "mlp"), positions, 0)
    nothing = torch.zeros(())
    ablations = [edits_from(Intervention(one), asked.position, lambda _: nothing) for one in sites]
    kept = [frozenset(range(size)) for size in list_sizes(len(sites), N_POINTS)]
    unembedding = asked.metric.unembedding(asked.architecture, reading_dtype(trace.logits.dtype))

    def curve() -> list[float]:
        with torch.inference_mode():
            return keep_only(
                asked.architecture,
                partial(resident.resume, trace, asked.position),
                ablations,
                kept,
                unembedding,
            )

    changes = timed(benchmark, curve, rounds=3)
    assert len(changes) == N_POINTS
    assert changes[-1] == 0.0
    benchmark.extra_info["parts"] = len(sites)

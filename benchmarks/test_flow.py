"""What the metric's flow and outcomes cost of a GPT-2-medium-sized model.

The flow of the whole graph is compared with a plain forward pass, at 8 and at 256 tokens; outcomes
with the matrix products of their sweep alone; a graph with flow with one whose flow is zero.
``report.py`` makes the table. Nothing here fails for being slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sized import gpt2_medium_sized, numbered_prompt
from torch import Tensor

from visit.assemble.flows import candidate_flows
from visit.assemble.kept import Kept
from visit.attribution.candidate_flow import find_candidate_flow
from visit.attribution.metric import Metric
from visit.attribution.metric_flow import find_flow
from visit.graph.metric import MetricKind
from visit.graph.request import Request
from visit.models.architectures.base import Mlp
from visit.models.loading import Loaded
from visit.session import Session
from visit.tracing.trace import record

ROUNDS = 5
COLUMNS = 100


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """The model. Its heads pick their sources, so that the route spreads over the prompt."""
    return gpt2_medium_sized(sharpness=8.0)


def timed(benchmark: BenchmarkFixture, work: Callable[[], Any]) -> Any:
    """Run it a few times; the report takes the fastest, which noise disturbs least."""
    with torch.inference_mode():
        return benchmark.pedantic(work, rounds=ROUNDS, warmup_rounds=1)


def ids_of(loaded: Loaded, n_tokens: int) -> list[int]:
    ids: list[int] = loaded.tokenizer(numbered_prompt(n_tokens))["input_ids"]
    return ids


@pytest.mark.parametrize("n_tokens", [8, 256])
def test_plain_forward_of(benchmark: BenchmarkFixture, loaded: Loaded, n_tokens: int) -> None:
    ids = torch.tensor([ids_of(loaded, n_tokens)])
    timed(benchmark, lambda: loaded.model(input_ids=ids, use_cache=False))


@pytest.mark.parametrize("n_tokens", [8, 256])
def test_flow_of_the_whole_graph_of(
    benchmark: BenchmarkFixture, loaded: Loaded, n_tokens: int
) -> None:
    trace = record(loaded.model, loaded.architecture, ids_of(loaded, n_tokens))
    metric, last = Metric(MetricKind.CHOICE, 5, tuple(range(COLUMNS))), len(trace.token_ids) - 1
    timed(benchmark, lambda: find_flow(loaded.architecture, trace, last, metric))


def products(loaded: Loaded, n_rows: int) -> Iterator[Callable[[], Tensor]]:
    """The matrix products of one sweep back: output, values and both MLP matrices of each layer."""
    for block in loaded.architecture.blocks:
        attention, mlp = block.attention, block.mlp
        assert isinstance(mlp, Mlp)
        w_v = attention.w_v.transpose(0, 1).flatten(1)
        for weight in (mlp.w_out, mlp.w_in, attention.w_o.flatten(0, 1), w_v):
            rows = torch.randn(n_rows, weight.shape[1])
            yield partial(torch.matmul, rows, weight.T)


def test_outcomes_floor(benchmark: BenchmarkFixture, loaded: Loaded) -> None:
    works = list(products(loaded, COLUMNS * 8))
    timed(benchmark, lambda: [work() for work in works])


def test_outcomes_of_all_drawn_parts(benchmark: BenchmarkFixture, loaded: Loaded) -> None:
    session, seen = Session(loaded), list[Any]()

    def keep(*given: Any) -> Any:
        seen.append((*given[:2], *(dict(part) for part in given[2:4])))
        return candidate_flows(*given)

    with patch("visit.assemble.flows.candidate_flows", keep):
        session.explain(Request(numbered_prompt(8), outcome=True))
    asked, _, vectors, activations = seen[0]

    def find() -> Any:
        found = find_candidate_flow(
            loaded.architecture, asked.trace, asked.position, asked.candidates, (asked.position,)
        )
        return candidate_flows(asked, [found], vectors, activations)

    timed(benchmark, find)


GRAPHS = {
    "plain": (False, Request(numbered_prompt(8), outcome=False, strongest=0, effects=False)),
    "flow": (True, Request(numbered_prompt(8), outcome=False, strongest=0, effects=False)),
    "effects": (True, Request(numbered_prompt(8), outcome=False, strongest=0)),
}
"""Graphs of one prompt: whether its flow is found for each anew, and what is asked."""


@pytest.mark.parametrize("what", GRAPHS)
def test_graph_with(benchmark: BenchmarkFixture, loaded: Loaded, what: str) -> None:
    """Plain: the sweep is taken once before, so that only what else flow adds is left in."""
    session, (finds_flow, request) = Session(loaded), GRAPHS[what]

    def explain() -> Any:
        session.resident.answers.clear()
        if finds_flow:
            session.resident._kept = session.resident.builder._kept = Kept()
        return session.explain(request)

    flow = timed(benchmark, explain)
    benchmark.extra_info["effects"] = sum(node.effect is not None for node in flow.nodes)

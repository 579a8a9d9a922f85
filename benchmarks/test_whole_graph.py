"""What a whole graph of a GPT-2-medium-sized model costs, and what it is compared with.

All in one process, one after another: VISIT's procedure (one vector at a time), the same without
its repetitions, the floor (a plain forward pass, one product of all vectors with the unembedding,
one pass of statistics), and visit.
``report.py`` makes the table. Nothing here fails for being slow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from one_at_a_time import draw, read_each_once
from pytest_benchmark.fixture import BenchmarkFixture
from sized import gpt2_medium_sized, gpt2_sized, numbered_prompt
from torch import Tensor

from visit.graph.flow import FlowGraph
from visit.graph.request import Request
from visit.models.loading import Loaded
from visit.session import Session
from visit.tracing.trace import record

REQUEST = Request(numbered_prompt(8), outcome=False)
ROUNDS = 5

WHOLE_ROUNDS = 12
"""Of a whole graph: some half a minute, longer than whatever else a machine does now and then."""


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """The model. Its heads pick their sources, so that the route spreads over the prompt."""
    return gpt2_medium_sized(sharpness=8.0)


@pytest.fixture(scope="module")
def flow(loaded: Loaded) -> FlowGraph:
    """The whole graph, drawn once before anything is timed."""
    return Session(loaded).explain(REQUEST)


def timed(benchmark: BenchmarkFixture, work: Callable[..., Any], **options: Any) -> Any:
    """Run it a few times; the report takes the fastest, which noise disturbs least."""
    return benchmark.pedantic(work, **{"rounds": ROUNDS, "warmup_rounds": 1, **options})


# ---------------------------------------------------------------- the floor


def test_floor_forward(benchmark: BenchmarkFixture, loaded: Loaded, flow: FlowGraph) -> None:
    timed(benchmark, lambda: plain_forward(loaded, ids_of(flow)))


def test_floor_product(benchmark: BenchmarkFixture, loaded: Loaded, flow: FlowGraph) -> None:
    unembedding = loaded.architecture.unembedding
    vectors = torch.randn(len(flow.nodes), unembedding.shape[0])
    out = torch.empty(len(vectors), unembedding.shape[1])
    timed(benchmark, lambda: torch.mm(vectors, unembedding, out=out), rounds=3)


def test_floor_statistics(benchmark: BenchmarkFixture, loaded: Loaded, flow: FlowGraph) -> None:
    """Over logits that lie in the cache, as often as all nodes need."""
    d_vocab = loaded.architecture.sizes.d_vocab
    logits, scratch = torch.randn(160, d_vocab), torch.empty(160, d_vocab)
    times = len(flow.nodes) / len(logits)

    def all_nodes() -> None:
        for _ in range(round(times)):
            one_pass(logits, scratch)

    timed(benchmark, all_nodes, rounds=3)


def one_pass(logits: Tensor, scratch: Tensor) -> tuple[Tensor, ...]:
    """Top and bottom tokens, log-sum-exp, entropy and a target's rank, in memory made before."""
    top, bottom = logits.topk(10), logits.topk(10, largest=False)
    weights = torch.sub(logits, top.values[:, :1], out=scratch).exp_()
    total = weights.sum(-1)
    entropy = total.log() - weights.mul_(logits).sum(-1) / total
    rank = torch.gt(logits, logits[:, 17:18], out=scratch).sum(-1)
    return top.values, bottom.values, total, entropy, rank


# ---------------------------------------------------------------- VISIT's procedure, and visit


def test_one_at_a_time(benchmark: BenchmarkFixture, loaded: Loaded, flow: FlowGraph) -> None:
    model, tokenizer = loaded.model, loaded.tokenizer
    drawn = timed(benchmark, lambda: draw(model, tokenizer, flow), rounds=1, warmup_rounds=0)
    benchmark.extra_info |= {"nodes": len(drawn.said), "readings": drawn.n_readings}


def test_each_once(benchmark: BenchmarkFixture, loaded: Loaded, flow: FlowGraph) -> None:
    """The same without reading a vector again for its name and its links' colour."""
    model, tokenizer = loaded.model, loaded.tokenizer
    said = timed(
        benchmark, lambda: read_each_once(model, tokenizer, flow), rounds=1, warmup_rounds=0
    )
    benchmark.extra_info["nodes"] = len(said)


def test_whole_warm(benchmark: BenchmarkFixture, loaded: Loaded) -> None:
    """A new session every round, whose atlas knows the rows that the graph draws."""
    Session(loaded).explain(REQUEST)
    os.sync()  # else the system writes the atlas to the disk while the clock runs
    flow = timed(
        benchmark,
        lambda session: session.explain(REQUEST),
        setup=lambda: ((Session(loaded),), {}),
        warmup_rounds=0,
        rounds=WHOLE_ROUNDS,
    )
    benchmark.extra_info["nodes"] = len(flow.nodes)


def test_whole_cold(benchmark: BenchmarkFixture, loaded: Loaded, tmp_path_factory: Any) -> None:
    """Nothing kept: every round has a new session and an empty cache folder."""
    explained(benchmark, loaded, REQUEST, tmp_path_factory, rounds=WHOLE_ROUNDS)


def test_whole_retargeted(benchmark: BenchmarkFixture, loaded: Loaded) -> None:
    """Another target of the whole graph, on a session that drew it before."""
    session = Session(loaded)
    session.explain(REQUEST)
    targets = iter(range(100, 10_000))
    timed(benchmark, lambda: session.explain(replace(REQUEST, target=f" {next(targets)}")))


@pytest.fixture(scope="module")
def warm(loaded: Loaded) -> Session:
    """A session as the app has it: the route is drawn, one block is open."""
    session = Session(loaded)
    session.explain(ROUTE)
    session.open(ROUTE, 5, 7)
    return session


ROUTE = replace(REQUEST, layers="none")


def test_route_retargeted(benchmark: BenchmarkFixture, warm: Session) -> None:
    targets = iter(range(100, 10_000))
    timed(benchmark, lambda: warm.explain(replace(ROUTE, target=f" {next(targets)}")))


def test_block_retargeted(benchmark: BenchmarkFixture, warm: Session) -> None:
    targets = iter(range(100, 10_000))
    timed(benchmark, lambda: warm.open(replace(ROUTE, target=f" {next(targets)}"), 5, 7))


def test_block_opened(benchmark: BenchmarkFixture, warm: Session) -> None:
    """One that was not open before, every time."""
    layers = iter([layer for layer in range(24) if layer != 5])
    timed(benchmark, lambda: warm.open(ROUTE, next(layers), 7))


# ---------------------------------------------------------------- recording


@pytest.mark.parametrize("n_tokens", [8, 256])
@pytest.mark.parametrize("how", ["plain", "recorded"])
def test_forward(benchmark: BenchmarkFixture, loaded: Loaded, n_tokens: int, how: str) -> None:
    ids = [int(number) for number in numbered_prompt(n_tokens).split()]
    work = {
        "plain": lambda: plain_forward(loaded, ids),
        "recorded": lambda: record(loaded.model, loaded.architecture, ids),
    }
    timed(benchmark, work[how], rounds=7)


@torch.inference_mode()
def plain_forward(loaded: Loaded, ids: list[int]) -> Tensor:
    """The model as anyone would run it."""
    logits: Tensor = loaded.model(input_ids=torch.tensor([ids]), use_cache=False).logits
    return logits


def ids_of(flow: FlowGraph) -> list[int]:
    """The prompt's tokens."""
    return [token.id for token in flow.tokens]


# ---------------------------------------------------------------- scaling


@pytest.mark.parametrize("n_layers", [6, 12, 24])
def test_by_layers(benchmark: BenchmarkFixture, n_layers: int, tmp_path_factory: Any) -> None:
    loaded = gpt2_sized(
        seed=0, sharpness=8.0, n_layer=n_layers, n_embd=1024, n_head=16, n_positions=64
    )
    explained(benchmark, loaded, REQUEST, tmp_path_factory)


@pytest.mark.parametrize("n_tokens", [8, 32, 128])
def test_by_tokens(
    benchmark: BenchmarkFixture, loaded: Loaded, n_tokens: int, tmp_path_factory: Any
) -> None:
    request = Request(numbered_prompt(n_tokens), layers="none")
    explained(benchmark, loaded, request, tmp_path_factory)


@pytest.mark.parametrize("n_memories", [0, 25, 100])
def test_by_nodes(
    benchmark: BenchmarkFixture, loaded: Loaded, n_memories: int, tmp_path_factory: Any
) -> None:
    request = replace(REQUEST, memories=n_memories, anti_memories=0)
    explained(benchmark, loaded, request, tmp_path_factory)


def explained(
    benchmark: BenchmarkFixture,
    loaded: Loaded,
    request: Request,
    tmp_path_factory: pytest.TempPathFactory,
    rounds: int = 2,
) -> None:
    """Time a graph from nothing, in an empty cache folder every round, and note its nodes."""

    def new_session(patch: pytest.MonkeyPatch) -> tuple[tuple[Session], dict[str, Any]]:
        patch.setenv("VISIT_CACHE", str(tmp_path_factory.mktemp("cold")))
        return (Session(loaded),), {}

    with pytest.MonkeyPatch.context() as patch:
        flow = timed(
            benchmark,
            lambda session: session.explain(request),
            setup=lambda: new_session(patch),
            rounds=rounds,
            warmup_rounds=0,
        )
    benchmark.extra_info["nodes"] = len(flow.nodes)

"""What saliency costs of 64 tokens, of the bundled model and of one of SmolLM2's sizes.

Flow against a plain forward pass: its sweep alone, and the whole answer, the recording of the pass
with it. Integrated gradients against as many of their own passes, forward and back through the
model by autograd. The two run in turn, so that whatever else the machine does slows both alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from sized import numbered_prompt, smollm2_sized

from visit.assemble.kept import Kept
from visit.attribution.metric import Metric
from visit.engine.exploring import ReadSaliency
from visit.explore.saliency import aim_at_metric, flows_from_sources, integrate_gradients
from visit.graph.metric import MetricKind
from visit.graph.request import Request
from visit.session import Session
from visit.tracing.trace import Trace, record

N_TOKENS, STEPS = 64, 10
MODELS = ("mini", "smollm2-sized")
STORY = "One day Tom met a small dog near the old tree and gave the dog a red ball. " * 4


@pytest.fixture(scope="module", params=MODELS)
def session(request: pytest.FixtureRequest) -> Session:
    if request.param == "mini":
        return Session.load("mini")
    return Session(smollm2_sized())


@pytest.fixture(scope="module")
def asked(session: Session) -> Request:
    """A prompt of 64 tokens, which mini takes of a story and the other of numbers."""
    if session.model.name != "mini":
        return Request(numbered_prompt(N_TOKENS))
    tokens = session.resident.tokens.read(Request(STORY))[:N_TOKENS]
    return Request(prompt_ids=tuple(token.id for token in tokens))


@pytest.fixture
def trace(session: Session, asked: Request) -> Trace:
    loaded = session.resident.loaded
    return record(loaded.model, loaded.architecture, ids_of(session, asked))


def ids_of(session: Session, asked: Request) -> tuple[int, ...]:
    return tuple(token.id for token in session.resident.tokens.read(asked))


def compare(
    benchmark: BenchmarkFixture,
    what: str,
    work: Callable[[], Any],
    base: Callable[[], Any],
    rounds: int = 7,
) -> None:
    """The fastest of some rounds, of both in turn."""
    bases, works = list[float](), list[float]()

    def both() -> None:
        bases.append(_time(base))
        works.append(_time(work))

    benchmark.pedantic(both, rounds=rounds, warmup_rounds=1)
    ratio = min(works) / min(bases)
    benchmark.extra_info |= {"base": min(bases), "work": min(works), "ratio": ratio}
    print(f"\n{what}: {1e3 * min(works):.1f} ms, {ratio:.2f} of {1e3 * min(bases):.1f} ms")


def _time(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def plain_forward(session: Session, asked: Request) -> Callable[[], Any]:
    ids = torch.tensor([ids_of(session, asked)])
    model = session.resident.loaded.model

    def run() -> None:
        with torch.inference_mode():
            model(input_ids=ids, use_cache=False)

    return run


def choice_of(trace: Trace) -> Metric:
    likeliest = trace.logits[-1].topk(100).indices.tolist()
    return Metric(MetricKind.CHOICE, likeliest[0], tuple(likeliest))


def test_flow_sweep(
    benchmark: BenchmarkFixture, session: Session, asked: Request, trace: Trace
) -> None:
    architecture, metric = session.resident.loaded.architecture, choice_of(trace)

    @torch.inference_mode()
    def sweep() -> None:
        flows_from_sources(architecture, trace, [(N_TOKENS - 1, metric)])

    name = f"flow of {session.model.name}, given the pass"
    compare(benchmark, name, sweep, plain_forward(session, asked))


def test_flow_answer(benchmark: BenchmarkFixture, session: Session, asked: Request) -> None:
    resident = session.resident

    def ask() -> None:
        resident.answers.clear()
        resident.traces.clear()
        resident._kept = resident.builder._kept = Kept()
        session.ask(ReadSaliency(asked))

    name = f"flow of {session.model.name}, the pass recorded"
    compare(benchmark, name, ask, plain_forward(session, asked))


def test_flow_matrix(
    benchmark: BenchmarkFixture, session: Session, asked: Request, trace: Trace
) -> None:
    """Every position's own: against as many forward passes, each of its own prefix."""
    architecture, metric = session.resident.loaded.architecture, choice_of(trace)
    ids, model = torch.tensor([ids_of(session, asked)]), session.resident.loaded.model

    @torch.inference_mode()
    def sweep() -> None:
        targets = [(position, metric) for position in range(N_TOKENS)]
        flows_from_sources(architecture, trace, targets)

    @torch.inference_mode()
    def passes() -> None:
        for position in range(N_TOKENS):
            model(input_ids=ids[:, : position + 1], use_cache=False)

    compare(benchmark, f"flow of {session.model.name}, all positions", sweep, passes, rounds=2)


def test_integrated_gradients(
    benchmark: BenchmarkFixture, session: Session, asked: Request, trace: Trace
) -> None:
    loaded, metric = session.resident.loaded, choice_of(trace)
    aim = aim_at_metric(loaded.architecture, N_TOKENS - 1, metric)
    zero = torch.zeros_like(trace.residuals[0])
    ids = torch.tensor([ids_of(session, asked)])
    inputs = loaded.model.get_input_embeddings()(ids).detach()

    def integrate() -> None:
        with torch.inference_mode():
            integrate_gradients(loaded.architecture, trace, [aim], zero, STEPS)

    def passes() -> None:
        for step in range(STEPS):
            own = (inputs * (step + 1) / STEPS).requires_grad_()
            logits = loaded.model(inputs_embeds=own, use_cache=False, logits_to_keep=1).logits[
                0, -1
            ]
            torch.autograd.grad(metric.contrast(logits, torch.float32), own)

    name = f"integrated gradients of {session.model.name}, {STEPS} steps"
    compare(benchmark, name, integrate, passes, rounds=3)

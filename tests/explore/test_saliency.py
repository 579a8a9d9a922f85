"""Sources of a prediction, by flow and by the live gradient, for every family in float64.

Flow adds up and is the graph's own. The gradients are captum's, of the whole model with hooks of
the test's own in place of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from specimens import MAKERS, STRUCTURES, TOKEN_IDS, Specimen, specimen
from torch import Tensor

from visit.attribution.metric import Metric
from visit.attribution.metric_flow import find_flow
from visit.explore import saliency
from visit.explore.saliency import (
    aim_at_metric,
    aim_at_probability,
    flows_from_sources,
    gradients_at_sources,
    inputs_x_gradients,
    integrate_gradients,
    norms_of_gradients,
)
from visit.graph.interventions import Site
from visit.graph.kinds import NodeKind
from visit.graph.metric import MetricKind
from visit.tracing import embedded
from visit.tracing.embedded import measure_at
from visit.tracing.hooks import Float64Throughout
from visit.tracing.interventions import Edit
from visit.tracing.trace import Trace, record

LAST = len(TOKEN_IDS) - 1
CHOICE = Metric(MetricKind.CHOICE, 17, (17, 3, 40, 8))
DIFFERENCE = Metric(MetricKind.LOGIT_DIFFERENCE, 17, (40,))
TARGET = 5
STEPS = 6
FEW = ("gpt2", "llama-gqa", "gpt-neox-parallel", "bloom", "falcon-11b", "gemma2", "mixtral")


@pytest.fixture(params=sorted(MAKERS))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def equal(ours: Tensor, theirs: Tensor, tolerance: float = 1e-9) -> None:
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def logits_from(tiny: Specimen, embeddings: Tensor) -> Tensor:
    """The model's own logits at the last position, with other embeddings put before its blocks."""

    def enter(_: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if args:
            return (embeddings, *args[1:]), named
        return args, {**named, "hidden_states": embeddings}

    first = tiny.architecture.blocks[0].module
    handle = first.register_forward_pre_hook(enter, with_kwargs=True)
    ids = torch.tensor([TOKEN_IDS]).expand(len(embeddings), -1)
    try:
        with Float64Throughout():
            logits: Tensor = tiny.model(input_ids=ids, use_cache=False).logits
    finally:
        handle.remove()
    return logits[:, -1].double()


def metric_of(tiny: Specimen, metric: Metric) -> Callable[[Tensor], Tensor]:
    """A metric of the model's own logits, as captum calls it."""

    def run(embeddings: Tensor) -> Tensor:
        logits = logits_from(tiny, embeddings)
        cap = tiny.architecture.soft_cap
        if cap is not None:
            logits = (logits / cap).atanh() * cap
        return logits[:, metric.target_id] - logits[:, list(metric.others or ())].mean(-1)

    return run


def own_embeddings(tiny: Specimen) -> Tensor:
    return tiny.trace.residuals[0].clone()[None].requires_grad_()


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("metric", [CHOICE, DIFFERENCE, Metric(MetricKind.LOGIT, 17)])
def test_flows_of_many_positions_add_up_and_are_each_the_graphs_own(
    name: str, metric: Metric, monkeypatch: pytest.MonkeyPatch
):
    tiny = specimen(name)
    monkeypatch.setattr(saliency, "COLUMNS_TOGETHER", 2)  # several sweeps, the last one not full
    positions = (0, 1, 3, 4, LAST)
    told: list[float] = []
    found = flows_from_sources(
        tiny.architecture, tiny.trace, [(one, metric) for one in positions], told.append
    )
    assert told == sorted(told) and told[-1] == 1.0
    logits = tiny.trace.logits
    values = [metric.evaluate(tiny.architecture, logits[one]) for one in positions]
    equal(found.sources.sum(-1) + found.biases, torch.tensor(values, dtype=torch.float64))
    for row, position in enumerate(positions):
        alone = find_flow(tiny.architecture, tiny.trace, position, metric)
        equal(found.sources[row, : position + 1], alone.layers[0].pre)
        assert not found.sources[row, position + 1 :].any()
        biases = alone.constant + sum(layer.biases for layer in alone.layers)
        assert float(found.biases[row]) == pytest.approx(biases, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        *((name, CHOICE) for name in sorted(MAKERS)),
        *((name, DIFFERENCE) for name in STRUCTURES),
    ],
)
def test_gradients_are_captums(name: str, metric: Metric):
    tiny = specimen(name)
    aim = aim_at_metric(tiny.architecture, LAST, metric)
    gradients = gradients_at_sources(tiny.architecture, tiny.trace, [aim])
    run, own = metric_of(tiny, metric), own_embeddings(tiny)
    theirs = Saliency(run).attribute(own, abs=False)
    equal(gradients, theirs)
    norms = theirs[0].norm(dim=-1)
    equal(norms_of_gradients(gradients)[0], norms / norms.sum())
    multiplied = InputXGradient(run).attribute(own)[0].sum(-1)
    equal(inputs_x_gradients(tiny.trace, gradients)[0], multiplied.detach())


@pytest.mark.parametrize(
    ("name", "start"),
    [*((name, "mean") for name in sorted(MAKERS)), *((name, "zero") for name in STRUCTURES)],
)
def test_integrated_gradients_and_their_delta_are_captums(name: str, start: str):
    """captum weighs its steps in float32, which leaves seven digits."""
    tiny = specimen(name)
    own = own_embeddings(tiny)
    mean = own.detach()[0].mean(0, keepdim=True).expand_as(own[0])
    baseline = torch.zeros_like(own[0]) if start == "zero" else mean
    aim = aim_at_metric(tiny.architecture, LAST, CHOICE)
    found = integrate_gradients(tiny.architecture, tiny.trace, [aim], baseline.detach(), STEPS)
    run = metric_of(tiny, CHOICE)
    theirs, delta = IntegratedGradients(run).attribute(
        own, baselines=baseline.detach()[None], n_steps=STEPS, return_convergence_delta=True
    )
    theirs = theirs.detach()
    scale = float(theirs.abs().sum())
    assert found.sources[0].tolist() == pytest.approx(
        theirs[0].sum(-1).tolist(), rel=1e-6, abs=1e-6 * scale
    )
    assert float(found.delta[0]) == pytest.approx(float(delta), abs=1e-6 * scale)
    ends = [float(run(one.detach())) for one in (own, baseline[None])]
    assert float(found.at_baseline[0]) == pytest.approx(ends[1], abs=1e-9)
    missing = float(found.sources.sum()) - (ends[0] - ends[1])
    assert float(found.delta[0]) == pytest.approx(missing, abs=1e-9)


def test_the_delta_goes_to_nothing_with_more_steps():
    tiny = specimen("gpt-neo")
    mean = tiny.trace.residuals[0].mean(0, keepdim=True).expand(len(TOKEN_IDS), -1)
    aim = aim_at_metric(tiny.architecture, LAST, CHOICE)
    deltas = [
        abs(float(integrate_gradients(tiny.architecture, tiny.trace, [aim], mean, steps).delta))
        for steps in (4, 16, 256)
    ]
    assert deltas == sorted(deltas, reverse=True) and deltas[-1] < 1e-4


def test_a_probabilitys_gradients_are_captums_at_the_models_own_inputs(tiny: Specimen):
    """As Ecco asks. Bloom's embeddings go through a norm before they enter the first layer."""
    aim = aim_at_probability(tiny.architecture, LAST, TARGET)
    gradients = gradients_at_sources(tiny.architecture, tiny.trace, [aim])
    own = own_embeddings(tiny)
    theirs = Saliency(lambda x: logits_from(tiny, x).softmax(-1)).attribute(
        own, target=TARGET, abs=False
    )
    equal(gradients, theirs)
    if tiny.architecture.family == "BLOOM":
        return
    table = tiny.model.get_input_embeddings()
    inputs = table(torch.tensor([TOKEN_IDS])).detach().requires_grad_()

    def run(embeddings: Tensor) -> Tensor:
        with Float64Throughout():
            logits = tiny.model(inputs_embeds=embeddings, use_cache=False).logits[:, -1]
        return logits.double().softmax(-1)

    norms = Saliency(run).attribute(inputs, target=TARGET)[0].norm(dim=-1)
    equal(norms_of_gradients(gradients)[0], norms / norms.sum())


@pytest.mark.parametrize("name", FEW)
def test_many_numbers_have_each_its_own_gradient_and_none_after_its_position(name: str):
    tiny = specimen(name)
    aims = [
        aim_at_metric(tiny.architecture, 2, CHOICE),
        aim_at_probability(tiny.architecture, 4, 9),
    ]
    told: list[float] = []
    together = gradients_at_sources(tiny.architecture, tiny.trace, aims, told.append)
    assert told == [0.5, 1.0]
    for row, aim in enumerate(aims):
        equal(together[row], gradients_at_sources(tiny.architecture, tiny.trace, [aim])[0])
        assert not together[row, aim.position + 1 :].any()
        assert together[row, : aim.position + 1].any(-1).all()


@pytest.mark.parametrize("name", FEW)
def test_a_pass_that_is_too_large_to_be_held_gives_the_same_a_block_at_a_time(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    tiny = specimen(name)
    aims = [aim_at_metric(tiny.architecture, place, CHOICE) for place in (3, LAST)]
    held = gradients_at_sources(tiny.architecture, tiny.trace, aims)
    zero = torch.zeros_like(tiny.trace.residuals[0])
    integrated = integrate_gradients(tiny.architecture, tiny.trace, aims, zero, STEPS)
    monkeypatch.setattr(embedded, "GRAPH_ELEMENTS", 1)
    assert embedded.rows_at_once(tiny.architecture.sizes, len(TOKEN_IDS)) == 0
    equal(gradients_at_sources(tiny.architecture, tiny.trace, aims), held)
    again = integrate_gradients(tiny.architecture, tiny.trace, aims, zero, STEPS)
    equal(again.sources, integrated.sources)


CHANGES = {
    "head": Edit(Site(NodeKind.HEAD, LAST, 1, 2)),
    "source": Edit(Site(NodeKind.HEAD, LAST, 1, 2, 3), knocks_out=True),
    "mlp": Edit(Site(NodeKind.MLP, 3, 0), factor=0.5),
    "embedding": Edit(Site(NodeKind.EMBED, 2)),
}


def changed(tiny: Specimen, what: str) -> Trace:
    return record(tiny.model, tiny.architecture, TOKEN_IDS, edits=[CHANGES[what]], plain=tiny.trace)


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("name", FEW)
def test_a_changed_pass_is_the_one_that_is_differentiated(name: str, what: str):
    tiny = specimen(name)
    trace = changed(tiny, what)
    aim = aim_at_metric(tiny.architecture, LAST, CHOICE)
    own = trace.residuals[0][None]
    here = measure_at(tiny.architecture, trace, own, [aim])
    assert float(here) == pytest.approx(
        CHOICE.evaluate(tiny.architecture, trace.logits[LAST]), abs=1e-9
    )
    gradient = gradients_at_sources(tiny.architecture, trace, [aim])
    along = torch.randn(own.shape, generator=torch.Generator().manual_seed(2), dtype=own.dtype)
    ends = torch.cat([own + 1e-6 * along, own - 1e-6 * along])
    up, down = measure_at(tiny.architecture, trace, ends, [aim])[0].tolist()
    slope = float((gradient[0] * along[0]).sum())
    assert slope == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", FEW)
def test_flow_from_the_sources_of_a_changed_pass_adds_up(name: str):
    tiny = specimen(name)
    trace = changed(tiny, "mlp")
    found = flows_from_sources(tiny.architecture, trace, [(2, CHOICE), (LAST, CHOICE)])
    for row, position in enumerate((2, LAST)):
        value = CHOICE.evaluate(tiny.architecture, trace.logits[position])
        assert float(found.sources[row].sum() + found.biases[row]) == pytest.approx(value, abs=1e-9)

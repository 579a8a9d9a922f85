"""Estimates are the derivative by finite difference; direct and held ones are identities."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from specimens import MAKERS, TOKEN_IDS, Specimen, specimen
from torch import Tensor

from visit.attribution.estimates import (
    direct_gradient,
    gradients_of_flow,
    held_gradient,
    held_gradients,
    integrated_gradients,
    live_gradients,
    mix_without,
    predict,
)
from visit.attribution.flow import sweep_back
from visit.attribution.metric import Metric, metric_direction
from visit.attribution.metric_flow import find_flow
from visit.errors import RequestError
from visit.graph.interventions import How, Intervention, Site, Way
from visit.graph.metric import MetricKind
from visit.tracing.gradients import SiteGradient
from visit.tracing.interventions import Edit, edits_from
from visit.tracing.sites import check_intervention
from visit.tracing.sweep import logits_of_residuals, resume, run_changed

LAST, EARLIER = len(TOKEN_IDS) - 1, 3
CHOICE = Metric(MetricKind.CHOICE, 17, (17, 3, 40, 8))
KINDS = (
    "attn", "mlp", "resid_mid", "resid_post", "head1", "memory5.value", "attn_neuron7", "expert2",
    "attn_bias", "mlp_bias",
)  # fmt: skip
STEP = 1e-4


@pytest.fixture(params=sorted(set(MAKERS) - {"gpt2-square", "mixtral-square"}))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def scaled(tiny: Specimen, factor: float) -> dict[str, tuple[Edit, ...]]:
    """Every site of two layers, at two positions, times a number."""
    names = [f"L{n}.{kind}@{p}" for n in (0, 2) for kind in KINDS for p in (LAST, EARLIER)]
    found = {}
    for name in [*names, "L1.head1@6<2", f"embed@{EARLIER}"]:
        intervention = Intervention(Site.parse(name), How(Way.SCALE, factor))
        try:
            check_intervention(tiny.architecture, intervention, LAST)
        except RequestError:
            continue
        found[name] = edits_from(intervention, LAST, no_value)
    return found


def no_value(site: Site) -> Tensor:
    raise AssertionError(f"nothing is put at {site}")


def metrics(tiny: Specimen, variants: list[tuple[Edit, ...]]) -> Tensor:
    """The metric of every changed pass, from the earlier position on."""
    layers = tiny.trace.layers
    resumed = resume(tiny.model, tiny.architecture, TOKEN_IDS, EARLIER, lambda n: layers[n].ln1)
    ((order, last, _),) = run_changed(tiny.architecture, resumed, variants)
    values = CHOICE.contrast(logits_of_residuals(tiny.architecture, last))
    return values[torch.tensor(order).argsort()]


def live(tiny: Specimen) -> dict[int, SiteGradient]:
    unembedding = CHOICE.unembedding(tiny.architecture, torch.float64)
    return dict(live_gradients(tiny.architecture, tiny.trace, LAST, unembedding))


def test_an_estimate_is_the_derivative_by_finite_difference(tiny: Specimen):
    more, less = scaled(tiny, 1 + STEP), scaled(tiny, 1 - STEP)
    both = metrics(tiny, [*more.values(), *less.values()])
    slopes = (both[: len(more)] - both[len(more) :]) / (2 * STEP)
    gradients = live(tiny)
    for (name, edits), slope in zip(more.items(), slopes.tolist(), strict=True):
        ours = predict(tiny.architecture, tiny.trace, edits, gradients[edits[0].layer]) / STEP
        assert ours == pytest.approx(slope, rel=1e-5, abs=1e-5), name


def test_from_some_position_on_the_live_gradient_is_that_of_all_positions(tiny: Specimen):
    """Found in a pass that runs from there; nothing before can read what is there."""
    layers, unembedding = tiny.trace.layers, CHOICE.unembedding(tiny.architecture, torch.float64)
    resumed = resume(tiny.model, tiny.architecture, TOKEN_IDS, EARLIER, lambda n: layers[n].ln1)
    whole = live(tiny)
    for layer, at in live_gradients(tiny.architecture, tiny.trace, LAST, unembedding, resumed):
        assert at.first == EARLIER
        for part in fields(at):
            ours, all_ = getattr(at, part.name), getattr(whole[layer], part.name)
            if isinstance(ours, Tensor):
                torch.testing.assert_close(ours, all_[EARLIER:], rtol=1e-9, atol=1e-12)


def test_direct_and_flow_agree_where_nothing_comes_between(tiny: Specimen):
    """In the last layer, of all but attention's parts, which the MLP after them reads."""
    architecture, trace = tiny.architecture, tiny.trace
    direction = metric_direction(architecture, trace.residuals[-1][LAST].double(), CHOICE)
    top = len(trace.layers) - 1
    layer, at = next(iter(sweep_back(architecture, trace, LAST, direction[None])))
    assert layer == top
    held = held_gradient(at)
    direct = direct_gradient(architecture, trace, layer, LAST, direction)
    is_parallel = architecture.blocks[top].parallel
    for name, edits in scaled(tiny, 0.0).items():
        site = edits[0].site
        if site.layer != top or site.position != LAST:
            continue
        if is_parallel or site.kind in ("mlp", "resid_post", "memory_value", "expert", "mlp_bias"):
            ours = predict(architecture, trace, edits, direct)
            theirs = predict(architecture, trace, edits, held)
            assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9), name


def test_the_gradients_of_a_flow_that_was_found_are_those_of_a_sweep(tiny: Specimen):
    """At every site of every layer, so that a question whose flow is there sweeps back no more."""
    architecture, trace = tiny.architecture, tiny.trace
    flow = find_flow(architecture, trace, LAST, CHOICE)
    unembedding = CHOICE.unembedding(architecture, torch.float64)
    swept = held_gradients(architecture, trace, LAST, unembedding)
    for (layer, ours), (same, theirs) in zip(
        gradients_of_flow(architecture, trace, flow), swept, strict=True
    ):
        assert layer == same
        for part in fields(SiteGradient):
            torch.testing.assert_close(
                getattr(ours, part.name), getattr(theirs, part.name), rtol=1e-9, atol=1e-9
            )


def test_the_direct_effect_of_taking_a_part_away_is_minus_its_direct_logit(tiny: Specimen):
    architecture, trace = tiny.architecture, tiny.trace
    direction = metric_direction(architecture, trace.residuals[-1][LAST].double(), CHOICE)
    for layer in range(len(trace.layers)):
        at = direct_gradient(architecture, trace, layer, LAST, direction)
        for name, part in (
            (f"L{layer}.attn@{LAST}", trace.layers[layer].attn_out[LAST]),
            (f"L{layer}.mlp@{LAST}", trace.layers[layer].mlp_out[LAST]),
        ):
            edits = edits_from(Intervention(Site.parse(name)), LAST, no_value)
            ours = predict(architecture, trace, edits, at)
            assert ours == pytest.approx(-float(part @ direction), rel=1e-9, abs=1e-9)
        earlier = edits_from(Intervention(Site.parse(f"L{layer}.mlp@{EARLIER}")), LAST, no_value)
        assert predict(architecture, trace, earlier, at) == 0


def test_a_knock_out_is_estimated_by_the_mix_it_leaves(tiny: Specimen):
    """What the head writes then is known: the estimate is that of a patch with it."""
    site = Site.parse("L1.head1@6<2")
    layer, weights = tiny.trace.layers[1], tiny.architecture.blocks[1].attention
    read = float(layer.attention[1, LAST, 2])
    z = layer.z[LAST, 1]
    left = (z - read * weights.value(layer.ln1[2], 1)) / (1 - read)
    whole = Site.parse(f"L1.head1@{LAST}")
    patched = edits_from(Intervention(whole, How(Way.PATCH)), LAST, lambda _: left)
    knocked = edits_from(Intervention(site, How(Way.KNOCKOUT)), LAST, no_value)
    at = live(tiny)[1]
    ours = predict(tiny.architecture, tiny.trace, knocked, at)
    theirs = predict(tiny.architecture, tiny.trace, patched, at)
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


def test_what_is_left_of_a_head_that_reads_one_source_alone_is_exact(tiny: Specimen):
    """1 less the attention to it has no digits left where that is within rounding of 1."""
    layer, weights = tiny.trace.layers[1], tiny.architecture.blocks[1].attention
    left = layer.attention[1, LAST].clone()
    left[2] = 0
    left /= left.sum()
    pattern = layer.attention.clone()
    pattern[1, LAST] = 1e-18 * left
    pattern[1, LAST, 2] = 1
    without = mix_without(
        weights, replace(layer, attention=pattern), Site.parse(f"L1.head1@{LAST}<2")
    )
    torch.testing.assert_close(without, left @ weights.value(layer.ln1, 1))
    pattern[1, LAST] = 0
    pattern[1, LAST, 2] = 1
    nothing = mix_without(
        weights, replace(layer, attention=pattern), Site.parse(f"L1.head1@{LAST}<2")
    )
    assert not nothing.any()


@pytest.mark.parametrize("name", ["gpt2", "llama-gqa"])
def test_integrated_gradients_of_the_embeddings_add_up_to_the_whole_change(name: str):
    """Completeness (Sundararajan et al. 2017), to the midpoint error of 400 right-hand steps."""
    tiny = specimen(name)
    start = tiny.trace.residuals[0].flip(0) * 0.5
    unembedding = CHOICE.unembedding(tiny.architecture, torch.float64)
    at = integrated_gradients(
        tiny.model, tiny.architecture, tiny.trace, LAST, unembedding, start, 64
    )
    edits = edits_from(
        Intervention(Site.parse("embed@*"), How(Way.PATCH)), LAST, lambda site: start[site.position]
    )
    resumed = resume(
        tiny.model, tiny.architecture, TOKEN_IDS, 0, lambda n: tiny.trace.layers[n].ln1
    )
    ((_, last, plain),) = run_changed(tiny.architecture, resumed, [edits])
    measured, base = CHOICE.contrast(
        logits_of_residuals(tiny.architecture, torch.stack([last[0], plain]))
    ).tolist()
    estimate = predict(tiny.architecture, tiny.trace, edits, at[0])
    plainly = predict(tiny.architecture, tiny.trace, edits, live(tiny)[0])
    assert abs(estimate - (measured - base)) < 0.15 * abs(plainly - (measured - base)) + 0.05

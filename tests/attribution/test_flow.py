"""Flow is the derivative through a held pass and is conserved everywhere, at 1e-9 in float64.

The held pass here is written forwards, from the equations, and differentiated by autograd; ours is
written backwards and knows no autograd.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import pytest
import torch
from specimens import MAKERS, TOKEN_IDS, Specimen, specimen
from torch import Tensor

from visit.attribution import metric
from visit.attribution.flow import LayerGradient, slopes, sweep_back
from visit.attribution.metric import (
    Metric,
    candidate_unembeddings,
    find_candidates,
    metric_direction,
    pull_back_through_final_norm,
)
from visit.attribution.metric_flow import MetricFlow, bias_flows, find_flow
from visit.attribution.projections import experts_at, values_by_source
from visit.graph.metric import MetricKind
from visit.models.architectures.base import Block, Expert, Experts, Mlp, Norm
from visit.tracing.hooks import LayerTrace

CHOICE = Metric(MetricKind.CHOICE, 17, (17, 3, 40, 8))
TRACED = (len(TOKEN_IDS) - 1, 3)
"""The last position, and one from which later ones cannot be seen."""


@pytest.fixture(params=sorted(set(MAKERS) - {"gpt2-square", "mixtral-square"}))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def equal(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def flow_of(tiny: Specimen, position: int = TRACED[0], metric: Metric = CHOICE) -> MetricFlow:
    return find_flow(tiny.architecture, tiny.trace, position, metric)


def value_of(tiny: Specimen, position: int = TRACED[0], metric: Metric = CHOICE) -> float:
    return metric.evaluate(tiny.architecture, tiny.trace.logits[position])


@dataclass
class HeldPass:
    """A forward pass with patterns, scales and gates held, whose tensors autograd can ask about."""

    residuals: list[Tensor]
    attn: list[Tensor]
    z: list[Tensor]
    v: list[Tensor]
    mlp: list[Tensor]
    logits: Tensor


def held_pass(tiny: Specimen) -> HeldPass:
    x = tiny.trace.residuals[0].clone().requires_grad_()
    seen = HeldPass([x], [], [], [], [], x)
    for layer, block in zip(tiny.trace.layers, tiny.architecture.blocks, strict=True):
        recorded, weights = outside_inference_mode(layer), block.attention
        read = held_norm(block.ln1, recorded.resid_pre, x)
        v = torch.einsum("pm,hmd->hpd", read, weights.w_v)
        v = v if weights.b_v is None else v + weights.b_v.unsqueeze(1)
        v = v.repeat_interleave(len(weights.w_q) // len(v), dim=0)
        z = torch.einsum("hrs,hsd->rhd", recorded.attention, v)
        attn = gained(
            with_bias(torch.einsum("rhd,hdm->rm", z, weights.w_o), weights.b_o), recorded.attn_gain
        )
        before = recorded.resid_pre if recorded.resid_mid is None else recorded.resid_mid
        read = held_norm(block.ln2, before, x if block.parallel else x + attn)
        written = held_experts if isinstance(block.mlp, Experts) else held_memories
        mlp = gained(written(block.mlp, recorded, read), recorded.mlp_gain)
        x = x + attn + mlp
        for of, tensor in zip((seen.residuals, seen.attn, seen.z, seen.v, seen.mlp),
                              (x, attn, z, v, mlp), strict=True):  # fmt: skip
            of.append(tensor)
    normed = held_norm(tiny.architecture.final_norm, tiny.trace.residuals[-1].clone(), x)
    logits = normed @ tiny.architecture.unembedding * tiny.architecture.logit_scale
    seen.logits = with_bias(logits, tiny.architecture.unembedding_bias)
    return seen


def outside_inference_mode(recorded: LayerTrace) -> LayerTrace:
    values = {part.name: getattr(recorded, part.name) for part in fields(recorded)}
    return replace(recorded, **{n: v.clone() for n, v in values.items() if v is not None})


def held_norm(norm: Norm | None, whole: Tensor, x: Tensor) -> Tensor:
    if norm is None:
        return x
    if norm.centers:
        whole, x = (one - one.mean(-1, keepdim=True) for one in (whole, x))
    spread = (whole.square().mean(-1, keepdim=True) + norm.epsilon).sqrt()
    return with_bias(x / spread * norm.gain, norm.bias)


def held_memories(mlp: Mlp, recorded: LayerTrace, read: Tensor) -> Tensor:
    """The input's part of each recorded activation is held: its gate, or the ratio of the two."""
    w, b = (mlp.w_in, mlp.b_in) if mlp.w_up is None else (mlp.w_up, mlp.b_up)
    then, now = (with_bias(x @ w, b) for x in (recorded.ln2, read))
    return with_bias((recorded.activation / then * now) @ mlp.w_out, mlp.b_out)


def held_experts(mixture: Experts, recorded: LayerTrace, read: Tensor) -> Tensor:
    rows = []
    for position in range(len(TOKEN_IDS)):
        pairs = zip(recorded.routing_weight[position], recorded.routed[position], strict=True)
        parts = [
            weight * held_expert(mixture.experts[number], recorded.ln2[position], read[position])
            for weight, number in pairs
        ]
        if mixture.shared is not None:
            weight = mixture.shared.weight(recorded.ln2[position])
            expert = mixture.shared.expert
            parts.append(weight * held_expert(expert, recorded.ln2[position], read[position]))
        rows.append(sum(parts))
    return torch.stack(rows)


def held_expert(expert: Expert, then: Tensor, now: Tensor) -> Tensor:
    return (expert.act(then @ expert.w_gate) * (now @ expert.w_up)) @ expert.w_down


def with_bias(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias


def gained(x: Tensor, gain: Tensor | None) -> Tensor:
    return x if gain is None else x * gain


def test_the_held_pass_is_the_models_own_where_nothing_is_changed(tiny: Specimen):
    held = held_pass(tiny)
    for ours, own in zip(held.residuals, tiny.trace.residuals, strict=True):
        equal(ours.detach(), own)
    equal(held.logits.detach(), tiny.architecture.before_soft_cap(tiny.trace.logits))


@pytest.mark.parametrize("position", TRACED)
def test_gradients_are_autograds_through_the_held_pass(tiny: Specimen, position: int):
    """Of a metric and of candidates' logits less their mean, at every place that is written to."""
    candidates = list(find_candidates(tiny.trace.logits[position], 5, (17,)))
    held = held_pass(tiny)
    logits = held.logits[position]
    wanted = [logits[17] - logits[list(CHOICE.others)].mean()]
    wanted += [logits[one] - logits[candidates].mean() for one in candidates]
    resid = tiny.trace.residuals[-1][position]
    columns = metric.candidate_unembeddings(
        tiny.architecture, candidates, candidates, torch.float64
    )
    directions = torch.cat([
        metric_direction(tiny.architecture, resid, CHOICE)[None],
        pull_back_through_final_norm(tiny.architecture, resid, columns),
    ])  # fmt: skip
    places = [*held.residuals, *held.attn, *held.mlp, *held.z, *held.v]
    theirs = [
        torch.autograd.grad(one, places, retain_graph=True, materialize_grads=True)
        for one in wanted
    ]
    until = position + 1
    for layer, at in sweep_back(tiny.architecture, tiny.trace, position, directions):
        for column, gradients in enumerate(theirs):
            residuals, attn, mlp, z, v = (
                gradients[:4], gradients[4:7], gradients[7:10], gradients[10:13], gradients[13:]
            )  # fmt: skip
            equal(at.pre[column], residuals[layer][:until])
            equal(at.post[column], residuals[layer + 1][:until])
            equal(at.post[column], mlp[layer][:until])
            equal(at.mid[column], attn[layer][:until])
            equal(at.z[column], z[layer][:until])
            equal(at.v[column], v[layer][:, :until])


@pytest.mark.parametrize("position", TRACED)
def test_flow_adds_up_to_the_metric_at_every_depth(tiny: Specimen, position: int):
    depths = flow_of(tiny, position).depths
    said = value_of(tiny, position)
    assert len(depths) == 4
    assert depths == pytest.approx([said] * 4, abs=1e-9, rel=1e-9)


def test_in_the_last_layer_flow_is_the_direct_logit(tiny: Specimen):
    direction = metric_direction(tiny.architecture, tiny.trace.residuals[-1][-1], CHOICE)
    flow, recorded = flow_of(tiny).layers[-1], tiny.trace.layers[-1]
    equal(flow.mlp[-1], recorded.mlp_out[-1] @ direction)
    assert not flow.mlp[:-1].any() and not flow.attn[:-1].any()
    if recorded.resid_mid is None:  # else the MLP reads what attention wrote
        equal(flow.attn[-1], recorded.attn_out[-1] @ direction)


def test_what_enters_a_node_leaves_it(tiny: Specimen):
    flow = flow_of(tiny)
    for number, layer in enumerate(flow.layers):
        block, recorded = tiny.architecture.blocks[number], tiny.trace.layers[number]
        post = (flow.residual[number + 1] * recorded.resid_post).sum(-1)
        into_mlp = layer.into_mlp if block.parallel else 0.0
        equal(layer.carried + layer.into_attn + into_mlp, layer.pre)
        if not block.parallel:
            equal(layer.carried + layer.attn, layer.mid)
            passed = (flow.residual[number + 1] * recorded.resid_mid).sum(-1)
            equal(passed + layer.into_mlp, layer.mid)
            equal(passed + layer.mlp, post)
        after = flow.layers[number + 1].pre if number < 2 else post
        equal(post, after)


def test_a_heads_flow_is_that_of_its_sources_and_a_values_that_to_its_readers(tiny: Specimen):
    flow = flow_of(tiny)
    for number, layer in enumerate(flow.layers):
        recorded, block = tiny.trace.layers[number], tiny.architecture.blocks[number]
        written = values_by_source(tiny.architecture, tiny.trace, number).write(slice(None))
        gain = (
            torch.ones_like(recorded.attn_out) if recorded.attn_gain is None else recorded.attn_gain
        )
        lines = torch.einsum(
            "hrs,hsm,rm,rm->hrs", recorded.attention, written, gain, flow.mid[number]
        )
        equal(lines.sum(2).T, layer.heads)
        equal(lines.sum(1), layer.values)
        bias = block.attention.b_o
        equal(layer.heads.sum(1) + gained_bias(bias, gain, flow.mid[number]), layer.attn)


def gained_bias(bias: Tensor | None, gain: Tensor, gradient: Tensor) -> Tensor:
    return torch.zeros(len(gain)).double() if bias is None else (bias * gain * gradient).sum(-1)


def test_an_mlps_flow_is_that_of_its_memories_or_experts_and_its_bias(tiny: Specimen):
    flow = flow_of(tiny)
    for number, layer in enumerate(flow.layers):
        recorded, mlp = tiny.trace.layers[number], tiny.architecture.blocks[number].mlp
        gain = torch.ones_like(recorded.mlp_out) if recorded.mlp_gain is None else recorded.mlp_gain
        raw = flow.residual[number + 1] * gain
        if isinstance(mlp, Experts):
            parts = torch.stack([
                experts_at(tiny.architecture, tiny.trace, number, position)[1].sum(0)
                for position in range(len(TOKEN_IDS))
            ])  # fmt: skip
            equal((parts * raw).sum(-1), layer.mlp)
        else:
            memories = recorded.activation * (raw @ mlp.w_out.T)
            equal(memories.sum(-1) + gained_bias(mlp.b_out, gain, flow.residual[number + 1]),
                  layer.mlp)  # fmt: skip


@pytest.mark.parametrize("name", ["gpt2", "opt", "llama-gqa"])
def test_a_slope_at_zero_is_what_the_quotient_tends_to(name: str):
    """From either side: a half of both where they differ, as with ReLU."""
    mlp = specimen(name).architecture.blocks[0].mlp
    read = torch.zeros(1, mlp.w_in.shape[0], dtype=torch.float64)
    bare = Mlp(mlp.input, mlp.output, mlp.w_in, mlp.w_out, None, None, mlp.act)
    found = slopes(bare, read)
    assert found == pytest.approx(torch.full_like(found, 0.5), abs=1e-9)
    near = mlp.act(torch.tensor([1e-6, -1e-6]).double()) / torch.tensor([1e-6, -1e-6]).double()
    assert float(near.mean()) == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize("name", ["gpt2", "gemma2", "qwen2-moe"])
def test_in_float32_flow_adds_up_to_rounding(name: str):
    tiny = specimen(name, torch.float32)
    said = value_of(tiny)
    assert flow_of(tiny).depths == pytest.approx([said] * 4, abs=1e-3)


def broken(tiny: Specimen) -> list[str]:
    """The checks of this file that do not hold."""
    checks = {
        "depths": lambda: test_flow_adds_up_to_the_metric_at_every_depth(tiny, TRACED[0]),
        "gradients": lambda: test_gradients_are_autograds_through_the_held_pass(tiny, TRACED[0]),
        "nodes": lambda: test_what_enters_a_node_leaves_it(tiny),
    }
    failed = []
    for name, check in checks.items():
        try:
            check()
        except AssertionError:
            failed.append(name)
    return failed


def without_value_biases(block: Block, at: LayerGradient) -> dict[str, Tensor]:
    return {name: flow for name, flow in bias_flows(block, at).items() if name != "b_v"}


def centred_by_coordinate(*given: object) -> Tensor:
    columns = candidate_unembeddings(*given)
    return columns - columns.mean(1, keepdim=True)


def activation_itself(mlp: Mlp, ln2: Tensor) -> Tensor:
    """A gate that is not held, as a slope of 1 would have it."""
    return torch.ones_like(slopes(mlp, ln2))


FAULTS = {
    "a norm's scale that is not the whole's": (
        "visit.attribution.flow._scale",
        lambda norm, resid, dtype: None if norm is None else norm.scale(resid / 2).to(dtype),
        "gradients",
    ),
    "a bias that is missed": (
        "visit.attribution.metric_flow.bias_flows", without_value_biases, "depths"
    ),
    "a wrong sign": (
        "visit.attribution.flow.slopes", lambda mlp, ln2: -slopes(mlp, ln2), "gradients"
    ),
    "a gate that is not held": ("visit.attribution.flow.slopes", activation_itself, "gradients"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch):
    place, wrong, caught_by = FAULTS[fault]
    tiny = specimen("gpt2")
    assert broken(tiny) == []
    monkeypatch.setattr(place, wrong)
    assert caught_by in broken(tiny)


def test_a_mean_over_the_wrong_axis_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metric, "candidate_unembeddings", centred_by_coordinate)
    with pytest.raises(AssertionError):
        test_gradients_are_autograds_through_the_held_pass(specimen("gpt2"), TRACED[0])

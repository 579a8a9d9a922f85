"""The identities of docs/method.md, at 1e-10 in float64, for every family and kind of heads."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from specimens import MAKERS, TOKEN_IDS, Specimen, logits_of, specimen
from torch import Tensor

from visit.attribution import circuits
from visit.attribution.metric import (
    Metric,
    audit_logit,
    find_candidates,
    metric_biases,
    metric_direction,
)
from visit.attribution.projections import experts_at, keys_by_source, queries_at, values_by_source
from visit.graph.metric import MetricKind
from visit.models.architectures.base import Experts, Mlp
from visit.tracing.hooks import Float64Throughout, LayerTrace

LAYERS = range(3)


@pytest.fixture(params=sorted(set(MAKERS) - {"gpt2-square", "mixtral-square"}))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def equal(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_the_tiny_models_have_the_sizes_that_were_asked_for(tiny: Specimen):
    """Pairwise distinct, so that a shape can be no other's; 4 d_model where nothing else fits."""
    sizes = tiny.architecture.sizes
    assert sizes.d_vocab == 61
    assert sizes.d_mlp in (41, 4 * sizes.d_model)
    assert sizes.n_layers == 3
    distinct = (sizes.d_vocab, sizes.d_mlp, sizes.d_model, sizes.d_head, sizes.n_layers)
    assert len(set(distinct)) == len(distinct)
    for block in tiny.architecture.blocks:
        attention = block.attention
        assert attention.w_q.shape == (sizes.n_heads, sizes.d_model, sizes.d_head)
        assert attention.w_k.shape == (sizes.n_kv_heads, sizes.d_model, sizes.d_head)
        assert attention.w_o.shape == (sizes.n_heads, sizes.d_head, sizes.d_model)
        if isinstance(block.mlp, Mlp):
            assert block.mlp.w_in.shape == (sizes.d_model, sizes.d_mlp)
        else:
            assert len(block.mlp.experts) == sizes.n_experts == 5
            assert block.mlp.experts[0].w_gate.shape[0] == sizes.d_model


def test_recording_changes_no_logit(tiny: Specimen):
    with torch.no_grad(), Float64Throughout():
        logits = tiny.model(input_ids=torch.tensor([TOKEN_IDS])).logits[0]
    assert torch.equal(tiny.trace.logits, logits)


def test_float64_throughout_is_the_same_model_to_float32_precision(tiny: Specimen):
    with torch.no_grad():
        logits = tiny.model(input_ids=torch.tensor([TOKEN_IDS])).logits[0]
    torch.testing.assert_close(tiny.trace.logits, logits.double(), rtol=1e-4, atol=1e-4)


def test_hidden_states_are_the_models_own(tiny: Specimen):
    with torch.no_grad(), Float64Throughout():
        states = tiny.model(
            input_ids=torch.tensor([TOKEN_IDS]), output_hidden_states=True
        ).hidden_states
    for layer, state in zip(tiny.trace.layers, states, strict=False):
        equal(layer.resid_pre, state[0])
    equal(tiny.trace.final_norm, states[-1][0])  # transformers keeps the last one normed


def test_residuals_add_up(tiny: Specimen):
    for layer, block in zip(tiny.trace.layers, tiny.architecture.blocks, strict=True):
        assert (layer.resid_mid is None) == block.parallel
        if layer.resid_mid is None:
            equal(layer.resid_pre + layer.attn_out + layer.mlp_out, layer.resid_post)
        else:
            equal(layer.resid_pre + layer.attn_out, layer.resid_mid)
            equal(layer.resid_mid + layer.mlp_out, layer.resid_post)


def test_layers_hand_on_their_residual(tiny: Specimen):
    for before, after in pairwise(tiny.trace.layers):
        equal(before.resid_post, after.resid_pre)


def written(total: Tensor, gain: Tensor | None) -> Tensor:
    return total if gain is None else total * gain


def test_heads_and_the_output_bias_add_up_to_attention(tiny: Specimen):
    for number in LAYERS:
        recorded = tiny.trace.layers[number]
        attention = tiny.architecture.blocks[number].attention
        total = circuits.head_outputs(recorded.z, attention.w_o).sum(-2)
        total = total if attention.b_o is None else total + attention.b_o
        equal(written(total, recorded.attn_gain), recorded.attn_out)


def test_sources_add_up_to_each_head(tiny: Specimen):
    for number in LAYERS:
        recorded = tiny.trace.layers[number]
        values = values_by_source(tiny.architecture, tiny.trace, number)
        heads = torch.einsum("hrs,hsm->rhm", recorded.attention, values.write(slice(None)))
        w_o = tiny.architecture.blocks[number].attention.w_o
        equal(heads, circuits.head_outputs(recorded.z, w_o))


def test_attention_rows_add_up_to_one(tiny: Specimen):
    for layer in tiny.trace.layers:
        equal(layer.attention.sum(-1), torch.ones_like(layer.attention[..., 0]))


def with_memories(tiny: Specimen) -> list[tuple[LayerTrace, Mlp]]:
    layers = zip(tiny.trace.layers, tiny.architecture.blocks, strict=True)
    return [(layer, block.mlp) for layer, block in layers if isinstance(block.mlp, Mlp)]


def with_experts(tiny: Specimen) -> list[int]:
    blocks = enumerate(tiny.architecture.blocks)
    return [number for number, block in blocks if isinstance(block.mlp, Experts)]


def test_experts_and_the_shared_one_add_up_to_the_mixture(tiny: Specimen):
    for number in with_experts(tiny):
        for position in range(len(TOKEN_IDS)):
            _, parts = experts_at(tiny.architecture, tiny.trace, number, position)
            n_shared = tiny.architecture.blocks[number].mlp.shared is not None
            assert len(parts) == tiny.architecture.sizes.n_routed + n_shared
            recorded = tiny.trace.layers[number]
            gain = None if recorded.mlp_gain is None else recorded.mlp_gain[position]
            equal(written(parts.sum(0), gain), recorded.mlp_out[position])


def test_each_position_is_routed_to_the_experts_that_its_router_gives_most(tiny: Specimen):
    config = tiny.model.config
    for number in with_experts(tiny):
        recorded = tiny.trace.layers[number]
        router = tiny.architecture.blocks[number].mlp.router
        probabilities = (recorded.ln2 @ router.weight.T).softmax(-1)
        best = probabilities.sort(descending=True).indices[:, : config.num_experts_per_tok]
        assert torch.equal(recorded.routed, best)
        weight = probabilities.gather(-1, best)
        if getattr(config, "norm_topk_prob", True):
            weight = weight / weight.sum(-1, keepdim=True)
        equal(recorded.routing_weight, weight)


def test_memories_and_the_output_bias_add_up_to_the_mlp(tiny: Specimen):
    for recorded, mlp in with_memories(tiny):
        total = recorded.activation @ mlp.w_out
        total = total if mlp.b_out is None else total + mlp.b_out
        equal(written(total, recorded.mlp_gain), recorded.mlp_out)


def test_memories_activate_as_the_models_own(tiny: Specimen):
    """``act(match)``, or in a gated MLP ``act(gate) · up``, is the recorded activation."""
    for recorded, mlp in with_memories(tiny):
        match = recorded.ln2 @ mlp.w_in
        activation = mlp.act(match if mlp.b_in is None else match + mlp.b_in)
        if mlp.w_up is not None:
            up = recorded.ln2 @ mlp.w_up
            activation = activation * (up if mlp.b_up is None else up + mlp.b_up)
        equal(activation, recorded.activation)


def test_memory_keys_give_the_models_own_matches(tiny: Specimen):
    for recorded, mlp in with_memories(tiny):
        matches = recorded.ln2 @ mlp.w_in
        if mlp.b_in is not None:
            matches = matches + mlp.b_in
        equal(matches, mlp.input(recorded.ln2)[:, : mlp.w_in.shape[1]])


def test_norms_are_the_models_own(tiny: Specimen):
    for number in LAYERS:
        recorded, block = tiny.trace.layers[number], tiny.architecture.blocks[number]
        read = recorded.resid_pre if recorded.resid_mid is None else recorded.resid_mid
        equal(recorded.resid_pre if block.ln1 is None else block.ln1(recorded.resid_pre),
              recorded.ln1)  # fmt: skip
        equal(read if block.ln2 is None else block.ln2(read), recorded.ln2)
    last = tiny.trace.layers[-1].resid_post
    equal(tiny.architecture.final_norm(last), tiny.trace.final_norm)


def test_the_lens_of_the_last_residual_is_the_models_own_output(tiny: Specimen):
    normed = tiny.architecture.final_norm(tiny.trace.layers[-1].resid_post)
    log_probs = logits_of(tiny.architecture, normed).log_softmax(-1)
    equal(log_probs, tiny.trace.logits.log_softmax(-1))


def metrics(tiny: Specimen) -> dict[Metric, Tensor]:
    """One or more of every kind, and what each is by the model's own logits.

    gemma2's soft-cap stands after the logits: each is taken before it.
    """
    own = tiny.architecture.before_soft_cap(tiny.trace.logits[-1])
    candidates = find_candidates(tiny.trace.logits[-1], 7, (17,))
    said = {Metric(MetricKind.LOGIT, target_id): own[target_id] for target_id in (0, 17, 60)}
    for target_id, versus_id in ((0, 17), (60, 0)):
        difference = Metric(MetricKind.LOGIT_DIFFERENCE, target_id, (versus_id,))
        said[difference] = own[target_id] - own[versus_id]
    choice = Metric(MetricKind.CHOICE, 17, candidates)
    said[choice] = own[17] - sum(own[candidate] for candidate in candidates) / 7
    said[Metric(MetricKind.CENTRED_LOGIT, 17, None)] = own[17] - own.mean()
    return said


def test_direct_logits_of_all_that_was_written_add_up_to_the_metric(tiny: Specimen):
    for metric, said in metrics(tiny).items():
        equal(sum_of_direct_logits(tiny, metric), said)
        assert audit_logit(tiny.architecture, tiny.trace, -1, metric) < 1e-10


def test_what_lifts_all_tokens_alike_contributes_to_the_logit_alone(tiny: Specimen):
    alike = replace(tiny.architecture, unembedding=tiny.architecture.unembedding + 3.0)
    resid = tiny.trace.layers[-1].resid_post[-1]
    for metric in metrics(tiny):
        direction, other = (
            metric_direction(one, resid, metric) for one in (tiny.architecture, alike)
        )
        is_same = torch.allclose(direction, other, atol=1e-9)
        assert is_same == (metric.kind is not MetricKind.LOGIT)


def test_the_candidates_are_the_likeliest_and_the_named_among_them():
    logits = torch.tensor([0.0, 5.0, 3.0, 4.0, 2.0, 1.0])
    assert find_candidates(logits, 3) == (1, 3, 2)
    assert find_candidates(logits, 3, (3,)) == (1, 3, 2)
    assert find_candidates(logits, 3, (0,)) == (1, 3, 0)
    assert find_candidates(logits, 3, (0, 5)) == (1, 5, 0)
    assert find_candidates(logits, 1, (0, 1)) == (1, 0)
    assert find_candidates(logits, 99, (0,)) == (1, 3, 2, 4, 5, 0)


def test_a_capped_logit_that_was_rounded_to_the_cap_came_of_no_finite_one():
    """As in half precision: the audit then says that it cannot know, instead of failing."""
    gemma2 = specimen("gemma2")
    assert gemma2.architecture.soft_cap == 5.0
    capped = torch.tensor([5.0, -5.0, 5.03125], dtype=torch.float64)
    assert gemma2.architecture.before_soft_cap(capped).tolist() == [math.inf, -math.inf, math.inf]
    just_below = number(math.nextafter(5.0, 0.0))
    assert gemma2.architecture.before_soft_cap(just_below).isfinite()
    trace = replace(gemma2.trace, logits=torch.full_like(gemma2.trace.logits, 5.0))
    for metric in metrics(gemma2):
        assert audit_logit(gemma2.architecture, trace, -1, metric) == math.inf


def sum_of_direct_logits(tiny: Specimen, metric: Metric) -> Tensor:
    """Of everything written into the last position's stream, with the biases."""
    resid = tiny.trace.layers[-1].resid_post[-1]
    direction = metric_direction(tiny.architecture, resid, metric)
    written = [tiny.trace.layers[0].resid_pre[-1]]
    for layer in tiny.trace.layers:
        written += [layer.attn_out[-1], layer.mlp_out[-1]]
    total = torch.stack([part @ direction for part in written]).sum()
    return total + metric_biases(tiny.architecture, metric, torch.float64)


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize("name", ["gpt2", "gpt2-scaled-by-layer", "opt"])
def test_query_and_key_directions_reproduce_the_attention_where_nothing_is_rotated(name: str):
    check_directions(specimen(name))


def check_directions(tiny: Specimen) -> None:
    reader = len(TOKEN_IDS) - 1
    for number in LAYERS:
        attention = tiny.architecture.blocks[number].attention
        assert not attention.rotary
        ln1 = tiny.trace.layers[number].ln1
        q = queries_at(tiny.architecture, tiny.trace, number, reader)
        k = keys_by_source(tiny.architecture, tiny.trace, number)
        scores = circuits.query_directions(q, attention.w_k) @ ln1.T
        scores = scores + (q * attention.b_k).sum(-1, keepdim=True)  # the key bias, set aside
        pattern = (scores * attention.score_scale).softmax(-1)
        equal(pattern, tiny.trace.layers[number].attention[:, reader])
        offered = circuits.key_directions(k, attention.w_q) @ ln1[reader]
        offered = offered + (k * attention.b_q.unsqueeze(1)).sum(-1)  # the query bias
        equal((offered * attention.score_scale).softmax(-1), pattern)
        # A key bias is the same for every source and leaves the pattern alone: compare the keys.
        module = attention.module
        fused = getattr(module, "c_attn", None)
        own = fused(ln1).chunk(3, -1)[1] if fused is not None else module.k_proj(ln1)
        equal(k.transpose(0, 1).flatten(1), own)


@pytest.mark.parametrize("name", ["llama-mha", "llama-gqa", "llama-mqa", "llama-biases"])
def test_query_directions_reproduce_the_unrotated_scores_of_grouped_heads(name: str):
    """Rotary sits between these and the pattern, so the projections themselves are compared."""
    tiny = specimen(name)
    for number in LAYERS:
        block = tiny.architecture.blocks[number]
        module, ln1 = block.attention.module, tiny.trace.layers[number].ln1
        q = module.q_proj(ln1[-1]).unflatten(-1, (6, 8))
        k = (
            module.k_proj(ln1)
            .unflatten(-1, (-1, 8))
            .repeat_interleave(6 // tiny.architecture.sizes.n_kv_heads, dim=1)
        )
        equal(queries_at(tiny.architecture, tiny.trace, number, len(TOKEN_IDS) - 1), q)
        bias = 0.0
        if block.attention.b_k is not None:
            bias = (q * circuits.repeat_kv_heads(block.attention.b_k, 6)).sum(-1, keepdim=True)
        directions = circuits.query_directions(q, circuits.repeat_kv_heads(block.attention.w_k, 6))
        equal(directions @ ln1.T + bias, torch.einsum("hd,phd->hp", q, k))

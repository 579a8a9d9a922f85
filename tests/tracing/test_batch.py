"""Prompts that run together give each the numbers that it has alone, at 1e-9 in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from specimens import RUN_TOGETHER, Specimen, specimen
from torch import Tensor

from visit.attribution.batch_flow import find_batch_flow
from visit.attribution.effects import measure_metric
from visit.attribution.metric import Metric, metric_direction
from visit.attribution.metric_flow import find_flow
from visit.graph.interventions import Site
from visit.graph.kinds import NodeKind
from visit.graph.metric import MetricKind
from visit.tracing.batch import record_batch, resume_batch
from visit.tracing.hooks import run_like
from visit.tracing.interventions import Edit
from visit.tracing.sweep import Resumed, resume, run_changed_together
from visit.tracing.trace import Trace, record

PROMPTS = ((3, 14, 15, 9, 26, 5), (35, 8, 9, 7, 9, 3), (2, 3, 14, 15, 4, 4))
METRICS = [Metric(MetricKind.CHOICE, 17 + n, (17 + n, 3, 40, 8 + n)) for n in range(3)]


def equal(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def resume_alone(tiny: Specimen, trace: Trace) -> Callable[[int], Resumed]:
    """How the blocks run one prompt by itself."""
    layers, ids = trace.layers, trace.token_ids
    return lambda start: resume(tiny.model, tiny.architecture, ids, start, lambda n: layers[n].ln1)


@pytest.mark.parametrize("name", RUN_TOGETHER)
def test_a_batch_gives_every_prompt_its_own_flow_and_effects(name: str):
    tiny = specimen(name)
    architecture, at = tiny.architecture, len(PROMPTS[0]) - 1
    with torch.inference_mode():
        batch = record_batch(tiny.model, architecture, PROMPTS)
        layers, last = find_batch_flow(architecture, batch, METRICS)
        changes = [
            (Edit(Site(NodeKind.HEAD, at, 1, 2)),),
            (Edit(Site(NodeKind.MLP, at, 0)),),
            (Edit(Site(NodeKind.HEAD, at, 0, 1)),),
        ]
        resumed = resume_batch(tiny.model, architecture, batch)
        ((order, changed, plain),) = run_changed_together(architecture, resumed, changes)
        for number, (ids, metric) in enumerate(zip(PROMPTS, METRICS, strict=True)):
            trace = record(tiny.model, architecture, ids)
            alone = find_flow(architecture, trace, at, metric)
            equal(batch.logits[number], trace.logits[at])
            equal(plain[number], trace.residuals[-1][at])
            assert float(last[number]) == pytest.approx(alone.last, rel=1e-9)
            for ours, theirs in zip(layers, alone.layers, strict=True):
                equal(ours.pre[number], theirs.pre)
                equal(ours.heads[number], theirs.heads)
                equal(ours.mlp[number], theirs.mlp)
                equal(ours.sources[number].sum(-1).T, theirs.heads)
                equal(ours.sources[number].sum(1), theirs.values)
            towards = metric.unembedding(architecture, torch.float64)
            moved = measure_metric(
                architecture, resume_alone(tiny, trace), changes, towards, lambda _: None
            )
            ends = torch.stack([*changed[:, number], plain[number]])
            with run_like(ends):
                normed = architecture.final_norm.module(ends)
            values = normed @ towards
            equal(
                values[:-1] - values[-1],
                torch.tensor([moved[place] for place in order], dtype=torch.float64),
            )
            _check_direct(tiny, trace.residuals[-1][at], number, layers, metric, trace)


def _check_direct(tiny: Specimen, resid: Tensor, number: int, layers, metric, trace) -> None:
    """With the embedding's and the bias's, direct logits add up to the last residual's flow."""
    direction = metric_direction(tiny.architecture, resid, metric)
    total = trace.residuals[0][-1] @ direction
    for layer, block, recorded in zip(layers, tiny.architecture.blocks, trace.layers, strict=True):
        total += layer.direct_heads[number].sum() + layer.direct_mlp[number]
        if block.attention.b_o is not None:
            total += block.attention.b_o @ direction
        assert recorded.attn_gain is None or block.attention.b_o is None
    equal(total, resid @ direction)


def test_prompts_of_a_batch_do_not_see_each_other():
    tiny = specimen("llama-gqa")
    patterns = record_batch(tiny.model, tiny.architecture, PROMPTS).layers[1].attention
    own = torch.block_diag(*(torch.ones(6, 6),) * 3).bool()
    assert bool((patterns[:, ~own] == 0).all())
    equal(patterns.sum(-1), torch.ones_like(patterns.sum(-1)))


def test_the_last_residuals_of_a_batch_are_unembedded_in_one_product():
    """Rows of a larger tensor would take a product a prompt, each with the whole unembedding."""
    tiny, read = specimen("gpt2"), list[bool]()
    head = tiny.model.get_output_embeddings()
    hook = head.register_forward_hook(lambda _, given, made: read.append(given[0].is_contiguous()))
    with torch.inference_mode():
        batch = record_batch(tiny.model, tiny.architecture, PROMPTS)
        resume_batch(tiny.model, tiny.architecture, batch)
    hook.remove()
    assert len(read) > 1
    assert all(read)
    assert not head._forward_pre_hooks

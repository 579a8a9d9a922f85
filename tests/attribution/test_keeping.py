"""With only some parts kept, the metric is what plain passes with hooks of the test's own give."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import torch
from specimens import TOKEN_IDS, Specimen, specimen
from torch import Tensor

from visit.attribution.keeping import keep_only
from visit.attribution.metric import Metric
from visit.graph.interventions import How, Intervention, Site, Way
from visit.graph.kinds import NodeKind
from visit.graph.metric import MetricKind
from visit.tracing.hooks import Float64Throughout
from visit.tracing.interventions import edits_from
from visit.tracing.sites import value_at
from visit.tracing.sweep import resume
from visit.tracing.trace import record

LAST = len(TOKEN_IDS) - 1
OTHER_IDS = (3, 14, 22, 9, 41, 5, 35)
METRIC = Metric(MetricKind.CHOICE, 7, (7, 12, 30))
FAMILIES = ["gpt2", "llama-gqa", "gemma2", "granite", "falcon-7b", "gpt-neox-parallel"]
"""Biases; shared keys; output norms and a soft-cap; a write scale; parallel blocks."""


@contextmanager
def ablated(tiny: Specimen, values: dict[Site, Tensor]) -> Iterator[None]:
    """Every part at these sites writes what it is given, by hooks on the model's own modules."""
    with ExitStack() as stack:
        for layer, block in enumerate(tiny.architecture.blocks):
            own = {site: value for site, value in values.items() if site.layer == layer}
            heads = {s: v for s, v in own.items() if s.kind is NodeKind.HEAD}
            mlps = {s: v for s, v in own.items() if s.kind is NodeKind.MLP}
            width, scale = block.attention.w_o.shape[1], block.write_scale

            def set_heads(_: Any, args: Any, heads: Any = heads, width: int = width) -> Any:
                z = args[0].clone()
                rows = z.reshape(len(TOKEN_IDS), -1)
                for site, value in heads.items():
                    rows[site.position, site.number * width : (site.number + 1) * width] = value
                return (rows.reshape(z.shape), *args[1:])

            def set_mlp(
                _: Any, __: Any, output: Any, mlps: Any = mlps, scale: float = scale
            ) -> Any:
                first = output[0] if isinstance(output, tuple) else output
                new = first.clone()
                rows = new.reshape(len(TOKEN_IDS), -1)
                for site, value in mlps.items():
                    rows[site.position] = value / scale
                new = rows.reshape(first.shape)
                return (new, *output[1:]) if isinstance(output, tuple) else new

            end = block.mlp.output if block.mlp_norm is None else block.mlp_norm.module
            stack.callback(block.attention.output.register_forward_pre_hook(set_heads).remove)
            stack.callback(end.register_forward_hook(set_mlp).remove)
        yield


def metric_of(tiny: Specimen, logits: Tensor) -> float:
    return float(METRIC.contrast(tiny.architecture.before_soft_cap(logits[LAST])))


@pytest.mark.parametrize("way", [Way.ZERO, Way.PATCH])
@pytest.mark.parametrize("name", FAMILIES)
def test_only_some_parts_kept_is_what_a_pass_with_hooks_of_our_own_gives(name: str, way: Way):
    tiny = specimen(name)
    other = record(tiny.model, tiny.architecture, OTHER_IDS)
    sizes = tiny.architecture.sizes
    sites = [
        Site(NodeKind.HEAD, place, layer, head)
        for place in (2, LAST)
        for layer in range(sizes.n_layers)
        for head in range(sizes.n_heads)
    ] + [Site(NodeKind.MLP, place, layer) for place in (2, LAST) for layer in range(sizes.n_layers)]

    def find(site: Site) -> Tensor:
        value = value_at(tiny.architecture, other, site)
        return value * 0 if way is Way.ZERO else value

    ablations = [edits_from(Intervention(site, How(way)), LAST, find) for site in sites]
    everything = frozenset(range(len(sites)))
    drawn = random.Random(3)
    kept = [frozenset(), everything]
    kept += [frozenset(drawn.sample(range(len(sites)), size)) for size in (1, 4, 11, 20)]
    # What begins later runs beside what begins early.
    kept.append(frozenset(n for n, site in enumerate(sites) if site.position == 2))
    layers = tiny.trace.layers
    ours = keep_only(
        tiny.architecture,
        lambda n: resume(tiny.model, tiny.architecture, TOKEN_IDS, n, lambda at: layers[at].ln1),
        ablations,
        kept,
        METRIC.unembedding(tiny.architecture, torch.float64),
    )
    assert ours[1] == 0.0
    plain = metric_of(tiny, tiny.trace.logits)
    for own, change in zip(kept, ours, strict=True):
        values = {site: find(site) for n, site in enumerate(sites) if n not in own}
        with ablated(tiny, values), torch.no_grad(), Float64Throughout():
            logits = tiny.model(input_ids=torch.tensor([TOKEN_IDS])).logits[0]
        assert plain + change == pytest.approx(metric_of(tiny, logits), abs=1e-9, rel=1e-9)
    assert len({round(change, 6) for change in ours}) > 4

"""All that feeds a head, a memory or an MLP adds up to its flow, at 1e-9 in float64."""

from __future__ import annotations

import pytest
import torch
from specimens import MAKERS, TOKEN_IDS, Specimen, specimen

from visit.attribution.flow import LayerGradient, sweep_back
from visit.attribution.metric import Metric, metric_direction
from visit.attribution.upstream import (
    Reader,
    flow_from_embeddings,
    flow_from_layer,
    read_as_head,
    read_as_memory,
    read_as_mlp,
)
from visit.graph.metric import MetricKind
from visit.models.architectures.base import Mlp

CHOICE = Metric(MetricKind.CHOICE, 17, (17, 3, 40, 8))
LAST, EARLIER = len(TOKEN_IDS) - 1, 3


@pytest.fixture(params=sorted(set(MAKERS) - {"gpt2-square", "mixtral-square"}))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def gradients(tiny: Specimen) -> dict[int, LayerGradient]:
    resid = tiny.trace.residuals[-1][LAST]
    direction = metric_direction(tiny.architecture, resid, CHOICE)
    return dict(sweep_back(tiny.architecture, tiny.trace, LAST, direction[None]))


def total(tiny: Specimen, layer: int, reader: Reader) -> float:
    """What comes through everything upstream, biases included."""
    added = reader.biases + float(flow_from_embeddings(tiny.trace, reader).sum())
    for number in range(layer + reader.reads_attention):
        parts = flow_from_layer(
            tiny.architecture, tiny.trace, number, reader, with_mlp=number < layer
        )
        for of in (parts.heads, parts.bias, parts.mlp):
            added += 0.0 if of is None else float(of.sum())
    return added


def test_what_feeds_a_part_adds_up_to_its_flow(tiny: Specimen):
    at = gradients(tiny)
    for layer in range(3):
        for position in (LAST, EARLIER):
            where = tiny.architecture, tiny.trace, layer, position
            readers = [read_as_head(*where, 1, at[layer]), read_as_mlp(*where, at[layer])]
            if isinstance(tiny.architecture.blocks[layer].mlp, Mlp):
                readers.append(read_as_memory(*where, 5, at[layer]))
            for reader in readers:
                assert total(tiny, layer, reader) == pytest.approx(reader.flow, rel=1e-9, abs=1e-9)


def test_the_readers_flows_are_the_graphs_own(tiny: Specimen):
    """Those of all heads of a layer, with its bias, are the flow of what attention writes."""
    at, layer = gradients(tiny)[1], 1
    where = tiny.architecture, tiny.trace, layer, LAST
    recorded, block = tiny.trace.layers[layer], tiny.architecture.blocks[layer]
    heads = sum(read_as_head(*where, head, at).flow for head in range(len(block.attention.w_q)))
    bias = block.attention.b_o
    bias_flow = 0.0 if bias is None else float(at.attn_raw[0, LAST] @ bias)
    attn = float(at.mid[0, LAST] @ recorded.attn_out[LAST])
    assert heads + bias_flow == pytest.approx(attn, rel=1e-9, abs=1e-9)


def test_one_upstream_head_is_the_gradient_by_hand():
    """Of two heads of a GPT-2: value and output matrices multiplied out, the norm's scale held."""
    tiny = specimen("gpt2")
    at = gradients(tiny)[2]
    reader = read_as_head(tiny.architecture, tiny.trace, 2, LAST, 1, at)
    found = flow_from_layer(tiny.architecture, tiny.trace, 0, reader).heads[EARLIER, 2]
    early, late = tiny.architecture.blocks[0].attention, tiny.architecture.blocks[2]
    written = tiny.trace.layers[0].z[EARLIER, 2] @ early.w_o[2]
    resid = tiny.trace.layers[2].resid_pre[EARLIER]
    spread = ((resid - resid.mean()).square().mean() + late.ln1.epsilon).sqrt()
    normed = (written - written.mean()) / spread * late.ln1.gain
    z = tiny.trace.layers[2].attention[1, LAST, EARLIER] * (normed @ late.attention.w_v[1])
    torch.testing.assert_close(found, z @ at.z[0, LAST, 1], rtol=1e-9, atol=1e-9)


def test_a_mixture_has_no_memory_to_read_as():
    tiny = specimen("mixtral")
    with pytest.raises(ValueError, match="has no memories; take its MLP"):
        read_as_memory(tiny.architecture, tiny.trace, 1, LAST, 5, gradients(tiny)[1])

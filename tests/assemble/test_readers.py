"""Two positions that read one source share its key and value; what is theirs is on their edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from specimens import FEW, STRUCTURES, TOKEN_IDS, builder, logits_of, specimen

from visit.formats.document import data_from_flow
from visit.graph.flow import Edge, EdgeKind, FlowGraph, Ledger, Node, NodeId, NodeKind
from visit.graph.index import merge

LAYER, EARLY, LATE = 1, 3, len(TOKEN_IDS) - 1
EVERYTHING = replace(FEW, heads=99, sources=99, threshold=0.0)
NAMES = ["gpt2", "gemma2", "gemma3", "olmo2", "granite"]
"""A model with nothing between a head and the residual, three with a norm, one with a factor."""


def opened_at(name: str, position: int) -> FlowGraph:
    return builder(name).block(specimen(name).trace, EVERYTHING, LAYER, position)


def sides(flow: FlowGraph) -> dict[NodeId, Node]:
    """The keys and values."""
    kinds = (NodeKind.KEY, NodeKind.VALUE)
    return {node.id: node for node in flow.nodes if node.id.kind in kinds}


def lines_of_values(flow: FlowGraph) -> Iterator[Edge]:
    for edge in flow.edges:
        if edge.ledger is Ledger.SOURCES and edge.source.kind is NodeKind.VALUE:
            yield edge


def normed_output(name: str, written: torch.Tensor) -> torch.Tensor:
    """The model's own output norm, with its scale at the vector itself; the identity else."""
    block = specimen(name).architecture.blocks[LAYER]
    with torch.no_grad():
        made = written if block.attn_norm is None else block.attn_norm.module(written)
    return made * block.write_scale


@pytest.mark.parametrize("name", NAMES)
def test_a_key_and_a_value_read_the_same_whoever_reads_them(name: str):
    early, late = sides(opened_at(name, EARLY)), sides(opened_at(name, LATE))
    assert early.keys() < late.keys()
    assert {node_id.kind for node_id in early} == {NodeKind.KEY, NodeKind.VALUE}
    for node_id, node in early.items():
        ours, theirs = node.reading, late[node_id].reading
        assert [token.id for token in ours.top] == [token.id for token in theirs.top]
        assert ours.norm == pytest.approx(theirs.norm, rel=1e-10)
        assert ours.entropy == pytest.approx(theirs.entropy, rel=1e-10)
        assert ours.target.logit == pytest.approx(theirs.target.logit, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_value_points_where_the_output_norm_sends_it(name: str):
    """Through the module itself: what it makes of ``v · W_O`` differs by its scale alone."""
    tiny, flow = specimen(name), opened_at(name, LATE)
    attention, recorded = tiny.architecture.blocks[LAYER].attention, tiny.trace.layers[LAYER]
    bias = 0.0 if attention.b_v is None else attention.b_v.unsqueeze(1)
    v = torch.einsum("pm,hmd->hpd", recorded.ln1, attention.w_v) + bias
    final_norm = tiny.architecture.final_norm
    for node_id, node in sides(flow).items():
        if node_id.kind is NodeKind.VALUE:
            kv_head = node_id.head * len(v) // len(attention.w_o)
            written = v[kv_head, node_id.position] @ attention.w_o[node_id.head]
            logits = tiny.architecture.logits_from(
                final_norm(normed_output(name, written[None])) @ tiny.architecture.unembedding,
                tiny.architecture.unembedding_bias,
            )
            assert node.reading.top[0].id == int(logits.argmax())


@pytest.mark.parametrize("name", NAMES)
def test_every_reader_has_its_own_attention_on_its_own_edges(name: str):
    pattern = specimen(name).trace.layers[LAYER].attention
    first, second = opened_at(name, EARLY), opened_at(name, LATE)
    for flow in (merge(first, second), merge(second, first)):
        lines = list(lines_of_values(flow))
        assert {line.target.position for line in lines} == {EARLY, LATE}
        scores = [edge for edge in flow.edges if edge.kind is EdgeKind.SCORES]
        readers = [(line.attention, line.target, line.source) for line in lines]
        readers += [(score.attention, score.source, score.target) for score in scores]
        for attention, reader, source in readers:
            own = float(pattern[reader.head, reader.position, source.position])
            assert attention == pytest.approx(own, abs=1e-12)


def caught_parts(name: str) -> torch.Tensor:
    """What each head would write from each source alone, by hooks of this test's own.

    A head's ``z`` is its pattern times the values, so the values solve that equation; the output
    projection itself then says what it makes of one head's value.
    """
    tiny = specimen(name)
    attention, sizes = tiny.architecture.blocks[LAYER].attention, tiny.architecture.sizes
    caught: dict[str, torch.Tensor] = {}

    def catch_pattern(_module: object, _args: object, output: tuple) -> None:
        caught["pattern"] = next(part[0] for part in output[1:] if part.ndim == 4)

    def catch_z(_module: object, args: tuple) -> None:
        caught["z"] = args[0].reshape(len(TOKEN_IDS), sizes.n_heads, -1).transpose(0, 1)

    hooks = [
        attention.module.register_forward_hook(catch_pattern),
        attention.output.register_forward_pre_hook(catch_z),
    ]
    with torch.no_grad():
        tiny.model(torch.tensor([TOKEN_IDS]), use_cache=False, output_attentions=True)
        for hook in hooks:
            hook.remove()
        values = torch.linalg.solve_triangular(caught["pattern"], caught["z"], upper=False)
        alone = torch.zeros(*values.shape[:2], *values.shape[::2], dtype=values.dtype)
        for head, value in enumerate(values):
            alone[head, :, head] = value
        nothing = attention.output(torch.zeros_like(alone[0, 0].flatten()))
        return attention.output(alone.flatten(2)) - nothing


@pytest.mark.parametrize("name", STRUCTURES)
def test_two_readers_share_the_value_that_hooks_catch(name: str):
    """Opened at one earlier position first or at the other: the nodes are neither reader's."""
    parts, architecture = caught_parts(name), specimen(name).architecture
    first, second = opened_at(name, 1), opened_at(name, EARLY)
    own, other = sides(first), sides(second)
    assert own.keys() < other.keys()
    assert sides(merge(first, second)) == other | own
    assert sides(merge(second, first)) == other
    for id_, node in other.items():
        if id_ in own:
            assert own[id_].reading.norm == pytest.approx(node.reading.norm, rel=1e-10)
            assert own[id_].reading.entropy == pytest.approx(node.reading.entropy, rel=1e-9)
        if id_.kind is NodeKind.VALUE:
            part = normed_output(name, parts[id_.head, id_.position][None])
            logits = logits_of(architecture, architecture.final_norm(part))[0]
            assert node.reading.top[0].id == int(logits.argmax())
            if architecture.blocks[LAYER].attn_norm is None:
                # The model's own softmax is in float32, and small attention makes that larger.
                assert node.reading.norm == pytest.approx(float(part.norm()), rel=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_what_two_readers_share_bears_no_attention(name: str):
    flow = opened_at(name, LATE)
    assert not [node["id"] for node in data_from_flow(flow)["nodes"] if "attention" in node]
    shared = [edge for edge in flow.edges if edge.kind is EdgeKind.WEIGHS]
    assert shared
    assert {edge.attention for edge in shared} == {None}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_reader_takes_from_its_sources_still_adds_up_to_its_head(name: str):
    """With its own scale: the node's reading leaves the scale out, its line does not."""
    flow, tiny = opened_at(name, LATE), specimen(name)
    recorded = tiny.trace.layers[LAYER]
    w_o = tiny.architecture.blocks[LAYER].attention.w_o
    heads = torch.einsum("hd,hdm->hm", recorded.z[LATE], w_o)
    if recorded.attn_gain is not None:
        heads = heads * recorded.attn_gain[LATE]
    for head, whole in enumerate(heads):
        lines = [line for line in lines_of_values(flow) if line.target.head == head]
        assert len(lines) == LATE + 1
        assert sum(line.share for line in lines) == pytest.approx(1, abs=1e-9)
        direct = sum(line.direct_logit for line in lines)
        (own,) = [
            edge.direct_logit
            for edge in flow.edges
            if edge.ledger is Ledger.HEADS and edge.source.head == head
        ]
        assert direct == pytest.approx(own, abs=1e-9)
        assert sum(line.norm for line in lines) >= float(whole.norm()) - 1e-9

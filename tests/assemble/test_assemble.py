"""The flow graph adds up, says what it leaves out, and is the same in every way of asking."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import replace

import pytest
import torch
from specimens import FEW as FEW_BY_FLOW
from specimens import MAKERS, STRUCTURES, TOKEN_IDS, builder, specimen

from visit.assemble import builder as builder_module
from visit.assemble.route import draw_layer
from visit.assemble.traced_request import resid_pre_id
from visit.errors import RequestError
from visit.graph.flow import Edge, EdgeKind, FlowGraph, Ledger, NodeId, NodeKind
from visit.graph.index import Index, edge_id
from visit.graph.metric import MetricChoice
from visit.graph.request import RankBy, Request, RouteBy
from visit.models.architectures.base import Experts

LAST = len(TOKEN_IDS) - 1
FEW = replace(FEW_BY_FLOW, rank_by=RankBy.NORM, route=RouteBy.SHARE, metric=MetricChoice.LOGIT)
"""Drawn by what does not depend on the target, so that the graphs of two can be compared."""


def explain(name: str, request: Request = FEW, dtype: torch.dtype = torch.float64) -> FlowGraph:
    return builder(name, dtype).whole(specimen(name, dtype).trace, request, lambda *_: None)


def ledgers(flow: FlowGraph) -> dict[tuple[NodeId, Ledger], list[Edge]]:
    groups = defaultdict(list)
    for edge in flow.edges:
        if edge.ledger is not None:
            groups[edge.target, edge.ledger].append(edge)
    return groups


def direct_logit_of_wholes(flow: FlowGraph) -> dict[NodeId, float]:
    return {
        e.source: e.direct_logit
        for e in flow.edges
        if e.direct_logit is not None
        and (e.ledger in (Ledger.RESIDUAL, Ledger.HEADS) or e.kind is EdgeKind.NORMALIZES)
    }


OTHERWISE_RANKED = itertools.product(
    ["gpt2", "gpt-j", "gemma2", "qwen2-moe"], ["share", "logit", "flow"]
)


@pytest.mark.parametrize(
    ("name", "rank_by"), [*((name, "norm") for name in sorted(MAKERS)), *OTHERWISE_RANKED]
)
def test_every_ledger_adds_up_by_itself_with_its_rest(name: str, rank_by: str):
    flow = explain(name, replace(FEW, rank_by=RankBy(rank_by)))
    assert flow.audit.residual < 1e-10
    assert flow.audit.logit < 1e-9
    assert flow.audit.flow is not None and flow.audit.flow < 1e-9
    wholes, seen = direct_logit_of_wholes(flow), set()
    for (target, ledger), edges in ledgers(flow).items():
        seen.add(ledger)
        assert sum(e.share for e in edges) == pytest.approx(1, abs=1e-9)
        if target.position == LAST:
            claimed = sum(e.direct_logit for e in edges)
            assert claimed == pytest.approx(wholes[target], abs=1e-9)
        if edges[0].proximity is not None:
            assert sum(e.proximity for e in edges) == pytest.approx(1, abs=1e-9)
    blocks = specimen(name).architecture.blocks
    mixtures = {isinstance(block.mlp, Experts) for block in blocks}
    of_mlps = {Ledger.EXPERTS if is_mixture else Ledger.MEMORIES for is_mixture in mixtures}
    assert seen == set(Ledger) - {Ledger.EXPERTS, Ledger.MEMORIES} | of_mlps


@pytest.mark.parametrize("name", STRUCTURES)
def test_float32_adds_up_to_its_own_precision(name: str):
    flow = explain(name, dtype=torch.float32)
    assert flow.audit.residual < 1e-5
    assert flow.audit.logit < 1e-3
    for edges in ledgers(flow).values():
        assert sum(e.share for e in edges) == pytest.approx(1, abs=1e-6)


def test_an_opened_layer_holds_all_that_was_asked_for():
    flow = explain("gpt2")
    kinds = defaultdict(int)
    for node in flow.nodes:
        if node.id.layer == 1 and node.id.position == LAST:
            kinds[node.id.kind] += 1
    assert kinds[NodeKind.HEAD] == kinds[NodeKind.QUERY] == 2
    assert kinds[NodeKind.ATTN_NEURON] == 7
    assert kinds[NodeKind.MEMORY_KEY] == kinds[NodeKind.MEMORY_VALUE] == 6
    for kind in ("heads_rest", "neurons_rest", "memories_rest", "attn_bias", "mlp_bias"):
        assert kinds[NodeKind(kind)] == 1
    values = [n for n in flow.nodes if n.id.kind is NodeKind.VALUE and n.id.layer == 1]
    assert len(values) == 4


def test_an_opened_mixture_is_drawn_as_its_routed_experts_and_the_shared_one():
    tiny, flow = specimen("qwen2-moe"), explain("qwen2-moe")
    mlp = NodeId(NodeKind.MLP, LAST, 1)
    lines = ledgers(flow)[mlp, Ledger.EXPERTS]
    assert (mlp, Ledger.MEMORIES) not in ledgers(flow)
    recorded = tiny.trace.layers[1]
    weights = dict(zip(recorded.routed[LAST].tolist(), recorded.routing_weight[LAST], strict=True))
    experts = [line for line in lines if line.source.kind is NodeKind.EXPERT]
    assert {line.source.index for line in experts} == set(weights)
    assert [line.source.kind for line in lines[3:]] == [NodeKind.SHARED_EXPERT]
    nodes = {node.id: node for node in flow.nodes}
    with torch.no_grad():
        module, ln2 = tiny.architecture.blocks[1].mlp.module, recorded.ln2[LAST]
        gate = torch.sigmoid(module.shared_expert_gate(ln2))
        shared = gate * module.shared_expert(ln2)
    assert lines[3].activation == pytest.approx(float(gate), abs=1e-12)
    assert lines[3].norm == pytest.approx(float(shared.norm()), abs=1e-12)
    for line in lines:
        assert line.activation == nodes[line.source].activation
        assert line.norm == pytest.approx(nodes[line.source].reading.norm)
        if line in experts:
            assert line.activation == float(weights[line.source.index])
        read = [e for e in flow.edges if e.target == line.source]
        assert [(str(e.source), e.kind) for e in read] == [(f"L1.ln2@{LAST}", EdgeKind.READS)]


@pytest.mark.parametrize("drawn", [0, 2])
def test_routed_experts_that_are_not_drawn_are_one_rest(drawn: int):
    flow = explain("qwen2-moe", replace(FEW, memories=drawn))
    for layer in range(3):
        mlp = NodeId(NodeKind.MLP, LAST, layer)
        lines = ledgers(flow)[mlp, Ledger.EXPERTS]
        kinds = [NodeKind.EXPERT] * drawn + [NodeKind.SHARED_EXPERT, NodeKind.EXPERTS_REST]
        assert [line.source.kind for line in lines] == kinds
        assert sum(line.share for line in lines) == pytest.approx(1, abs=1e-9)
        whole = ledgers(explain("qwen2-moe"))[mlp, Ledger.EXPERTS]
        norms = sorted((e.norm for e in whole if e.source.kind is NodeKind.EXPERT), reverse=True)
        assert sorted((e.norm for e in lines[:drawn]), reverse=True) == norms[:drawn]


def test_in_a_model_that_mixes_dense_and_sparse_layers_each_is_opened_in_its_own_way():
    groups = ledgers(explain("qwen3-moe-every-second"))
    for layer in range(3):
        own = {ledger for target, ledger in groups if target == NodeId(NodeKind.MLP, LAST, layer)}
        assert own == {Ledger.EXPERTS if layer == 1 else Ledger.MEMORIES}


@pytest.mark.parametrize("name", ["mixtral", "qwen2-moe", "qwen3-moe", "olmoe"])
def test_a_mixture_in_bfloat16_adds_up_within_its_stated_tolerance(name: str):
    flow = explain(name, dtype=torch.bfloat16)
    assert flow.audit.residual < 5e-2
    assert flow.audit.logit < 0.5
    for (_, ledger), lines in ledgers(flow).items():
        total = sum(line.share for line in lines)
        assert total == pytest.approx(1, abs=5e-2), ledger


def test_a_model_without_biases_has_no_bias_nodes():
    kinds = {node.id.kind for node in explain("llama-gqa").nodes}
    assert NodeKind.MLP_BIAS not in kinds
    assert NodeKind.ATTN_BIAS not in kinds


def test_with_everything_drawn_there_is_no_rest():
    everything = Request(
        "x", heads=99, sources=99, memories=999, anti_memories=999, attn_neurons=999,
        anti_attn_neurons=999, threshold=0.0, strongest=0,
    )  # fmt: skip
    flow = explain("gpt2", everything)
    assert not [n.id for n in flow.nodes if n.id.kind.endswith("rest")]
    for edges in ledgers(flow).values():
        assert sum(e.share for e in edges) == pytest.approx(1, abs=1e-9)


def test_the_strongest_heads_by_norm_are_the_ones_drawn():
    everything = explain("gpt2", replace(FEW, heads=5))
    norms = {e.source.head: e.norm for e in everything.edges if e.ledger is Ledger.HEADS
             and e.source.kind is NodeKind.HEAD and e.target.layer == 1}  # fmt: skip
    drawn = {n.id.head for n in explain("gpt2").nodes
             if n.id.kind is NodeKind.HEAD and n.id.layer == 1}  # fmt: skip
    assert drawn == set(sorted(norms, key=lambda head: -norms[head])[:2])


def test_unopened_layers_are_residual_attention_and_mlp_nodes_alone():
    flow = explain("gpt2", replace(FEW, layers="1"))
    kinds = {node.id.kind for node in flow.nodes if node.id.layer in (0, 2)}
    assert kinds <= {
        NodeKind.ATTN, NodeKind.RESID_MID, NodeKind.MLP, NodeKind.RESID_POST,
        NodeKind.POSITIONS_REST, NodeKind.ATTN_BIAS,
    }  # fmt: skip
    reads = {(str(e.source), str(e.target)) for e in flow.edges if e.kind is EdgeKind.READS}
    assert (f"L0.resid_mid@{LAST}", f"L0.mlp@{LAST}") in reads
    assert (f"L1.resid_mid@{LAST}", f"L1.mlp@{LAST}") not in reads


def test_a_higher_threshold_only_takes_edges_between_positions_away():
    def route(threshold: float) -> set[tuple[NodeId, NodeId]]:
        flow = explain("llama-gqa", replace(FEW, threshold=threshold, layers="none"))
        return {
            (e.source, e.target)
            for e in flow.edges
            if e.ledger is Ledger.POSITIONS
            and e.source.kind in (NodeKind.EMBED, NodeKind.RESID_POST)
        }

    everything, some, none = route(0.0), route(0.03), route(1.0)
    assert none < some < everything
    assert none == set()


def test_every_edge_joins_nodes_that_are_drawn_and_every_node_is_joined():
    flow = explain("llama-mqa")
    ids = {node.id for node in flow.nodes}
    ends = {end for e in flow.edges for end in (e.source, e.target)}
    assert ends == ids
    assert len({(e.source, e.target, e.key) for e in flow.edges}) == len(flow.edges)


def test_every_node_leads_to_the_output():
    import networkx

    flow = explain("gpt2", replace(FEW, threshold=0.05))
    graph = networkx.DiGraph((e.source, e.target) for e in flow.edges)
    output = NodeId(NodeKind.OUTPUT, LAST)
    assert networkx.ancestors(graph, output) == set(graph) - {output}
    assert networkx.is_directed_acyclic_graph(graph)


def test_the_output_says_what_the_model_says():
    flow, tiny = explain("llama-gqa"), specimen("llama-gqa")
    probs = tiny.trace.logits[-1].softmax(-1)
    (output,) = [n for n in flow.nodes if n.id.kind is NodeKind.OUTPUT]
    assert output.reading.top[0].id == int(probs.argmax()) == flow.target.id
    assert output.reading.target.prob == pytest.approx(float(probs.max()), rel=1e-10)
    assert flow.predictions[0].prob == pytest.approx(float(probs.max()), rel=1e-10)
    last = next(n for n in flow.nodes if n.id == NodeId(NodeKind.RESID_POST, LAST, 2))
    assert last.reading.target.logit == pytest.approx(flow.target.logit, rel=1e-10)
    (end,) = [e for e in flow.edges if e.kind is EdgeKind.UNEMBEDS]
    assert end.direct_logit == pytest.approx(flow.target.logit, rel=1e-10)


def test_direct_logits_exist_only_on_the_traced_positions_stream():
    for edge in explain("gpt2", replace(FEW, position=4)).edges:
        if edge.direct_logit is not None:
            assert edge.target.position == 4


def test_a_memory_node_stands_for_its_row_with_the_sign_of_its_activation():
    flow, tiny = explain("gpt2"), specimen("gpt2")
    w_out = tiny.architecture.blocks[0].mlp.w_out
    memories = [n for n in flow.nodes if n.id.kind is NodeKind.MEMORY_VALUE and n.id.layer == 0]
    assert {n.activation > 0 for n in memories} == {True, False}
    for node in memories:
        row = w_out[node.id.index] * (1 if node.activation > 0 else -1)
        logits = tiny.architecture.final_norm(row[None])[0] @ tiny.architecture.unembedding
        assert node.reading.top[0].id == int(logits.argmax())
        assert node.activation == pytest.approx(
            float(tiny.trace.layers[0].activation[-1, node.id.index])
        )


def test_another_target_changes_direct_logits_but_no_share():
    first, other = explain("gpt2"), explain("gpt2", replace(FEW, target="<17>"))
    assert other.target.id == 17
    assert other.target.rank > 1
    for ours, theirs in zip(first.edges, other.edges, strict=True):
        assert ours.share == theirs.share
    assert [e.direct_logit for e in first.edges] != [e.direct_logit for e in other.edges]


@pytest.mark.parametrize("name", ["gpt2", "gpt-j", "llama-biases", "gemma2", "granite"])
def test_a_comparison_of_two_tokens_is_the_difference_of_their_direct_logits(name: str):
    """Edge by edge, flows too: frozen norms, a soft-cap (gemma2), a logit scale (granite)."""
    ours, theirs = (explain(name, replace(FEW, target=token)) for token in ("<17>", "<40>"))
    both = explain(name, replace(FEW, target="<17>", versus="<40>"))
    assert (both.target, both.versus) == (ours.target, theirs.target)
    for of_both, of_mine in zip(both.nodes, ours.nodes, strict=True):
        assert replace(of_both, flow=None) == replace(of_mine, flow=None)
    assert both.audit.logit < 1e-9
    n_compared = 0
    for mine, yours, difference in zip(ours.edges, theirs.edges, both.edges, strict=True):
        same = {"direct_logit": None, "flow": None, "absolute_flow": None}
        assert replace(difference, **same) == replace(mine, **same)
        if mine.flow is not None:
            assert difference.flow == pytest.approx(mine.flow - yours.flow, abs=1e-9)
        if mine.direct_logit is not None:
            expected = mine.direct_logit - yours.direct_logit
            assert difference.direct_logit == pytest.approx(expected, abs=1e-10)
            n_compared += 1
        else:
            assert difference.direct_logit is None
    assert n_compared > 50


def test_the_output_of_a_comparison_carries_the_difference_of_the_two_logits():
    flow = explain("gpt2", replace(FEW, versus="<17>"))
    (end,) = [e for e in flow.edges if e.kind is EdgeKind.UNEMBEDS]
    assert flow.target.rank == 1
    assert flow.versus.text == "<17>"
    assert flow.versus.rank > 1
    assert end.direct_logit == pytest.approx(flow.target.logit - flow.versus.logit, abs=1e-10)


def test_a_block_alone_compares_the_same_two_tokens():
    asked = replace(FEW, target="<17>", versus="<40>")
    block = builder("gpt2").block(specimen("gpt2").trace, asked, 1, LAST)
    in_whole = {(e.source, e.target, e.key): e for e in explain("gpt2", asked).edges}
    compared = [e for e in block.edges if e.ledger is Ledger.HEADS]
    assert compared
    for edge in compared:
        same = in_whole[edge.source, edge.target, edge.key]
        assert same.direct_logit == pytest.approx(edge.direct_logit, abs=1e-12)
    assert block.versus.text == "<40>"


@pytest.mark.parametrize("target", [None, "<17>"])
def test_a_token_compared_with_itself_is_refused(target: str | None):
    itself = target or explain("gpt2").target.text
    message = f"versus '{itself}' is the target itself; give another token to compare it with"
    with pytest.raises(RequestError, match=message):
        explain("gpt2", replace(FEW, target=target, versus=itself))


def test_a_block_alone_is_the_same_block_as_in_the_whole():
    whole = explain("gpt2")
    block = builder("gpt2").block(specimen("gpt2").trace, FEW, 1, LAST)
    in_whole = {(e.source, e.target, e.key): e for e in whole.edges}
    own = [e for e in block.edges if e.target.layer == 1]
    assert len(own) > 40
    for edge in own:
        if edge.ledger is not Ledger.POSITIONS:  # its threshold counts from the block itself
            same = in_whole[edge.source, edge.target, edge.key]
            assert same.share == pytest.approx(edge.share, abs=1e-12) if edge.share else True
            assert (
                same.direct_logit == pytest.approx(edge.direct_logit, abs=1e-12)
                if (edge.direct_logit)
                else True
            )


def test_a_block_can_be_opened_at_any_position():
    flow = builder("llama-gqa").block(specimen("llama-gqa").trace, FEW, 0, 3)
    assert flow.audit.residual < 1e-10
    assert {n.id.position for n in flow.nodes if n.id.kind is NodeKind.HEAD} == {3}
    assert all(e.direct_logit is None for e in flow.edges)
    for edges in ledgers(flow).values():
        assert sum(e.share for e in edges) == pytest.approx(1, abs=1e-9)


def test_the_first_position_can_be_traced():
    flow = explain("gpt2", replace(FEW, position=0))
    assert flow.audit.residual < 1e-10
    assert {node.id.position for node in flow.nodes} == {0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": 7}, "position 7 does not exist; the prompt has 0 to 6"),
        ({"position": -8}, "position -8 does not exist"),
        ({"layers": "0,3"}, "layer 3 does not exist; the model has 0 to 2"),
        ({"layers": "2-1"}, "layers '2-1' run backwards; give 1-2"),
        ({"layers": "first"}, "layers 'first' cannot be read; give all, none, or like 0-5,11"),
    ],
)
def test_what_the_model_does_not_have_is_refused(change: dict, message: str):
    with pytest.raises(RequestError, match=message):
        explain("gpt2", replace(FEW, **change))


def test_a_block_of_a_layer_that_is_not_there_is_refused():
    with pytest.raises(RequestError, match="layer 9 does not exist"):
        builder("gpt2").block(specimen("gpt2").trace, FEW, 9, 0)


@pytest.mark.parametrize(
    "name", ["gpt2", "gpt-j", "falcon-7b", "llama-gqa", "gemma2", "olmo2", "granite", "mixtral"]
)
def test_the_app_finds_every_residual_carrying_what_the_route_says(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    """Also where the shares of the positions that are not drawn differ in sign."""
    said: dict[int, dict[int, float]] = {}

    def draw_and_note(*args: object) -> dict[int, float]:
        loads = draw_layer(*args)
        said[args[2]] = loads
        return loads

    monkeypatch.setattr(builder_module, "draw_layer", draw_and_note)
    flow = explain(name, replace(FEW, threshold=0.04, layers="none"))
    carries = Index(flow).carries
    for layer, loads in said.items():
        for position, load in loads.items():
            assert carries[resid_pre_id(layer, position)] == pytest.approx(load, abs=1e-12)
    if name == "llama-gqa":
        rests = [edge for edge in flow.edges if edge.source.kind is NodeKind.POSITIONS_REST]
        assert any(edge.absolute_share > abs(edge.share) + 1e-3 for edge in rests)


@pytest.mark.parametrize("route", RouteBy)
def test_the_app_works_out_the_same_loads_from_the_document_alone(route: RouteBy):
    """The route keeps what carries the threshold or more, and the app finds it carrying that."""
    for name in ("gpt2", "llama-gqa", "gpt-j"):
        asked = replace(FEW, layers="none", route=route, strongest=0)
        flow = explain(name, replace(asked, threshold=0.02))
        carried = Index(flow).carried
        between = [
            carried[edge_id(edge)]
            for edge in flow.edges
            if edge.ledger is Ledger.POSITIONS
            and edge.source.kind in (NodeKind.EMBED, NodeKind.RESID_POST)
        ]
        assert between
        assert min(between) >= 0.02 - 1e-9
        everything = Index(explain(name, replace(asked, threshold=0.0)))
        assert everything.unexplained == pytest.approx(0, abs=1e-9)

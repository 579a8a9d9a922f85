"""Flow in the graph: on every node and line, adding up as direct logits do, at every position."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
import torch
from specimens import FEW, STRUCTURES, TOKEN_IDS, builder, specimen
from torch import Tensor

from visit.assemble import flows
from visit.assemble.flows import candidate_flows
from visit.attribution.candidate_flow import find_candidate_flow
from visit.graph.flow import EdgeKind, FlowGraph, Ledger, MetricKind, NodeId, NodeKind, Outcome
from visit.graph.index import Index, edge_id, is_whole, merge
from visit.graph.kinds import RESIDUALS
from visit.graph.metric import MetricChoice
from visit.graph.request import RankBy, Request, RouteBy
from visit.models.architectures.base import Experts

LAST = len(TOKEN_IDS) - 1
STEERING = {NodeKind.QUERY, NodeKind.KEY, NodeKind.MEMORY_KEY}
SOME = ("gpt2", "gemma2", "gpt-j", "llama-biases", "qwen2-moe", "olmo2")


def explain(name: str, request: Request = FEW, dtype: torch.dtype = torch.float64) -> FlowGraph:
    return builder(name, dtype).whole(specimen(name, dtype).trace, request, lambda *_: None)


def flows_of(flow: FlowGraph) -> dict[NodeId, float]:
    return {node.id: node.flow for node in flow.nodes if node.flow is not None}


def check_ledgers(flow: FlowGraph) -> set[Ledger]:
    """That each ledger's flows add up to its whole's; the ledgers that there are."""
    sums = defaultdict(float)
    for edge in flow.edges:
        if edge.ledger is not None:
            sums[edge.target, edge.ledger] += edge.flow
    own = flows_of(flow)
    for (whole, _), total in sums.items():
        assert total == pytest.approx(own[whole], abs=1e-9, rel=1e-9), whole
    return {ledger for _, ledger in sums}


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_node_has_the_flow_of_its_ledgers_at_every_position(name: str):
    flow = explain(name, replace(FEW, threshold=0.001))
    assert flow.audit.flow < 1e-9
    assert flow.metric.kind is MetricKind.CHOICE
    assert {Ledger.RESIDUAL, Ledger.HEADS, Ledger.SOURCES, Ledger.POSITIONS} < check_ledgers(flow)
    assert {node.id.position for node in flow.nodes} == set(range(LAST + 1))
    without = {node.id.kind for node in flow.nodes if node.flow is None}
    assert without <= STEERING
    steering = {EdgeKind.SCORES, EdgeKind.WEIGHS, EdgeKind.ACTIVATES}
    for edge in flow.edges:
        steers = edge.kind in steering or edge.target.kind in STEERING
        assert (edge.flow is None) == steers, edge
    assert flows_of(flow)[NodeId(NodeKind.OUTPUT, LAST)] == pytest.approx(flow.metric.value)


@pytest.mark.parametrize("name", ["llama-gqa", "qwen3"])
def test_without_biases_what_a_residual_hands_on_is_its_flow(name: str):
    """Over all that reads it: its stream, its MLP, and every attention at or after it."""
    flow = explain(name, replace(FEW, threshold=0.0, layers="none", strongest=0))
    leaving = defaultdict(float)
    for edge in flow.edges:
        if edge.source.kind in RESIDUALS and edge.flow is not None:
            leaving[edge.source] += edge.flow
    own = flows_of(flow)
    assert len(leaving) == sum(node.id.kind in RESIDUALS for node in flow.nodes)
    for residual, total in leaving.items():
        assert total == pytest.approx(own[residual], abs=1e-9), residual


@pytest.mark.parametrize("name", SOME)
def test_on_the_last_layers_lines_flow_is_the_direct_logit(name: str):
    for edge in explain(name).edges:
        if edge.ledger is not None and edge.direct_logit is not None:
            if edge.ledger in (Ledger.MEMORIES, Ledger.EXPERTS) and edge.target.layer == 2:
                assert edge.flow == pytest.approx(edge.direct_logit, abs=1e-9)


@pytest.mark.parametrize("name", SOME)
def test_outcomes_add_up_over_parts_to_the_candidates_centred_logits(name: str):
    """And over every ledger to its whole's; towards the target an outcome is the node's flow."""
    tiny, made = specimen(name), builder(name)
    request = replace(FEW, candidates=6, threshold=0.0, layers="none")
    asked = made.resolve(tiny.trace, request)
    vectors, constant = {}, torch.zeros(6).double()
    kinds = {
        NodeKind.EMBED: [tiny.trace.residuals[0]],
        NodeKind.ATTN: [layer.attn_out for layer in tiny.trace.layers],
        NodeKind.MLP: [layer.mlp_out for layer in tiny.trace.layers],
    }
    for kind, by_layer in kinds.items():
        for layer, of_positions in enumerate(by_layer):
            for position, vector in enumerate(of_positions):
                at = None if kind is NodeKind.EMBED else layer
                vectors[NodeId(kind, position, at)] = vector
    found = [find_candidate_flow(tiny.architecture, tiny.trace, LAST, asked.candidates, (LAST,))]
    parts = candidate_flows(asked, found, vectors, {})
    logits = tiny.architecture.before_soft_cap(tiny.trace.logits[-1])[list(asked.candidates)]
    norm, bias = tiny.architecture.final_norm, tiny.architecture.unembedding_bias
    ids = list(asked.candidates)
    if norm.bias is not None:
        constant = norm.bias @ tiny.architecture.unembedding[:, ids] * tiny.architecture.logit_scale
    constant = constant if bias is None else constant + bias[ids]
    written = [parts[id_] for id_ in vectors if id_.position == LAST and id_.layer == 2]
    nodes = {NodeId(NodeKind.RESID_POST, LAST, 2): tiny.trace.residuals[-1][-1]}
    (whole,) = candidate_flows(asked, found, nodes, {}).values()
    torch.testing.assert_close(whole + constant - constant.mean(), logits - logits.mean())
    before = {
        NodeId(NodeKind.RESID_POST, p, 1): tiny.trace.residuals[2][p] for p in range(LAST + 1)
    }
    entering = sum(candidate_flows(asked, found, before, {}).values())
    if name in ("olmo2",):  # no biases: all that enters leaves
        torch.testing.assert_close(entering, whole)
    assert len(written) == 2
    target = asked.candidates.index(asked.target.id)
    graph = flows_of(explain(name, request))
    for id_, flow in parts.items():
        assert float(flow.sum()) == pytest.approx(0, abs=1e-9)
        assert float(flow[target]) == pytest.approx(graph.get(id_, 0.0), abs=1e-9)


@pytest.mark.parametrize("name", STRUCTURES)
def test_outcomes_of_heads_and_of_memories_add_up_to_their_wholes(name: str):
    """With the biases', at the traced position and, of heads, at an earlier one."""
    tiny, layer = specimen(name, torch.float64), 1
    asked = builder(name).resolve(tiny.trace, replace(FEW, candidates=6))
    found = find_candidate_flow(tiny.architecture, tiny.trace, LAST, asked.candidates, (2, LAST))
    block, recorded = tiny.architecture.blocks[layer], tiny.trace.layers[layer]

    def outcomes(vectors: dict[NodeId, Tensor], coefficients: dict[NodeId, float]) -> list[Tensor]:
        return [*candidate_flows(asked, [found], vectors, coefficients).values()]

    def of_bias(
        bias: Tensor | None, gain: Tensor | None, gradients: Tensor, position: int
    ) -> Tensor | float:
        if bias is None:
            return 0.0
        written = bias if gain is None else bias * gain[position]
        return gradients[layer, :, found.positions.index(position)] @ written

    for position in (2, LAST):
        attn = NodeId(NodeKind.ATTN, position, layer)
        heads = [NodeId(NodeKind.HEAD, position, layer, head=h) for h in range(len(recorded.z[0]))]
        unused = tiny.trace.residuals[0][0]  # their flows are found with the sweep
        whole, *parts = outcomes(dict.fromkeys([attn, *heads], unused), {})
        bias = of_bias(block.attention.b_o, recorded.attn_gain, found.mid_gradients, position)
        torch.testing.assert_close(sum(parts) + bias, whole)
    if isinstance(block.mlp, Experts):
        return
    gain, written = recorded.mlp_gain, recorded.activation[LAST]
    rows = block.mlp.w_out if gain is None else block.mlp.w_out * gain[LAST]
    ids = [NodeId(NodeKind.MEMORY_VALUE, LAST, layer, index=n) for n in range(len(rows))]
    vectors = dict(zip(ids, rows * written.sign()[:, None], strict=True))
    parts = outcomes(vectors, dict(zip(ids, written.tolist(), strict=True)))
    bias = of_bias(block.mlp.b_out, gain, found.post_gradients, LAST)
    mlp = NodeId(NodeKind.MLP, LAST, layer)
    torch.testing.assert_close(sum(parts) + bias, *outcomes({mlp: recorded.mlp_out[LAST]}, {}))


def test_an_outcome_lists_what_is_lifted_and_lowered_most():
    request = replace(FEW, candidates=7, outcome=True)
    flow = explain("gpt2", request)
    assert len(flow.metric.candidates) == 7
    ids = {token.id for token in flow.metric.candidates}
    assert flow.target.id in ids
    kinds = {node.id.kind for node in flow.nodes if node.outcome is not None}
    assert kinds == RESIDUALS | {
        NodeKind.HEAD, NodeKind.VALUE, NodeKind.ATTN, NodeKind.ATTN_NEURON, NodeKind.MLP,
        NodeKind.MEMORY_VALUE,
    }  # fmt: skip
    for node in flow.nodes:
        if node.outcome is None:
            continue
        up, down = (
            [t.flow for t in side] for side in (node.outcome.promotes, node.outcome.suppresses)
        )
        assert up == sorted(up, reverse=True) and down == sorted(down)
        assert all(one > 0 for one in up) and all(one < 0 for one in down)
        assert 1 <= len(up) <= 5 and 1 <= len(down) <= 5
        listed = [t for side in (node.outcome.promotes, node.outcome.suppresses) for t in side]
        assert {token.id for token in listed} <= ids
        for token in listed:
            if token.id == flow.target.id:
                assert token.flow == pytest.approx(node.flow, abs=1e-9)


def test_outcomes_are_left_out_where_they_were_not_asked_for_or_would_cost_much(monkeypatch):
    assert not any(node.outcome for node in explain("gpt2", replace(FEW, outcome=False)).nodes)
    assert any(node.outcome for node in explain("gpt2").nodes)
    everywhere = {node.id.position for node in explain("gpt2").nodes if node.outcome}
    assert everywhere == set(range(LAST + 1))
    monkeypatch.setattr("visit.assemble.flows.CHEAP_ROWS", 61 - 1)  # its vocabulary is 61
    assert not any(node.outcome for node in explain("gpt2").nodes)
    asked_for = explain("gpt2", replace(FEW, outcome=True)).nodes
    assert {node.id.position for node in asked_for if node.outcome} == everywhere


@pytest.mark.parametrize("name", ["gpt2", "gpt-j", "qwen2-moe"])
def test_of_a_long_prompt_the_latest_positions_have_the_outcomes_that_all_would_have(
    name: str, monkeypatch
):
    everywhere = {node.id: node.outcome for node in explain(name).nodes}
    monkeypatch.setattr("visit.assemble.flows.CHEAP_ROWS", 3 * 61)
    some = explain(name).nodes
    assert {node.id.position for node in some if node.outcome} == {LAST - 2, LAST - 1, LAST}
    for node in some:
        if node.id.position >= LAST - 2:
            assert_alike(node.outcome, everywhere[node.id])


def assert_alike(one: Outcome | None, other: Outcome | None) -> None:
    """Which tokens, and by how much; ties aside, in the same order."""
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        for ours, theirs in ((one.promotes, other.promotes), (one.suppresses, other.suppresses)):
            assert [t.flow for t in ours] == pytest.approx([t.flow for t in theirs], abs=1e-9)


def test_an_unlikely_target_needs_a_sweep_of_its_own_column_alone(monkeypatch):
    """And has the outcomes that one sweep for just its candidates gives."""
    request = replace(FEW, candidates=7, threshold=0.0)
    tiny, made = specimen("gpt2"), builder("gpt2")
    likeliest = [token.text for token in explain("gpt2", request).metric.candidates]
    unlikely = next(f"<{n}>" for n in range(61) if f"<{n}>" not in likeliest)
    swept: list[tuple[int, ...]] = []

    def sweep(*given, **named):
        swept.append(tuple(given[3]))
        return find_candidate_flow(*given, **named)

    monkeypatch.setattr(flows, "find_candidate_flow", sweep)
    for target in (None, likeliest[3], unlikely, unlikely):
        flow = made.whole(tiny.trace, replace(request, target=target), lambda *_: None)
    assert [len(columns) for columns in swept] == [7, 1]
    asked = made.resolve(tiny.trace, replace(request, target=unlikely))
    alone = find_candidate_flow(tiny.architecture, tiny.trace, LAST, asked.candidates, (LAST,))
    vectors = {
        NodeId(NodeKind.MLP, p, layer): tiny.trace.layers[layer].mlp_out[p]
        for p in range(LAST + 1)
        for layer in range(3)
    }
    found = candidate_flows(asked, [alone], vectors, {})
    compared = [node for node in flow.nodes if node.id in found]
    assert len(compared) > 10  # those that the metric reaches
    for node in compared:
        assert node.outcome is not None
        most = sorted(found[node.id].tolist(), reverse=True)
        listed = [one for one in most[:5] if one > 0]
        assert [t.flow for t in node.outcome.promotes] == pytest.approx(listed, abs=1e-9)


def test_outcomes_do_not_depend_on_how_many_are_taken_at_once(monkeypatch):
    together = explain("qwen2-moe")
    monkeypatch.setattr("visit.attribution.candidate_flow.COLUMN_ELEMENTS", 1)
    for one, other in zip(explain("qwen2-moe").nodes, together.nodes, strict=True):
        assert (one.outcome is None) == (other.outcome is None)
        if one.outcome is not None and other.outcome is not None:
            ours, theirs = ([t.flow for t in o.promotes] for o in (one.outcome, other.outcome))
            assert ours == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("name", ["gpt2", "gpt-j", "mistral", "qwen2-moe", "llama-gqa"])
def test_the_strongest_parts_of_all_layers_and_positions_are_nodes_and_ledgers_still_add_up(
    name: str,
):
    request = replace(FEW, layers="none", threshold=1.0, strongest=9, strongest_memories=4)
    flow = explain(name, request)
    check_ledgers(flow)
    everything = explain(name, replace(FEW, heads=99, strongest=10_000, strongest_memories=10_000,
                                       threshold=0.0))  # fmt: skip
    kinds = {NodeKind.HEAD, NodeKind.MLP}
    parts = sorted(
        ((abs(node.flow), node.id) for node in everything.nodes if node.id.kind in kinds),
        key=lambda one: -one[0],
    )
    drawn = {node.id for node in flow.nodes}
    assert {id_ for _, id_ in parts[:9]} <= drawn
    heads = {id_ for id_ in drawn if id_.kind is NodeKind.HEAD}
    assert heads == {id_ for _, id_ in parts[:9] if id_.kind is NodeKind.HEAD}
    for head in heads:
        lines = [e for e in flow.edges if e.target == head and e.ledger is Ledger.SOURCES]
        assert lines and sum(e.share for e in lines) == pytest.approx(1, abs=1e-9)
    mixture = isinstance(specimen(name).architecture.blocks[0].mlp, Experts)
    memories = [id_ for id_ in drawn if id_.kind is NodeKind.MEMORY_VALUE]
    assert len(memories) == (0 if mixture else 4)
    reached = {edge.source for edge in flow.edges}
    output = NodeId(NodeKind.OUTPUT, LAST)
    assert all(node.id in reached for node in flow.nodes if node.id != output)


def test_no_part_is_strongest_when_none_is_asked_for():
    flow = explain("gpt2", replace(FEW, layers="none", strongest=0))
    assert not any(node.id.kind is NodeKind.HEAD for node in flow.nodes)


@pytest.mark.parametrize("metric", MetricChoice)
def test_every_metric_is_said_and_added_up_to(metric: MetricChoice):
    flow = explain("gemma2", replace(FEW, metric=metric, candidates=5))
    logits = specimen("gemma2").architecture.before_soft_cap(specimen("gemma2").trace.logits[-1])
    own = float(logits[flow.target.id])
    wanted = {
        MetricChoice.LOGIT: (MetricKind.LOGIT, own),
        MetricChoice.CENTRED: (MetricKind.CENTRED_LOGIT, own - float(logits.mean())),
        MetricChoice.CHOICE: (MetricKind.CHOICE, own - float(logits.topk(5).values.mean())),
    }[metric]
    assert flow.metric.kind is wanted[0]
    assert flow.metric.value == pytest.approx(wanted[1], abs=1e-9)
    assert flow.audit.logit < 1e-9 and flow.audit.flow < 1e-9
    versus = explain("gemma2", replace(FEW, metric=metric, versus="<3>"))
    assert versus.metric.kind is MetricKind.LOGIT_DIFFERENCE
    assert versus.metric.value == pytest.approx(own - float(logits[3]), abs=1e-9)
    assert versus.audit.flow < 1e-9


@pytest.mark.parametrize("position", [None, 3])
def test_the_route_by_flow_keeps_what_carries_the_threshold_of_the_absolute_flow(position):
    request = replace(FEW, threshold=0.03, layers="none", strongest=0, position=position)
    for name in ("gpt2", "llama-gqa", "gpt-j"):
        flow, whole = (explain(name, r) for r in (request, replace(request, threshold=0.0)))
        most = flow.metric.absolute_flow
        by_depth = defaultdict(float)
        for node in whole.nodes:
            if node.id.kind in (NodeKind.EMBED, NodeKind.RESID_POST):
                by_depth[node.id.layer] += abs(node.flow)
        assert max(by_depth.values()) == pytest.approx(most)
        kept = {e.key + str(e.source) + str(e.target): e.flow for e in between(flow)}
        assert kept and min(map(abs, kept.values())) >= 0.03 * most
        readers = {node.id for node in flow.nodes if node.id.kind is NodeKind.ATTN}
        for edge in between(whole):
            if edge.target in readers and abs(edge.flow) >= 0.03 * most:
                assert edge.key + str(edge.source) + str(edge.target) in kept


def between(flow: FlowGraph) -> list:
    return [
        edge
        for edge in flow.edges
        if edge.ledger is Ledger.POSITIONS and edge.source.kind in RESIDUALS
    ]


@pytest.mark.parametrize("name", ["gpt2", "llama-gqa", "gpt-j"])
def test_what_a_rest_of_positions_carries_is_the_size_of_each_flow_folded_added_up(name: str):
    """Their sum is less where they differ in sign, and would leave less unexplained than is."""
    request = replace(FEW, threshold=0.05, layers="none", strongest=0)
    flow, whole = (explain(name, r) for r in (request, replace(request, threshold=0.0)))
    kept = {(edge.source, edge.target) for edge in between(flow)}
    index, cancelled = Index(flow), 0
    for rest in flow.edges:
        if rest.source.kind is not NodeKind.POSITIONS_REST:
            continue
        folded = [
            edge.flow
            for edge in between(whole)
            if edge.target == rest.target and (edge.source, edge.target) not in kept
        ]
        assert sum(folded) == pytest.approx(rest.flow, abs=1e-9)
        size = sum(map(abs, folded))
        assert rest.absolute_flow == pytest.approx(size, abs=1e-9)
        assert index.carried[edge_id(rest)] == pytest.approx(index.part_of_flow(size), abs=1e-9)
        assert index.carries[rest.source] == index.carried[edge_id(rest)]
        cancelled += size > abs(sum(folded)) + 1e-3
    assert cancelled


def test_a_route_by_share_is_as_it_was_and_has_flow_too():
    by_share = replace(FEW, route=RouteBy.SHARE, strongest=0, threshold=0.05)
    share, flow = (explain("gpt2", r) for r in (by_share, replace(by_share, route=RouteBy.FLOW)))
    assert {(e.source, e.target) for e in between(share)} != {
        (e.source, e.target) for e in between(flow)
    }
    check_ledgers(share)


def test_ranked_by_flow_the_heads_of_most_flow_are_drawn():
    chosen, every = (
        explain("gpt2", replace(FEW, strongest=0, rank_by=RankBy.FLOW, heads=heads))
        for heads in (2, 5)
    )
    for layer in range(3):
        sizes = sorted(
            (abs(n.flow) for n in every.nodes
             if n.id.kind is NodeKind.HEAD and n.id.layer == layer), reverse=True,
        )  # fmt: skip
        drawn = [abs(n.flow) for n in chosen.nodes
                 if n.id.kind is NodeKind.HEAD and n.id.layer == layer]  # fmt: skip
        assert sorted(drawn, reverse=True) == pytest.approx(sizes[:2])


def test_a_block_opened_alone_has_the_flow_of_the_whole_and_none_after_the_traced_position():
    request = replace(FEW, position=4)
    whole = flows_of(explain("gpt2", request))
    made, trace = builder("gpt2"), specimen("gpt2").trace
    block = flows_of(made.block(trace, request, 1, 4))
    same = block.keys() & whole.keys()
    assert len(same) > 20
    assert {id_: block[id_] for id_ in same} == pytest.approx({id_: whole[id_] for id_ in same})
    after = flows_of(made.block(trace, request, 1, 6))
    assert {flow for id_, flow in after.items() if id_.position > 4} == {0.0}


def test_a_block_that_is_opened_takes_the_place_of_the_few_parts_that_were_drawn_of_it():
    request = replace(FEW, layers="none", strongest=4, strongest_memories=3, heads=4)
    whole = explain("gpt2", request)
    head = next(node.id for node in whole.nodes if node.id.kind is NodeKind.HEAD)
    attn = NodeId(NodeKind.ATTN, head.position, head.layer)
    block = builder("gpt2").block(specimen("gpt2").trace, request, head.layer, head.position)
    merged = merge(whole, block)
    check_ledgers(merged)
    assert not is_whole(Index(whole), attn) and is_whole(Index(merged), attn)
    lines = Index(merged).lines(attn, Ledger.HEADS)
    assert sum(e.source.kind is NodeKind.HEAD for e in lines) >= 4
    assert sum(e.share for e in lines) == pytest.approx(1, abs=1e-9)
    rests = {e.source: e.norm for e in lines if e.source.kind is NodeKind.HEADS_REST}
    for rest, norm in rests.items():
        assert Index(merged).nodes[rest].reading.norm == pytest.approx(norm)
    elsewhere = {e.target for e in whole.edges} - {e.target for e in block.edges}
    assert elsewhere
    for target in elsewhere:
        assert Index(merged).into[target] == Index(whole).into[target]


@pytest.mark.parametrize("name", ["gpt2", "gemma2", "granite-moe"])
def test_float32_flow_adds_up_to_its_own_precision(name: str):
    flow = explain(name, dtype=torch.float32)
    assert flow.audit.flow < 1e-3

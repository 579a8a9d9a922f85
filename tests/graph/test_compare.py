"""What differs between two graphs: nothing of one and itself, and what was changed otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flow_strategies import flows
from hypothesis import given, settings
from sample import make_flow, with_flow

from visit.errors import RequestError
from visit.graph.compare import MEASURES, Held, compare, parts_to_add
from visit.graph.flow import FlowGraph, NodeId, Prediction
from visit.graph.request import Request

FLOW = with_flow(make_flow())


@given(flows())
@settings(max_examples=20)
def test_a_graph_against_itself_is_all_zero(flow: FlowGraph):
    difference = compare(flow, flow)
    assert len(difference.nodes) == len(flow.nodes)
    assert len(difference.edges) == len(flow.edges)
    assert difference.first_apart == []
    for one in (*difference.nodes, *difference.edges):
        assert one.held is Held.BOTH
        assert set(one.differences.values()) <= {0.0}


def test_the_second_less_the_first_is_told_of_what_both_hold_and_nothing_else():
    gone, moved = NodeId.parse("L1.head0@7"), NodeId.parse("L2.head1@7")
    nodes = tuple(
        replace(n, flow=(n.flow or 0) + 2.5) if n.id == moved else n
        for n in FLOW.nodes
        if n.id != gone
    )
    edges = tuple(e for e in FLOW.edges if gone not in (e.source, e.target))
    found = {node.id: node for node in compare(FLOW, replace(FLOW, nodes=nodes, edges=edges)).nodes}
    assert found[moved].difference("flow") == pytest.approx(2.5)
    assert found[moved].difference("norm") == 0.0
    assert found[gone].held is Held.FIRST
    assert found[gone].differences == {}
    own = next(n.flow for n in FLOW.nodes if n.id == gone)
    assert own is not None and found[gone].strength("flow") == abs(own)


def test_the_first_parts_that_write_something_else_are_those_of_the_least_depth():
    """Lengths that differ by rounding do not count, nor parts after the first."""
    names = ("L1.head0@7", "L1.head1@7", "L2.head1@7", "L0.mlp@7")
    longer = dict(zip(map(NodeId.parse, names), (1.5, 2.0, 3.0, 1 + 1e-7), strict=True))
    assert set(longer) <= {node.id for node in FLOW.nodes}
    nodes = tuple(
        replace(n, reading=replace(n.reading, norm=n.reading.norm * longer.get(n.id, 1.0)))
        for n in FLOW.nodes
    )
    other = replace(FLOW, nodes=nodes)
    assert [str(one.id) for one in compare(FLOW, other).first_apart] == list(names[:2])
    read = tuple(replace(token, id=token.id + 1) for token in FLOW.tokens)
    assert compare(FLOW, replace(other, tokens=read)).first_apart == []


@pytest.mark.parametrize("measure", MEASURES)
def test_what_differs_most_comes_first(measure: str):
    found = compare(FLOW, with_flow(make_flow(seed=1), seed=1)).parts(measure)
    strengths = [one.strength(measure) for one in found]
    assert strengths == sorted(strengths, key=lambda size: -(size or 0.0))
    assert measure == "effect" or found


def test_prompts_of_other_lengths_share_the_columns_of_their_common_tokens():
    longer, shorter = (
        with_flow(make_flow(Request(f"The capital of {country} is the city of")))
        for country in ("New Zealand", "Japan")
    )
    # The hand-made tokens are named after their places: give equal words equal ids.
    words = [token.text for flow in (longer, shorter) for token in flow.tokens]
    longer, shorter = (
        replace(flow, tokens=tuple(replace(t, id=words.index(t.text)) for t in flow.tokens))
        for flow in (longer, shorter)
    )
    difference = compare(shorter, longer)
    held = {node.id: node.held for node in difference.nodes if node.id.kind == "embed"}
    assert [held[NodeId.parse(f"embed@{at}")].value for at in range(9)] == [
        "both", "both", "both", "second", "both", "both", "both", "both", "both",
    ]  # fmt: skip
    assert difference.column == 8


def test_parts_that_the_other_graph_holds_are_named_by_ones_own_ids():
    few = replace(
        FLOW,
        nodes=tuple(n for n in FLOW.nodes if str(n.id) != "L1.head0@7"),
        edges=tuple(e for e in FLOW.edges if "L1.head0@7" not in (str(e.source), str(e.target))),
    )
    assert parts_to_add(few, FLOW) == ("L1.head0@7",)
    assert parts_to_add(FLOW, few) == ()


def test_models_that_do_not_correspond_are_refused_in_one_line():
    deeper = replace(FLOW, model=replace(FLOW.model, name="deeper", n_layers=9))
    with pytest.raises(RequestError, match=r"mini has n_layers 3 and deeper 9; compare two"):
        compare(FLOW, deeper)
    other = replace(FLOW.model, name="tuned", weights_sha256="1" * 64)
    spelled = (Prediction(0, " Kyiv", 1.0, 0.5), *FLOW.predictions[1:])
    with pytest.raises(RequestError, match=r"token 0 is .*; compare two models that share"):
        compare(FLOW, replace(FLOW, model=other, predictions=spelled))
    node, *others = FLOW.nodes
    said = (node.reading.top[0]._replace(id=0, text=" Kyiv"), *node.reading.top[1:])
    read = replace(node, reading=replace(node.reading, top=said))
    with pytest.raises(RequestError, match=r"token 0 is .*; compare two models that share"):
        compare(FLOW, replace(FLOW, model=other, nodes=(read, *others)))
    cut = tuple(replace(t, id=t.id + 50, text=f"{t.text}x") for t in FLOW.tokens)
    with pytest.raises(RequestError, match="cuts the prompt into other tokens"):
        compare(FLOW, replace(FLOW, model=other, tokens=cut))

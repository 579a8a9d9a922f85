"""What can be drawn, and what is refused in one line before anything is made of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sample import make_flow, with_flow

from visit.cli.main import main
from visit.errors import DocumentError
from visit.formats.document import json_from_flow, write_flow
from visit.formats.drawable import check_drawable
from visit.graph.flow import (
    Edge,
    EdgeKind,
    FlowGraph,
    NodeId,
    NodeKind,
    Outcome,
    TokenFlow,
    TokenProbability,
)
from visit.graph.index import Index
from visit.graph.request import Request
from visit.web.flow import elements
from visit.web.screen.graph_panels import build_counts, build_graph_panels

FLOW = make_flow(Request("a b c"), n_layers=2, opened=(1,))
OUTPUT = NodeId(NodeKind.OUTPUT, 2)


def with_layers(count: int) -> FlowGraph:
    return replace(FLOW, model=replace(FLOW.model, n_layers=count))


def with_nodes(change: Callable) -> FlowGraph:
    return replace(FLOW, nodes=tuple(map(change, FLOW.nodes)))


def with_edges(change: Callable) -> FlowGraph:
    return replace(FLOW, edges=tuple(map(change, FLOW.edges)))


def say(text: str) -> Callable:
    def change(node):
        top = (node.reading.top[0]._replace(text=text), *node.reading.top[1:])
        return replace(node, reading=replace(node.reading, top=top))

    return change


def with_metric(**changes: Any) -> FlowGraph:
    return replace(FLOW, metric=replace(FLOW.metric, **changes))


def promote(text: str = " a", flow: float = 1.0) -> Callable:
    outcome = Outcome((TokenFlow(1, text, flow),), ())
    return lambda node: replace(node, outcome=outcome)


def rank(number: int) -> Callable:
    def change(node):
        target = replace(node.reading.target, rank=number)
        return replace(node, reading=replace(node.reading, target=target))

    return change


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        (with_layers(10**9), "graph.model.n_layers is 1000000000; at most 1024 can be drawn"),
        (with_layers(10**300), "graph.model.n_layers is 1000.*; at most 1024"),
        (with_layers(900), "n_layers is 900, but there is no node of layer 2"),
        (replace(FLOW, nodes=FLOW.nodes[:1], edges=()), "there is no node of layer 0"),
        (replace(FLOW, edges=()), "nothing leads to output@2"),
        (
            replace(FLOW, edges=tuple(e for e in FLOW.edges if e.target != OUTPUT)),
            "nothing leads to output@2, the traced position's output",
        ),
        (with_nodes(say("x" * 100_000)), r"nodes\[0\].top is 100,000 letters long; .* 4,096"),
        (with_nodes(rank(10**12)), r"nodes\[0\].target.rank is 1000000000000; at most"),
        (
            with_nodes(promote(text="y" * 5_000)),
            r"nodes\[\d+\].outcome.promotes is 5,000 letters long; .* 4,096",
        ),
        (with_nodes(promote(flow=-1e200)), r"nodes\[\d+\].outcome.promotes is -1e\+200; at most"),
        (with_nodes(lambda n: replace(n, flow=1e101)), r"nodes\[0\].flow is 1e\+101; at most"),
        (with_metric(value=1e300), r"graph.metric.value is 1e\+300; at most"),
        (with_metric(absolute_flow=1e300), r"graph.metric.absolute_flow is 1e\+300; at most"),
        (
            with_metric(candidates=(TokenProbability(1, "z" * 5_000, 0.5),)),
            r"graph.metric.candidates\[0\].text is 5,000 letters long; .* 4,096",
        ),
        (with_edges(lambda e: replace(e, share=-1e300)), r"edges\[0\].share is -1e\+300; at most"),
        (
            replace(FLOW, edges=(*FLOW.edges, Edge(OUTPUT, FLOW.nodes[0].id, EdgeKind.READS))),
            r"edges\[\d+\] leads from output@2 back to embed@0; what is drawn leads onward",
        ),
    ],
    ids=lambda value: "" if isinstance(value, FlowGraph) else value[:30],
)
def test_a_document_that_cannot_be_drawn_is_refused_in_one_line(flow: FlowGraph, said: str):
    start = time.process_time()
    with pytest.raises(DocumentError, match=said) as refused:
        check_drawable(flow)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300
    assert time.process_time() - start < 1


@pytest.mark.parametrize("flow", [FLOW, with_flow(make_flow()), make_flow(n_layers=96, opened=())])
def test_what_a_model_makes_can_be_drawn(flow: FlowGraph):
    """Ninety-six layers, as of a model of 70 billion parameters and more."""
    check_drawable(flow)


@pytest.mark.parametrize(
    "command", [["show"], ["export", "--to", "html"], ["export", "--to", "svg"]]
)
def test_a_small_document_of_a_billion_layers_ends_at_once(command, tmp_path: Path, capsys):
    """It was drawn for hours: each panel has a place for every layer."""
    path = tmp_path / "g.json"
    write_flow(with_layers(10**9), path)
    assert main([command[0], str(path), *command[1:]]) == 2
    said = capsys.readouterr().err
    assert "n_layers is 1000000000" in said and said.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["g.json"]


def test_a_graph_of_ten_thousand_edges_into_one_node_is_drawn_in_seconds():
    flow = make_flow(Request(" ".join(map(str, range(140)))), n_layers=1, opened=())
    assert len(flow.edges) > 6_000
    start = time.process_time()
    check_drawable(flow)
    index = Index(flow)
    elements.draw(index, index.nodes)
    build_graph_panels(index, clickable=False)
    build_counts(index)
    assert time.process_time() - start < 5


def test_whatever_is_refused_to_be_drawn_can_still_be_made_a_table_of(tmp_path: Path):
    path = tmp_path / "g.json"
    path.write_text(json_from_flow(replace(FLOW, edges=())), encoding="utf-8")
    assert main(["export", str(path), "--to", "csv"]) == 0

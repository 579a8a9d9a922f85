"""What a document of 4,000 nodes costs to write and to read (about a whole 24-layer GPT-2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from visit.formats.document import flow_from_json, json_from_flow, read_flow, write_flow
from visit.graph.flow import (
    Audit,
    Edge,
    EdgeKind,
    FlowGraph,
    Ledger,
    ModelInfo,
    Node,
    NodeId,
    NodeKind,
    Prediction,
    Reading,
    Target,
    TargetReading,
    Token,
    TokenProbability,
)
from visit.graph.metric import MetricInfo, MetricKind
from visit.graph.request import Request

N_LAYERS, N_MEMORIES = 20, 100
N_NODES, N_EDGES = 4_020, 6_000


@pytest.fixture(scope="module")
def flow() -> FlowGraph:
    """Every memory of 20 layers, with readings of ten tokens at either end."""
    tokens = tuple(TokenProbability(i, f" token{i}", 0.1 / (i + 1)) for i in range(10))
    reading = Reading(tokens, tokens, TargetReading(0.1234, 57, 3.2345), 11.2345, 47.123456)
    nodes, edges = [], []
    for layer in range(N_LAYERS):
        mlp = NodeId(NodeKind.MLP, 6, layer)
        nodes.append(Node(mlp, reading))
        for index in range(N_MEMORIES):
            key = NodeId(NodeKind.MEMORY_KEY, 6, layer, index=index)
            value = NodeId(NodeKind.MEMORY_VALUE, 6, layer, index=index)
            nodes += [Node(key, reading, 0.31234), Node(value, reading, 0.31234)]
            edges += [
                Edge(mlp, key, EdgeKind.READS),
                Edge(key, value, EdgeKind.ACTIVATES, activation=0.31234),
                Edge(value, mlp, EdgeKind.ADDS, Ledger.MEMORIES, 1.51234, 0.01, 0.51234),
            ]
    return FlowGraph(
        visit_version="0.1.0",
        request=Request("a b c d e f g"),
        model=ModelInfo("toy", "gpt2", "float32", "0" * 64, 20, 12, 12, 768, 64, 3072, 50257),
        tokens=tuple(Token(i, i, f" {i}") for i in range(7)),
        target=Target(1, " Tokyo", 9.5, 0.9, 1),
        predictions=(Prediction(1, " Tokyo", 9.5, 0.9),),
        metric=MetricInfo(MetricKind.LOGIT, 9.5),
        audit=Audit(1e-7, 1e-6),
        nodes=tuple(nodes),
        edges=tuple(edges),
    )


def test_the_size_is_what_it_says(flow: FlowGraph) -> None:
    """The figures below are of this many."""
    assert (len(flow.nodes), len(flow.edges)) == (N_NODES, N_EDGES)


def test_json_from_flow(benchmark: BenchmarkFixture, flow: FlowGraph) -> None:
    """To text, in memory."""
    benchmark(json_from_flow, flow)


def test_flow_from_json(benchmark: BenchmarkFixture, flow: FlowGraph) -> None:
    """From text, in memory, with every check."""
    assert benchmark(flow_from_json, json_from_flow(flow)) == flow


def test_write_flow(benchmark: BenchmarkFixture, flow: FlowGraph, tmp_path: Path) -> None:
    """To a file, flushed to the disk."""
    benchmark(write_flow, flow, tmp_path / "flow.json")


def test_read_flow(benchmark: BenchmarkFixture, flow: FlowGraph, tmp_path: Path) -> None:
    """From a file, with every check."""
    write_flow(flow, tmp_path / "flow.json")
    assert benchmark(read_flow, tmp_path / "flow.json") == flow

"""The effect on a node is what ``Measure`` says of its site; how many are measured is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from visit.assemble import node_effects
from visit.assemble.node_effects import MEASURED
from visit.engine.questions import Measure
from visit.graph.effect import agreement_of
from visit.graph.flow import FlowGraph, Node
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of", layers="1,4", memories=3, anti_memories=2)


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini", dtype="float64")


@pytest.fixture(scope="module")
def graph(session: Session) -> FlowGraph:
    return session.explain(REQUEST)


def measured(flow: FlowGraph) -> dict[str, Node]:
    return {str(node.id): node for node in flow.nodes if node.effect is not None}


def test_every_part_drawn_at_the_traced_position_is_measured(graph: FlowGraph):
    there = {
        str(node.id)
        for node in graph.nodes
        if node.id.kind in MEASURED and node.id.position == graph.position
    }
    assert set(measured(graph)) == there
    assert len(there) >= 2 * (6 + 5 + 2)


def test_a_nodes_effect_is_the_one_that_measure_finds(session: Session, graph: FlowGraph):
    nodes = measured(graph)
    effects = session.ask(Measure(REQUEST, tuple(nodes)))
    for one in effects.effects:
        found = nodes[str(one.sites[0])].effect
        assert found is not None
        assert found.sites == one.sites
        for way in ("measured", "direct", "flow", "estimate"):
            assert getattr(found, way) == pytest.approx(getattr(one, way), abs=1e-9)


def test_the_graphs_agreement_is_of_the_effects_that_it_holds(graph: FlowGraph):
    effects = [node.effect for node in graph.nodes if node.effect is not None]
    assert graph.agreement == agreement_of(effects)
    assert {one.n for one in graph.agreement.values()} == {len(effects)}


def test_effects_are_left_out_where_they_are_not_wanted(session: Session, graph: FlowGraph):
    without = session.explain(replace(REQUEST, effects=False))
    assert without.agreement is None
    assert without.nodes == tuple(replace(node, effect=None) for node in graph.nodes)


def test_where_all_cost_more_than_the_graph_the_strongest_by_flow_are_measured(
    session: Session, graph: FlowGraph, monkeypatch: pytest.MonkeyPatch
):
    """With room for seven removals at the first layer's price."""
    asked = session.resident.builder.resolve(
        session.resident.trace(REQUEST, lambda *_: None), REQUEST
    )
    price = node_effects._cost_of_layer(asked) * session.model.n_layers
    monkeypatch.setattr(node_effects, "_budget", lambda *_: 7 * price)
    session.resident.answers.clear()
    few = measured(session.explain(REQUEST))
    assert 7 <= len(few) < len(measured(graph))
    weakest = min(abs(node.flow) for node in few.values())
    left_out = [abs(node.flow) for name, node in measured(graph).items() if name not in few]
    assert max(left_out) <= weakest
    monkeypatch.setattr(node_effects, "_budget", lambda *_: 0)
    session.resident.answers.clear()
    assert session.explain(REQUEST).agreement is None
    everything = session.explain(replace(REQUEST, effects=True))
    assert set(measured(everything)) == set(measured(graph))


def test_a_block_opened_at_the_traced_position_is_measured_and_elsewhere_not(session: Session):
    here, earlier = session.open(REQUEST, 2, -1), session.open(REQUEST, 2, 3)
    assert len(measured(here)) == 6 + 5 + 2
    assert measured(earlier) == {}

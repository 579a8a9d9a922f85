"""visit's numbers against VISIT's procedure, one vector at a time, on a GPT-2 of middling size."""

from __future__ import annotations

import pytest
from one_at_a_time import Drawn, carried_by, draw, read_each_once
from sized import gpt2_sized, numbered_prompt

from visit.graph.flow import FlowGraph, NodeKind
from visit.graph.request import Request
from visit.models.loading import Loaded
from visit.session import Session


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return gpt2_sized(seed=1, sharpness=8.0, n_layer=3, n_embd=192, n_head=6, n_positions=32)


@pytest.fixture(scope="module")
def both(loaded: Loaded) -> tuple[FlowGraph, Drawn]:
    flow = Session(loaded).explain(Request(numbered_prompt(9), top_k=7))
    return flow, draw(loaded.model, loaded.tokenizer, flow)


def test_every_node_is_read(both: tuple[FlowGraph, Drawn], loaded: Loaded):
    flow, drawn = both
    assert set(drawn.said) == set(drawn.names) == {node.id for node in flow.nodes}
    assert len({node.id.kind for node in flow.nodes}) > 20
    assert read_each_once(loaded.model, loaded.tokenizer, flow) == drawn.said


def test_labels_are_the_same(both: tuple[FlowGraph, Drawn]):
    flow, drawn = both
    for node in flow.nodes:
        ours, theirs = [token.id for token in node.reading.top], drawn.said[node.id].top
        assert ours == [id_ for id_, _ in theirs] or _is_tie(ours, theirs), node.id
        best, least = theirs[0], theirs[-1]
        name, word = drawn.names[node.id]
        assert name == best[0] or best[1] == least[1]  # no direction, no favourite
        assert word == str(name)
        assert drawn.said[node.id].words[: len(theirs)] == [str(id_) for id_, _ in theirs]


def _is_tie(ours: list[int], theirs: list[tuple[int, float]]) -> bool:
    """Whether two lists hold the same tokens, but for an order among equals."""
    probs = dict(theirs)
    listed = [probs.get(id_, theirs[-1][1]) for id_ in ours]
    return listed == pytest.approx([prob for _, prob in theirs], rel=1e-5)


def test_probabilities_are_the_same(both: tuple[FlowGraph, Drawn]):
    flow, drawn = both
    for node in flow.nodes:
        theirs = drawn.said[node.id]
        for ours, listed in ((node.reading.top, theirs.top), (node.reading.bottom, theirs.bottom)):
            assert [token.prob for token in ours] == pytest.approx(
                [prob for _, prob in listed], abs=1e-5, rel=1e-4
            )
        assert node.reading.target.prob == pytest.approx(theirs.prob, abs=1e-5)


def test_a_link_is_coloured_by_the_entropy_of_what_it_carries(both: tuple[FlowGraph, Drawn]):
    flow, drawn = both
    readings = {node.id: node.reading for node in flow.nodes}
    carried = {
        (edge.source, edge.target): node
        for edge in flow.edges
        if (node := carried_by(edge)) is not None
    }
    assert drawn.colours.keys() == carried.keys()
    kinds = {node.kind for node in carried.values()}
    assert {NodeKind.HEAD, NodeKind.QUERY, NodeKind.MEMORY_KEY, NodeKind.MEMORY_VALUE} <= kinds
    # What is left of a ledger whose every part is drawn is rounding, and says nothing.
    said = {ends: node for ends, node in carried.items() if readings[node].norm > 1e-4}
    assert len(said) > 0.95 * len(carried)
    for ends, node in said.items():
        assert readings[node].entropy == pytest.approx(drawn.colours[ends], abs=1e-4)


def test_ranks_are_the_same_but_for_ties(both: tuple[FlowGraph, Drawn]):
    flow, drawn = both
    # What is left of a ledger whose every part is drawn is rounding, and says nothing.
    nodes = [node for node in flow.nodes if node.reading.norm > 1e-4]
    assert len(nodes) > 0.95 * len(flow.nodes)
    differences = [abs(node.reading.target.rank - drawn.said[node.id].rank) for node in nodes]
    # Float32 rounds the two ways of adding up apart, and 50,257 logits lie close together.
    assert sum(difference > 0 for difference in differences) <= 0.02 * len(differences)
    assert max(differences) <= 2

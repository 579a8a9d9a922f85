"""visit's numbers against VISIT's procedure, one vector at a time, on a GPT-2 of middling size."""

from __future__ import annotations

import pytest
from one_at_a_time import Said, said_one_at_a_time
from sized import gpt2_sized, numbered_prompt

from visit.flow import FlowGraph, NodeId, Request
from visit.session import Session


@pytest.fixture(scope="module")
def both() -> tuple[FlowGraph, dict[NodeId, Said]]:
    loaded = gpt2_sized(seed=1, sharpness=8.0, n_layer=3, n_embd=192, n_head=6, n_positions=32)
    flow = Session(loaded).explain(Request(numbered_prompt(9), top_k=7))
    return flow, said_one_at_a_time(loaded.model, flow)


def test_every_node_is_read(both: tuple[FlowGraph, dict[NodeId, Said]]):
    flow, said = both
    assert set(said) == {node.id for node in flow.nodes}
    assert len({node.id.kind for node in flow.nodes}) > 20


def test_labels_are_the_same(both: tuple[FlowGraph, dict[NodeId, Said]]):
    flow, said = both
    for node in flow.nodes:
        ours, theirs = [token.id for token in node.reading.top], said[node.id].top
        assert ours == [id_ for id_, _ in theirs] or _is_tie(ours, theirs), node.id


def _is_tie(ours: list[int], theirs: list[tuple[int, float]]) -> bool:
    """Whether two lists hold the same tokens, but for an order among equals."""
    probs = dict(theirs)
    listed = [probs.get(id_, theirs[-1][1]) for id_ in ours]
    return listed == pytest.approx([prob for _, prob in theirs], rel=1e-5)


def test_probabilities_and_entropies_are_the_same(both: tuple[FlowGraph, dict[NodeId, Said]]):
    flow, said = both
    for node in flow.nodes:
        theirs = said[node.id]
        for ours, listed in ((node.reading.top, theirs.top), (node.reading.bottom, theirs.bottom)):
            assert [token.prob for token in ours] == pytest.approx(
                [prob for _, prob in listed], abs=1e-5, rel=1e-4
            )
        assert node.reading.target.prob == pytest.approx(theirs.prob, abs=1e-5)
        assert node.reading.target.logit == pytest.approx(theirs.logit, abs=1e-4, rel=1e-4)
        assert node.reading.entropy == pytest.approx(theirs.entropy, abs=1e-4)


def test_ranks_are_the_same_but_for_ties(both: tuple[FlowGraph, dict[NodeId, Said]]):
    flow, said = both
    differences = [abs(node.reading.target.rank - said[node.id].rank) for node in flow.nodes]
    # Float32 rounds the two ways of adding up apart, and 50,257 logits lie close together.
    assert sum(difference > 0 for difference in differences) <= 0.02 * len(differences)
    assert max(differences) <= 2

"""Factors of a real prompt: their flow, their memories, and what is refused."""

from __future__ import annotations

import pytest

from visit.engine.exploring import FindFactors
from visit.engine.questions import RankParts
from visit.errors import RequestError
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of")


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


def test_the_flow_through_all_memories_is_the_rankings(session: Session):
    found = session.ask(FindFactors(REQUEST, 3, "2-4"))
    d_mlp = session.resident.info.d_mlp
    parts = session.ask(RankParts(REQUEST, memories=d_mlp)).parts
    memories = [p for p in parts if p.id.kind is NodeKind.MEMORY_VALUE and p.id.layer in (2, 3, 4)]
    assert len(memories) == 3 * d_mlp
    assert found.flow == pytest.approx(sum(part.flow for part in memories), abs=1e-4)


def test_with_a_factor_a_token_the_positive_activations_flow_is_all_explained(session: Session):
    """As many factors as tokens leave next to nothing, so their flows add up to that of ReLU."""
    found = session.ask(FindFactors(REQUEST, 7))
    assert found.error < 0.12 and found.given and found.left_out == (0,)
    trace = session.resident.trace(REQUEST, lambda *_: None)
    parts = session.ask(RankParts(REQUEST, memories=session.resident.info.d_mlp)).parts
    positive = sum(
        part.flow
        for part in parts
        if part.id.kind is NodeKind.MEMORY_VALUE
        and float(trace.layers[part.id.layer].activation[7, part.id.index]) > 0
    )
    assert sum(one.flow for one in found.factors) == pytest.approx(
        positive, abs=0.1 * abs(positive)
    )


def test_the_first_position_has_a_factor_too(session: Session):
    found = session.ask(FindFactors(Request(REQUEST.prompt, position=0)))
    assert found.position == 0 and len(found.factors) == 1 and 0 not in found.left_out


def test_memories_stand_where_their_factor_is_strongest_and_the_strongest_first(session: Session):
    found = session.ask(FindFactors(REQUEST, first_token=True))
    assert not found.given and len(found.factors) >= 1 and found.left_out == ()
    for one in found.factors:
        assert len(one.activation) == 8
        assert {memory.id.position for memory in one.memories} == {one.peaks[0]}
        weights = [memory.weight for memory in one.memories]
        assert weights == sorted(weights, reverse=True)
    assert [table.name for table in found.tables()] == [
        "factors", "memories", "activation", "errors",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (FindFactors(REQUEST, 8), "factors is 8; 7 tokens are taken, so give 7 at most"),
        (FindFactors(REQUEST, of_layers="9"), "layer 9 does not exist; the model has 0 to 5"),
        (FindFactors(REQUEST, of_layers="none"), "of_layers is 'none'; give layers that have"),
    ],
)
def test_what_cannot_be_factored_is_refused(session: Session, question: FindFactors, said: str):
    with pytest.raises(RequestError, match=said):
        session.ask(question)

"""Query-key maps of the bundled model: every head's correlation, one head's points and pairs."""

from __future__ import annotations

import pytest
import torch

from visit.attribution.scored import score_head
from visit.engine.exploring import MapQueryKey
from visit.errors import RequestError
from visit.explore.query_key import join
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of")


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini", dtype="float64")


def test_every_head_is_correlated_and_the_chosen_one_is_drawn(session: Session):
    found = session.ask(MapQueryKey(REQUEST, "L4.head3"))
    trace = session.resident.trace(REQUEST, lambda *_: None)
    architecture = session.resident.loaded.architecture
    for layer, head in ((0, 1), (4, 3), (5, 5)):
        made = score_head(architecture, trace, layer, head, torch.float64)
        own = join(made.query.whole[1:], made.key.whole[1:], made.seen[1:, 1:])
        assert found.correlations[head][layer] == pytest.approx(own.correlation, abs=1e-9)
    assert found.correlation == found.correlations[3][4] and found.left_out
    assert [one.is_query for one in found.points] == [True] * 7 + [False] * 7
    pattern = session.pattern(REQUEST, 4, 3)
    for one in found.pairs:
        reader, source = found.points[one.query], found.points[one.key]
        assert reader.is_query and not source.is_query
        attention = pattern[reader.token.position][source.token.position]
        assert one.attention == pytest.approx(attention, abs=1e-9)
    attentions = [one.attention for one in found.pairs]
    assert attentions == sorted(attentions, reverse=True)


def test_pairs_of_several_prompts_stay_within_each(session: Session):
    found = session.ask(MapQueryKey(REQUEST, "L4.head3", others=("The capital of Peru is",)))
    assert {one.prompt for one in found.points} == {0, 1}
    for one in found.pairs:
        reader, source = found.points[one.query], found.points[one.key]
        assert reader.prompt == source.prompt
        assert source.token.position <= reader.token.position


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (MapQueryKey(REQUEST, "L4"), "head is 'L4'; give one like L3.head2"),
        (MapQueryKey(Request(" Japan")), "one token is no map; give a longer prompt"),
        (MapQueryKey(REQUEST, others=("a b",) * 50), "50 other prompts are given; 49 are mapped"),
    ],
)
def test_what_cannot_be_mapped_is_refused(session: Session, question: MapQueryKey, said: str):
    with pytest.raises(RequestError, match=said):
        session.ask(question)

"""Why a head attends: complete, ranked, in words, and of the pass's own numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from visit.errors import RequestError
from visit.graph.flow import FlowGraph, NodeKind
from visit.graph.request import Request
from visit.graph.scores import Scores
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of", memories=2, effects=False)
HEAD, SOURCE = "L4.head3@7", 3


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini", dtype="float64")


@pytest.fixture(scope="module")
def scores(session: Session) -> Scores:
    return session.why(REQUEST, HEAD, SOURCE, count=5)


def test_both_sides_and_the_pairs_add_up_to_the_score(scores: Scores):
    assert (str(scores.head), scores.source, scores.bias, scores.cap) == (HEAD, SOURCE, 0.0, None)
    own = {one.position: one.score for one in scores.sources}
    for side in (scores.query, scores.key):
        assert side.total == pytest.approx(scores.score, abs=1e-9)
        assert len(side.parts) == 5 and side.n_others > 5
        sizes = [abs(part.score) for part in side.parts]
        assert sizes == sorted(sizes, reverse=True)
    pairs = sum(pair.score for pair in scores.pairs) + scores.pairs_rest
    assert pairs == pytest.approx(scores.score, abs=1e-9)
    assert own[SOURCE] == scores.score and sum(own.values()) == pytest.approx(0.0, abs=1e-9)
    assert scores.audit.split < 1e-9 and scores.audit.attention < 1e-9


def test_parts_stand_where_the_query_and_the_key_are_made(session: Session):
    scores = session.why(REQUEST, HEAD, SOURCE, count=10_000)
    assert {part.id.position for part in scores.query.parts} == {7}
    assert {part.id.position for part in scores.key.parts} == {SOURCE}
    kinds = {part.id.kind for part in scores.key.parts}
    assert kinds >= {NodeKind.EMBED, NodeKind.HEAD, NodeKind.MLP, NodeKind.LN1, NodeKind.KEY}
    assert all(part.id.layer is None or part.id.layer <= 4 for part in scores.query.parts)
    assert scores.query.n_others == 0 and scores.query.rest == 0.0


def test_parts_say_what_they_say_in_the_graph(session: Session):
    """The same words as the nodes of the drawn graph, where it has them."""
    request = replace(REQUEST, layers="all")
    graph: FlowGraph = session.explain(request)
    nodes = {node.id: node for node in graph.nodes}
    scores = session.why(request, HEAD, SOURCE, count=10_000)
    shared = [part for part in scores.query.parts if part.id in nodes and part.top]
    assert len(shared) > 10
    for part in shared:
        assert part.word == nodes[part.id].word
    assert all(part.word is None for part in scores.query.parts if part.id.kind is NodeKind.LN1)


def test_the_source_attended_to_most_is_the_default(session: Session):
    pattern = session.pattern(REQUEST, 4, 3)[7]
    scores = session.why(REQUEST, HEAD)
    assert pattern[scores.source] == max(pattern) == scores.attention
    assert session.why(REQUEST, HEAD, -3).source == 5
    assert session.why(REQUEST, "L4.head3") == scores


def test_a_changed_pass_is_explained_as_it_was_run(session: Session):
    """What is knocked out is not seen; a head that is off adds nothing."""
    request = replace(REQUEST, interventions=("L4.head3@7<0 knockout", "L2.head1@7 zero"))
    scores = session.why(request, HEAD, SOURCE, count=10_000)
    assert 0 not in {one.position for one in scores.sources}
    part = next(part for part in scores.query.parts if str(part.id) == "L2.head1@7")
    assert part.score == 0.0 and part.without == pytest.approx(scores.attention, abs=1e-12)
    assert scores.audit.split < 1e-9
    with pytest.raises(RequestError, match=r"does not read position 0, .* give one of 1 to 7"):
        session.why(request, HEAD, 0)


@pytest.mark.parametrize(
    ("head", "source", "said"),
    [
        ("L4.mlp@7", None, "is not a head; give one like 'L5.head3@7', or 'L5.head3'"),
        ("L4.head3@*", None, "is not a head"),
        ("L4.head3@9", None, "position 9 does not exist; the prompt has 0 to 7"),
        ("L9.head3@7", None, "the model has the layers 0 to 5"),
        ("L4.head6@7", None, "its numbers are 0 to 5"),
        ("L4.head3@5", 6, "does not read position 6, which is later"),
        ("L4.head3@5", 8, "position 8 does not exist"),
        ("L4.head3@0", 0, "reads position 0 alone, whatever its score; there is nothing to expl"),
    ],
)
def test_what_no_head_reads_is_refused(session: Session, head: str, source: int | None, said: str):
    with pytest.raises(RequestError, match=said):
        session.why(REQUEST, head, source)

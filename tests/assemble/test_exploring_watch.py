"""Watched tokens of a real prompt: what the lens says of each, and what moved it."""

from __future__ import annotations

import re

import planted
import pytest
from specimens import MAKERS, TOKEN_IDS, specimen

from visit.attribution.candidate_flow import find_candidate_flow
from visit.attribution.metric import Metric, find_candidates
from visit.attribution.metric_flow import find_flow
from visit.engine.exploring import MOST_WATCHED, WatchTokens
from visit.errors import RequestError
from visit.graph.explored.watch import Watched
from visit.graph.kinds import NodeKind
from visit.graph.metric import MetricKind
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of")


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.fixture(scope="module")
def watched(session: Session) -> Watched:
    return session.ask(WatchTokens(REQUEST, (" Tokyo", " Paris", r"\#400")))


def test_each_token_is_read_as_the_lens_reads_it(session: Session, watched: Watched):
    assert [one.id for one in watched.watched][2] == 400
    for one in watched.watched:
        nodes = session.lens(Request(REQUEST.prompt, target_id=one.id), (-1,))
        assert one.readings == tuple(node.reading.target for node in nodes)
        assert len(one.readings) == watched.model.n_layers + 1


def test_the_last_reading_is_what_the_model_itself_says(session: Session, watched: Watched):
    graph = session.explain(REQUEST)
    tokyo = watched.watched[0].readings[-1]
    assert tokyo.rank == graph.target.rank == 1
    assert tokyo.prob == pytest.approx(graph.target.prob, rel=1e-4)
    assert tokyo.logit == pytest.approx(graph.target.logit, abs=1e-4)


def test_what_moved_it_is_the_flow_to_its_choice(session: Session, watched: Watched):
    trace = session.resident.trace(REQUEST, lambda *_: None)
    ids = tuple(one.id for one in watched.watched)
    candidates = find_candidates(trace.logits[-1], 100, ids)
    assert watched.candidates == 100
    for one in watched.watched:
        metric = Metric(MetricKind.CHOICE, one.id, candidates)
        flow = find_flow(session.resident.loaded.architecture, trace, watched.position, metric)
        for layer, at in enumerate(flow.layers):
            assert one.attn[layer] == pytest.approx(float(at.attn[-1]), abs=1e-4)
            assert one.mlp[layer] == pytest.approx(float(at.mlp[-1]), abs=1e-4)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_what_is_written_at_the_position_flows_to_every_token_of_every_family(name: str):
    tiny, position, ids = specimen(name), len(TOKEN_IDS) - 2, (7, 20)
    centre = (7, 20, 3, 40)
    found = find_candidate_flow(
        tiny.architecture, tiny.trace, position, ids, (), centre=centre, first=position
    )
    for place, id_ in enumerate(ids):
        metric = Metric(MetricKind.CHOICE, id_, centre)
        flow = find_flow(tiny.architecture, tiny.trace, position, metric)
        for layer, at in enumerate(flow.layers):
            for ours, theirs in ((found.attn, at.attn), (found.mlp, at.mlp)):
                own = float(ours[layer, place, 0])
                assert own == pytest.approx(float(theirs[position]), abs=1e-9, rel=1e-9)


def test_the_strongest_moves_stand_first_and_lead_to_their_parts(watched: Watched):
    tokens, moves, depths = watched.tables()
    sizes = [abs(row[3]) for row in moves.rows]
    assert sizes == sorted(sizes, reverse=True)
    n_layers = watched.model.n_layers
    assert len(moves.rows) == 3 * 2 * n_layers and len(depths.rows) == 3 * (n_layers + 1)
    layer, part, *_ = moves.rows[0]
    assert moves.nodes[0] == f"L{layer}.{part}@7"
    assert depths.nodes[0] == "embed@7" and depths.nodes[1] == "L0.resid_post@7"
    assert [row[0] for row in tokens.rows] == [" Tokyo", " Paris", watched.watched[2].text]
    assert tokens.rows[0][1:5] == (1, 1, "layer 4", "L5.mlp")


def test_the_findings_say_when_each_leads_and_what_moved_it(watched: Watched):
    said = watched.findings()
    assert said[0].startswith("·Tokyo leads from layer 4 on; lifted most by layer 5's MLP (+4")
    assert said[1] == f"at rank 1: ·Tokyo after layer 4 to {watched.model.n_layers - 1}"
    ranks = [one.rank for one in watched.watched[0].readings]
    assert ranks[5:] == [1] * len(ranks[5:]) and ranks[4] > 1


def test_what_never_leads_is_said(session: Session):
    never = session.ask(WatchTokens(REQUEST, (" Paris",)))
    assert re.match(
        r"·Paris ends at rank [\d,]+(, its best|, after [\d,]+ at layer)", never.findings()[0]
    )
    assert never.findings()[1] == "none of the watched tokens is ever at rank 1"


def test_without_names_the_likeliest_are_watched_with_what_is_asked_for(session: Session):
    by_itself = session.ask(WatchTokens(REQUEST))
    predicted = [one.id for one in session.explain(REQUEST).predictions[:5]]
    assert [one.id for one in by_itself.watched] == predicted
    named = session.ask(WatchTokens(Request(REQUEST.prompt, target=" Oslo", versus=" Paris")))
    assert {" Oslo", " Paris"} < {one.text for one in named.watched}
    earlier = session.ask(WatchTokens(REQUEST, at=2))
    assert earlier.position == 2
    assert " Japan" in {one.text for one in earlier.watched}  # which really comes next
    assert earlier.tables()[1].nodes[0].endswith("@2")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ((" Tokyo is",), "the token ' Tokyo is' is 2 tokens"),
        ((" Tokyo", " Tokyo"), "tokens names ' Tokyo' and ' Tokyo', which are one; leave one out"),
        ((r"\#999999",), "the token is 999999; the model knows ids 0 to"),
    ],
)
def test_what_is_no_token_is_refused(session: Session, tokens: tuple[str, ...], message: str):
    with pytest.raises(RequestError, match=message):
        session.ask(WatchTokens(REQUEST, tokens))


def test_a_ninth_token_is_refused():
    with pytest.raises(RequestError, match="9 tokens are to be watched; give 8 at most"):
        WatchTokens(REQUEST, tuple("abcdefghi"))
    assert MOST_WATCHED == 8


def test_what_a_planted_head_says_comes_up_in_its_layer_and_is_moved_by_it():
    question = WatchTokens(Request(planted.PROMPT), (planted.SAYS, " 2"))
    found = Session(planted.planted()).ask(question)
    said = found.watched[0]
    assert said.readings[-1].rank == 1 and said.readings[1].rank > 1
    _, layer, kind = said.moves[0]
    assert f"L{layer}" == planted.INDUCTION.partition(".")[0] and kind is NodeKind.ATTN

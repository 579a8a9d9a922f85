"""One graph over many prompts: of one prompt it is that prompt, whatever order and batches."""

from __future__ import annotations

from dataclasses import replace

import networkx
import pytest

from visit.engine.questions import Measure, ReadConsensus
from visit.errors import Cancelled, RequestError
from visit.formats.consensus import (
    consensus_from_json,
    data_from_consensus,
    json_from_consensus,
)
from visit.formats.consensus_summary import text_from_consensus
from visit.graph.consensus import Consensus
from visit.graph.flow import NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.metric import MetricKind
from visit.graph.request import Request
from visit.session import Session

TEMPLATE = "The capital of {country} is the city of"
COUNTRIES = ("Japan", "France", "New Zealand", "Spain", "Egypt", "China", "Italy")


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


def ask(*countries: str, **named: object) -> ReadConsensus:
    asked = ReadConsensus(
        Request(TEMPLATE),
        values=tuple((country,) for country in countries),
        lines=tuple(range(1, len(countries) + 1)),
        targets=("",) * len(countries),
        template=TEMPLATE,
    )
    return replace(asked, **named)


@pytest.fixture(scope="module")
def several(session: Session) -> Consensus:
    return session.ask(ask(*COUNTRIES))


def test_the_consensus_of_one_prompt_is_that_prompt(session: Session):
    found = session.ask(ask("Japan"))
    request = Request(
        TEMPLATE.format(country="Japan"), layers="none", strongest=999, outcome=False,
        effects=False, threshold=0.0,
    )  # fmt: skip
    flow = session.explain(request)
    index, own = Index(flow), {node.id: node for node in found.nodes}
    effects = session.ask(Measure(request, ("heads", "mlp")))
    measured = {one.sites[0].node: one.measured for one in effects.effects}
    n_compared = 0
    for node in flow.nodes:
        if node.id.kind in (NodeKind.HEAD, NodeKind.MLP, NodeKind.RESID_POST, NodeKind.EMBED):
            spread = own[node.id].flow
            assert spread is not None and (spread.n, spread.sd, spread.low) == (1, None, None)
            assert spread.mean == pytest.approx(node.flow, abs=2e-5)
            n_compared += 1
        if node.id in measured:
            direct, effect = own[node.id].direct_logit, own[node.id].effect
            assert direct is not None and effect is not None
            assert direct.mean == pytest.approx(index.direct_logit(node.id), abs=2e-5)
            assert effect.mean == pytest.approx(measured[node.id], abs=2e-5)
    assert n_compared > 200 and len(measured) == 42
    (prompt,) = found.prompts
    assert (prompt.target.text, prompt.metric) == (" Tokyo", pytest.approx(flow.metric.value))
    assert prompt.target.prob == pytest.approx(flow.target.prob)


def test_neither_order_nor_batches_change_anything_but_rounding(
    session: Session, several: Consensus
):
    for other in (ask(*reversed(COUNTRIES)), ask(*COUNTRIES, batch=1), ask(*COUNTRIES, batch=3)):
        found = session.ask(other)
        assert found.slots == several.slots
        for ours, theirs in zip(found.nodes, several.nodes, strict=True):
            assert ours.id == theirs.id
            for measure in ("flow", "direct_logit", "effect"):
                a, b = getattr(ours, measure), getattr(theirs, measure)
                if a is not None:
                    ends = [(one.mean, one.low or 0, one.high or 0) for one in (a, b)]
                    assert ends[0] == pytest.approx(ends[1], abs=2e-4)


def test_a_longer_value_has_a_slot_of_its_own_and_the_mean_says_over_how_many(several: Consensus):
    names = [(slot.name, slot.before, slot.n) for slot in several.slots]
    assert names[3:5] == [("country", 1, 1), ("country", 0, 7)]
    assert several.traced == 8
    for node in several.nodes:
        assert node.flow is not None and node.flow.n == several.slots[node.id.position].n


def test_what_a_head_takes_from_every_slot_adds_up_to_its_flow(session: Session):
    countries = ("Japan", "France", "Spain")
    found = session.consensus(Request(TEMPLATE), countries, TEMPLATE, effects=False)
    own = {node.id: node.flow.mean for node in found.nodes if node.flow is not None}
    taken: dict[NodeId, float] = {}
    for edge in found.edges:
        if edge.target.kind is NodeKind.HEAD:
            taken[edge.target] = taken.get(edge.target, 0.0) + edge.flow.mean
    assert len(taken) > 5
    for head, flow in taken.items():
        assert flow == pytest.approx(own[head], abs=1e-4)


def test_what_cannot_be_read_is_left_out_by_its_line(session: Session):
    question = ask("Japan", "Japan " * 200, "France", "Spain")
    question = replace(question, lines=(4, 7, 9, 12), targets=("", "", " two tokens", ""))
    found = session.ask(question)
    assert [one.line for one in found.prompts] == [4, 12]
    assert [one.line for one in found.left_out] == [7, 9]
    assert "tokens long; mini reads" in found.left_out[0].reason
    assert "give a single token" in found.left_out[1].reason
    text = text_from_consensus(found, 3)
    assert "left out: 2\n  line 7: " in text and "2 prompts, the target first in 2" in text
    with pytest.raises(RequestError, match=r"no prompt can be read; line 1: target"):
        session.ask(replace(ask("Japan"), targets=("two tokens",)))


def test_prompts_without_a_template_share_their_ends(session: Session):
    prompts = [TEMPLATE.format(country=country) for country in ("Japan", "New Zealand")]
    question = ReadConsensus(
        Request(prompts[0]), values=tuple((one,) for one in prompts), lines=(1, 2),
        targets=("", ""), effects=False,
    )  # fmt: skip
    found = session.ask(question)
    assert [slot.before for slot in found.slots] == [None] * 3 + [1, 0] + [None] * 4
    assert all(node.effect is None for node in found.nodes)


def test_it_says_how_far_it_is_and_can_be_stopped(session: Session):
    told: list[float] = []

    def tell(stage: str, part: float) -> None:
        told.append(part)
        if part > 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        session.ask(ask(*COUNTRIES, batch=2), tell)
    assert told == sorted(told) and 0.5 < told[-1] < 1
    assert session.ask(ask("Japan", effects=False)).prompts


def test_a_document_reads_back_and_networkx_reads_it(several: Consensus):
    text = json_from_consensus(several)
    assert consensus_from_json(text) == several
    graph = networkx.node_link_graph(data_from_consensus(several), edges="edges")
    assert graph.number_of_nodes() == len(several.nodes)
    assert graph.number_of_edges() == len(several.edges)


def test_a_request_that_no_batch_can_serve_is_refused(session: Session):
    question = ask("Japan")
    with pytest.raises(RequestError, match="leave interventions out"):
        session.ask(replace(question, request=Request("x", interventions=("L0.mlp@1",))))
    with pytest.raises(RequestError, match="each prompt has 1 values"):
        replace(question, values=(("a", "b"),))


def test_a_prompt_that_is_left_out_late_has_no_part_in_the_slots(session: Session):
    """Which is known of its answer alone: here that it is the token to compare with."""
    versus = replace(Request(TEMPLATE), versus=" Paris")
    question = replace(ask("New Caledonia", "France", "Japan", "Spain"), request=versus)
    found = session.ask(question)
    assert {one.line: one.reason for one in found.left_out} == {
        2: "versus ' Paris' is its target itself"
    }
    kept = session.ask(replace(ask("New Caledonia", "Japan", "Spain"), request=versus))
    assert found.slots == kept.slots
    assert found.traced == kept.traced
    for mine, theirs in zip(found.nodes, kept.nodes, strict=True):
        assert mine.id == theirs.id
        for one, other in ((mine.flow, theirs.flow), (mine.effect, theirs.effect)):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert (one.n, one.mean) == (other.n, pytest.approx(other.mean, abs=1e-4))


def test_slots_that_only_a_prompt_left_out_has_are_gone(session: Session):
    versus = replace(Request(TEMPLATE), versus=" Paris")
    question = replace(ask("the old land of France", "Japan", "Spain"), request=versus)
    found, kept = (
        session.ask(one) for one in (question, replace(ask("Japan", "Spain"), request=versus))
    )
    assert [one.line for one in found.left_out] == [1]
    assert found.kind is kept.kind is MetricKind.LOGIT_DIFFERENCE
    assert found.slots == kept.slots
    assert [node.id for node in found.nodes] == [node.id for node in kept.nodes]
    assert [(one.source, one.target) for one in found.edges] == [
        (one.source, one.target) for one in kept.edges
    ]


def test_a_text_is_no_list_of_values(session: Session):
    with pytest.raises(RequestError, match=r"^values is 'Fr'; give a list, with a text a prompt$"):
        session.consensus(Request(TEMPLATE), "Fr", template=TEMPLATE)

"""A changed pass is taken apart like any: its ledgers add up, and it says what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from specimens import FEW, STRUCTURES, TOKEN_IDS, builder, specimen
from torch import Tensor

from visit.engine.questions import Explain, Measure, ReadPattern
from visit.errors import RequestError
from visit.formats.document import flow_from_json, json_from_flow
from visit.formats.records import data_from_flow
from visit.graph.flow import FlowGraph
from visit.graph.interventions import Intervention, Site
from visit.graph.request import Request
from visit.models.architectures.base import Experts
from visit.session import Session
from visit.tracing.interventions import edits_from
from visit.tracing.trace import record

LAST = len(TOKEN_IDS) - 1
TOLERANCE = 1e-9


def no_value(site: Site) -> Tensor:
    raise AssertionError(site)


def explain_without(name: str, *texts: str) -> FlowGraph:
    tiny = specimen(name)
    changes = [Intervention.parse(text) for text in texts]
    edits = sum((edits_from(one, LAST, no_value) for one in changes), ())
    trace = record(tiny.model, tiny.architecture, TOKEN_IDS, edits=edits, plain=tiny.trace)
    request = replace(FEW, layers="all", strongest=6, interventions=texts)
    return builder(name).whole(trace, request, lambda *_: None)


def changes_of(name: str) -> tuple[str, ...]:
    is_mixture = isinstance(specimen(name).architecture.blocks[1].mlp, Experts)
    inside = f"L1.expert1@{LAST}" if is_mixture else f"L1.memory3.value@{LAST}"
    return (
        "L0.head1@4", "L1.head0@*", f"L1.head2@{LAST}<3", f"L0.head0@{LAST} scale:0.5", inside,
        f"L0.attn@{LAST - 1}", "L0.mlp@2 scale:-0.3", f"L1.head1@{LAST}<2 knockout",
    )  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_changed_pass_adds_up(name: str):
    flow = explain_without(name, *changes_of(name))
    assert flow.audit.residual < TOLERANCE
    assert flow.audit.logit < TOLERANCE
    assert flow.audit.flow is not None and flow.audit.flow < TOLERANCE


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


PROMPT = Request("The capital of Japan is the city of", layers="none", strongest=0)
SITES = ("L5.head2@7", "L5.mlp@7", "L4.head1@7<3")


def test_a_changed_passes_metric_is_the_measured_one(session: Session):
    plain = session.explain(PROMPT)
    without = session.explain(replace(PROMPT, interventions=SITES))
    (effect,) = session.measure(PROMPT, *SITES, together=True).effects
    assert without.metric.value - plain.metric.value == pytest.approx(effect.measured, abs=1e-4)
    assert effect.after is not None
    assert without.predictions[0].text == effect.after.top[0].text
    assert without.target.prob == pytest.approx(effect.after.prob, rel=1e-4)
    assert without.target.rank == effect.after.rank
    assert (without.target.id, plain.target.text) == (plain.target.id, " Tokyo")
    asked = [one.id for one in plain.metric.candidates]
    assert sorted(one.id for one in without.metric.candidates) == sorted(asked)


def test_plain_and_changed_passes_are_kept_side_by_side(session: Session):
    plain = session.explain(PROMPT)
    forwards: list[str] = []
    changed = replace(PROMPT, interventions=("L5.head2@7",))
    first = session.explain(changed)
    for request, expected in ((PROMPT, plain), (changed, first)):
        again = session.ask(Explain(request), lambda stage, _: forwards.append(stage))
        assert again == expected
    assert "forward" not in forwards
    pattern = session.ask(ReadPattern(changed, 5, 2))
    assert set(pattern[7]) == {0.0}
    assert sum(session.ask(ReadPattern(PROMPT, 5, 2))[7]) == pytest.approx(1, abs=1e-5)


def test_a_document_says_what_was_changed(session: Session):
    request = replace(PROMPT, interventions=("L5.head2@7", "L4.head1@7<3 knockout"))
    flow = session.explain(request)
    data = data_from_flow(flow)
    assert data["graph"]["interventions"] == [
        {"site": "L5.head2@7", "how": "zero"},
        {"site": "L4.head1@7<3", "how": "knockout"},
    ]
    assert flow_from_json(json_from_flow(flow)).request.interventions == request.interventions
    assert "interventions" not in data_from_flow(session.explain(PROMPT))["graph"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("L5.head99@7", "L5.head99@7 does not exist: its numbers are 0 to 5"),
        ("L5.head2@9", "comes after the traced position 7"),
        ("L77.mlp@7", "the model has the layers 0 to"),
    ],
)
def test_what_the_model_does_not_have_is_refused(session: Session, text: str, said: str):
    with pytest.raises(RequestError, match=said):
        session.explain(replace(PROMPT, interventions=(text,)))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("nonsense",), "'nonsense' is not a site"),
        (("L5.head2@7 soon",), "how 'soon' is not known"),
        (("L5.head2@7 mean",), "can be measured but not drawn"),
        (("L5.resid_post@7",), "can be measured but not drawn"),
        (("embed@3",), "a pass without embed@3 can be measured but not drawn; draw one without"),
        (("L5.head2@7", "L5.head2@7 zero"), "changed twice"),
        (("L5.head2@7 knockout",), "cannot be knocked out"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(texts: tuple[str, ...], said: str):
    with pytest.raises(RequestError, match=said) as refused:
        Request("x", interventions=texts)
    assert "\n" not in str(refused.value)


def test_effects_are_of_the_plain_pass(session: Session):
    with pytest.raises(RequestError, match="measured against the plain pass"):
        session.ask(Measure(replace(PROMPT, interventions=SITES), ("L5.head1@7",)))

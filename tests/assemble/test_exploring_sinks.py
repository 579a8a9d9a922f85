"""Sinks of the bundled model, and what hiding the strongest does."""

from __future__ import annotations

import pytest

from visit.engine.exploring import ReadSinks
from visit.engine.questions import Measure
from visit.graph.explored.sinks import RESTS, Sinks
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of")


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.fixture(scope="module")
def sinks(session: Session) -> Sinks:
    return session.ask(ReadSinks(REQUEST))


def test_heads_that_rest_are_those_of_the_patterns(session: Session, sinks: Sinks):
    found = {(one.layer, one.head, one.position): one.attention for one in sinks.heads}
    for layer in range(6):
        for head in range(6):
            pattern = session.pattern(REQUEST, layer, head)
            for source in range(5):  # those with four readers or more
                mean = sum(pattern[reader][source] for reader in range(source, 8)) / (8 - source)
                assert (mean >= RESTS) == ((layer, head, source) in found)
                if mean >= RESTS:
                    assert found[layer, head, source] == pytest.approx(mean, abs=1e-6)


def test_of_three_tokens_nothing_is_said(session: Session):
    """The first reads itself alone, so a third of its attention is there in any model."""
    found = session.ask(ReadSinks(Request("The capital of")))
    assert found.heads == () and found.without is None
    assert found.findings()[0] == "3 tokens are too few to say where heads rest."


def test_norms_are_the_lens_nodes(session: Session, sinks: Sinks):
    nodes = session.lens(REQUEST, range(8))
    own = [node.reading.norm for node in nodes]
    told = [sinks.norms[depth][at] for at in range(8) for depth in range(7)]
    assert told == pytest.approx(own, rel=1e-5)


def test_hiding_the_strongest_is_the_measured_knock_out_of_every_head(
    session: Session, sinks: Sinks
):
    at = sinks.strongest()
    sites = tuple(f"L{layer}.head{head}@7<{at}" for layer in range(6) for head in range(6))
    answer = session.ask(Measure(REQUEST, sites, how="knockout", together=True))
    assert sinks.without is not None and sinks.without.position == at
    assert sinks.without.measured == pytest.approx(answer.effects[0].measured, abs=1e-4)
    assert sinks.without.prob == pytest.approx(answer.effects[0].after.prob, abs=1e-6)
    assert sinks.without.before == pytest.approx(answer.base.prob, abs=1e-6)
    assert len(sinks.findings()) == 3


def test_it_is_not_hidden_where_that_is_not_asked_for_or_cannot_be(session: Session):
    assert session.ask(ReadSinks(REQUEST, hide=False)).without is None
    assert session.ask(ReadSinks(Request(" Japan"))).without is None
    changed = Request(REQUEST.prompt, interventions=("L4.head3@7 zero",))
    assert session.ask(ReadSinks(changed)).without is None

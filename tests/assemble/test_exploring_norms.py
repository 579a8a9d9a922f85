"""The norms of a real prompt: whole, ranked, and said."""

from __future__ import annotations

import pytest

from visit.engine.exploring import ReadNorms
from visit.graph.explored.norms import Norms
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of", position=5)


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.fixture(scope="module")
def norms(session: Session) -> Norms:
    return session.ask(ReadNorms(REQUEST))


def test_every_head_stands_with_the_sources_that_the_traced_position_sees(session, norms):
    sizes = norms.model
    assert len(norms.heads) == sizes.n_layers * sizes.n_heads
    assert norms.position == 5 and len(norms.tokens) == 8
    for one in norms.heads:
        pattern = session.pattern(REQUEST, one.layer, one.head)[5]
        assert one.attention == pytest.approx(pattern[:6], abs=1e-6)
        assert len(one.moved) == 6 and sum(one.parts) == pytest.approx(1.0)
        assert 0 <= one.mixing <= 1


def test_where_the_pattern_misleads_most_stands_first(norms: Norms):
    sources, layers = norms.tables()
    column = sources.columns.index("attention less part moved")
    gaps = [row[column] for row in sources.rows]
    assert gaps == sorted(gaps, reverse=True)
    assert len(sources.rows) == len(norms.heads) * 6
    assert len(layers.rows) == norms.model.n_layers
    assert sources.nodes[0] == f"L{sources.rows[0][0]}.head{sources.rows[0][1]}@5"


def test_a_prompt_of_one_token_mixes_nothing(session: Session):
    alone = session.ask(ReadNorms(Request(" Japan")))
    assert len(alone.tokens) == 1
    assert all(one.mixing == 0.0 for one in alone.heads)
    assert all(one.residual == 0.0 for one in alone.traced) and alone.everywhere == ()
    assert len(alone.findings()) == 2 and len(alone.tables()[1].rows) == alone.model.n_layers

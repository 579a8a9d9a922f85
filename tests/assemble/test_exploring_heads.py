"""Heads of the bundled model: found, carded, and losing what they are known for when taken away."""

from __future__ import annotations

import pytest
import torch

from visit.assemble.exploring import heads as exploring_heads
from visit.engine.exploring import ReadHeads
from visit.engine.questions import Measure, ReadUpstream
from visit.errors import RequestError
from visit.graph.explored.heads import Heads
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of")


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.fixture(scope="module")
def heads(session: Session) -> Heads:
    return session.ask(ReadHeads(REQUEST))


def test_the_induction_heads_that_are_found_lose_induction_when_taken_away(
    session: Session, heads: Heads
):
    """Random words said twice are foretold, where the model can; hardly without those heads."""
    tokens = session.resident.tokens
    words = [
        id_
        for id_ in range(session.resident.info.d_vocab)
        if tokens.text(id_).startswith(" ") and tokens.text(id_)[1:].isalpha()
    ]
    found = heads.known("induction")
    assert 1 <= len(found) <= 8
    others = [one for one in heads.heads if one not in found and one.layer in (1, 2)]
    lost = {"induction": [], "others": []}
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(words), generator=generator)[:12].tolist()
        row = [words[place] for place in order]
        request = Request("x", prompt_ids=(*row, *row[:7]), target_id=row[7], effects=False)
        for name, some in (("induction", found), ("others", others[: len(found)])):
            sites = tuple(f"L{one.layer}.head{one.head}@*" for one in some)
            answer = session.ask(Measure(request, sites, together=True))
            if answer.base.prob > 0.5:
                lost[name].append(answer.effects[0].measured)
    assert len(lost["induction"]) >= 3
    assert max(lost["induction"]) < -3.0
    assert sum(lost["induction"]) < 2 * sum(lost["others"])


def test_another_heads_card_does_not_compose_every_pair_again(
    session: Session, heads: Heads, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exploring_heads, "compose", None)
    found = session.ask(ReadHeads(REQUEST, "L3.head1"))
    assert found.compositions == heads.compositions and found.by_layer == heads.by_layer
    for pairs, end in ((found.card.reads, "reader"), (found.card.feeds, "writer")):
        assert pairs and {getattr(one, end) for one in pairs} == {(3, 1)}
        amounts = [one.amount for one in pairs]
        assert amounts == sorted(amounts, reverse=True)


def test_the_card_is_of_the_named_head_and_its_flow_is_the_graphs(session: Session):
    found = session.ask(ReadHeads(REQUEST, "L4.head3"))
    card = found.card
    assert str(card.id) == "L4.head3@7"
    upstream = session.ask(ReadUpstream(REQUEST, "L4.head3@7", count=1000))
    assert card.flow == upstream.flow
    parts = {part.id: part.flow for part in upstream.parts if part.id.kind is NodeKind.HEAD}
    assert dict(card.upstream) == {id_: parts[id_] for id_, _ in card.upstream}
    assert all(one.reader == (4, 3) and one.writer[0] < 4 for one in card.reads)
    assert all(one.writer == (4, 3) and one.reader[0] > 4 for one in card.feeds)
    assert [one.token for one in card.tokens][:3] == ["The", " capital", " of"]
    assert "4.3 lifts the very token" in found.findings()[1]


def test_without_a_name_the_head_with_the_most_flow_has_the_card(heads: Heads):
    assert heads.card.id.kind is NodeKind.HEAD and heads.card.id.position == 7
    assert [len(rows) for rows in heads.by_layer.values()] == [heads.model.n_layers] * 3
    amounts = [one.amount for one in heads.compositions if one.side == "k"]
    assert amounts == sorted(amounts, reverse=True)
    strongest = max(v for row in heads.by_layer["k"] for v in row if v is not None)
    assert amounts[0] == pytest.approx(strongest)


def test_the_card_takes_the_pairs_that_it_lists_into_parts(heads: Heads):
    card = heads.card
    listed = {(one.side, one.writer, one.reader) for one in (*card.reads, *card.feeds)}
    pairs = [(one.side, one.writer, one.reader) for one in card.parts]
    assert set(pairs) == listed and len(pairs) == 3 * len(listed)
    amounts = [one.amount for one in card.parts]
    assert amounts == sorted(amounts, reverse=True)
    table = next(table for table in heads.tables() if table.name == "parts")
    assert len(table.rows) == len(pairs)
    assert str(card.id) not in table.nodes


def test_a_pair_that_is_named_is_taken_into_parts_alone(session: Session):
    found = session.ask(ReadHeads(REQUEST, "L4.head3", pair="L1.head2"))
    parts = found.card.parts
    assert {(one.writer, one.reader) for one in parts} == {((1, 2), (4, 3))}
    assert {one.side for one in parts} == {"q", "k", "v"} and len(parts) == 24
    later = session.ask(ReadHeads(REQUEST, "L4.head3", pair="L5.head0"))
    assert {(one.writer, one.reader) for one in later.card.parts} == {((4, 3), (5, 0))}


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("4.3", "pair is '4.3'; give one like L3.head2"),
        ("L4.head1", "pair is 'L4.head1', of the same layer as 4.3, so neither reads the other"),
    ],
)
def test_a_pair_that_cannot_be_is_refused(session: Session, pair: str, said: str):
    with pytest.raises(RequestError, match=said):
        session.ask(ReadHeads(REQUEST, "L4.head3", pair=pair))


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("4.3", "head is '4.3'; give one like L3.head2"),
        ("L9.head0", "layer 9 does not exist; the model has 0 to 5"),
        ("L4.head99", "head 99 does not exist; each layer has 0 to 5"),
    ],
)
def test_a_head_that_is_not_there_is_refused(session: Session, head: str, said: str):
    with pytest.raises(RequestError, match=said):
        session.ask(ReadHeads(REQUEST, head))

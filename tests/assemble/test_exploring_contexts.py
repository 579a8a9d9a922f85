"""Contexts of real parts: named or chosen, kept on the disk, and refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from visit.assemble import kept_files
from visit.engine.exploring import FindContexts
from visit.engine.questions import RankParts
from visit.errors import RequestError
from visit.explore import contexts
from visit.graph.explored.contexts import Contexts
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.session import Session
from visit.web.explore.view import Shown
from visit.web.explore.views.contexts import CONTEXTS
from visit.web.theme import LIGHT
from visit.web.trees import trees

REQUEST = Request("The capital of Japan is the city of")
TEXT = "The capital of Peru is the city of Lima. The capital of Kenya is the city of Nairobi."


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


def ask(session: Session, part: str, text: str = TEXT, count: int = 5) -> Contexts:
    session.resident.answers.clear()
    return session.ask(FindContexts(REQUEST, part, text, count))


def test_a_memory_is_said_with_its_text_before_and_behind(session: Session):
    found = ask(session, "L5.memory20")
    assert str(found.part) == "L5.memory20.value@7" and len(found.highest) == 5
    values = [one.value for one in found.highest]
    assert values == sorted(values, reverse=True)
    ids = session.resident.tokens.read(Request(TEXT))
    trace = session.resident.trace(Request(TEXT), lambda *_: None)
    for one in found.highest:
        assert one.value == pytest.approx(float(trace.layers[5].activation[one.at, 20]), abs=1e-5)
        assert one.token == ids[one.at].text and one.reads is None
        assert one.before[-1:] == tuple(token.text for token in ids[max(0, one.at - 1) : one.at])
    assert all(one.value < 0 for one in found.lowest)


def test_a_head_reads_the_token_it_attends_to_most_the_bos_that_each_piece_begins_with_among_them(
    session: Session,
):
    tokens = session.resident.tokens
    request, text = replace(REQUEST, bos=True), f"{TEXT} " * 8
    found = session.ask(FindContexts(request, "L0.head0", text, 20))
    bos, *ids = (token.id for token in tokens.read(Request(text, bos=True)))
    length = session.resident.loaded.architecture.sizes.n_context - 1
    pieces = [ids[begin : begin + length] for begin in range(0, len(ids), length)]
    assert len(pieces) > 1
    read = []
    for one in found.highest:
        piece, place = divmod(one.at, length)
        whole = [bos, *pieces[piece]]
        pattern = session.pattern(Request(prompt_ids=tuple(whole)), 0, 0)[place + 1]
        source = max(range(place + 2), key=lambda at: pattern[at])
        assert one.reads == tokens.text(whole[source])
        assert one.attention == pytest.approx(pattern[source], abs=1e-5)
        read.append(source)
    assert 0 in read


def test_a_memorys_nearest_are_those_whose_logits_go_with_its_own(session: Session):
    """Correlations of whole rows of logits, made of the weights by themselves."""
    found = ask(session, "L5.memory20")
    architecture = session.resident.loaded.architecture
    values = torch.cat([block.mlp.w_out for block in architecture.blocks]).double()
    both = torch.cat([values, -values])
    logits = architecture.final_norm(both) @ architecture.unembedding.double()
    own = 5 * architecture.sizes.d_mlp + 20
    correlations = torch.corrcoef(logits)[own]
    correlations[own] = -1
    most = correlations.topk(len(found.nearest))
    n = len(values)
    for one, at, value in zip(
        found.nearest, most.indices.tolist(), most.values.tolist(), strict=True
    ):
        assert divmod(at % n, architecture.sizes.d_mlp) == (one.id.layer, one.id.index)
        assert one.sign == (1 if at < n else -1)
        assert one.correlation == pytest.approx(value, abs=1e-6)
        assert one.says[0] == session.resident.tokens.text(int(logits[at].argmax()))
    table = found.tables()[-1]
    assert table.name == "nearest" and table.nodes[0] == str(found.nearest[0].id)
    assert f"Nearest to it in the atlas is {found.nearest[0].name}" in found.findings()[2]
    assert ask(session, "L4.head3").nearest == ()


def test_without_an_atlas_the_contexts_say_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VISIT_CACHE", str(tmp_path))
    monkeypatch.setattr("visit.lens.atlas.atlas.BUILT_UNASKED", 0)
    found = ask(Session.load("mini"), "L5.memory20")
    assert found.nearest is None and "visit atlas build" in found.findings()[2]
    assert [table.name for table in found.tables()] == ["highest", "lowest"]


def test_the_nearest_stand_above_the_contexts_and_lead_to_their_memories(session: Session):
    found = ask(session, "L5.memory20")
    page = str(trees(CONTEXTS.above(Shown(found, {}, LIGHT, 800))))
    assert all(f"'data-node': '{one.id}'" in page for one in found.nearest[:6])
    assert CONTEXTS.above(Shown(ask(session, "L4.head3"), {}, LIGHT, 800)) == []


def test_a_head_is_said_with_what_it_reads_there(session: Session):
    found = ask(session, "L4.head3@2")
    assert str(found.part) == "L4.head3@7" and found.lowest == ()
    pattern = session.pattern(Request(TEXT), 4, 3)
    tokens = session.resident.tokens.read(Request(TEXT))
    for one in found.highest:
        row = pattern[one.at]
        assert one.attention == pytest.approx(max(row), abs=1e-6)
        assert one.reads == tokens[row.index(max(row))].text
    assert [table.columns[3] for table in found.tables()] == ["reads", "reads"]


def test_without_a_name_it_is_the_memory_that_most_flows_through(session: Session):
    parts = session.ask(RankParts(REQUEST)).parts
    memories = [part for part in parts if part.id.kind is NodeKind.MEMORY_VALUE]
    assert ask(session, "").part == max(memories, key=lambda part: abs(part.flow)).id


def test_a_text_is_read_once_and_a_damaged_file_is_read_anew(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VISIT_CACHE", str(tmp_path))
    first = ask(session, "L4.head3")
    (file,) = (tmp_path / "contexts").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(contexts, "record", None)  # nothing is read again
        assert ask(session, "L4.head3") == first
        assert ask(session, "L4.head2") != first
    file.write_bytes(b"cut short")
    assert ask(session, "L4.head3") == first


def test_of_texts_only_the_latest_are_kept(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VISIT_CACHE", str(tmp_path))
    monkeypatch.setattr(kept_files, "MOST_FILES", 2)
    folder = tmp_path / "contexts"
    ask(session, "L4.head3")
    (first,) = folder.iterdir()
    ask(session, "L4.head3", "one two three")
    (second,) = set(folder.iterdir()) - {first}
    ask(session, "L4.head2")  # reads the first one again
    ask(session, "L4.head3", "four five six")
    assert len(list(folder.iterdir())) == 2
    assert first.exists() and not second.exists()


def test_whether_the_prompt_is_among_its_contexts_is_said(session: Session):
    own = ask(session, "L4.head3", REQUEST.prompt)
    assert own.rank is not None
    assert f"number {own.rank} among" in own.findings()[1] or own.rank == 1


@pytest.mark.parametrize(
    ("part", "text", "said"),
    [
        ("L4", TEXT, "part is 'L4'; give a memory, like L3.memory17, or a head"),
        ("L9.head0", TEXT, "layer 9 does not exist; the model has 0 to 5"),
        ("L4.head99", TEXT, "head 99 does not exist"),
        ("L4.memory9999", TEXT, "memory 9999 does not exist"),
        ("L4.head0", " a", "the text is no two tokens long"),
    ],
)
def test_what_is_not_there_is_refused(session: Session, part: str, text: str, said: str):
    with pytest.raises(RequestError, match=said):
        ask(session, part, text)

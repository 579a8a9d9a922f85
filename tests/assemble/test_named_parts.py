"""Parts that are named are drawn by themselves, with the whole graph's own numbers."""

from __future__ import annotations

import pytest
from specimens import save_tiny_model

from visit.engine.questions import DrawParts, OpenBlock
from visit.errors import RequestError
from visit.graph.flow import FlowGraph, Ledger, NodeId
from visit.graph.index import Index, merge
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is", layers="none", strongest=0)
NAMED = ("L1.head1@4", "L1.head2@4", "L2.memory3.value@4", "L0.mlp@2")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    folder = save_tiny_model(tmp_path_factory.mktemp("tiny"))
    return Session.load(str(folder), dtype="float64")


@pytest.fixture(scope="module")
def named(session: Session) -> FlowGraph:
    return session.ask(DrawParts(REQUEST, NAMED))


def test_the_ledgers_name_these_parts_alone_and_add_up(named: FlowGraph):
    index = Index(named)
    assert {NodeId.parse(name) for name in NAMED} <= index.nodes.keys()
    for whole, ledger, n_parts in (
        ("L1.attn@4", Ledger.HEADS, 2),
        ("L2.mlp@4", Ledger.MEMORIES, 1),
    ):
        lines = index.lines(NodeId.parse(whole), ledger)
        assert sum(str(line.source) in NAMED for line in lines) == n_parts
        assert any("rest" in line.source.kind for line in lines)
        assert sum(line.share or 0.0 for line in lines) == pytest.approx(1, abs=1e-10)
        flow = index.nodes[NodeId.parse(whole)].flow
        assert sum(line.flow or 0.0 for line in lines) == pytest.approx(flow, abs=1e-10)


def test_a_part_has_the_numbers_of_its_opened_block(session: Session, named: FlowGraph):
    block = {node.id: node for node in session.ask(OpenBlock(REQUEST, 1, 4)).nodes}
    for name in NAMED[:2]:
        part = NodeId.parse(name)
        (one,) = (node for node in named.nodes if node.id == part)
        assert one.flow == block[part].flow and one.reading == block[part].reading
        assert one.outcome == block[part].outcome


def test_a_graph_takes_them_even_where_they_complete_its_ledger(session: Session):
    whole, attn = session.explain(REQUEST), NodeId.parse("L1.attn@4")
    for n_heads in range(1, whole.model.n_heads + 1):
        names = tuple(f"L1.head{head}@4" for head in range(n_heads))
        whole = merge(whole, session.ask(DrawParts(REQUEST, names)))
        lines = Index(whole).lines(attn, Ledger.HEADS)
        assert {str(line.source) for line in lines} >= set(names)
    assert not any("rest" in line.source.kind for line in lines)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("L1.head99@4", "L1.head99@4 does not exist"),
        ("L99.mlp@4", "L99.mlp@4 does not exist"),
        ("L0.head0@5", "L0.head0@5"),
        ("L0.ln1@4", "ln1 cannot be"),
        ("L0.attn@4", "L0.attn@4 cannot be drawn by name; give a head"),
        ("head", "'head' is not a site"),
    ],
)
def test_what_is_no_such_part_is_refused_in_one_line(session: Session, name: str, said: str):
    with pytest.raises(RequestError, match=said):
        session.ask(DrawParts(REQUEST, (name,)))

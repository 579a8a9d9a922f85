"""What feeds a part: ranked, complete, and of the graph's own numbers."""

from __future__ import annotations

import pytest

from visit.errors import RequestError
from visit.graph.flow import FlowGraph, NodeKind
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of", layers="4", memories=2, effects=False)
LAST = 7


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini", dtype="float64")


@pytest.fixture(scope="module")
def graph(session: Session) -> FlowGraph:
    return session.explain(REQUEST)


@pytest.mark.parametrize("kind", [NodeKind.HEAD, NodeKind.MEMORY_VALUE, NodeKind.MLP])
def test_what_feeds_a_drawn_part_adds_up_to_its_flow(
    session: Session, graph: FlowGraph, kind: NodeKind
):
    node = next(n for n in graph.nodes if n.id.kind is kind and n.id.layer == 4)
    found = session.upstream(REQUEST, str(node.id), count=5)
    assert found.reader == node.id
    assert found.flow == pytest.approx(node.flow, abs=1e-9)
    total = sum(part.flow for part in found.parts) + found.rest + found.biases
    assert total == pytest.approx(found.flow, abs=1e-9)
    assert len(found.parts) == 5
    sizes = [abs(part.flow) for part in found.parts]
    assert sizes == sorted(sizes, reverse=True)
    assert len({part.id for part in found.parts}) == 5


def test_a_head_is_fed_at_every_source_and_an_mlp_at_its_own_position(session: Session):
    def listed(name: str) -> list[NodeKind]:
        parts = session.upstream(REQUEST, name, count=10_000).parts
        assert all(part.id.layer is None or part.id.layer <= 2 for part in parts)
        return [
            part.id.kind for part in parts if name.startswith("L2.head") or part.id.position == 5
        ]

    of_head, of_mlp = listed("L2.head1@5"), listed("L2.mlp@5")
    assert of_head.count(NodeKind.EMBED) == 6 and of_mlp.count(NodeKind.EMBED) == 1
    assert of_head.count(NodeKind.HEAD) == 6 * 2 * 6 and of_mlp.count(NodeKind.HEAD) == 3 * 6
    assert of_head.count(NodeKind.MLP) == 6 * 2 and of_mlp.count(NodeKind.MLP) == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("L4.attn@7", "is not a part that reads at one position; give a head, a memory or an MLP"),
        ("L4.head3@*", "is not a part that reads at one position"),
        ("L4.head3@7<2", "is not a part that reads at one position"),
        ("L9.head3@7", "the model has the layers 0 to 5"),
        ("L4.head6@7", "its numbers are 0 to 5"),
        ("nowhere", "is not a site"),
    ],
)
def test_what_reads_nothing_is_refused(session: Session, name: str, said: str):
    with pytest.raises(RequestError, match=said):
        session.upstream(REQUEST, name)

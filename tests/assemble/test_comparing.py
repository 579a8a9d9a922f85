"""Two passes compared: a patched one, and a model of which one head is another."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from specimens import FEW, TOKEN_IDS, Numbered, Specimen, builder, specimen

from visit.assemble.builder import Builder
from visit.engine.questions import Explain
from visit.errors import RequestError
from visit.graph.compare import Difference, Held, compare
from visit.graph.flow import FlowGraph, NodeId, NodeKind
from visit.graph.ids import depth
from visit.graph.request import Request
from visit.lens.projector import Projector
from visit.lens.readings import Reader
from visit.models.architectures import lay_open
from visit.session import Session
from visit.tracing.trace import record

JAPAN = Request(
    "The capital of Japan is the city of", layers="none", threshold=0.0, strongest=9,
    strongest_memories=3, outcome=False, effects=False,
)  # fmt: skip
FRANCE = replace(JAPAN, prompt="The capital of France is the city of")
ALL = replace(FEW, layers="all", heads=9, strongest=99, threshold=0.0)


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


def moved(difference: Difference) -> set[NodeId]:
    """The nodes whose length differs at all."""
    return {node.id for node in difference.nodes if abs(node.difference("norm") or 0.0) > 1e-9}


def test_clean_against_patched_differs_exactly_downstream_of_the_patched_site(session: Session):
    """A head of layer 2 at position 3, set to zero: it, and what reads or adds up what it wrote."""
    patched = replace(JAPAN, interventions=("L2.head1@3",))
    found = compare(
        session.explain(JAPAN),
        session.ask(Explain(patched, also=("L2.head1@3",))),
    )
    site = NodeId.parse("L2.head1@3")
    layer = {node.id for node in found.nodes if node.held is Held.BOTH}
    assert found.nodes and moved(found)
    for node_id in layer:
        if node_id.layer is None or node_id.layer < 2 or node_id.position < 3:
            assert node_id not in moved(found) or node_id.kind in (
                NodeKind.FINAL_NORM, NodeKind.OUTPUT,
            )  # fmt: skip
        if node_id.layer == 2:
            other = node_id.position != 3 or depth(node_id) < depth(site)
            assert other <= (node_id not in moved(found))
    later = {n for n in layer if n.kind is NodeKind.RESID_POST and n.position == 3 and n.layer >= 2}
    assert later and later <= moved(found)
    assert NodeId(NodeKind.OUTPUT, 7) in moved(found)


def _explained(tiny: Specimen) -> FlowGraph:
    made = builder("llama-gqa")
    own = Builder(
        tiny.architecture, Numbered(), Reader(Projector(tiny.architecture), Numbered()), made._model
    )
    return own.whole(tiny.trace, ALL, lambda *_: None)


def test_two_models_that_differ_in_one_head_differ_first_there():
    tiny = specimen("llama-gqa")
    model = deepcopy(tiny.model)
    width = tiny.architecture.sizes.d_head
    with torch.no_grad():
        model.model.layers[1].self_attn.o_proj.weight[:, 4 * width : 5 * width] *= 1.5
    architecture = lay_open(model)
    other = Specimen(model, architecture, record(model, architecture, TOKEN_IDS))
    found = compare(_explained(tiny), _explained(other))
    parts = {n for n in moved(found) if n.kind in (NodeKind.HEAD, NodeKind.ATTN, NodeKind.MLP)}
    first = min(map(depth, parts))
    assert {n for n in parts if depth(n) == first} == {
        NodeId(NodeKind.HEAD, position, 1, head=4) for position in range(len(TOKEN_IDS))
    }
    assert not {n for n in moved(found) if n.layer == 0 or n.kind is NodeKind.EMBED}
    assert found.parts("norm")[0].strength("norm")


def test_both_graphs_hold_every_part_that_either_draws(session: Session):
    found = session.compare(JAPAN, FRANCE)
    kinds = (NodeKind.HEAD, NodeKind.MLP, NodeKind.MEMORY_VALUE)
    drawn = [node for node in found.nodes if node.id.kind in kinds]
    assert len(drawn) > 12
    assert {node.held for node in drawn} == {Held.BOTH}
    assert (found.first.target.text, found.second.target.text) == (" Tokyo", " Paris")


def test_two_targets_of_one_prompt_differ_in_flow_and_not_in_what_is_written(session: Session):
    found = session.compare(JAPAN, replace(JAPAN, target=" Paris"))
    assert moved(found) == set()
    assert any(node.difference("flow") for node in found.nodes)


def test_a_part_that_does_not_exist_or_is_none_is_one_line(session: Session):
    with pytest.raises(RequestError, match=r"L9\.mlp@7 does not exist"):
        session.ask(Explain(JAPAN, also=("L9.mlp@7",)))
    with pytest.raises(RequestError, match=r"embed@3 cannot be drawn by name; give a head"):
        session.ask(Explain(JAPAN, also=("embed@3",)))

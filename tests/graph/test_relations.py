"""What belongs together: the way in to a node, a part's own direct logit, what counts twice."""

from dataclasses import replace

import pytest
from sample import make_flow

from visit.graph.flow import Edge, EdgeKind, Ledger, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.parts import Choice
from visit.graph.relations import head_of, logit_so_far, overlap, sum_logits, way_in
from visit.graph.selection import select
from visit.web.inspector.pieces import go
from visit.web.screen.search import searchable

INDEX = Index(make_flow(mixtures=(2,)))


# ------------------------------------------------------------------ direct logits


@pytest.mark.parametrize(
    "text", ["L0.resid_mid@7", "L2.resid_post@7", "final_norm@7", "output@7", "L0.resid_post@3"]
)
def test_a_running_sum_is_no_part_s_own_direct_logit(text: str):
    """Rule 2: the inspector said a residual's sum as if it were its own, and search said nothing.

    With all sums as members a group's direct logits would count everything again and again.
    """
    assert INDEX.direct_logit(NodeId.parse(text)) is None


def test_the_logit_so_far_is_what_a_whole_s_ledger_adds_up_to():
    for text in ("L0.resid_mid@7", "L1.resid_post@7", "L1.attn@7", "L1.head1@7"):
        whole = NodeId.parse(text)
        so_far = logit_so_far(INDEX, whole)
        assert so_far is not None
        own = INDEX.direct_logit(whole)
        assert own is None or own == so_far
    assert logit_so_far(INDEX, NodeId.parse("output@7")) == 12.0
    assert logit_so_far(INDEX, NodeId.parse("final_norm@7")) == 12.0
    assert logit_so_far(INDEX, NodeId.parse("L2.resid_post@7")) == 11.0


def test_a_rest_of_positions_and_the_bias_of_a_closed_attention_have_their_own_direct_logit():
    """Rule 2: the inspector said these, and search and the colours did not know them.

    Both are lines of the positions ledger alone while their attention is not taken apart.
    """
    rest, attn = NodeId.parse("L1.positions_rest@7"), NodeId.parse("L1.attn@7")
    bias = NodeId.parse("L1.attn_bias@7")
    flow = make_flow(opened=(0, 2))
    node = next(n for n in INDEX.flow.nodes if n.id == bias)
    line = Edge(bias, attn, EdgeKind.ADDS, Ledger.POSITIONS, share=0.1, direct_logit=0.125)
    index = Index(replace(flow, nodes=(*flow.nodes, node), edges=(*flow.edges, line)))
    assert index.direct_logit(bias) == 0.125
    own = next(e for e in index.out_of[rest] if e.ledger is Ledger.POSITIONS)
    assert index.direct_logit(rest) == own.direct_logit is not None


def test_search_says_the_same_direct_logit_as_the_index():
    table = searchable(INDEX)
    for text, logit in zip(table["id"], table["logit"], strict=True):
        own = INDEX.direct_logit(NodeId.parse(text))
        assert logit == (None if own is None else pytest.approx(own, rel=1e-3))


def test_what_attention_takes_from_a_residual_is_not_the_residual_s_own_direct_logit():
    embed, attn = NodeId.parse("embed@7"), NodeId.parse("L0.attn@7")
    taken = next(e for e in INDEX.lines(attn, Ledger.POSITIONS) if e.source == embed)
    own = next(e for e in INDEX.out_of[embed] if e.ledger is Ledger.RESIDUAL)
    assert INDEX.direct_logit(embed) == own.direct_logit != taken.direct_logit


# ------------------------------------------------------------------ the way in


def opened_by(index: Index, node_id: NodeId) -> str:
    """What a button that goes to a node opens."""
    return go(index, node_id, "").to_plotly_json()["props"]["data-open"]


def test_search_and_the_inspector_open_the_same_nodes_on_the_way_to_any():
    """Rule 3: each had its own, and for a norm before attention the inspector opened nothing."""
    table = searchable(INDEX)
    for text, way in zip(table["id"], table["way"], strict=True):
        assert table["ways"][way] == opened_by(INDEX, NodeId.parse(text))
    assert opened_by(INDEX, NodeId.parse("L1.ln1@7")) == "L1.head0@7"


def test_a_way_in_leads_to_every_part_and_a_source_s_to_the_head_that_is_meant():
    value = next(n for n in INDEX.nodes if n.kind is NodeKind.VALUE and n.layer == 1)
    head = head_of(INDEX, value)
    assert head is not None and way_in(INDEX, value)[-1] == head
    for node_id in INDEX.nodes:
        if node_id.kind is not NodeKind.POSITIONS_REST:
            drawn = select(INDEX, way_in(INDEX, node_id), Choice(0, frozenset({node_id})))
            assert node_id in {node.id for node in drawn.nodes}, node_id


# ------------------------------------------------------------------ sums


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("L1.head1@7", "L1.attn@7"),  # a part of it
        ("L0.mlp@7", "L2.resid_post@7"),  # a part of it, from far
        ("L1.head1@7", "L1.attn_neuron3@7"),  # two ways of taking one attention apart
        ("L1.heads_rest@7", "L1.positions_rest@7"),
    ],
)
def test_what_would_count_twice_is_not_summed(one: str, other: str):
    members = [NodeId.parse(one), NodeId.parse(other)]
    assert overlap(INDEX, members)
    assert sum_logits(INDEX, members) is None


def test_a_member_without_a_direct_logit_makes_no_sum():
    members = [NodeId.parse("L1.memory7.key@7"), NodeId.parse("L0.attn@7")]
    assert not overlap(INDEX, members)
    assert sum_logits(INDEX, members) is None


def test_a_bias_may_stand_beside_any_ledger_s_parts():
    assert not overlap(INDEX, [NodeId.parse("L1.attn_bias@7"), NodeId.parse("L1.attn_neuron3@7")])

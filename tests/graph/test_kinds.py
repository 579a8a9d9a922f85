"""The table of kinds: a row for each, consistent in itself, and every name that finds one."""

import pytest

from visit.graph.kinds import (
    EDGES,
    LEDGER_WORDS,
    NODES,
    ROUTE,
    SHAPES,
    EdgeKind,
    Ledger,
    NodeKind,
    Role,
    kinds_inside,
    names,
)


def test_every_kind_role_and_ledger_has_its_row():
    assert tuple(NODES) == tuple(NodeKind)
    assert tuple(EDGES) == tuple(EdgeKind)
    assert tuple(LEDGER_WORDS) == tuple(Ledger)
    assert set(SHAPES) == set(Role) == {row.role for row in NODES.values()}


def test_what_is_drawn_inside_a_kind_is_inside_one_that_opens():
    for row in NODES.values():
        if row.inside is not None:
            assert NODES[row.inside].opens, row.kind
    for kind in NodeKind:
        assert bool(kinds_inside(kind)) == bool(NODES[kind].opens), kind


def test_with_nothing_open_the_route_is_drawn_and_nothing_else():
    assert ROUTE == {
        NodeKind.EMBED, NodeKind.ATTN, NodeKind.RESID_MID, NodeKind.MLP, NodeKind.RESID_POST,
        NodeKind.FINAL_NORM, NodeKind.OUTPUT,
    }  # fmt: skip


def test_a_kind_opens_by_a_ledger_of_its_own_or_of_the_attention_that_it_rests_in():
    for row in NODES.values():
        whole = NODES[NodeKind.ATTN] if row.kind is NodeKind.NEURONS_REST else row
        assert set(row.opens) <= set(whole.ledgers)


def test_what_has_no_ledger_says_why_unless_it_is_a_rest_or_adds_up_to_the_logit():
    rests = {row.kind for row in NODES.values() if row.label == "rest"}
    silent = {row.kind for row in NODES.values() if not row.undivided} - rests
    assert silent == {
        NodeKind.RESID_MID, NodeKind.RESID_POST, NodeKind.FINAL_NORM, NodeKind.OUTPUT
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("neuron", {"attn_neuron", "memory_key", "memory_value"}),
        ("mlp neurons", {"memory_key", "memory_value"}),
        ("memories", {"memory_key", "memory_value"}),
        ("memory key", {"memory_key"}),
        ("keys", {"key", "memory_key"}),
        ("hidden state", {"resid_mid", "resid_post"}),
        ("hs", {"resid_mid", "resid_post"}),
        ("ov", {"value"}),
        ("qk", {"query", "key"}),
        ("biases", {"attn_bias", "mlp_bias"}),
        ("layernorm", {"ln1", "ln2", "final_norm"}),
        ("experts", {"expert", "shared_expert"}),
        ("heads_rest", {"heads_rest"}),
        ("heads rest", {"heads_rest"}),
        ("other heads", {"heads_rest"}),
    ],
)
def test_a_kind_is_found_by_our_name_and_by_the_fields_singular_and_plural(name, kinds):
    assert set(map(str, names()[name])) == kinds


def test_every_kind_can_be_named_alone():
    assert all(names()[str(kind)] == (kind,) for kind in NodeKind if kind not in _SHARED)


_SHARED = {NodeKind.KEY, NodeKind.VALUE, NodeKind.EXPERT}
"""Their names are those of a memory's sides and of a shared expert as well."""

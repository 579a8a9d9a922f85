import pytest
from flow_strategies import node_ids
from hypothesis import given

from visit.graph.flow import Edge, EdgeKind, Ledger, NodeId, NodeKind


@given(node_ids(n_layers=200, n_heads=128, n_tokens=4096))
def test_an_id_parses_back(node_id: NodeId):
    assert NodeId.parse(str(node_id)) == node_id


@pytest.mark.parametrize(
    "text",
    [
        "embed@7", "L5.ln1@7", "L5.attn@7", "L5.head3@7", "L5.head3.query@7", "L5.head3.key@2",
        "L5.head3.value@2", "L5.attn_neuron17@7", "L5.attn_bias@7", "L5.heads_rest@7",
        "L5.head3.sources_rest@7", "L5.neurons_rest@7", "L5.positions_rest@7", "L5.resid_mid@7",
        "L5.ln2@7", "L5.mlp@7", "L5.memory123.key@7", "L5.memory123.value@7", "L5.mlp_bias@7",
        "L5.memories_rest@7", "L5.expert3@7", "L5.shared_expert@7", "L5.experts_rest@7",
        "L5.resid_post@7", "final_norm@7", "output@7",
    ],
)  # fmt: skip
def test_every_id_of_the_design_is_written_as_it_was_read(text: str):
    assert str(NodeId.parse(text)) == text


def test_the_design_has_an_id_for_every_kind():
    mark = test_every_id_of_the_design_is_written_as_it_was_read.pytestmark[0]
    assert {NodeId.parse(text).kind for text in mark.args[1]} == set(NodeKind)


@pytest.mark.parametrize(
    "text",
    [
        "", "embed", "L5.embed@7", "attn@7", "L5.head@7", "L5.head3.output@7", "L5.memory123@7",
        "L5.expert@7", "L5.shared_expert3@7",
        "L5.attn_neuron@7", "L5.attn@", "L.attn@7", "L5.attn@7 ", "L5.attn@-1", "L5.query@7",
    ],
)  # fmt: skip
def test_what_is_no_id_is_refused(text: str):
    with pytest.raises(ValueError, match="is not a node id"):
        NodeId.parse(text)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": NodeKind.ATTN, "position": 0},
        {"kind": NodeKind.EMBED, "position": 0, "layer": 1},
        {"kind": NodeKind.HEAD, "position": 0, "layer": 1},
        {"kind": NodeKind.ATTN, "position": 0, "layer": 1, "head": 2},
        {"kind": NodeKind.MEMORY_KEY, "position": 0, "layer": 1},
        {"kind": NodeKind.EXPERT, "position": 0, "layer": 1},
        {"kind": NodeKind.SHARED_EXPERT, "position": 0, "layer": 1, "index": 2},
        {"kind": NodeKind.ATTN, "position": 0, "layer": 1, "index": 2},
    ],
)
def test_an_id_with_a_part_missing_or_too_many_is_never_made(fields: dict[str, object]):
    with pytest.raises(ValueError, match="do not make a node id of kind"):
        NodeId(**fields)


def test_an_edges_key_tells_ledgers_apart():
    a, b = NodeId(NodeKind.EMBED, 0), NodeId(NodeKind.OUTPUT, 0)
    assert Edge(a, b, EdgeKind.READS).key == "reads"
    assert Edge(a, b, EdgeKind.ADDS, Ledger.HEADS).key == "adds:heads"

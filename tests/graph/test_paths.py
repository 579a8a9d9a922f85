"""The strongest path through a node: one rule, for the Path tab and for what the graph marks."""

from dataclasses import replace
from itertools import pairwise

import pytest
from sample import make_flow

from visit.graph.flow import Edge, EdgeKind, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import BIASES
from visit.graph.paths import Paths
from visit.web.flow.elements import draw

INDEX = Index(make_flow(mixtures=(2,)))
FOLDED = {NodeKind.SOURCES_REST, NodeKind.POSITIONS_REST}
MLP_AND_RESTS = {NodeKind.MLP, NodeKind.MEMORIES_REST, NodeKind.EXPERTS_REST}


def path_of(index: Index, node_id: NodeId) -> list[NodeId]:
    return [step.node for step in Paths(index).through(node_id)]


def ending_in(index: Index, end: NodeId) -> set[NodeId]:
    """Every node from which edges, and the readings of MLPs, lead to an end."""
    pairs = {(e.source, e.target) for e in index.flow.edges}
    pairs |= {
        (read, n) for n in index.nodes if n.kind is NodeKind.MLP and (read := index.read_by(n))
    }
    found = {end}
    while True:
        more = {source for source, target in pairs if target in found} - found
        if not more:
            return found
        found |= more


@pytest.mark.parametrize("opened", [(0, 1, 2), ()], ids=["opened", "closed"])
def test_the_way_through_a_node_goes_from_the_tokens_to_the_output(opened: tuple[int, ...]):
    """A bias comes from no token, and a rest of sources from those that are not drawn."""
    index = Index(make_flow(opened=opened))
    output = NodeId(NodeKind.OUTPUT, 7)
    reaching = ending_in(index, output)
    assert sum(n.position == 7 for n in reaching) == sum(n.position == 7 for n in index.nodes)
    for node_id in index.nodes:
        path = path_of(index, node_id)
        assert path.count(node_id) == 1
        assert len(set(path)) == len(path)
        if node_id in reaching:
            assert path[-1] == output
        else:  # no attention reads the last residual of its position
            assert path[-1] == NodeId(NodeKind.RESID_POST, node_id.position, 2)
        if node_id.kind in BIASES | FOLDED:
            assert path[0] == node_id
        else:
            assert path[0].kind is NodeKind.EMBED


def test_each_step_of_a_way_is_an_edge_or_the_reading_of_a_block():
    for node_id in INDEX.nodes:
        path = path_of(INDEX, node_id)
        for source, target in pairwise(path):
            edges = [e for e in INDEX.out_of[source] if e.target == target]
            reads = target.kind in MLP_AND_RESTS and INDEX.read_by(
                NodeId(NodeKind.MLP, target.position, target.layer)
            )
            folded = target.kind in (
                NodeKind.HEADS_REST,
                NodeKind.NEURONS_REST,
                NodeKind.ATTN_NEURON,
            )
            assert edges or reads == source or folded, f"{source} to {target}"


def test_a_way_follows_the_strongest_edge_and_says_what_it_carries():
    for step, following in zip(
        path := Paths(INDEX).through(NodeId.parse("L1.head1@7")), path[1:], strict=False
    ):
        edges = [e for e in INDEX.out_of[step.node] if e.target == following.node]
        if edges:
            carried = {INDEX.carried[e.source, e.target, e.key] for e in edges}
            assert step.carried in carried


def test_a_cycle_in_a_document_ends():
    one, other = NodeId.parse("L0.mlp@7"), NodeId.parse("L0.resid_post@7")
    back = Edge(other, one, EdgeKind.READS)
    index = Index(replace(INDEX.flow, edges=(*INDEX.flow.edges, back)))
    for node_id in index.nodes:
        path = path_of(index, node_id)
        assert len(set(path)) == len(path)


@pytest.mark.parametrize(
    "opened", [(), ("L1.attn@7", "L1.head1@7"), ("L1.attn@7", "L1.neurons_rest@7", "L2.mlp@7")]
)
def test_the_picture_marks_the_way_that_the_path_tab_lists(opened):
    """Rule 3: the canvas was greedy over what was drawn, and the tab searched the document.

    So the graph marked one path and the tab listed another. Now each drawn node names the steps
    back and on that ``Paths`` takes, past what is not drawn, and the browser follows them.
    """
    _, made = draw(INDEX, [NodeId.parse(text) for text in opened])
    nodes = {e["data"]["id"]: e["data"] for e in made if "family" in e["data"]}

    def follow(start: str, direction: str) -> list[str]:
        step = nodes[start][direction]
        return [step, *follow(step, direction)] if step else []

    for name in nodes:
        marked = [*reversed(follow(name, "back")), name, *follow(name, "on")]
        listed = [str(node) for node in path_of(INDEX, NodeId.parse(name))]
        assert marked == [node for node in listed if node in nodes]


def test_a_stronger_edge_that_ends_early_is_not_followed():
    """The canvas followed the strongest edge wherever it led, into a bias or a rest too."""
    attn = NodeId.parse("L1.attn@7")
    head = next(e for e in INDEX.into[NodeId.parse("L1.head1@7")] if e.source.kind in FOLDED)
    strong = replace(head, share=100.0)
    edges = [strong if e == head else e for e in INDEX.flow.edges]
    index = Index(replace(INDEX.flow, edges=tuple(edges)))
    path = path_of(index, head.target)
    assert path[0].kind is NodeKind.EMBED and attn in path

"""A part is drawn with its whole, whatever the budget leaves out and whatever a document lacks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample import make_block, make_flow

from visit.graph.flow import EdgeKind, NodeId, NodeKind
from visit.graph.index import Index, merge
from visit.graph.relations import query_of
from visit.graph.request import Request
from visit.graph.selection import can_open, select
from visit.web.flow import placement


@pytest.fixture(scope="module")
def index() -> Index:
    """Many blocks of one layer open, whose heads read the same keys from several positions."""
    request = Request("a b c d e f")
    flow = make_flow(request, n_layers=2)
    for position in range(5):
        flow = merge(flow, make_block(1, position, request))
    return Index(flow)


def heads_of_queries(drawn) -> list[tuple[NodeId, bool]]:
    ids = {node.id for node in drawn.nodes}
    queries = [node_id for node_id in ids if node_id.kind is NodeKind.QUERY]
    return [(query, replace(query, kind=NodeKind.HEAD) in ids) for query in queries]


def test_a_query_goes_with_the_head_that_the_budget_leaves_out(index: Index):
    """Its key is read from another position too, so it still led to the output, and had no row."""
    opened = [node_id for node_id in index.nodes if can_open(index, node_id)]
    seen = 0
    for budget in range(150, 700, 50):
        drawn = select(index, opened, budget)
        queries = heads_of_queries(drawn)
        assert [query for query, has_head in queries if not has_head] == []
        seen += len(queries)
        boxes = placement.plan(drawn).boxes
        assert boxes.keys() == {node.id for node in drawn.nodes}
    assert seen > 0


def test_a_query_whose_head_the_graph_lacks_is_not_drawn(index: Index):
    head = next(n for n in index.nodes if n.kind is NodeKind.HEAD and n.position == 5)
    other = next(
        n for n in index.nodes if n.kind is NodeKind.HEAD and n.position == 5 and n != head
    )
    key = next(e.target for e in index.out_of[query_of(other)] if e.kind is EdgeKind.SCORES)
    edges = tuple(
        replace(edge, target=key) if edge.source == query_of(head) else edge
        for edge in index.flow.edges
        if head not in (edge.source, edge.target)
    )
    nodes = tuple(node for node in index.flow.nodes if node.id != head)
    lacking = Index(replace(index.flow, nodes=nodes, edges=edges))
    drawn = select(lacking, [node_id for node_id in lacking.nodes if can_open(lacking, node_id)])
    assert query_of(head) not in {node.id for node in drawn.nodes}
    placement.plan(drawn)

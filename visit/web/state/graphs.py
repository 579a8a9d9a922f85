"""The graph of a view: held on the shelf, or made again, with every opened block in it."""

from __future__ import annotations

from visit.engine.protocol import Engine
from visit.errors import VisitError
from visit.graph.flow import NodeId, NodeKind
from visit.graph.index import Index, merged
from visit.graph.selection import can_open
from visit.web.state.shelf import Shelf
from visit.web.state.view import View


def held(view: View, engine: Engine | None, shelf: Shelf) -> Index | None:
    """The view's graph; one that fell off the shelf is made again from its request, once."""
    index = shelf.get(view.key)
    if index is None and engine is not None and not view.fixed:
        with shelf.making(view.key):
            index = shelf.get(view.key)
            if index is None:
                index = shelf.hold(view.key, Index(engine.explain(view.request)))
    return index


def opened_index(view: View, engine: Engine | None, shelf: Shelf) -> Index:
    """The view's graph, with every opened block in it.

    Raises:
        VisitError: a block cannot be opened, or the graph is gone.
    """
    index = held(view, engine, shelf)
    if index is None:
        raise VisitError("this graph is no longer held by the server; open the document again")
    for node_id in view.opened:
        index = with_block(index, node_id, view, engine, shelf)
    return index


def with_block(
    index: Index, node_id: NodeId, view: View, engine: Engine | None, shelf: Shelf
) -> Index:
    """The graph with a block fetched into it, where it lacks it and an engine can give it.

    It is fetched once, however many callbacks wait for it.
    """
    if engine is None or view.fixed or not _lacks(index, node_id):
        return index
    with shelf.making(view.key):
        there = shelf.get(view.key)
        # What another callback fetched is taken; a graph that was made anew has less than ours.
        if there is not None and there.nodes.keys() >= index.nodes.keys():
            index = there
        if _lacks(index, node_id) and node_id.layer is not None:
            block = engine.open(node_id.layer, node_id.position, view.request)
            index = shelf.hold(view.key, Index(merged(index.flow, block)))
    return index


def _lacks(index: Index, node_id: NodeId) -> bool:
    """Whether a block is open that the graph does not hold yet."""
    return node_id.kind in (NodeKind.ATTN, NodeKind.MLP) and not can_open(index, node_id)

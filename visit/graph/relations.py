"""What belongs together in a graph: a head's parts, a memory's two sides, a part and its wholes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from visit.graph.flow import Edge, EdgeKind, Ledger, NodeId, NodeKind
from visit.graph.index import OF_MLP, RESIDUALS, Index

_HOLDERS = frozenset({EdgeKind.ADDS, EdgeKind.WEIGHS, EdgeKind.SCORES, EdgeKind.ACTIVATES})
_OPENED_BY = frozenset({Ledger.HEADS, Ledger.SOURCES, *OF_MLP})
_DEEPEST = 6
"""How many steps lead from the innermost part out of a block: key, value, head, attention."""


def way_in(index: Index, node_id: NodeId) -> str:
    """The nodes that must be open for a node to be drawn, outermost first."""
    if node_id.kind in (NodeKind.ATTN_NEURON, NodeKind.NEURONS_REST):
        attention = NodeId(NodeKind.ATTN, node_id.position, node_id.layer)
        return way_to_neurons(attention)
    inside: list[NodeId] = []
    waiting = node_id
    for _ in range(_DEEPEST):
        line = next(
            (
                e
                for e in index.out_of.get(waiting, ())
                if e.kind in _HOLDERS and (e.ledger in _OPENED_BY or e.ledger is None)
            ),
            None,
        )
        if line is None:
            break
        if line.ledger in _OPENED_BY:
            inside.append(line.target)
        waiting = line.target
    return " ".join(str(opened) for opened in reversed(inside))


def way_to_neurons(attention: NodeId) -> str:
    """What must be open for an attention's neurons to be drawn."""
    neurons = NodeId(NodeKind.NEURONS_REST, attention.position, attention.layer)
    return f"{attention} {neurons}"


def head_of(index: Index, node_id: NodeId) -> NodeId | None:
    """The head that a head's part belongs to, at the position that reads; itself for a head.

    A source can be read from several positions; then the traced one, else the last, is meant.
    """
    if node_id.head is None:
        return None
    if node_id.kind not in (NodeKind.KEY, NodeKind.VALUE):
        return NodeId(NodeKind.HEAD, node_id.position, node_id.layer, head=node_id.head)
    traced = index.flow.position
    return max(
        (line.target for line in reader_lines(index, node_id)),
        key=lambda head: (head.position == traced, head.position),
        default=None,
    )


def reader_lines(index: Index, side: NodeId) -> list[Edge]:
    """The lines by which heads add up a source, given by its key or value, in reading order.

    One for each position that reads it; each bears its own reader's attention.
    """
    value = NodeId(NodeKind.VALUE, side.position, side.layer, head=side.head)
    lines = [e for e in index.out_of.get(value, ()) if e.ledger is Ledger.SOURCES]
    return sorted(lines, key=lambda e: e.target.position)


def query_of(head: NodeId) -> NodeId:
    """The query of a head."""
    return NodeId(NodeKind.QUERY, head.position, head.layer, head=head.head)


def source_lines(index: Index, head: NodeId) -> list[Edge]:
    """The lines of a head's drawn sources, in the order of the prompt."""
    lines = [e for e in index.lines(head, Ledger.SOURCES) if e.source.kind is NodeKind.VALUE]
    return sorted(lines, key=lambda e: e.source.position)


def key_of(value: NodeId) -> NodeId:
    """The key by which a head found a value, or a memory its own."""
    kind = NodeKind.KEY if value.kind is NodeKind.VALUE else NodeKind.MEMORY_KEY
    return NodeId(kind, value.position, value.layer, head=value.head, index=value.index)


def memory_sides(node_id: NodeId) -> tuple[NodeId, NodeId]:
    """A memory's key and its value, whichever is given."""
    at, layer, index = node_id.position, node_id.layer, node_id.index
    return (
        NodeId(NodeKind.MEMORY_KEY, at, layer, index=index),
        NodeId(NodeKind.MEMORY_VALUE, at, layer, index=index),
    )


def wholes(index: Index, part: NodeId) -> list[Edge]:
    """The lines of a node in the ledgers it is a part of, in the order of the flow."""
    return [edge for edge in index.out_of.get(part, ()) if edge.kind is EdgeKind.ADDS]


def own_logit(index: Index, node_id: NodeId) -> float | None:
    """A node's own direct logit; ``None`` where it writes nothing into the traced residual.

    What an attention takes from a residual is a part of that attention, not the residual's own.
    """
    if node_id.kind is NodeKind.OUTPUT:
        return next(
            (e.direct_logit for e in index.into.get(node_id, ()) if e.kind is EdgeKind.UNEMBEDS),
            None,
        )
    return next(
        (
            edge.direct_logit
            for edge in index.out_of.get(node_id, ())
            if edge.direct_logit is not None and not _is_read(edge)
        ),
        None,
    )


def overlap(index: Index, members: Iterable[NodeId]) -> bool:
    """Whether a sum over some nodes would count anything twice.

    It would where one is a part of another, and where two are lines of different ledgers of one
    whole: a head and an attention neuron are two ways of taking one attention apart.
    """
    chains = {member: _chain(index, member) for member in members}
    for one, other in combinations(chains, 2):
        if one in chains[other] or other in chains[one]:
            return True
        for whole, ledgers in chains[one].items():
            if whole in chains[other] and not ledgers & chains[other][whole]:
                return True
    return False


def _chain(index: Index, start: NodeId) -> dict[NodeId, set[Ledger | None]]:
    """Every whole that a node is a part of, however deep, and the ledgers by which it is."""
    reached: dict[NodeId, set[Ledger | None]] = defaultdict(set)
    waiting = [start]
    while waiting:
        for edge in wholes(index, waiting.pop()):
            if _is_read(edge):
                continue
            if edge.target not in reached:
                waiting.append(edge.target)
            reached[edge.target].add(edge.ledger)
    return reached


def _is_read(edge: Edge) -> bool:
    """Whether the line is what an attention takes from a residual."""
    return edge.ledger is Ledger.POSITIONS and edge.source.kind in RESIDUALS

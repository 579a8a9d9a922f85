"""What belongs together in a graph: a head's parts, a memory's two sides, a part and its wholes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from visit.graph.flow import Edge, EdgeKind, Ledger, NodeId, NodeKind
from visit.graph.index import Index, is_taken
from visit.graph.kinds import BLOCKS, NODES, SOURCES


def way_in(index: Index, node_id: NodeId) -> tuple[NodeId, ...]:
    """Say which nodes must be open for a node to be drawn, outermost first; none for most.

    A head is drawn and opened by itself. A source's key and value are shown with the head that
    reads them, a norm before attention with the first head whose query reads it. Neurons are inside
    their attention's rest of neurons.
    """
    whole = NODES[node_id.kind].inside
    if whole is None or node_id.kind is NodeKind.HEAD:
        return ()
    if whole in BLOCKS:
        return (NodeId(whole, node_id.position, node_id.layer),)
    if whole is NodeKind.NEURONS_REST:
        return attention_of(node_id), NodeId(whole, node_id.position, node_id.layer)
    if node_id.kind is NodeKind.LN1:
        opener = _first_reader(index, node_id)
    else:
        opener = head_of(index, node_id)
    return () if opener is None else (opener,)


def attention_of(part: NodeId) -> NodeId:
    """The attention that a head or its neurons are parts of."""
    return NodeId(NodeKind.ATTN, part.position, part.layer)


def neurons_of(attention: NodeId) -> NodeId:
    """The node that opens an attention's neurons: their rest."""
    return NodeId(NodeKind.NEURONS_REST, attention.position, attention.layer)


def head_of(index: Index, node_id: NodeId) -> NodeId | None:
    """The head that a head's part belongs to, at the position that reads; itself for a head.

    A source can be read from several positions; then the traced one, else the last, is meant.
    """
    if node_id.head is None:
        return None
    if node_id.kind not in SOURCES:
        return _head(node_id)
    traced = index.flow.position
    return max(
        (line.target for line in reader_lines(index, node_id)),
        key=lambda head: (head.position == traced, head.position),
        default=None,
    )


def _first_reader(index: Index, norm: NodeId) -> NodeId | None:
    """The first head whose query reads a norm."""
    read_by = (edge.target for edge in index.out_of.get(norm, ()))
    return min((_head(n) for n in read_by if n.kind is NodeKind.QUERY), default=None)


def _head(part: NodeId) -> NodeId:
    return NodeId(NodeKind.HEAD, part.position, part.layer, head=part.head)


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


def logit_so_far(index: Index, whole: NodeId) -> float | None:
    """What the direct logits of a whole's ledgers add up to; ``None`` off the traced residual.

    For a part that is its own direct logit. For a residual, the final norm and the output it is
    the sum of all that was written into the traced residual before them, of which nothing is their
    own; the output's has the biases of the final norm and the unembedding in it.
    """
    if whole.kind is NodeKind.OUTPUT:
        edges = [e for e in index.into.get(whole, ()) if e.kind is EdgeKind.UNEMBEDS]
    else:
        edges = [e for e in index.out_of.get(whole, ()) if not is_taken(e)]
    return next((e.direct_logit for e in edges if e.direct_logit is not None), None)


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


def sum_logits(index: Index, members: Iterable[NodeId]) -> float | None:
    """Add up some nodes' direct logits.

    ``None`` where one has none, or where a sum would count anything twice.
    """
    nodes = list(members)
    logits = [index.direct_logit(node_id) for node_id in nodes]
    present = [logit for logit in logits if logit is not None]
    if len(present) < len(logits) or overlap(index, nodes):
        return None
    return sum(present)


def _chain(index: Index, start: NodeId) -> dict[NodeId, set[Ledger | None]]:
    """Every whole that a node is a part of, however deep, and the ledgers by which it is."""
    reached: dict[NodeId, set[Ledger | None]] = defaultdict(set)
    waiting = [start]
    while waiting:
        for edge in wholes(index, waiting.pop()):
            if is_taken(edge):
                continue
            if edge.target not in reached:
                waiting.append(edge.target)
            reached[edge.target].add(edge.ledger)
    return reached

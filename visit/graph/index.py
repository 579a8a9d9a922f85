"""A flow graph made ready for drawing: quick look-ups, and what each edge carries.

What an edge *carries* is its ``|flow|``, as a part of the metric's absolute flow: what a threshold
is compared with, the same in every layer. A part that only steers carries what it steers.

Where the route was drawn by share, or a document has no flow (``visit.flow/1``), it is the part of
the traced residual that reaches the output through the edge instead. The output carries 1. Going
back from it, whatever a node carries is split over the lines of its ledger by ``|share|``,
normalised (positions that are not drawn count one by one); the attention's positions hand it to the
residuals they read, and what an MLP carries goes to the residual it reads. So at every depth the
residuals carry 1 together, less what biases and rests carry. Parts of an opened block split what
their whole carries; they do not hand it on, since the positions ledger already did.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from visit.graph.effect import Effect
from visit.graph.flow import Edge, EdgeKind, FlowGraph, Ledger, Node, NodeId, NodeKind
from visit.graph.ids import depth
from visit.graph.kinds import BIASES, RESIDUALS, RESTS
from visit.graph.request import RouteBy

EdgeId = tuple[NodeId, NodeId, str]

_INSIDE = frozenset({Ledger.HEADS, Ledger.MEMORIES, Ledger.EXPERTS})
"""The ledgers of an opened block of which another may hold some lines alone."""


def edge_id(edge: Edge) -> EdgeId:
    """What tells an edge from every other."""
    return edge.source, edge.target, edge.key


@dataclass(slots=True)
class Index:
    """A flow graph with its look-ups. Made once for a graph, never changed.

    Attributes:
        flow: The graph.
        nodes: Its nodes by id.
        into: The edges that enter a node, in the graph's order.
        out_of: The edges that leave a node.
        carried: What an edge carries, 0 to 1.
        carries: What a node carries, 0 to 1.
        threads: The residuals of each position, in the order of the flow.
        largest: The largest norm, share, direct logit and flow of any edge, without sign, and as
            ``written`` the largest direct logit of a node, as ``direct_logit`` has it.
    """

    flow: FlowGraph
    nodes: dict[NodeId, Node] = field(init=False, repr=False)
    into: dict[NodeId, list[Edge]] = field(init=False, repr=False)
    out_of: dict[NodeId, list[Edge]] = field(init=False, repr=False)
    carried: dict[EdgeId, float] = field(init=False, repr=False)
    carries: dict[NodeId, float] = field(init=False, repr=False)
    threads: dict[int, list[NodeId]] = field(init=False, repr=False)
    largest: dict[str, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.nodes = {node.id: node for node in self.flow.nodes}
        self.into = defaultdict(list)
        self.out_of = defaultdict(list)
        for edge in self.flow.edges:
            self.into[edge.target].append(edge)
            self.out_of[edge.source].append(edge)
        self.threads = defaultdict(list)
        for node_id in sorted(filter(lambda n: n.kind in RESIDUALS, self.nodes), key=depth):
            self.threads[node_id.position].append(node_id)
        carry = _carry_flow if self.by_flow else _carry_share
        self.carried, self.carries = carry(self)
        measured = {
            "norm": (edge.norm for edge in self.flow.edges),
            "share": (edge.share for edge in self.flow.edges),
            "logit": (edge.direct_logit for edge in self.flow.edges),
            "flow": (edge.flow for edge in self.flow.edges),
            "written": map(self.direct_logit, self.nodes),
        }
        self.largest = {
            name: max((abs(size) for size in sizes if size), default=1.0)
            for name, sizes in measured.items()
        }

    def with_effects(self, effects: Iterable[Effect]) -> Index:
        """The same graph, its nodes with what was measured of each by itself."""
        by_id = {one.sites[0].node: one for one in effects if len(one.sites) == 1}
        nodes = {
            node_id: replace(node, effect=by_id.get(node_id, node.effect))
            for node_id, node in self.nodes.items()
        }
        other = copy.copy(self)  # its numbers are of the same edges
        other.flow, other.nodes = replace(self.flow, nodes=tuple(nodes.values())), nodes
        return other

    @property
    def by_flow(self) -> bool:
        """Whether what an edge carries is flow; else it is a share of the traced residual."""
        flow = self.flow
        return flow.request.route is RouteBy.FLOW and flow.metric.absolute_flow is not None

    def signed(self, edge: Edge) -> float:
        """What an edge carries with its sign, in the metric's unit; without flow, ``carried``."""
        if not self.by_flow:
            return self.carried[edge_id(edge)]
        return edge.flow or 0.0

    def part_of_flow(self, flow: float) -> float:
        """A flow without its sign as a part of the metric's absolute flow, 0 to 1."""
        return min(abs(flow) / (self.flow.metric.absolute_flow or 1.0), 1.0)

    def measure(self, node_id: NodeId) -> float:
        """What passes through a node, likewise."""
        if not self.by_flow:
            return self.carries.get(node_id, 0.0)
        return self.nodes[node_id].flow or 0.0

    def lines(self, whole: NodeId, ledger: Ledger) -> list[Edge]:
        """The lines of one ledger of a node."""
        return [edge for edge in self.into.get(whole, ()) if edge.ledger is ledger]

    def direct_logit(self, node_id: NodeId) -> float | None:
        """What a node itself writes towards the target, where it writes into the traced residual.

        It is the node's line in a ledger it is a part of; every such line says the same. A residual
        after the embedding holds the running sum of what was written before it, and the final norm
        and the output hold all of it: none of them writes anything of its own, so none has a direct
        logit (``relations.logit_so_far`` says the sum). What an attention takes from a residual is
        a part of the attention, and not the residual's own; what it takes from positions that are
        not drawn is their rest's.
        """
        if node_id.kind in RESIDUALS and node_id.kind is not NodeKind.EMBED:
            return None
        said = (
            edge.direct_logit
            for edge in self.out_of.get(node_id, ())
            if edge.kind is EdgeKind.ADDS and not is_taken(edge)
        )
        return next((logit for logit in said if logit is not None), None)

    def residual_before(self, layer: int, position: int) -> NodeId | None:
        """The residual that a block reads at a position, when the graph has it."""
        if layer == 0:
            before = NodeId(NodeKind.EMBED, position)
        else:
            before = NodeId(NodeKind.RESID_POST, position, layer - 1)
        return before if before in self.nodes else None

    def read_by(self, mlp: NodeId) -> NodeId | None:
        """The residual that an MLP reads, when the graph has it."""
        assert mlp.layer is not None
        mid = NodeId(NodeKind.RESID_MID, mlp.position, mlp.layer)
        return mid if mid in self.nodes else self.residual_before(mlp.layer, mlp.position)

    def entering(self, node_id: NodeId) -> float:
        """What the lines of a node's route carry into it, those of biases and rests with them.

        By share that is what it carries; by flow it is more where parts work against each other.
        """
        lines = [edge for edge in self.into.get(node_id, ()) if _is_of_route(edge)]
        if not lines:
            return self.carries.get(node_id, 0.0)
        return sum(self.carried[edge_id(edge)] for edge in lines)

    @property
    def unexplained(self) -> float:
        """The part that comes neither from a drawn token nor a bias, of the whole graph."""
        if self.by_flow:
            return 1.0 - _find_explained(self).get(NodeId(NodeKind.OUTPUT, self.flow.position), 0.0)
        tokens = sum(c for node_id, c in self.carries.items() if node_id.kind is NodeKind.EMBED)
        biases = sum(
            self.carried[edge_id(edge)]
            for edge in self.flow.edges
            if edge.source.kind in BIASES and edge.ledger is Ledger.POSITIONS
        )
        return max(0.0, 1.0 - tokens - biases)


def _is_of_route(edge: Edge) -> bool:
    ends = (NodeKind.FINAL_NORM, NodeKind.OUTPUT)
    return edge.ledger in (Ledger.RESIDUAL, Ledger.POSITIONS) or edge.target.kind in ends


def _find_explained(index: Index) -> dict[NodeId, float]:
    """What part of what enters each node of the route comes from drawn tokens and biases."""
    explained = {
        node_id: 1.0 for node_id in index.nodes if node_id.kind in {NodeKind.EMBED, *BIASES}
    }
    for node_id in sorted(index.nodes.keys() - explained.keys(), key=depth):
        whole = index.entering(node_id)
        lines = [edge for edge in index.into.get(node_id, ()) if _is_of_route(edge)]
        through = sum(index.carried[edge_id(e)] * explained.get(e.source, 0.0) for e in lines)
        if node_id.kind is NodeKind.MLP:
            read = index.read_by(node_id)
            explained[node_id] = 0.0 if read is None else explained.get(read, 0.0)
        elif lines and whole:
            explained[node_id] = through / whole
    return explained


def _carry_flow(index: Index) -> tuple[dict[EdgeId, float], dict[NodeId, float]]:
    part = index.part_of_flow
    carries: dict[NodeId, float] = {}
    carried: dict[EdgeId, float] = {}
    for node_id in sorted(index.nodes, key=depth, reverse=True):
        own = index.nodes[node_id].flow
        leaving = index.out_of.get(node_id, ())
        for edge in leaving:
            steered = carries.get(edge.target, 0.0)
            carried[edge_id(edge)] = steered if edge.flow is None else part(_flow_of(edge))
        steered = min(sum((carried[edge_id(edge)] for edge in leaving), 0.0), 1.0)
        # The flows of positions in a rest do not cancel out, which its own flow has done.
        own = None if node_id.kind is NodeKind.POSITIONS_REST else own
        carries[node_id] = steered if own is None else part(own)
    return carried, carries


def _carry_share(index: Index) -> tuple[dict[EdgeId, float], dict[NodeId, float]]:
    carries: dict[NodeId, float] = defaultdict(float)
    carried: dict[EdgeId, float] = {}
    for node_id in sorted(index.nodes, key=depth, reverse=True):
        whole = 1.0 if node_id.kind is NodeKind.OUTPUT else carries[node_id]
        carries[node_id] = whole
        sizes: dict[Ledger | None, float] = defaultdict(float)
        for edge in index.into.get(node_id, ()):
            sizes[edge.ledger] += _size(edge)
        for edge in index.into.get(node_id, ()):
            part = whole
            if edge.kind is EdgeKind.ADDS:
                size = sizes[edge.ledger]
                part = whole * _size(edge) / size if size else 0.0
            carried[edge_id(edge)] = min(part, 1.0)
            if edge.source.kind is NodeKind.ATTN_BIAS:  # a line of several ledgers of one whole
                carries[edge.source] = max(carries[edge.source], part)
            elif _hands_on(edge):
                carries[edge.source] += part
        if node_id.kind is NodeKind.MLP:
            read = index.read_by(node_id)
            if read is not None:
                carries[read] += whole
    return carried, dict(carries)


def _size(edge: Edge) -> float:
    """What an edge weighs in its ledger: the shares of positions in a rest do not cancel out."""
    return abs(edge.share or 0.0) if edge.absolute_share is None else edge.absolute_share


def _flow_of(edge: Edge) -> float:
    """Likewise its flow, whose sign does not matter."""
    return (edge.flow or 0.0) if edge.absolute_flow is None else edge.absolute_flow


def _hands_on(edge: Edge) -> bool:
    """Whether the source of an edge carries what the edge does, or another edge says so already."""
    if edge.source.kind not in RESIDUALS:
        return True
    return edge.ledger in (Ledger.RESIDUAL, Ledger.POSITIONS) or (
        edge.target.kind is NodeKind.FINAL_NORM
    )


def is_taken(edge: Edge) -> bool:
    """Whether an edge is what an attention takes from a residual."""
    return edge.ledger is Ledger.POSITIONS and edge.source.kind in RESIDUALS


def is_whole(index: Index, block: NodeId) -> bool:
    """Whether a graph holds all that is drawn of an attention or MLP once its block is opened.

    Of a block that is not opened it may hold those of its parts that are among the strongest of the
    whole model. An opened block has its attention's neurons as well.
    """
    attention = NodeId(NodeKind.ATTN, block.position, block.layer)
    return bool(index.lines(attention, Ledger.NEURONS))


def merge(whole: FlowGraph, block: FlowGraph) -> FlowGraph:
    """Add a block's nodes and edges to a graph.

    A ledger that the graph has already stays as it is, so that it still adds up; unless it is one
    of the block's inside, and the block's names more parts: then that takes its place.
    """
    held, brought = _ledgers(whole), _ledgers(block)
    finer = {
        group
        for group, lines in brought.items()
        if group in held and group[1] in _INSIDE and _n_parts(lines) > _n_parts(held[group])
    }
    kept_edges = [e for e in whole.edges if (e.target, e.ledger) not in finer]
    nodes = {node.id: node for node in whole.nodes}
    edges = {edge_id(edge): edge for edge in kept_edges}
    for edge in block.edges:
        group = edge.target, edge.ledger
        if group not in held or group in finer:
            edges.setdefault(edge_id(edge), edge)
    parts = {line.source for group in finer for line in brought[group]}
    for node in block.nodes:
        if node.id in parts:
            known = nodes.get(node.id, node).effect
            nodes[node.id] = node if node.effect else replace(node, effect=known)
        nodes.setdefault(node.id, node)
    ends = {end for edge in edges.values() for end in (edge.source, edge.target)}
    kept = (node for node in nodes.values() if node.id in ends)
    ordered = sorted(kept, key=lambda node: depth(node.id))
    return replace(whole, nodes=tuple(ordered), edges=tuple(edges.values()))


def _n_parts(lines: list[Edge]) -> int:
    """How many parts a ledger names: a rest stands for those that it does not."""
    return sum(line.source.kind not in RESTS for line in lines)


def _ledgers(flow: FlowGraph) -> dict[tuple[NodeId, Ledger | None], list[Edge]]:
    groups: dict[tuple[NodeId, Ledger | None], list[Edge]] = defaultdict(list)
    for edge in flow.edges:
        if edge.ledger is not None:
            groups[edge.target, edge.ledger].append(edge)
    return groups

"""Which part of a flow graph is drawn: the route, and what was opened, within a budget.

The whole of even a small model is too much to draw at once. So first comes the route (residuals,
attention and MLP of every layer and position, and the attention edges between positions); the
parts of a block come when its attention or MLP is opened, a head's query, keys and values when
the head is. A node that is not drawn is bridged, so that what flows through it stays visible. When
the budget would be passed, the lines that carry least are left out, and the count says so.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace

import networkx

from visit.graph.flow import Edge, EdgeKind, Ledger, Node, NodeId, NodeKind
from visit.graph.ids import depth
from visit.graph.index import Index, edge_id
from visit.graph.kinds import BIASES, BLOCKS, EDGES, NODES, NORMS, RESIDUALS, ROUTE, kinds_inside
from visit.graph.relations import attention_of

BUDGET = 600
_STEERING = NORMS | {NodeKind.QUERY, NodeKind.KEY, NodeKind.MEMORY_KEY}
"""What adds nothing itself, and is drawn behind the part that it steers."""


@dataclass(frozen=True, slots=True)
class Line:
    """An edge as it is drawn; a bridge stands for what flows through nodes that are not."""

    source: NodeId
    target: NodeId
    kind: EdgeKind
    ledger: Ledger | None
    carried: float
    share: float | None = None
    attention: float | None = None
    norm: float | None = None
    direct_logit: float | None = None

    @property
    def id(self) -> str:
        """Unique in a selection."""
        return f"{self.source}>{self.target}:{self.ledger or self.kind}"

    @property
    def hides(self) -> bool:
        """Whether a threshold may hide it: all may be hidden but the residual stream itself."""
        return not (self.source.kind in RESIDUALS and self.target.kind in RESIDUALS)

    def is_hidden(self, level: float) -> bool:
        """Whether a threshold hides it."""
        return is_hidden(self.hides, self.carried, level)


def is_hidden(hides: bool, carried: float, level: float) -> bool:
    """Whether a threshold hides a line: it may be hidden, and carries less.

    The one rule of what a threshold hides; ``assets/threshold.js`` is its copy in the browser.

    Args:
        hides: Whether a threshold may hide it.
        carried: The part of the traced residual that it carries, 0 to 1.
        level: The threshold, 0 to 1.
    """
    return hides and carried < level


@dataclass(frozen=True, slots=True)
class Selection:
    """What is drawn.

    Attributes:
        nodes: In the order of the flow.
        lines: Every one between two drawn nodes.
        opened: The nodes that are drawn opened.
        left_out: How many lines the budget left out.
        left_out_above: What each of those carries at most, 0 to 1.
    """

    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]
    opened: frozenset[NodeId]
    left_out: int = 0
    left_out_above: float = 0.0

    @property
    def size(self) -> int:
        """How many elements it takes to draw."""
        return len(self.nodes) + len(self.lines)


def select(index: Index, opened: Iterable[NodeId] = (), budget: int = BUDGET) -> Selection:
    """Choose the route with the opened nodes' parts, in at most ``budget`` elements."""
    drawn_open = frozenset(_openable(index, opened))
    nodes = _nodes(index, drawn_open)
    lines = list(_lines(index, drawn_open, nodes))
    whole = _selection(index, nodes, lines, drawn_open)
    if whole.size <= budget:
        return whole

    def choose_above(level: float) -> Selection:
        kept = [line for line in lines if line.carried >= level or not _may_be_left_out(line)]
        return _selection(index, *_keep_what_reaches_the_output(nodes, kept), drawn_open)

    levels = sorted({line.carried for line in lines if _may_be_left_out(line)})
    low, high = 0, len(levels)
    fitting = None
    while low < high:  # the lowest level that fits
        middle = (low + high) // 2
        tried = choose_above(levels[middle])
        if tried.size <= budget:
            high, fitting = middle, tried
        else:
            low = middle + 1
    fitting = fitting or choose_above(1.0)
    return replace(
        fitting,
        left_out=len(lines) - len(fitting.lines),
        left_out_above=levels[min(high, len(levels) - 1)] if levels else 0.0,
    )


def _selection(
    index: Index, nodes: Iterable[NodeId], lines: Iterable[Line], opened: frozenset[NodeId]
) -> Selection:
    ordered = sorted(nodes, key=depth)
    return Selection(tuple(index.nodes[n] for n in ordered), tuple(lines), opened)


def _openable(index: Index, opened: Iterable[NodeId]) -> Iterator[NodeId]:
    """Those the graph can open; a head or neurons only inside their opened attention."""
    asked = {node_id for node_id in opened if can_open(index, node_id)}
    for node_id in asked:
        if node_id.kind in BLOCKS or attention_of(node_id) in asked:
            yield node_id


def can_open(index: Index, node_id: NodeId) -> bool:
    """Whether the graph holds the parts of a node."""
    return bool(_parts(index, node_id))


def _parts(index: Index, opened: NodeId) -> list[Edge]:
    """The ledger that an opened node shows."""
    whole = attention_of(opened) if opened.kind is NodeKind.NEURONS_REST else opened
    return [line for of in NODES[opened.kind].opens for line in index.lines(whole, of)]


def _may_be_left_out(line: Line) -> bool:
    """Whether the budget may leave out a line: of those that a threshold may hide, not all.

    What a block reads and what it adds to the residual stay, so that each can be opened.
    """
    return line.hides and EDGES[line.kind].is_inside and line.ledger is not Ledger.RESIDUAL


def _nodes(index: Index, opened: frozenset[NodeId]) -> set[NodeId]:
    drawn = {node_id for node_id in index.nodes if node_id.kind in ROUTE}
    for whole in opened:
        inside = kinds_inside(whole.kind)
        for edge in _parts(index, whole):
            if edge.source.kind in inside:
                drawn.add(edge.source)
                drawn.update(_behind(index, edge.source, whole))
    return {node_id for node_id in drawn if _whole_is_in(drawn, node_id)}


def _behind(index: Index, part: NodeId, whole: NodeId) -> Iterator[NodeId]:
    """What is drawn behind a part: a value's key and query, a memory's key, an expert's norm."""
    waiting, seen = [part], set[NodeId]()
    while waiting:
        for edge in index.into.get(waiting.pop(), ()):
            source = edge.source
            elsewhere = source.kind is NodeKind.QUERY and source.position != whole.position
            if source.kind in _STEERING and not elsewhere and source not in seen:
                seen.add(source)
                yield source
                waiting.append(source)


def _lines(index: Index, opened: frozenset[NodeId], nodes: set[NodeId]) -> Iterator[Line]:
    for edge in index.flow.edges:
        if edge.source in nodes and edge.target in nodes and _is_drawn(edge, opened):
            yield _line(index, edge)
    for node_id in nodes:
        if node_id.kind is NodeKind.MLP and node_id not in opened:
            yield from _bridge_to_mlp(index, node_id, nodes)
        elif node_id.kind is NodeKind.HEAD and node_id not in opened:
            yield from _bridges_to_head(index, node_id, nodes)


def _is_drawn(edge: Edge, opened: frozenset[NodeId]) -> bool:
    """One ledger of a node is drawn at a time: the one that was opened, or the route's."""
    if edge.ledger in NODES[edge.target.kind].opens:
        return edge.target in opened
    if edge.ledger is Ledger.NEURONS:  # the bias is drawn as the heads' already
        return edge.source.kind not in BIASES
    if edge.ledger is Ledger.POSITIONS:
        return edge.target not in opened and edge.source.kind in RESIDUALS
    return edge.kind is not EdgeKind.READS or edge.target.kind is not NodeKind.MLP


def _line(index: Index, edge: Edge) -> Line:
    return Line(
        edge.source,
        edge.target,
        edge.kind,
        edge.ledger,
        index.carried[edge_id(edge)],
        edge.share,
        edge.attention,
        edge.norm,
        edge.direct_logit,
    )


def _bridge_to_mlp(index: Index, mlp: NodeId, nodes: set[NodeId]) -> Iterator[Line]:
    """A closed MLP reads the residual, whether or not the graph goes through its memories."""
    read = index.read_by(mlp)
    if read in nodes and read is not None:
        yield Line(read, mlp, EdgeKind.READS, None, index.carries[mlp])


def _bridges_to_head(index: Index, head: NodeId, nodes: set[NodeId]) -> Iterator[Line]:
    """A closed head is joined to the residuals whose values it adds."""
    assert head.layer is not None
    for edge in index.lines(head, Ledger.SOURCES):
        if edge.source.kind is not NodeKind.VALUE:
            continue
        read = index.residual_before(head.layer, edge.source.position)
        if read in nodes and read is not None:
            carried = index.carried[edge_id(edge)]
            measured = edge.share, edge.attention, edge.norm, edge.direct_logit
            yield Line(read, head, edge.kind, Ledger.SOURCES, carried, *measured)


def _keep_what_reaches_the_output(
    nodes: set[NodeId], lines: list[Line]
) -> tuple[set[NodeId], list[Line]]:
    """Only what still leads to the output, with the lines between."""
    kept = _reaching_the_output(nodes, lines)
    # A query is not without its head, though another position's head reads the same key.
    parts = [line for line in lines if _whole_is_in(kept, line.source)]
    if len(parts) < len(lines):
        kept = _reaching_the_output(nodes, parts)
    return kept, [line for line in parts if line.source in kept and line.target in kept]


def _reaching_the_output(nodes: set[NodeId], lines: Iterable[Line]) -> set[NodeId]:
    drawn = networkx.DiGraph((line.source, line.target) for line in lines)
    reaching = {node_id for node_id in nodes if node_id.kind is NodeKind.OUTPUT}
    for output in reaching & drawn.nodes:
        reaching |= networkx.ancestors(drawn, output)
    return reaching


def _whole_is_in(nodes: Container[NodeId], part: NodeId) -> bool:
    """Whether a query's head is among some nodes; whatever else leads on leads to its whole."""
    return part.kind is not NodeKind.QUERY or replace(part, kind=NodeKind.HEAD) in nodes

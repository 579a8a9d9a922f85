"""Which part of a flow graph is drawn: the parts that matter, and the threads that join them.

1. The strongest parts of all layers and positions, and whatever was opened, picked or pinned.
2. A row for the position of each, and for each position that one of them reads by enough.
3. Along each row a *thread*, the residual stream: from the embedding to the last residual that the
   graph holds there. It has a *junction*, a residual, wherever a part writes to it or is fed by it.
4. Everything else is folded into the threads: what lies between two junctions shows as a change of
   the thread's width. ``visit.graph.flows`` says how much that is.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from visit.graph.flow import Edge, EdgeKind, Ledger, Node, NodeId, NodeKind
from visit.graph.ids import flow_order
from visit.graph.index import Index, edge_id
from visit.graph.kinds import BLOCKS, NODES, NORMS, RESIDUALS, kinds_inside
from visit.graph.parts import By, Choice, rank_parts
from visit.graph.relations import attention_of, way_in

_STEERING = NORMS | {NodeKind.QUERY, NodeKind.KEY, NodeKind.MEMORY_KEY}
"""What adds nothing itself, and is drawn behind the part that it steers."""
_ENDS = (NodeKind.FINAL_NORM, NodeKind.OUTPUT)
THREADED = RESIDUALS | frozenset(_ENDS)
"""What a thread leads through."""


@dataclass(frozen=True, slots=True)
class Line:
    """An edge as it is drawn: one of the graph's, or one that stands for several.

    Attributes:
        source: Where it starts.
        target: Where it ends.
        kind: What the first does to the second.
        ledger: The ledger it is a line of.
        carried: What it carries, 0 to 1 (``Index.carried``).
        flow: Likewise with its sign, in the metric's unit; in a graph without flow, as carried.
        share: As the edge has it, and so are the others.
    """

    source: NodeId
    target: NodeId
    kind: EdgeKind
    ledger: Ledger | None
    carried: float
    flow: float
    share: float | None = None
    attention: float | None = None
    norm: float | None = None
    direct_logit: float | None = None

    @property
    def id(self) -> str:
        """Unique in a selection."""
        return f"{self.source}>{self.target}:{self.ledger or self.kind}"

    @property
    def is_thread(self) -> bool:
        """Whether it is a stretch of a thread."""
        return self.source.kind in THREADED and self.target.kind in THREADED


@dataclass(frozen=True, slots=True)
class Selection:
    """What is drawn.

    Attributes:
        nodes: In the order of the flow.
        lines: Every one between two drawn nodes.
        opened: The nodes that are drawn opened.
        places: The place of each chosen part among all, from 1; kept ones may have any.
        count: How many of the strongest are among them.
        by: What those are the strongest by.
        layers: Those that have a column of their own; the others are folded.
        n_layers: How many layers the model has.
        n_parts: How many parts the graph holds that could be drawn.
    """

    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]
    opened: frozenset[NodeId]
    places: Mapping[NodeId, int]
    count: int
    by: By
    layers: frozenset[int]
    n_layers: int
    n_parts: int

    @property
    def rows(self) -> list[int]:
        """The positions that have a row."""
        return sorted({node.id.position for node in self.nodes})


def select(
    index: Index,
    opened: Iterable[NodeId] = (),
    choice: Choice | None = None,
    places: Mapping[NodeId, int] | None = None,
) -> Selection:
    """Choose what is drawn.

    Args:
        index: The graph.
        opened: What is opened.
        choice: How many parts, and what besides; as by default when left out.
        places: ``rank_parts`` of the graph by what is asked for, where it is known already.
    """
    choice = choice or Choice()
    places = rank_parts(index, choice.by) if places is None else places
    drawn_open, parts, residuals = _find_asked(index, opened, choice)
    parts |= {part for part, place in places.items() if place <= choice.count}
    for whole in drawn_open:
        parts.add(whole)
        parts.update(_find_inside(index, whole))
    parts |= {_whole_of(index, part) for part in parts}
    parts = {part for part in parts if _has_its_head(part, parts)}
    least = _find_least(index, places, choice.count)
    written = [line for part in sorted(parts) for line in _write(index, part, parts)]
    read = list(_read(index, parts, drawn_open, least))
    inside = list(_join_inside(index, parts, drawn_open))
    lines = [*written, *read, *inside]
    junctions = residuals | {
        end for line in lines for end in (line.source, line.target) if end.kind in RESIDUALS
    }
    layers = {n.layer for n in parts | residuals if n.layer is not None} | set(choice.unfolded)
    threads = list(_spin(index, parts, junctions, layers))
    lines = [*threads, *lines]
    nodes = parts | {end for line in lines for end in (line.source, line.target)}
    return Selection(
        tuple(index.nodes[n] for n in sorted(nodes, key=flow_order)),
        tuple(lines),
        drawn_open,
        {part: places[part] for part in parts if part in places},
        min(choice.count, len(places)),
        choice.by,
        frozenset(layers),
        index.flow.model.n_layers,
        len(places),
    )


def _find_least(index: Index, places: Mapping[NodeId, int], count: int) -> float:
    """The flow of the weakest of so many parts by flow: less of it makes no row of its own."""
    flows = heapq.nlargest(count, (abs(index.measure(part)) for part in places))
    return flows[-1] if flows else math.inf


def can_open(index: Index, node_id: NodeId) -> bool:
    """Whether the graph holds the parts of a node."""
    return bool(_parts(index, node_id))


def _find_asked(
    index: Index, opened: Iterable[NodeId], choice: Choice
) -> tuple[frozenset[NodeId], set[NodeId], set[NodeId]]:
    """What is drawn open, which parts are kept by themselves, and which residuals."""
    asked, parts, residuals = set(opened), set[NodeId](), set[NodeId]()
    for node_id in choice.kept & index.nodes.keys():
        if node_id.kind in THREADED:
            residuals.add(node_id)
        elif node_id.kind in BLOCKS or node_id.kind is NodeKind.HEAD:
            parts.add(node_id)
        else:
            asked.update(way_in(index, node_id))
    openable = {node_id for node_id in asked if can_open(index, node_id)}
    drawn_open = frozenset(
        n for n in openable if n.kind is not NodeKind.NEURONS_REST or attention_of(n) in openable
    )
    return (
        drawn_open,
        parts | {n for n in asked & index.nodes.keys() if n.kind in BLOCKS},
        residuals,
    )


def _parts(index: Index, opened: NodeId) -> list[Edge]:
    """The ledger that an opened node shows."""
    whole = attention_of(opened) if opened.kind is NodeKind.NEURONS_REST else opened
    return [line for of in NODES[opened.kind].opens for line in index.lines(whole, of)]


def _find_inside(index: Index, whole: NodeId) -> Iterator[NodeId]:
    inside = kinds_inside(whole.kind)
    for edge in _parts(index, whole):
        if edge.source.kind in inside:
            yield edge.source
            yield from _behind(index, edge.source, whole)


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


def _whole_of(index: Index, part: NodeId) -> NodeId:
    """The MLP of a memory or expert, without which it would add to nothing; else the part."""
    inside = NODES[part.kind].inside
    mlp = NodeId(NodeKind.MLP, part.position, part.layer)
    return mlp if inside is NodeKind.MLP and mlp in index.nodes else part


def _has_its_head(part: NodeId, parts: set[NodeId]) -> bool:
    """Whether a query's head is drawn; whatever else leads on leads to its whole."""
    return part.kind is not NodeKind.QUERY or replace(part, kind=NodeKind.HEAD) in parts


def find_written(index: Index, part: NodeId) -> NodeId | None:
    """The residual that an attention, a head or an MLP writes to."""
    mid = NodeId(NodeKind.RESID_MID, part.position, part.layer)
    post = NodeId(NodeKind.RESID_POST, part.position, part.layer)
    first = post if part.kind is NodeKind.MLP or mid not in index.nodes else mid
    return first if first in index.nodes else None


def _write(index: Index, part: NodeId, parts: set[NodeId]) -> Iterator[Line]:
    """What a block, or a head whose attention is not drawn, adds to its thread."""
    is_lone = part.kind is NodeKind.HEAD and attention_of(part) not in parts
    if part.kind not in BLOCKS and not is_lone:
        return
    written = find_written(index, part)
    whole, ledger = (attention_of(part), Ledger.HEADS) if is_lone else (written, Ledger.RESIDUAL)
    for edge in index.out_of.get(part, ()):
        if edge.target == whole and edge.ledger is ledger and written is not None:
            yield _line(index, edge, target=written)


def _read(
    index: Index, parts: set[NodeId], opened: frozenset[NodeId], least: float
) -> Iterator[Line]:
    """What closed parts read from the threads: an MLP its own, others those of their sources."""
    rows = {part.position for part in parts} | {index.flow.position}
    with_heads = {attention_of(part) for part in parts if part.kind is NodeKind.HEAD}
    for part in sorted(parts - opened):
        read = index.read_by(part) if part.kind is NodeKind.MLP else None
        if read is not None:
            flow = index.measure(part)
            yield Line(read, part, EdgeKind.READS, None, index.carries.get(part, 0.0), flow)
    for part in sorted(parts - opened):
        ledger = {NodeKind.HEAD: Ledger.SOURCES, NodeKind.ATTN: Ledger.POSITIONS}.get(part.kind)
        if ledger is None or part in with_heads:
            continue
        found = [
            (index.residual_before(part.layer, edge.source.position), edge)
            for edge in index.lines(part, ledger)
            if part.layer is not None and edge.source.kind in {NodeKind.VALUE, *RESIDUALS}
        ]
        lines = [_line(index, e, source=s, target=part) for s, e in found if s is not None]
        lines.sort(key=lambda line: -abs(line.flow))
        for number, line in enumerate(lines):
            is_enough = abs(line.flow) >= least or line.source.position in rows
            if number == 0 or is_enough:
                yield line


def _join_inside(index: Index, parts: set[NodeId], opened: frozenset[NodeId]) -> Iterator[Line]:
    """The edges into whatever is drawn of a block: from its parts, and from the thread."""
    for target in sorted(parts):
        for edge in index.into.get(target, ()):
            source = edge.source
            if source in parts and _is_drawn(edge, opened):
                yield _line(index, edge)
            elif source.kind in RESIDUALS and target.kind in _STEERING | {NodeKind.VALUE}:
                yield _line(index, edge)


def _is_drawn(edge: Edge, opened: frozenset[NodeId]) -> bool:
    """Of an attention's neurons the bias is drawn as the heads' already."""
    return (
        edge.ledger is not Ledger.NEURONS
        or edge.source.kind is NodeKind.ATTN_NEURON
        or (edge.source.kind is NodeKind.NEURONS_REST and edge.source in opened)
    )


def _line(
    index: Index, edge: Edge, *, source: NodeId | None = None, target: NodeId | None = None
) -> Line:
    return Line(
        source or edge.source,
        target or edge.target,
        edge.kind,
        edge.ledger,
        index.carried[edge_id(edge)],
        index.signed(edge),
        edge.share,
        edge.attention,
        edge.norm,
        edge.direct_logit,
    )


def _spin(
    index: Index, parts: set[NodeId], junctions: set[NodeId], layers: set[int]
) -> Iterator[Line]:
    """The threads' stretches, from junction to junction; none is both in a fold and outside."""
    traced = index.flow.position
    rows = {node_id.position for node_id in parts | junctions} | {traced}
    for row in sorted(rows):
        along = held = index.threads.get(row, [])
        if row == traced:
            along = [*along, *(NodeId(k, row) for k in _ENDS if NodeId(k, row) in index.nodes)]
        stops = [
            node_id
            for number, node_id in enumerate(along)
            if number in (0, len(held) - 1, len(along) - 1)
            or node_id in junctions
            or _is_beside_a_drawn_layer(node_id, layers)
        ]
        following = dict(pairwise(along))
        for start, end in pairwise(stops):
            yield _stretch(index, start, following[start], end)


def _is_beside_a_drawn_layer(residual: NodeId, layers: set[int]) -> bool:
    """Whether a residual is the last before a drawn layer, or the last of one, beside a fold."""
    if residual.kind is not NodeKind.RESID_POST or residual.layer is None:
        return False
    return (residual.layer in layers) != (residual.layer + 1 in layers)


def _stretch(index: Index, start: NodeId, following: NodeId, end: NodeId) -> Line:
    """A stretch of a thread: its flow is what leaves its start, its width that of its middle."""
    edge = next((e for e in index.out_of.get(start, ()) if e.target == following), None)
    if edge is None or end.kind in _ENDS:
        kind = EdgeKind.ADDS if edge is None else edge.kind
        return Line(start, end, kind, None, index.carries.get(start, 0.0), index.measure(start))
    line = _line(index, edge)
    return replace(line, target=end, carried=(line.carried + index.carries.get(end, 0.0)) / 2)

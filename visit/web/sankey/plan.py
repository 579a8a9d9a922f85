"""Where the parts of one layer stand: the residual on a lane above, what adds to it stacked below.

In a column the parts are stacked so that a head stands beside its query, its keys and its values,
and a memory's value beside its key. The scale is the largest at which all fit.
Two exceptions to scale keep links legible: none is thinner than a hairline, and the residual's own
are cut to a little more than what the layer adds to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from visit.graph.flow import NodeId, NodeKind
from visit.graph.kinds import BLOCKS, EXPERTS, NORMS, RESIDUALS
from visit.web.sankey.links import Link, is_parallel

HAIRLINE = 0.7
"""The thinnest a link gets, in px."""
WIDEST = 64.0
"""The widest one gets, in px, where there is room."""
_CUT = 1.25
"""How much wider than what the layer adds the residual's own links get at most."""
_ROW, _SLIM_ROW, _GAP, _MOST_SPREAD, _LANE_GAP = 13.0, 4.0, 2.5, 10.0, 18.0
_ROOM_FOR_WIDTHS = 120.0
_SLIM_PART = 0.05
_IN_MLP = (NodeKind.MEMORY_VALUE, *sorted(EXPERTS))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part stands, in px from the top."""

    middle: float
    height: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything stands.

    Attributes:
        places: The parts' places, in the links' order.
        links: Ordered so that no two cross where they meet a part.
        sizes: The links' sizes as drawn, in the unit of the norms.
        scale: Px for 1 of the norms.
        tallest: The most that the sizes of one of Plotly's own columns add up to.
        height: Of the whole, in px.
    """

    places: dict[NodeId, Place]
    links: tuple[Link, ...]
    sizes: tuple[float, ...]
    scale: float
    tallest: float
    height: int


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows that belong together, and what stands beside their middle."""

    rows: tuple[tuple[NodeId, ...], ...]
    beside: tuple[NodeId, ...] = ()


@dataclass(frozen=True, slots=True)
class _Band:
    """Stacks that stand side by side, and the kinds of the wholes they add up to."""

    stacks: list[list[_Group]]
    wholes: tuple[NodeKind, ...]


def plan_layer(links: Iterable[Link], height: int) -> Plan:
    """Where the parts of a layer stand in a height, or in the least one that holds them."""
    links = tuple(links)
    largest = max(_choose_sizes(links, HAIRLINE / 1e-9))
    room = max(height, math.ceil(_extent(links, 1e-9) + _ROOM_FOR_WIDTHS))
    low, high = 0.0, WIDEST / largest if largest else 1.0
    for _ in range(30):
        middle = (low + high) / 2
        needed = max(_extent(links, middle), middle * _tallest(links, middle))
        low, high = (middle, high) if needed <= room else (low, middle)
    places = _places(links, low, room)
    order = sorted(links, key=lambda link: (places[link.source].middle, places[link.target].middle))
    return Plan(
        places, tuple(order), tuple(_choose_sizes(order, low)), low, _tallest(links, low), room
    )


def is_slim(links: Sequence[Link], node_id: NodeId) -> bool:
    """Whether it is the rest of a head's sources, and too small a part of the head for a label."""
    if node_id.kind is not NodeKind.SOURCES_REST:
        return False
    into = [link for link in links if link.target.kind is NodeKind.HEAD]
    whole = sum(link.size for link in into if link.target.head == node_id.head)
    return sum(link.size for link in into if link.source == node_id) < _SLIM_PART * whole


def _choose_sizes(links: Sequence[Link], scale: float) -> list[float]:
    """The links' sizes as drawn, in the unit of the norms."""
    added = [
        link.size for link in links if link.source.kind in BLOCKS and link.target.kind in RESIDUALS
    ]
    cut = _CUT * max(added, default=0.0) or float("inf")
    least = HAIRLINE / scale
    return [max(min(link.size, cut) if link.residual else link.size, least) for link in links]


def _sums(links: Sequence[Link], scale: float) -> dict[NodeId, float]:
    """What enters or leaves each part, whichever is more, in the unit of the norms."""
    into: dict[NodeId, float] = {}
    out_of: dict[NodeId, float] = {}
    for link, size in zip(links, _choose_sizes(links, scale), strict=True):
        out_of[link.source] = out_of.get(link.source, 0.0) + size
        into[link.target] = into.get(link.target, 0.0) + size
    return {node: max(into.get(node, 0.0), out_of.get(node, 0.0)) for node in {**out_of, **into}}


def _tallest(links: Sequence[Link], scale: float) -> float:
    """The largest sum of a column as Plotly makes columns: by the longest way from a beginning.

    What nothing enters stands just before what it enters (``align: center``). Plotly scales its
    links so that this column fills the height, wherever the parts are put in the end.
    """
    sums = _sums(links, scale)
    depth = dict.fromkeys(sums, 0)
    deeper = True
    while deeper:
        deeper = False
        for link in links:
            if depth[link.target] <= depth[link.source]:
                depth[link.target], deeper = depth[link.source] + 1, True
    entered = {link.target for link in links}
    enters: dict[NodeId, int] = {}  # of each part: the first depth that it enters
    for link in links:
        enters[link.source] = min(enters.get(link.source, len(links)), depth[link.target])
    columns: dict[int, float] = {}
    for node, size in sums.items():
        column = depth[node] if node in entered else enters[node] - 1
        columns[column] = columns.get(column, 0.0) + size
    return max(columns.values())


def _stacks(links: Sequence[Link]) -> list[list[_Group]]:
    """What is stacked below the lane: heads, attention's neurons, memories or experts."""
    into: dict[NodeId, list[Link]] = {}
    for link in sorted(links, key=lambda link: link.size, reverse=True):
        into.setdefault(link.target, []).append(link)
    of_kind: dict[NodeKind, list[NodeId]] = {}
    for source in dict.fromkeys(link.source for link in sorted(links, key=_strongest_first)):
        of_kind.setdefault(source.kind, []).append(source)
    heads = of_kind.get(NodeKind.HEAD, [])
    place = {head.head: i for i, head in enumerate(heads)}
    neurons = [
        (place.get(link.source.head, len(heads)), neuron)
        for neuron in of_kind.get(NodeKind.ATTN_NEURON, [])
        for link in into.get(neuron, ())
    ]
    bias_with_neurons = NodeKind.ATTN_NEURON in of_kind or NodeKind.NEURONS_REST in of_kind
    stacks = [
        [_head_group(head, into) for head in heads],
        [_Group(((neuron,),)) for _, neuron in sorted(neurons, key=lambda pair: pair[0])],
        [_row_group(part, into) for kind in _IN_MLP for part in of_kind.get(kind, [])],
    ]
    ends = (
        (0, NodeKind.HEADS_REST),
        (1, NodeKind.NEURONS_REST),
        (int(bias_with_neurons), NodeKind.ATTN_BIAS),
        (2, NodeKind.MEMORIES_REST),
        (2, NodeKind.EXPERTS_REST),
        (2, NodeKind.MLP_BIAS),
    )
    for i, kind in ends:
        stacks[i] += [_Group(((node,),)) for node in of_kind.get(kind, ())]
    return stacks


def _strongest_first(link: Link) -> tuple[bool, float]:
    """What pushes along before what pushes against, each from the strongest to the weakest."""
    return link.share is not None and link.share < 0, -link.size


def _head_group(head: NodeId, into: dict[NodeId, list[Link]]) -> _Group:
    """A row for each source, its key beside its value; the head and its query at their middle."""
    parts = [link.source for link in into.get(head, ())]
    parts.sort(key=lambda part: part.kind is NodeKind.SOURCES_REST)
    rows = tuple(_row_group(part, into).rows[0] for part in parts)
    queries = {
        link.source
        for row in rows
        for key in row[1:]
        for link in into.get(key, ())
        if link.source.kind is NodeKind.QUERY
    }
    return _Group(rows, (head, *queries))


def _row_group(part: NodeId, into: dict[NodeId, list[Link]]) -> _Group:
    """A value with the key that it hangs on, if any."""
    keys = [
        link.source
        for link in into.get(part, ())
        if link.source.kind in (NodeKind.KEY, NodeKind.MEMORY_KEY)
    ]
    return _Group(((part, *keys),))


def _bands(links: Sequence[Link]) -> list[_Band]:
    """What stands below the lane: one band, or in a parallel block the MLP's below attention's."""
    heads, neurons, memories = _stacks(links)
    if is_parallel(links):
        return [_Band([heads, neurons], (NodeKind.ATTN,)), _Band([memories], (NodeKind.MLP,))]
    return [_Band([heads, neurons, memories], (NodeKind.ATTN, NodeKind.MLP))]


def _band_height(band: _Band, heights: dict[NodeId, float], slim: set[NodeId]) -> float:
    stacks = [sum(_group_height(g, heights, slim) for g in stack) for stack in band.stacks]
    wholes = [height for node, height in heights.items() if node.kind in band.wholes]
    return max(stacks + wholes)


def _extent(links: Sequence[Link], scale: float) -> float:
    """The height that everything takes at a scale, in px."""
    heights = {node: size * scale for node, size in _sums(links, scale).items()}
    slim, bands = _slim(links), _bands(links)
    below = sum(_band_height(band, heights, slim) for band in bands) + _GAP * (len(bands) - 1)
    norms = sum(height for node, height in heights.items() if node.kind in NORMS)
    return _lane(heights) + max(below, norms)


def _lane(heights: dict[NodeId, float]) -> float:
    """The height of the residual's lane, with the gap below it."""
    return _LANE_GAP + max(height for node, height in heights.items() if node.kind in RESIDUALS)


def _slim(links: Sequence[Link]) -> set[NodeId]:
    return {link.source for link in links if is_slim(links, link.source)}


def _row_height(row: tuple[NodeId, ...], heights: dict[NodeId, float], slim: set[NodeId]) -> float:
    least = _SLIM_ROW if row[0] in slim else _ROW
    return max(least, max(heights[node] for node in row) + _GAP)


def _group_height(group: _Group, heights: dict[NodeId, float], slim: set[NodeId]) -> float:
    rows = sum(_row_height(row, heights, slim) for row in group.rows)
    return max(rows, max((heights[node] + _GAP for node in group.beside), default=0.0))


def _places(links: Sequence[Link], scale: float, room: int) -> dict[NodeId, Place]:
    heights = {node: size * scale for node, size in _sums(links, scale).items()}
    slim, top = _slim(links), _lane(heights)
    found = {node: Place(height / 2, height) for node, height in heights.items()}
    bands = _bands(links)
    spare = room - top - sum(_band_height(band, heights, slim) for band in bands)
    for band in bands:
        bottom = top + _band_height(band, heights, slim) + spare / len(bands)
        for stack in band.stacks:
            for node, middle in _stack(stack, heights, slim, top, bottom):
                found[node] = Place(middle, heights[node])
        for node in found:
            if node.kind in band.wholes:
                found[node] = Place((top + bottom) / 2, heights[node])
        top = bottom
    for node in found:
        if node.kind in NORMS:  # level with what it is read by
            read = [found[link.target] for link in links if link.source == node]
            edges = [
                (place.middle - place.height / 2, place.middle + place.height / 2) for place in read
            ]
            middle = (min(low for low, _ in edges) + max(high for _, high in edges)) / 2
            found[node] = Place(middle, heights[node])
    return found


def _stack(
    stack: list[_Group],
    heights: dict[NodeId, float],
    slim: set[NodeId],
    top: float,
    bottom: float,
) -> Iterator[tuple[NodeId, float]]:
    """The middles of a stack's parts, spread a little where there is room, about its middle."""
    n_rows = sum(len(group.rows) for group in stack)
    taken = sum(_group_height(group, heights, slim) for group in stack)
    spread = min(_MOST_SPREAD, (bottom - top - taken) / max(n_rows, 1))
    y = (top + bottom - taken - spread * n_rows) / 2
    for group in stack:
        height = _group_height(group, heights, slim) + spread * len(group.rows)
        row_heights = [_row_height(row, heights, slim) + spread for row in group.rows]
        at = y + (height - sum(row_heights)) / 2
        for row, row_height in zip(group.rows, row_heights, strict=True):
            yield from ((node, at + row_height / 2) for node in row)
            at += row_height
        yield from ((node, y + height / 2) for node in group.beside)
        y += height

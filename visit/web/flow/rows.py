"""How high things stand: rows as high as what is in them, and stacks beside and inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from visit.graph.flow import NodeId, NodeKind
from visit.graph.ids import AFTER_ALL
from visit.graph.kinds import EDGES, SOURCES, Stage
from visit.graph.selection import Selection

STACK_GAP = 4.0
THREAD_GAP = 9.0
"""Between a thread and what stands next to it."""
BARE = 11.0
"""How far a row reaches to a side on which nothing stands."""
ROW_GAP = 5.0
MARK = 18.0
"""Added between two rows for the mark of those between them."""
MOST_ROW_GAP = 90.0

Column = tuple[int, Stage]
"""A layer, and the stage that has the column."""
Sizes = Mapping[NodeId, tuple[float, float]]

_BESIDE = frozenset(
    {NodeKind.HEAD, NodeKind.HEADS_REST, NodeKind.ATTN_BIAS, NodeKind.ATTN, NodeKind.MLP}
)
_INSIDE = (Stage.MEMORY, Stage.NEURON, Stage.VALUE, Stage.KEY, Stage.QUERY)
"""The stages whose nodes are stacked around what they add up to; later ones are placed first."""


def is_beside(node_id: NodeId) -> bool:
    """Whether a node stands above or below its row's thread."""
    return node_id.kind in _BESIDE


def place_rows(
    rows: Sequence[int],
    stacks: Mapping[tuple[int, int], Sequence[NodeId]],
    sizes: Sizes,
    spare: float,
) -> tuple[dict[int, float], dict[tuple[int, int], float]]:
    """The height of each row's thread, and of the mark of the positions between two rows.

    Args:
        rows: The positions, in order.
        stacks: What stands beside a thread, by its layer and row.
        sizes: Of the nodes.
        spare: What is shared among the gaps.
    """
    above, below = dict.fromkeys(rows, BARE), dict.fromkeys(rows, BARE)
    for (_, row), stack in stacks.items():
        up = _measure([n for n in stack if n.kind is not NodeKind.MLP], sizes)
        down = _measure([n for n in stack if n.kind is NodeKind.MLP], sizes)
        above[row], below[row] = max(above[row], up), max(below[row], down)
    added = min(MOST_ROW_GAP, spare / max(1, len(rows) - 1))
    heights, marks, y = dict[int, float](), dict[tuple[int, int], float](), 0.0
    for row in rows[:1]:
        heights[row] = y
    for before, row in pairwise(rows):
        is_broken = row > before + 1
        start = y + below[before]
        y = start + ROW_GAP + added + (MARK if is_broken else 0.0) + above[row]
        if is_broken:
            marks[before + 1, row - 1] = (start + y - above[row]) / 2
        heights[row] = y
    return heights, marks


def _measure(stack: Sequence[NodeId], sizes: Sizes) -> float:
    if not stack:
        return BARE
    return THREAD_GAP + sum(sizes[n][1] + STACK_GAP for n in stack) - STACK_GAP


def stack_beside(
    stack: Iterable[NodeId], rows: Mapping[int, float], sizes: Sizes, drawn: Selection
) -> dict[NodeId, float]:
    """Stack heads upwards from their thread, the strongest on top, and an MLP below it."""
    ys: dict[NodeId, float] = {}
    last = len(drawn.places) + 1_000_000
    above = sorted(
        (n for n in stack if n.kind is not NodeKind.MLP),
        key=lambda n: (drawn.places.get(n, last), n),
        reverse=True,
    )
    offset = THREAD_GAP
    for node_id in above:
        height = sizes[node_id][1]
        ys[node_id] = rows[node_id.position] - offset - height / 2
        offset += height + STACK_GAP
    for node_id in stack:
        if node_id.kind is NodeKind.MLP:
            ys[node_id] = rows[node_id.position] + THREAD_GAP + sizes[node_id][1] / 2
    return ys


def place_inside(
    drawn: Selection,
    columns: Mapping[Column, Sequence[NodeId]],
    beside: Mapping[NodeId, float],
    sizes: Sizes,
) -> dict[NodeId, float]:
    """Stack the parts of opened blocks, each in its column, as near to its whole as they fit."""
    ys = dict(beside)
    for column, members in columns.items():  # a block in a column of its own
        if column[1] in (Stage.ATTENTION, Stage.MLP):
            for n in members:
                sign = -1 if column[1] == Stage.ATTENTION else 1
                ys[n] = beside[n] + sign * (THREAD_GAP + sizes[n][1] / 2)
    wholes = {line.source: line.target for line in drawn.lines if EDGES[line.kind].is_inside}
    for node in drawn.nodes:
        if node.id.kind is NodeKind.QUERY:  # beside its head, whatever it scores
            wholes[node.id] = replace(node.id, kind=NodeKind.HEAD)
    strength = {line.source: abs(line.flow) for line in drawn.lines}
    for column in sorted(columns, key=lambda c: (c[0], -c[1])):
        if column[1] not in _INSIDE or not 0 <= column[0] < AFTER_ALL:
            continue
        wanted = {n: _find_wanted(n, ys, wholes) for n in columns[column]}
        members = sorted(wanted, key=lambda n: (*wanted[n], -strength.get(n, 0.0), n))
        pitch = max(sizes[n][1] for n in members) + STACK_GAP
        places = spread([wanted[n][0] for n in members], pitch)
        ys.update(zip(members, places, strict=True))
    for column, members in columns.items():
        if column[1] == Stage.MEMORY_KEY:
            ys.update((n, ys[wholes.get(n, n)]) for n in members)
    return ys


def _find_wanted(
    node_id: NodeId, ys: Mapping[NodeId, float], wholes: Mapping[NodeId, NodeId]
) -> tuple[float, float]:
    """A key or value stays at its source's row, any other part beside what it is a part of."""
    whole = wholes.get(node_id)
    beside = ys[node_id] if whole is None or whole not in ys else ys[whole]
    return (ys[node_id] if node_id.kind in SOURCES else beside), beside


def spread(wanted: Sequence[float], pitch: float) -> list[float]:
    """Places at least ``pitch`` apart, as near to the wanted ones as can be, in the given order.

    The nearest in least squares, by pooling neighbours that collide (isotonic regression).
    """
    pools: list[tuple[float, int]] = []
    for i, place in enumerate(wanted):
        total, count = place - i * pitch, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, members = pools.pop()
            total, count = total + before, count + members
        pools.append((total, count))
    levels = [total / count for total, count in pools for _ in range(count)]
    return [level + i * pitch for i, level in enumerate(levels)]

"""Where everything stands: columns by stage of the layer, rows by token position.

Every drawn node belongs to one column. The columns of an opened block are inserted before the node
they add up to, so that nothing else is ever in their way; there the parts are stacked as near to
their row as they fit, without overlaps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from visit.graph.flow import NodeId, NodeKind
from visit.graph.ids import AFTER_ALL, depth
from visit.graph.kinds import (
    BIASES,
    BLOCKS,
    EDGES,
    EXPERTS,
    NODES,
    NORMS,
    RESIDUALS,
    RESTS,
    SOURCES,
    Stage,
    kinds_inside,
)
from visit.graph.selection import Selection

ROW_PITCH = 98.0
ROOMY_PITCH, ROOMY_HEIGHT = 132.0, 900.0
STACK_PITCH = 29.0
BLOCK_OFFSET = 29.0
GAP = 28.0
LAYER_GAP = 12.0
ROW_TITLE_WIDTH = 84.0

SIZE = {
    **dict.fromkeys(RESIDUALS, (82.0, 30.0)),
    **dict.fromkeys(BLOCKS, (72.0, 24.0)),
    **dict.fromkeys(EXPERTS, (104.0, 24.0)),
    **dict.fromkeys(NORMS, (15.0, 15.0)),
    NodeKind.RESID_MID: (10.0, 10.0),
    NodeKind.HEAD: (86.0, 24.0),
    NodeKind.OUTPUT: (98.0, 36.0),
}
"""Width and height of the kinds that are larger or smaller than others."""
DEFAULT_SIZE = (76.0, 23.0)


_COLUMN = {
    Stage.NEURON: Stage.HEAD,
    Stage.RESIDUAL: Stage.ATTENTION,
    Stage.MLP: Stage.ATTENTION,
}
"""The stages that stand in the column of another. An opened MLP has one of its own."""
_STACKED = frozenset({Stage.QUERY, Stage.KEY, Stage.VALUE, Stage.HEAD, Stage.MEMORY})
_NEURONS = kinds_inside(NodeKind.NEURONS_REST)
_LAST = (BIASES | RESTS) - {NodeKind.SOURCES_REST, NodeKind.NEURONS_REST}
"""What stands below all others of its stack, whatever it carries."""

Column = tuple[int, Stage]
"""A layer, and the stage that has the column."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its centre, in model pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """Its left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width / 2

    def overlaps(self, other: Box) -> bool:
        """Whether two boxes share any area."""
        return (
            abs(self.x - other.x) < (self.width + other.width) / 2
            and abs(self.y - other.y) < (self.height + other.height) / 2
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """Every place of what is drawn.

    Attributes:
        boxes: Of the nodes.
        rows: Of the positions that have a row: the box of the row's title.
        bands: Of the layers: the box behind everything of the layer.
    """

    boxes: dict[NodeId, Box]
    rows: dict[int, Box]
    bands: dict[int, Box]


def size(node_id: NodeId) -> tuple[float, float]:
    """Width and height of a node."""
    return SIZE.get(node_id.kind, DEFAULT_SIZE)


def plan(drawn: Selection) -> Plan:
    """Give every node that is drawn its place."""
    rows = _rows(drawn)
    columns: dict[Column, list[NodeId]] = defaultdict(list)
    for node in drawn.nodes:
        columns[_column(node.id, drawn.opened)].append(node.id)
    xs = _column_centres(columns)
    ys = _heights(drawn, columns, rows)
    boxes = {
        node.id: Box(xs[_column(node.id, drawn.opened)], ys[node.id], *size(node.id))
        for node in drawn.nodes
    }
    left = min((box.left for box in boxes.values()), default=0.0)
    titles = {
        position: Box(left - 10 - ROW_TITLE_WIDTH / 2, y, ROW_TITLE_WIDTH, 24.0)
        for position, y in rows.items()
    }
    return Plan(boxes, titles, _bands(columns, boxes))


def spread(
    wanted: Sequence[float], pitch: float, low: float = -1e9, high: float = 1e9
) -> list[float]:
    """Places at least ``pitch`` apart, as near to the wanted ones as can be, in the given order.

    Within ``low`` and ``high`` when they fit there, else from ``low`` on. The nearest in least
    squares, by pooling neighbours that collide (isotonic regression).
    """
    pools: list[tuple[float, int]] = []
    for i, place in enumerate(wanted):
        total, count = place - i * pitch, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, members = pools.pop()
            total, count = total + before, count + members
        pools.append((total, count))
    ceiling = max(low, high - (len(wanted) - 1) * pitch)
    levels = [min(max(total / count, low), ceiling) for total, count in pools for _ in range(count)]
    return [level + i * pitch for i, level in enumerate(levels)]


def _rows(drawn: Selection) -> dict[int, float]:
    """One row a position, farther apart while there are few."""
    positions = sorted({node.id.position for node in drawn.nodes})
    pitch = min(ROOMY_PITCH, max(ROW_PITCH, ROOMY_HEIGHT / max(len(positions), 1)))
    return {position: row * pitch for row, position in enumerate(positions)}


def _column(node_id: NodeId, opened: frozenset[NodeId]) -> Column:
    layer, _ = depth(node_id)
    if node_id.kind is NodeKind.MLP and node_id in opened:
        return layer, Stage.MLP
    stage = NODES[node_id.kind].stage
    return layer, _COLUMN.get(stage, stage)


def _column_centres(columns: dict[Column, list[NodeId]]) -> dict[Column, float]:
    centres, x, layer = {}, 0.0, None
    for column in sorted(columns):
        width = max(size(node_id)[0] for node_id in columns[column])
        if layer is not None:
            x += GAP + (LAYER_GAP if layer != column[0] else 0.0)
        centres[column] = x + width / 2
        x, layer = x + width, column[0]
    return centres


def _heights(
    drawn: Selection, columns: dict[Column, list[NodeId]], rows: dict[int, float]
) -> dict[NodeId, float]:
    ys = {node.id: _beside_the_stream(node.id, rows) for node in drawn.nodes}
    low = min(rows.values(), default=0.0) - BLOCK_OFFSET
    high = max(rows.values(), default=0.0) + BLOCK_OFFSET
    wholes = {line.source: line.target for line in drawn.lines if EDGES[line.kind].is_inside}
    for node in drawn.nodes:
        if node.id.kind is NodeKind.QUERY:  # beside its head, whatever it scores
            wholes[node.id] = replace(node.id, kind=NodeKind.HEAD)
    carried = {line.source: line.carried for line in drawn.lines}
    for column in sorted(columns, reverse=True):
        if column[1] in _STACKED and 0 <= column[0] < AFTER_ALL:
            places = {n: _find_wanted(n, ys, wholes) for n in columns[column]}
            members = sorted(
                columns[column],
                key=lambda n: (
                    *places[n],
                    n.kind not in _NEURONS,
                    n.kind in _LAST,
                    -carried.get(n, 0.0),
                    n,
                ),
            )
            wanted = [places[n][0] for n in members]
            ys.update(zip(members, spread(wanted, STACK_PITCH, low, high), strict=True))
        elif column[1] == Stage.MEMORY_KEY:
            ys.update((n, ys[wholes.get(n, n)]) for n in columns[column])
    return ys


def _find_wanted(
    node_id: NodeId, ys: dict[NodeId, float], wholes: dict[NodeId, NodeId]
) -> tuple[float, float]:
    """A key or value stays at its source's row, any other part beside what it is a part of."""
    whole = wholes.get(node_id)
    beside = ys[node_id] if whole is None else ys[whole]
    return (ys[node_id] if node_id.kind in SOURCES else beside), beside


def _beside_the_stream(node_id: NodeId, rows: dict[int, float]) -> float:
    """The stream runs along the row's middle; what attention adds is above it, the MLP below."""
    y = rows[node_id.position]
    stage = NODES[node_id.kind].stage
    if stage in (Stage.LN2, Stage.MEMORY_KEY, Stage.MEMORY, Stage.MLP):
        return y + BLOCK_OFFSET
    if stage in (Stage.LN1, Stage.HEAD, Stage.NEURON, Stage.ATTENTION):
        return y - BLOCK_OFFSET
    return y


def _bands(columns: dict[Column, list[NodeId]], boxes: dict[NodeId, Box]) -> dict[int, Box]:
    """One box behind each layer, all of one height."""
    if not boxes:
        return {}
    top = min(box.y - box.height / 2 for box in boxes.values()) - 14
    bottom = max(box.y + box.height / 2 for box in boxes.values()) + 14
    spans: dict[int, list[Box]] = defaultdict(list)
    for (layer, _), members in columns.items():
        if 0 <= layer < AFTER_ALL:
            spans[layer].extend(boxes[member] for member in members)
    bands = {}
    for layer, inside in spans.items():
        left, right = min(box.left for box in inside), max(box.right for box in inside)
        margin = (GAP + LAYER_GAP) / 2 - 3
        bands[layer] = Box(
            (left + right) / 2, (top + bottom) / 2, right - left + 2 * margin, bottom - top
        )
    return bands

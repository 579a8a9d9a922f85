"""Where everything stands: a column for each layer in which something is drawn, a row a position.

Heads and attentions stand above their row's thread and MLPs below it, all of one layer in one
column; a run of layers without any part is one narrow *fold*, and rows are as high as what stands
in them. What is inside an opened block has columns of its own, before the node that it adds up to,
so that nothing else is ever in its way. Spare room is given to the gaps, never to the letters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from visit.graph.flow import NodeId, NodeKind
from visit.graph.ids import AFTER_ALL, depth
from visit.graph.kinds import BLOCKS, NODES, RESIDUALS, Stage
from visit.graph.selection import Selection
from visit.web.flow.rows import (
    Column,
    is_beside,
    place_inside,
    place_rows,
    stack_beside,
)
from visit.web.look import Room

GAP = 9.0
LAYER_GAP = 11.0
FOLD_MARGIN, FOLD_LETTER = 8.0, 6.5
"""A fold is as wide as its title, which says its layers."""
IDLE = 30.0
ROW_TITLE_WIDTH = 86.0
TITLE_HEIGHT = 26.0
MOST_GAP = 46.0
"""To which spare room widens the gap between two layers."""
LARGEST_ZOOM = 1.25


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
        gaps: The box of each mark for positions between two rows, by the first and the last.
        bands: The box behind each drawn layer.
        folds: That of each run of layers that is folded, by the first and the last.
    """

    boxes: dict[NodeId, Box]
    rows: dict[int, Box]
    gaps: dict[tuple[int, int], Box]
    bands: dict[int, Box]
    folds: dict[tuple[int, int], Box]

    @property
    def size(self) -> tuple[float, float]:
        """How wide and high it is."""
        boxes = [*self.boxes.values(), *self.rows.values(), *self.bands.values()]
        if not boxes:
            return 1.0, 1.0
        width = max(box.right for box in boxes) - min(box.left for box in boxes)
        heights = [(box.y - box.height / 2, box.y + box.height / 2) for box in boxes]
        height = max(low for _, low in heights) - min(high for high, _ in heights)
        return width, height + TITLE_HEIGHT

    def zoom_in(self, room: Room) -> float:
        """How far it is zoomed to be seen whole."""
        width, height = self.size
        return min(room.width / width, room.height / height, LARGEST_ZOOM)


def name_run(first: int, last: int) -> str:
    """What a run of layers is called."""
    return str(first) if first == last else f"{first}\u2013{last}"


def plan(drawn: Selection, sizes: Mapping[NodeId, tuple[float, float]], room: Room) -> Plan:
    """Give every node that is drawn its place, and use the room that there is.

    Args:
        drawn: What is drawn.
        sizes: How wide and high each node is.
        room: The canvas.
    """
    tight = _Layout(drawn, sizes).place()
    zoom = tight.zoom_in(room)
    width, height = tight.size
    n_gaps = max(1, len(tight.bands) + len(tight.folds))
    across = min(MOST_GAP - LAYER_GAP, max(0.0, room.width / zoom - width) / n_gaps)
    down = max(0.0, room.height / zoom - height)
    return _Layout(drawn, sizes, across, down).place()


@dataclass
class _Layout:
    """One way of placing a selection, with so much spare room for the gaps.

    Attributes:
        drawn: What is placed.
        sizes: Of the nodes.
        across: What is added to each gap between layers.
        down: What is shared among the gaps between rows.
    """

    drawn: Selection
    sizes: Mapping[NodeId, tuple[float, float]]
    across: float = 0.0
    down: float = 0.0
    columns: dict[Column, list[NodeId]] = field(default_factory=lambda: defaultdict(list))
    column_of: dict[NodeId, Column] = field(default_factory=dict)

    def place(self) -> Plan:
        ids = {node.id for node in self.drawn.nodes}
        fed = {line.target for line in self.drawn.lines if line.source.kind not in RESIDUALS}
        for node_id in sorted(ids):
            self.column_of[node_id] = column = _choose_column(node_id, fed)
            self.columns[column].append(node_id)
        xs, bands, folds = self._place_columns()
        stacks = {
            (column[0], row): [n for n in members if n.position == row and is_beside(n)]
            for column, members in self.columns.items()
            if column[1] == Stage.HEAD
            for row in self.drawn.rows
        }
        rows, marks = place_rows(self.drawn.rows, stacks, self.sizes, self.down)
        ys = {n: rows[n.position] for n in ids}
        for stack in stacks.values():
            ys.update(stack_beside(stack, rows, self.sizes, self.drawn))
        ys.update(place_inside(self.drawn, self.columns, ys, self.sizes))
        boxes = {n: Box(self._find_x(n, xs, folds), ys[n], *self.sizes[n]) for n in sorted(ids)}
        left = min((box.left for box in boxes.values()), default=0.0)
        title_x = left - 8 - ROW_TITLE_WIDTH / 2
        titles = {row: Box(title_x, y, ROW_TITLE_WIDTH, 22.0) for row, y in rows.items()}
        gaps = {span: Box(title_x, y, ROW_TITLE_WIDTH, 16.0) for span, y in marks.items()}
        top = min((b.y - b.height / 2 for b in boxes.values()), default=0.0) - 8
        bottom = max((b.y + b.height / 2 for b in boxes.values()), default=0.0) + 8

        def make_band(low: float, high: float) -> Box:
            return Box((low + high) / 2, (top + bottom) / 2, high - low, bottom - top)

        return Plan(
            boxes,
            titles,
            gaps,
            {layer: make_band(*span) for layer, span in bands.items()},
            {run: make_band(*span) for run, span in folds.items()},
        )

    def _place_columns(
        self,
    ) -> tuple[
        dict[Column, float],
        dict[int, tuple[float, float]],
        dict[tuple[int, int], tuple[float, float]],
    ]:
        """The middle of each column, the span of each drawn layer and of each fold."""
        centres: dict[Column, float] = {}
        bands: dict[int, tuple[float, float]] = {}
        folds: dict[tuple[int, int], tuple[float, float]] = {}
        by_layer: dict[int, list[Column]] = defaultdict(list)
        for column in sorted(self.columns):
            by_layer[column[0]].append(column)
        x = 0.0
        for column in by_layer.get(-1, []):
            centres[column] = x
            x += self._widest(column) / 2
        for first, last, is_drawn in self._list_runs():
            x += LAYER_GAP / 2 + self.across / 2
            start = x
            if not is_drawn:
                x += FOLD_MARGIN + FOLD_LETTER * len(name_run(first, last))
                folds[first, last] = start, x
            else:
                inside = [c for c in by_layer[first] if c[1] != Stage.OUTPUT]
                if not inside:
                    x += IDLE
                for number, column in enumerate(inside):
                    width = self._widest(column)
                    x += GAP if number else GAP / 2
                    centres[column] = x + width / 2
                    x += width
                x += GAP
                centres[first, Stage.OUTPUT] = x
                bands[first] = start, x
            x += LAYER_GAP / 2 + self.across / 2
        for column in by_layer.get(AFTER_ALL, []):
            width = self._widest(column)
            centres[column] = x + GAP + width / 2
            x += GAP + width
        return centres, bands, folds

    def _widest(self, column: Column) -> float:
        return max(self.sizes[n][0] for n in self.columns[column])

    def _list_runs(self) -> list[tuple[int, int, bool]]:
        """The layers in order: each drawn one by itself, and runs of those that are not."""
        runs: list[tuple[int, int, bool]] = []
        for layer in range(self.drawn.n_layers):
            is_drawn = layer in self.drawn.layers
            if runs and not is_drawn and not runs[-1][2]:
                runs[-1] = runs[-1][0], layer, False
            else:
                runs.append((layer, layer, is_drawn))
        return runs

    def _find_x(
        self,
        node_id: NodeId,
        xs: Mapping[Column, float],
        folds: Mapping[tuple[int, int], tuple[float, float]],
    ) -> float:
        """A residual at the end of a folded layer stands in the fold, as far along as its layer."""
        for (first, last), (low, high) in folds.items():
            if node_id.layer is not None and first <= node_id.layer <= last:
                return low + (high - low) * (node_id.layer + 1 - first) / (last + 1 - first)
        return xs[self.column_of[node_id]]


def _choose_column(node_id: NodeId, fed: set[NodeId]) -> Column:
    """The layer, and the stage that has the column."""
    layer, stage = depth(node_id)[0], NODES[node_id.kind].stage
    if node_id.kind in BLOCKS | {NodeKind.RESID_MID}:
        attention = NodeId(NodeKind.ATTN, node_id.position, node_id.layer)
        is_apart = attention in fed or (node_id.kind is NodeKind.MLP and node_id in fed)
        stage = stage if is_apart else Stage.HEAD
    return layer, stage

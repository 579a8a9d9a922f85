"""The lens grid: what the residual of every position says at every depth, as a Plotly heatmap.

A row is a position, a column a depth; a cell holds the top token, and its colour a measure.
What stays in place while the grid scrolls, and the picked cell's outline, are laid over the figure
by the browser (assets/lens.js), from the figure's ``layout.meta``: so neither draws it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from visit.graph.flow import FlowGraph, Node, NodeId, NodeKind, Reading
from visit.text import shorten, visible
from visit.web.colours import Scale, colour_at
from visit.web.flow.elements import rank_level
from visit.web.plots.plotly import (
    Figure,
    layout,
    literal,
    note,
    plotly_scale,
    tip,
    token,
    token_at,
)
from visit.web.theme import MONO, Theme, ink_on

Measure = Literal["prob", "rank", "entropy"]
"""What a cell's colour says: the target's probability or rank, or the entropy."""

MEASURES: tuple[Measure, ...] = ("rank", "prob", "entropy")
"""The first is the default: a rank moves in many layers, a probability in the last alone."""
MOVES = 0.1
"""How much of its scale a cell's colour must move by from one layer to the next to be a change."""
FEWEST_SKIPPED = 4
"""Early layers in which nothing changes are skipped if there are so many."""
MOST_POSITIONS = 48
ROW = 16
"""The least height of a row in px: letters of 11 px with the gap between two cells."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 112, 8, 52, 6
_BAR, _BAR_END = 130, 20
_LABEL_COLUMNS = 13
_CHARACTER = 0.61
"""A monospace character's width, in parts of the font's size."""


@dataclass(frozen=True, slots=True)
class _Colouring:
    """How a measure is coloured.

    Attributes:
        words: What the colour says.
        level: Of a reading, 0 (pale) to 1 (strong).
        colours: From 0 to 1.
        ticks: Levels, and what is written at them.
    """

    words: str
    level: Callable[[Reading], float]
    colours: Scale
    ticks: dict[float, str]


def lens_figure(
    nodes: Iterable[Node],
    flow: FlowGraph,
    *,
    measure: Measure,
    theme: Theme,
    width: int = 1080,
    whole: bool = True,
) -> Figure:
    """The grid of the positions that ``choose_positions`` gives.

    Every cell's ``customdata`` is its node's id; a cell whose node isn't given is blank. The
    layout's ``meta`` has the names of the ``columns``, the ``traced`` one of the rows, counted from
    the first that is shown, and as ``left_out`` which positions and layers have none.

    Args:
        nodes: Residuals, in any order: all of them as ``ReadLens`` is answered, or those that the
            graph has, as ``nodes_in_document`` gives them. Other nodes are passed over.
        flow: The graph they are of.
        measure: What the colour says.
        theme: The page's colours.
        width: Of the figure in px: texts are cut so that they fit.
        whole: Whether early layers in which no colour changes are shown too.
    """
    shown = _colour_by(measure, flow, theme)
    rows = choose_positions(flow)
    cells = {cell: node for node in nodes if (cell := _cell(node.id)) and cell[0] in rows}
    skipped = 0 if whole else count_skipped(cells, flow, shown)
    columns = [0, *range(1 + skipped, flow.model.n_layers + 1)]
    n_columns = len(columns)
    names = ["embed", *(_layer_name(column - 1, n_columns, width) for column in columns[1:])]
    drawn = {
        (row, columns.index(column)): node
        for (row, column), node in cells.items()
        if column in columns
    }
    return {
        "data": [
            _heatmap(drawn, flow, n_columns, shown, theme),
            *_texts(drawn, flow, n_columns, shown, width),
        ],
        "layout": layout(
            theme,
            margin=(_LEFT, _RIGHT, _TOP, _BOTTOM),
            xaxis=_axis([-0.5, n_columns - 0.5], showticklabels=False),
            yaxis=_axis(
                [rows.stop - 0.5, rows.start - 0.5],
                tickmode="array",
                tickvals=list(rows),
                ticktext=[_row_name(flow, position, theme) for position in rows],
                tickfont={"family": MONO, "size": 11, "color": theme.ink},
                ticklabelstandoff=4,
            ),
            annotations=_legend(flow, shown, theme),
            hovermode="closest",
            meta={
                "columns": names,
                "traced": flow.position - rows.start,
                "left_out": " ".join(filter(None, (name_left_out(flow), name_skipped(skipped)))),
            },
        ),
    }


def lens_height(n_positions: int) -> int:
    """The least height in px that the figure needs, so that every row can be read."""
    return _TOP + _BOTTOM + ROW * max(n_positions, 1)


def nodes_in_document(flow: FlowGraph) -> tuple[Node, ...]:
    """The residuals that the graph itself has: those on the route."""
    return tuple(node for node in flow.nodes if _cell(node.id))


def choose_positions(flow: FlowGraph, most: int = MOST_POSITIONS) -> range:
    """The positions with a row: the prompt's last ones, or of a long one those up to the traced.

    The traced position is always among them.
    """
    n_tokens = len(flow.tokens)
    stop = n_tokens if n_tokens - flow.position <= most else flow.position + 1
    return range(max(0, stop - most), stop)


def name_left_out(flow: FlowGraph, most: int = MOST_POSITIONS) -> str:
    """Which positions have no row, in words; empty when all have one."""
    shown, n_tokens = choose_positions(flow, most), len(flow.tokens)
    parts = [
        f"{first} to {last}" if first < last else str(first)
        for first, last in ((0, shown.start - 1), (shown.stop, n_tokens - 1))
        if first <= last
    ]
    if not parts:
        return ""
    return f"{len(shown)} of {n_tokens} positions are shown, without {' and '.join(parts)}."


def count_skipped(cells: Mapping[tuple[int, int], Node], flow: FlowGraph, shown: _Colouring) -> int:
    """How many layers from the first on can be skipped, since no cell's colour changes in them.

    The layer before the first change is shown, so that it can be seen to be one.
    """
    level = {cell: shown.level(node.reading) for cell, node in cells.items()}
    n_layers = flow.model.n_layers
    for column in range(2, n_layers + 1):
        for row in choose_positions(flow):
            before, after = level.get((row, column - 1)), level.get((row, column))
            if before is not None and after is not None and abs(after - before) >= MOVES:
                skipped = column - 2
                return skipped if skipped >= FEWEST_SKIPPED else 0
    return 0


def name_skipped(skipped: int) -> str:
    """Which layers have no column, in words; empty when all have one."""
    if not skipped:
        return ""
    return f"Layers 0 to {skipped - 1}, in which no colour changes, are skipped."


def _cell(node_id: NodeId) -> tuple[int, int] | None:
    """A residual's row and column; nothing for other nodes."""
    if node_id.kind is NodeKind.EMBED:
        return node_id.position, 0
    if node_id.kind is NodeKind.RESID_POST and node_id.layer is not None:
        return node_id.position, node_id.layer + 1
    return None


def _colour_by(measure: Measure, flow: FlowGraph, theme: Theme) -> _Colouring:
    d_vocab = max(flow.model.d_vocab, 2)
    if measure == "prob":
        return _Colouring(
            "target's probability",
            lambda reading: reading.target.prob,
            theme.ramps["target"],
            {0.0: "0", 0.5: "50 %", 1.0: "100 %"},
        )
    if measure == "rank":
        tens = [10**power for power in range(math.ceil(math.log10(d_vocab)))]
        apart = [rank for rank in tens[:: _tick_step(len(tens))] if rank_level(rank, d_vocab) < 0.8]
        ticks = {1 - rank_level(rank, d_vocab): _thousands(rank) for rank in (*apart, d_vocab)}
        return _Colouring(
            "target's rank",
            lambda reading: 1 - rank_level(reading.target.rank, d_vocab),
            theme.ramps["target"],
            ticks,
        )
    most = math.log2(d_vocab)
    return _Colouring(
        "entropy",
        lambda reading: reading.entropy / most,
        theme.ramps["entropy"],
        {0.0: "0", 1.0: f"{most:.1f} bits"},
    )


def _tick_step(n_powers: int) -> int:
    """Every power of ten is written while there is room for them all."""
    return 1 if n_powers <= 4 else 2


def _thousands(count: int) -> str:
    return str(count) if count < 1000 else f"{count / 1000:.{1 if count < 10_000 else 0}f}k"


def _heatmap(
    cells: dict[tuple[int, int], Node],
    flow: FlowGraph,
    n_columns: int,
    shown: _Colouring,
    theme: Theme,
) -> dict[str, Any]:
    rows, columns = choose_positions(flow), range(n_columns)
    grid = [[cells.get((row, column)) for column in columns] for row in rows]
    return {
        "type": "heatmap",
        "x": list(columns),
        "y": list(rows),
        "z": [[node and round(shown.level(node.reading), 6) for node in line] for line in grid],
        "customdata": [[node and str(node.id) for node in line] for line in grid],
        "hovertext": [["" if node is None else tip(flow, node) for node in line] for line in grid],
        "hoverinfo": "text",
        "hoverongaps": False,
        "zmin": 0,
        "zmax": 1,
        "xgap": 2,
        "ygap": 2,
        "colorscale": plotly_scale(shown.colours),
        "colorbar": {
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "xpad": _BAR_END,
            "yref": "container",
            "y": 1,
            "yanchor": "top",
            "ypad": 4,
            "len": _BAR + 2 * _BAR_END,
            "lenmode": "pixels",
            "thickness": 7,
            "outlinewidth": 0,
            "ticks": "",
            "tickangle": 0,
            "tickvals": list(shown.ticks),
            "ticktext": [literal(text) for text in shown.ticks.values()],
            "tickfont": {"size": 10, "color": theme.faint},
            "ticklabelposition": "outside",
        },
    }


def _texts(
    cells: dict[tuple[int, int], Node],
    flow: FlowGraph,
    n_columns: int,
    shown: _Colouring,
    width: int,
) -> list[dict[str, Any]]:
    """The top tokens, one trace for each ink: a heatmap's own text has only one colour."""
    room = (width - _LEFT - _RIGHT) / n_columns - 6
    size = 11 if room > 7 * 11 * _CHARACTER else 10 if room > 4 * 10 * _CHARACTER else 9
    columns = int(room / (size * _CHARACTER))
    if columns < 2:
        return []
    by_ink: dict[str, list[tuple[int, int, str]]] = {}
    for (row, column), node in cells.items():
        ink = ink_on(colour_at(shown.colours, shown.level(node.reading)))
        text = token(node.label, columns)
        if node.reading.top[0].id == flow.target.id:
            text = f"<b>{text}</b>"
        by_ink.setdefault(ink, []).append((column, row, text))
    return [
        {
            "type": "scatter",
            "mode": "text",
            "x": [x for x, _, _ in written],
            "y": [y for _, y, _ in written],
            "text": [text for _, _, text in written],
            "textfont": {"family": MONO, "size": size, "color": ink},
            "hoverinfo": "skip",
        }
        for ink, written in sorted(by_ink.items())
    ]


def _axis(ends: list[float], **more: Any) -> dict[str, Any]:
    return {
        "range": ends,
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "fixedrange": True,
        **more,
    }


def _layer_name(layer: int, n_columns: int, width: int) -> str:
    """``layer 3`` where there is room, else the number alone after the first."""
    wide = (width - _LEFT - _RIGHT) / n_columns >= 56
    return f"layer {layer}" if wide else str(layer)


def _row_name(flow: FlowGraph, position: int, theme: Theme) -> str:
    """A position's token; the traced one is marked, and not by its colour alone."""
    name = token_at(flow, position, _LABEL_COLUMNS)
    if position != flow.position:
        return name
    return f'<b><span style="color:{theme.picked}">▸ {name}</span></b>'


def _legend(flow: FlowGraph, shown: _Colouring, theme: Theme) -> list[dict[str, Any]]:
    """What a cell's text says, and before the colour bar what a colour says."""
    target = literal(shorten(visible(flow.target.text), 16))
    said = f"Top token of each residual; <b>bold</b>: the target {target}"
    above = {"y": 1, "yanchor": "top", "yshift": _TOP - 2}
    return [
        note(said, theme, x=0, xanchor="left", xshift=4 - _LEFT, **above),
        note(shown.words, theme, x=1, xanchor="right", xshift=-_BAR - 2 * _BAR_END, **above),
    ]


__all__ = [
    "MEASURES",
    "MOST_POSITIONS",
    "Measure",
    "choose_positions",
    "lens_figure",
    "lens_height",
    "name_left_out",
    "nodes_in_document",
]

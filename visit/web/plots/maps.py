"""Maps for print, of what the page draws of its own: a head's attention, and the ranked parts.

On the screen they are cells that can be clicked (``heatmap``, assets/ranks.js); on paper they are
Plotly's, with a scale in numbers, as all other figures are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from visit.text import n_columns, shorten
from visit.web.colours import Scale
from visit.web.plots.heatmap import window
from visit.web.plots.plotly import LETTERS, Figure, axis_title, layout, literal, note, plotly_scale
from visit.web.theme import Theme
from visit.web.words import percent, signed, signed_percent

AGAINST = frozenset({"effect", "estimate"})
"""What is negative where a part speaks for the target: it comes of taking the part away."""
_LABEL_COLUMNS = 12
_LARGEST_CELL, _LOWEST_CELL, _LINE = 34.0, 14.0, 19.0
"""In px: at most so high, at least so high that a label fits beside it; of a line of numbers."""
_COLUMN, _GAP = LETTERS * 0.62, 10.0
"""How wide a column of a label's letters is, and what is between a label and its cell."""
_TOP, _TITLE, _SCALE, _BAR = 6, 20, 40, 24
"""Room above a map, and below it for the axis's title and the colours' scale, whose bar is so high
above the lower edge."""
_STEPS = (-1.0, -0.25, 0.0, 0.25, 1.0)
"""The parts of the largest that the scale of a signed map says."""
_MARKED = -0.1
"""What is against the target by more of the largest bears a minus."""


@dataclass(frozen=True, slots=True)
class Cells:
    """What a map shows.

    Attributes:
        rows: The rows' names.
        columns: The columns' names.
        levels: A row of levels each, on the scale; ``None`` for no cell.
        texts: What stands in each cell, if anything.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    levels: Sequence[Sequence[float | None]]
    texts: Sequence[Sequence[str]] | None = None


@dataclass(frozen=True, slots=True)
class Shades:
    """What the colours of a map say.

    Attributes:
        words: What they are of.
        colours: From the lowest level to the highest.
        ticks: Levels, with what they say; the outermost are the ends.
    """

    words: str
    colours: Scale
    ticks: Sequence[tuple[float, str]]


def attention_figure(
    pattern: Sequence[Sequence[float]],
    texts: Sequence[str],
    reader: int,
    source: int | None,
    theme: Theme,
    width: int,
) -> Figure:
    """A head's pattern: readers down, sources across, the shown reader's row framed.

    Args:
        pattern: A row for each reader, a column for each source; rows add to 1.
        texts: Every token, as visible characters.
        reader: The position whose row is marked.
        source: The position whose column is marked, if any.
        theme: The paper's colours.
        width: Of the figure, in px.
    """
    shown = window(len(texts), reader)
    z = [[math.sqrt(max(pattern[i][j], 0.0)) if j <= i else None for j in shown] for i in shown]
    names = [texts[i] for i in shown]
    ticks = [(math.sqrt(part), percent(part)) for part in (0.0, 0.04, 0.25, 1.0)]
    shades = Shades("attention", (theme.band_shade, theme.heat), ticks)
    made = _map(Cells(names, names, z), shades, theme, width, turned=True)
    count, row = len(shown), reader - shown.start
    frames = [(-0.5, row - 0.5, row + 0.5, row + 0.5)]
    if source is not None and source in shown and source <= reader:
        column = source - shown.start
        frames.append((column - 0.5, column - 0.5, column + 0.5, count - 0.5))
    line = {"color": theme.accent, "width": 1.5}
    made["layout"]["shapes"] = [
        {"type": "rect", "x0": x0, "y0": y0, "x1": x1, "y1": y1, "line": line}
        for x0, y0, x1, y1 in frames
    ]
    made["layout"]["xaxis"]["title"] = axis_title("source", theme)
    return made


def heads_figure(
    columns: Mapping[str, Any], by: str, name: str, theme: Theme, width: int
) -> Figure:
    """Heads by layers, the MLPs below them, coloured by a measure as it speaks for the target.

    Args:
        columns: The ranked parts (``ranking.rows.columns``).
        by: The measure: one of its columns.
        name: What the measure is called.
        theme: The paper's colours.
        width: Of the figure, in px.
    """
    n_layers, n_heads = columns["n_layers"], columns["n_heads"]
    z: list[list[float | None]] = [[None] * n_layers for _ in range(n_heads + 1)]
    marks = [[""] * n_layers for _ in z]
    shown = [
        row
        for row, sort in enumerate(columns["sort"])
        if sort in ("heads", "MLPs")
        and columns["position"][row] == columns["traced"]
        and columns[by][row] is not None
    ]
    most = max((abs(columns[by][row]) for row in shown), default=0.0) or 1.0
    for row in shown:
        down = n_heads if columns["sort"][row] == "MLPs" else columns["number"][row]
        part = towards(by, columns[by][row] / most)
        z[down][columns["layer"][row]] = root_scale(part)
        marks[down][columns["layer"][row]] = "−" if part < _MARKED else ""
    names = [*(f"head {head}" for head in range(n_heads)), "MLP"]
    steps = [part for part in _STEPS if part >= 0 or by != "norm"]
    ticks = [(root_scale(towards(by, part)), _said(by, part * most)) for part in steps]
    words = f"{name}: Δ metric without the part" if by in AGAINST else name
    low = () if by == "norm" else (theme.minus,)
    shades = Shades(words, (*low, theme.middle, theme.plus), ticks)
    cells = Cells(names, [str(layer) for layer in range(n_layers)], z, marks)
    made = _map(cells, shades, theme, width)
    made["layout"]["xaxis"]["title"] = axis_title("layer", theme)
    return made


def tokens_figure(
    columns: Mapping[str, Any], ids: Sequence[str], theme: Theme, width: int
) -> Figure:
    """Parts by next tokens: each part's flow to a token's logit, less its mean over candidates.

    Args:
        columns: The ranked parts (``ranking.rows.columns``).
        ids: Those that are shown, in their order; what is none of them is left out.
        theme: The paper's colours.
        width: Of the figure, in px.
    """
    rows = {id_: row for row, id_ in enumerate(columns["id"]) if columns["tokens"][row]}
    chosen = [rows[id_] for id_ in ids if id_ in rows]
    values = [columns["tokens"][row] for row in chosen]
    most = max((abs(one) for row in values for one in row), default=0.0) or 1.0
    z = [[root_scale(one / most) for one in row] for row in values]
    numbers = [["" if abs(one) < most / 20 else signed(one, 1) for one in row] for row in values]
    ticks = [(root_scale(part), _said("flow", part * most)) for part in _STEPS]
    names = [columns["name"][row] for row in chosen]
    shades = Shades("flow to the token's logit", (theme.minus, theme.middle, theme.plus), ticks)
    return _map(Cells(names, columns["next"], z, numbers), shades, theme, width, turned=True)


def _map(cells: Cells, shades: Shades, theme: Theme, width: int, *, turned: bool = False) -> Figure:
    """Cells with their rows' names on the left, their columns' below, and the colours' scale.

    Args:
        cells: What is shown.
        shades: What the colours say.
        theme: The paper's colours.
        width: Of the figure, in px.
        turned: Whether the columns' names are written upwards, as tokens are.
    """
    left = round(_widest(cells.rows) * _COLUMN + _GAP)
    below = round(_widest(cells.columns) * _COLUMN + _GAP) if turned else 22
    across = min((width - left - 16) / max(len(cells.columns), 1), 1.8 * _LARGEST_CELL)
    down = max(_LOWEST_CELL, min(across, _LARGEST_CELL))
    if cells.texts is None:
        across = min(across, down)
    elif turned:
        down = _LINE
    right = max(16, round(width - left - across * len(cells.columns)))
    bottom = below + _TITLE + _SCALE
    axis = {"showgrid": False, "zeroline": False, "fixedrange": True, "ticks": "",
            "tickmode": "array", "tickfont": {"color": theme.soft}}  # fmt: skip
    needed = LETTERS if turned else _widest(cells.columns) * _COLUMN
    each = range(0, len(cells.columns), math.ceil(needed / across))
    long = min(240.0, 0.5 * (width - left))
    words = note(
        literal(shades.words), theme, x=0, xanchor="left", xshift=long + 16, y=0,
        yanchor="middle", yshift=_BAR - bottom,
    )  # fmt: skip
    return {
        "data": [_heatmap(cells, shades, theme, long)],
        "layout": layout(
            theme,
            height=round(_TOP + down * len(cells.rows) + bottom),
            margin=(left, right, _TOP, bottom),
            xaxis={**axis, "tickvals": list(each),
                   "ticktext": [_short(cells.columns[i]) for i in each],
                   "tickangle": -90 if turned else 0},
            yaxis={**axis, "tickvals": list(range(len(cells.rows))),
                   "ticktext": [_short(name) for name in cells.rows], "autorange": "reversed"},
            annotations=[words],
        ),
    }  # fmt: skip


def _heatmap(cells: Cells, shades: Shades, theme: Theme, long: float) -> dict[str, Any]:
    """The cells, and the scale of their colours below them, ``long`` px wide."""
    ends = [level for level, _ in shades.ticks]
    made: dict[str, Any] = {
        "type": "heatmap",
        "z": cells.levels,
        "colorscale": plotly_scale(shades.colours),
        "zmin": min(ends),
        "zmax": max(ends),
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "colorbar": {
            "orientation": "h", "thickness": 9, "lenmode": "pixels", "len": long,
            "x": 0, "xanchor": "left", "xpad": 0,
            "yref": "container", "y": 0, "yanchor": "bottom", "ypad": 4, "outlinewidth": 0,
            "tickvals": ends, "ticktext": [literal(said) for _, said in shades.ticks],
            "tickfont": {"size": LETTERS, "color": theme.soft}, "tickangle": 0,
        },
    }  # fmt: skip
    if cells.texts is not None:
        made |= {"text": cells.texts, "texttemplate": "%{text}", "textfont": {"size": LETTERS}}
    return made


def _short(name: str) -> str:
    return literal(shorten(name, _LABEL_COLUMNS))


def _widest(names: Sequence[str]) -> int:
    return max((n_columns(shorten(name, _LABEL_COLUMNS)) for name in names), default=0)


def towards(by: str, part: float) -> float:
    """A part of the largest, signed as the model's part speaks for the target."""
    return -part if by in AGAINST else part


def root_scale(part: float) -> float:
    """Where a part of the largest is on the scale: by its root, so that little is seen."""
    return math.copysign(math.sqrt(abs(part)), part)


def _said(by: str, value: float) -> str:
    if value == 0:
        return "0"
    if by == "norm":
        return f"{value:.3g}"
    return signed_percent(value) if by == "share" else signed(value)

"""A report's figures for Plotly: lines with bands, bars with whiskers, maps.

``Axes`` are worked out of one figure, or of the same figure of two models, so that both are drawn
on equal ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from visit.graph.studied.figure import Figure as Numbers
from visit.graph.studied.figure import FigureKind, Line
from visit.text import counted, n_columns, shorten, visible
from visit.web.colours import see_through
from visit.web.plots.plotly import Figure, axis_title, layout, literal, plain_axis, plotly_scale
from visit.web.theme import CLEAR, Theme

COLOURS = ("plus", "minus", "mlp-border", "neuron-border", "heat", "soft")
"""Of lines and bars, one after another, by the names of the page's CSS variables."""
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")
_LETTERS = 12
_LETTER = 6.9
"""How wide a column of such letters is, in px."""
_LONGEST_NAME, _LONGEST_TITLE = 26, 40
_HEIGHT, _BELOW, _ABOVE = 340, 48, 12
_BAR_ROW, _MAP_ROW = 19.0, 20.0
_LEAST_MAP = 130.0
"""So high that the title of its colours has room."""
_MANY_MARKS = 40
"""With more places than these, lines bear no marks."""


@dataclass(frozen=True, slots=True)
class Axes:
    """What a figure's axes reach, as those of its neighbour do.

    Attributes:
        low: The least of the values' axis, or of the colours.
        high: The greatest.
        left: Room for names on the left, in px.
    """

    low: float
    high: float
    left: int


def axes_of(figures: Sequence[Numbers]) -> Axes:
    """The axes that hold all of these figures, which are of one kind."""
    values = [
        value
        for figure in figures
        for line in figure.lines
        for part in (line.mean, *((line.low, line.high) if not _is_map(figure) else ()))
        for value in part
        if value is not None
    ]
    low, high = min(values, default=0.0), max(values, default=1.0)
    named = [name for figure in figures for name in _names_on_the_left(figure)]
    widest = max((n_columns(_name(name)) for name in named), default=0)
    left = round(widest * _LETTER) + 14 if widest else 58
    if any(map(_is_map, figures)):
        most = max(abs(low), abs(high)) or 1.0
        return Axes(-most if low < 0 else 0.0, most, left + 22)
    if any(figure.kind is FigureKind.BARS for figure in figures):
        low, high = min(low, 0.0), max(high, 0.0)
    room = 0.06 * (high - low) or 0.5
    starts_at_0 = 0 <= low <= 0.5 * high
    low = 0.0 if starts_at_0 or low == 0 else low - room
    return Axes(low, high if high == 0 else high + room, left)


def _is_map(figure: Numbers) -> bool:
    return figure.kind is FigureKind.MAP


def _lies_down(figure: Numbers) -> bool:
    """Whether bars go to the right, so that their names can be read."""
    return figure.kind is FigureKind.BARS and any(isinstance(x, str) for x in figure.x)


def _names_on_the_left(figure: Numbers) -> list[str]:
    if _is_map(figure):
        return [line.name for line in figure.lines]
    return [str(x) for x in figure.x] if _lies_down(figure) else []


def _name(text: str) -> str:
    return shorten(text, _LONGEST_NAME)


def colours_of(theme: Theme) -> list[str]:
    """The colours of lines and bars under a theme, in the order of ``COLOURS``."""
    family = {"mlp-border": "mlp", "neuron-border": "neuron"}
    return [
        theme.families[family[name]].border if name in family else getattr(theme, name)
        for name in COLOURS
    ]


def draw(figure: Numbers, axes: Axes, theme: Theme) -> Figure:
    """A figure as Plotly takes it; its width is the page's."""
    if figure.kind is FigureKind.MAP:
        return _map(figure, axes, theme)
    if figure.kind is FigureKind.BARS:
        return _bars(figure, axes, theme)
    return _lines(figure, axes, theme)


def say_value(value: float | None) -> str:
    """A value in four digits, with a true minus."""
    return "-" if value is None else f"{value:.4g}".replace("-", "−")


def _places(figure: Numbers) -> list[float]:
    """Where the values stand: the numbers themselves, or one after another."""
    numbers = [x for x in figure.x if not isinstance(x, str)]
    return numbers if len(numbers) == len(figure.x) else [*map(float, range(len(figure.x)))]


def _say_place(x: float | str) -> str:
    return visible_name(x) if isinstance(x, str) else f"{x:g}".replace("-", "−")


def visible_name(text: str) -> str:
    """A name as it is; what cannot be seen of it, as a space before it, is spelled."""
    is_seen = text.isprintable() and text == text.strip(" ") != ""
    return text if is_seen or not text else visible(text)


def _tips(figure: Numbers, line: Line) -> list[str]:
    nothing = (None,) * len(figure.x)
    ends = zip(line.low or nothing, line.high or nothing, strict=True)
    tips = []
    for x, mean, (low, high) in zip(figure.x, line.mean, ends, strict=True):
        said = say_value(mean)
        if low is not None and high is not None:
            said += f" ({say_value(low)} to {say_value(high)})"
        where = f"{figure.x_title} {_say_place(x)}".strip()
        tips.append(
            f"<b>{literal(visible_name(line.name))}</b>, {literal(where)}<br>{literal(said)}<br>"
            + counted(line.n, figure.of)
        )
    return tips


def _x_axis(figure: Numbers, theme: Theme) -> dict[str, Any]:
    places = _places(figure)
    axis = _axis(theme, title=_title(figure.x_title, theme))
    if any(isinstance(x, str) for x in figure.x):
        step = max(1, math.ceil(len(places) / 24))
        shown = range(0, len(places), step)
        axis |= {
            "tickvals": [places[at] for at in shown],
            "ticktext": [literal(_name(_say_place(figure.x[at]))) for at in shown],
        }
    elif all(place == round(place) for place in places) and 1 < len(places) <= 26:
        axis |= {"tickvals": places}
    return axis


def _said(text: str) -> str:
    """A title, no longer than a figure is high."""
    return literal(shorten(visible_name(text), _LONGEST_TITLE))


def _title(text: str, theme: Theme) -> dict[str, Any]:
    return axis_title(_said(text), theme, 10)


def _axis(theme: Theme, **more: Any) -> dict[str, Any]:
    return plain_axis(theme, **{"tickfont": {"color": theme.soft, "size": _LETTERS}, **more})


def _values_axis(figure: Numbers, axes: Axes, theme: Theme) -> dict[str, Any]:
    return _axis(
        theme,
        title=_title(figure.y_title, theme),
        range=[axes.low, axes.high],
        showgrid=True,
        gridcolor=theme.line,
        zeroline=True,
        zerolinecolor=theme.other,
        zerolinewidth=1,
        nticks=7,
    )


def _layout(theme: Theme, height: float, **more: Any) -> dict[str, Any]:
    made = layout(theme, height=round(height), hovermode="closest", **more)
    made["font"]["size"] = _LETTERS
    for name in ("xaxis", "yaxis"):
        made[name]["title"]["font"] = {"size": _LETTERS, "color": theme.soft}
    return made


def _lines(figure: Numbers, axes: Axes, theme: Theme) -> Figure:
    places, colours = _places(figure), colours_of(theme)
    bands, lines = [], []
    mode = "lines+markers" if len(places) <= _MANY_MARKS else "lines"
    for at, line in enumerate(figure.lines):
        colour = colours[at % len(colours)]
        if line.low and line.high:
            bands.append(_band(places, line, see_through(colour, 0.28 if theme.is_dark else 0.2)))
        lines.append(
            {
                "type": "scatter",
                "mode": mode,
                "x": places,
                "y": list(line.mean),
                "hovertext": _tips(figure, line),
                "hovertemplate": "%{hovertext}<extra></extra>",
                "line": {"color": colour, "width": 2.2, "dash": DASHES[at % len(DASHES)]},
                "marker": {"size": 6, "symbol": SYMBOLS[at % len(SYMBOLS)], "color": colour},
            }
        )
    margin = (axes.left, 14, _ABOVE, _BELOW)
    step = (max(places) - min(places)) / max(len(places) - 1, 1) if places else 1.0
    x_axis = _x_axis(figure, theme)
    if places:
        x_axis["range"] = [min(places) - 0.5 * (step or 1), max(places) + 0.5 * (step or 1)]
    return {
        "data": [*bands, *lines],
        "layout": _layout(
            theme,
            _HEIGHT,
            margin=margin,
            xaxis=x_axis,
            yaxis=_values_axis(figure, axes, theme),
        ),
    }


def _band(places: Sequence[float], line: Line, colour: str) -> dict[str, Any]:
    """The intervals as one area for each run of places that have one."""
    x: list[float | None] = []
    y: list[float | None] = []
    run: list[tuple[float, float, float]] = []

    def close() -> None:
        if not run:
            return
        x.extend([*(one[0] for one in run), *(one[0] for one in reversed(run)), run[0][0], None])
        y.extend([*(one[2] for one in run), *(one[1] for one in reversed(run)), run[0][2], None])
        run.clear()

    for place, low, high in zip(places, line.low, line.high, strict=True):
        if low is None or high is None:
            close()
        else:
            run.append((place, low, high))
    close()
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "fill": "toself",
        "fillcolor": colour,
        "line": {"width": 0},
        "hoverinfo": "skip",
    }


def _bars(figure: Numbers, axes: Axes, theme: Theme) -> Figure:
    down = _lies_down(figure)
    places, colours = _places(figure), colours_of(theme)
    along, across = ("x", "y") if down else ("y", "x")
    data = []
    for at, line in enumerate(figure.lines):
        colour = colours[at % len(colours)]
        trace = {
            "type": "bar",
            "orientation": "h" if down else "v",
            across: places,
            along: list(line.mean),
            "hovertext": _tips(figure, line),
            "hovertemplate": "%{hovertext}<extra></extra>",
            "marker": {
                "color": see_through(colour, 0.45),
                "line": {"color": colour, "width": 1.2},
            },
        }
        if line.low and line.high:
            trace[f"error_{along}"] = _whiskers(line, theme)
        data.append(trace)
    values, names = _values_axis(figure, axes, theme), _x_axis(figure, theme)
    height: float = _HEIGHT
    margin = (axes.left, 14, _ABOVE, _BELOW)
    if down:
        names |= {"autorange": "reversed", "ticks": "outside", "ticklen": 6,
                  "tickcolor": CLEAR, "title": _title("", theme),
                  "tickvals": places,
                  "ticktext": [literal(_name(_say_place(x))) for x in figure.x]}  # fmt: skip
        row = _BAR_ROW if len(figure.lines) > 1 else 1.5 * _BAR_ROW
        height = len(places) * (len(figure.lines) * row + 12) + _ABOVE + _BELOW
    shown = {"xaxis": values, "yaxis": names} if down else {"xaxis": names, "yaxis": values}
    return {
        "data": data,
        "layout": _layout(
            theme, height, margin=margin, barmode="group", bargap=0.28, bargroupgap=0.08, **shown
        ),
    }


def _whiskers(line: Line, theme: Theme) -> dict[str, Any]:
    ends = list(zip(line.mean, line.low, line.high, strict=True))
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if m is None or high is None else high - m for m, _, high in ends],
        "arrayminus": [0.0 if m is None or low is None else m - low for m, low, _ in ends],
        "color": theme.ink,
        "thickness": 1.3,
        "width": 4,
    }


def _map(figure: Numbers, axes: Axes, theme: Theme) -> Figure:
    places = [*map(float, range(len(figure.x)))]
    signed = axes.low < 0
    scale = (theme.minus, theme.middle, theme.plus) if signed else theme.ramps["target"]
    rows = len(figure.lines)
    height = max(rows * _MAP_ROW, _LEAST_MAP)
    every = max(1, math.ceil(14 / (height / max(rows, 1))))
    shown_x = range(0, len(places), max(1, math.ceil(len(places) / 24)))
    shown_rows = range(0, rows, every)
    trace = {
        "type": "heatmap",
        "x": places,
        "y": [*range(rows)],
        "z": [list(line.mean) for line in figure.lines],
        "hovertext": [_tips(figure, line) for line in figure.lines],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "colorscale": plotly_scale(scale),
        "zmin": axes.low,
        "zmax": axes.high,
        "xgap": 1.5,
        "ygap": 1.5,
        "hoverongaps": False,
        "colorbar": {
            "thickness": 12,
            "len": 1,
            "outlinewidth": 0,
            "x": 1,
            "xpad": 12,
            "ypad": 0,
            "nticks": 6,
            "tickfont": {"size": _LETTERS, "color": theme.soft},
            "title": {
                "text": literal(
                    shorten(visible_name(figure.y_title), min(_LONGEST_TITLE, int(height / 6.2)))
                ),
                "side": "right",
                "font": {"size": _LETTERS, "color": theme.soft},
            },
        },
    }
    x_axis = _axis(
        theme,
        title=_title(figure.x_title, theme),
        tickvals=[places[at] for at in shown_x],
        ticktext=[literal(_name(_say_place(figure.x[at]))) for at in shown_x],
    )
    y_axis = _axis(
        theme,
        title=_title("", theme),
        autorange="reversed",
        tickvals=[*shown_rows],
        ticktext=[literal(_name(visible_name(figure.lines[at].name))) for at in shown_rows],
    )
    return {
        "data": [trace],
        "layout": _layout(
            theme,
            height + _ABOVE + _BELOW,
            margin=(axes.left, 96, _ABOVE, _BELOW),
            xaxis=x_axis,
            yaxis=y_axis,
        ),
    }

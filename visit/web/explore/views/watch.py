"""Watched tokens over depth: a line each, and what moved it below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from visit.graph.explored.watch import Watched, WatchedToken
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.text import n_columns, shorten, visible
from visit.web.explore.view import ExploreView, Shown, choice
from visit.web.plots.maps import root_scale
from visit.web.plots.plotly import LETTERS, Figure, layout, literal, note, plain_axis, plotly_scale
from visit.web.theme import Theme
from visit.web.words import percent, signed

_LINES, _ROW, _TOP, _GAP, _BOTTOM = 250, 17, 26, 54, 34
"""In px: the lines' height, a row of the map's, and the room above, between and below."""
_LABEL = 14
_LETTER = LETTERS * 0.62
_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up")
_BESIDE = 13.0
"""How far apart the lines' names stand at least, in px."""


class Measure(StrEnum):
    """What the lines are of."""

    RANK = "rank"
    PROBABILITY = "probability"
    LOGIT = "logit"


_SHOW = choice("show", "Show", "what the lines are of", Measure)


def draw_watched(shown: Shown) -> Figure:
    """Each token's rank, probability or logit over the layers, and each layer's part in it."""
    found, theme = shown.answer, shown.theme
    assert isinstance(found, Watched)
    measure = str(WATCH.read(shown, _SHOW.name))
    rows = 2 * len(found.watched)
    inner = _LINES + _GAP + _ROW * rows
    split = _ROW * rows / inner
    names = [visible(one.text) for one in found.watched]
    left = round(
        max(n_columns(shorten(f"{name} attn", _LABEL + 5)) for name in names) * _LETTER + 12
    )
    n_layers = found.model.n_layers
    step = max(1, math.ceil(n_layers / 16))
    every = range(step if n_layers > 8 else 0, n_layers, step)  # 0 would touch the embedding's name
    axis = plain_axis(theme)
    lines = [_line(found, one, place, measure, theme) for place, one in enumerate(found.watched)]
    return {
        "data": [*lines, _moves(found, names, theme)],
        "layout": layout(
            theme,
            margin=(left, 118, _TOP, _BOTTOM),
            height=inner + _TOP + _BOTTOM,
            xaxis={**axis, "range": [-1.5, n_layers - 0.5], "tickvals": [-1, *every],
                   "ticktext": ["embed", *map(str, every)], "tickangle": 0, "anchor": "y2"},
            yaxis={**axis, **_down(found, measure), "domain": [split + _GAP / inner, 1],
                   "showgrid": True, "gridcolor": theme.band},
            yaxis2={**axis, "domain": [0, split], "autorange": "reversed",
                    "tickvals": list(range(rows)), "ticktext": [
                        literal(f"{shorten(name, _LABEL)} {part}")
                        for name in names for part in ("attn", "MLP")
                    ]},
            annotations=[
                note(f"{measure}, read through the lens after each layer", theme, x=0,
                     xanchor="left", y=1, yanchor="bottom", yshift=6),
                note("flow of each layer's attention and MLP to the token's logit, less its mean "
                     "over the candidates", theme, x=0, xanchor="left", y=split, yanchor="bottom",
                     yshift=6),
                *_names(found, measure, names, theme),
            ],
        ),
    }  # fmt: skip


def _value(one: WatchedToken, depth: int, measure: str) -> float:
    return float(getattr(one.readings[depth], "prob" if measure == "probability" else measure))


def _line(
    found: Watched, one: WatchedToken, place: int, measure: str, theme: Theme
) -> dict[str, Any]:
    depths = range(len(one.readings))
    colour = _colours(theme)[place]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [depth - 1 for depth in depths],
        "y": [_value(one, depth, measure) for depth in depths],
        "customdata": [_node(found, depth) for depth in depths],
        "text": [_tip(one, depth) for depth in depths],
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": colour, "width": 2, "dash": _DASHES[place % len(_DASHES)]},
        "marker": {"size": 6, "color": colour, "symbol": _SYMBOLS[place % len(_SYMBOLS)]},
    }


def _tip(one: WatchedToken, depth: int) -> str:
    at = one.readings[depth]
    where = f"after layer {depth - 1}" if depth else "the embedding"
    said = f"rank {at.rank:,}, {percent(at.prob)}, logit {at.logit:.2f}"
    return f"<b>{literal(visible(one.text))}</b> {where}<br>{literal(said)}"


def _node(found: Watched, depth: int) -> str:
    if not depth:
        return str(NodeId(NodeKind.EMBED, found.position))
    return str(NodeId(NodeKind.RESID_POST, found.position, depth - 1))


def _down(found: Watched, measure: str) -> dict[str, Any]:
    """The axis: a rank's is logarithmic with the best on top."""
    if measure == "rank":
        most = max(at.rank for one in found.watched for at in one.readings)
        decades = range(math.ceil(math.log10(max(most, 10))) + 1)
        return {"type": "log", "range": [math.log10(max(most, 10)) + 0.1, -0.15],
                "tickvals": [10**power for power in decades],
                "ticktext": [f"{10**power:,}" for power in decades]}  # fmt: skip
    if measure == "probability":
        return {"tickformat": ".0%", "rangemode": "tozero", "nticks": 6}
    return {"nticks": 6}


def _names(found: Watched, measure: str, names: list[str], theme: Theme) -> list[dict[str, Any]]:
    """Each line's name at its end, moved so that no two touch."""
    ends = [_value(one, -1, measure) for one in found.watched]
    places = [math.log10(end) if measure == "rank" else end for end in ends]
    seen = [_value(one, d, measure) for one in found.watched for d in range(len(one.readings))]
    spread = [math.log10(value) if measure == "rank" else value for value in seen]
    span = (max(spread) - min(spread)) or 1.0
    down = (1.0 if measure == "rank" else -1.0) * _LINES / span
    order = sorted(range(len(ends)), key=lambda place: down * places[place])
    wanted = [down * places[place] for place in order]
    apart = _keep_apart(wanted, max(down * value for value in spread))
    made = []
    for place, own, moved in zip(order, wanted, apart, strict=True):
        said = note(
            literal(shorten(names[place], _LABEL)), theme, x=1, xanchor="left", xshift=8,
            yref="y", y=places[place], yanchor="middle", yshift=own - moved,
        )  # fmt: skip
        made.append({**said, "font": {"size": LETTERS, "color": _colours(theme)[place]}})
    return made


def _keep_apart(wanted: Sequence[float], lowest: float) -> list[float]:
    """Places down in px, in order: moved so that no two names touch, nor is one below the lines."""
    places: list[float] = []
    for own in wanted:
        places.append(max(own, places[-1] + _BESIDE) if places else own)
    for at in reversed(range(len(places))):
        places[at] = min(places[at], lowest)
        lowest = places[at] - _BESIDE
    return places


def _moves(found: Watched, names: list[str], theme: Theme) -> dict[str, Any]:
    """Two rows a token: what each layer's attention and MLP do to it in the end."""
    kinds = (NodeKind.ATTN, NodeKind.MLP)
    rows = [
        (name, kind, one.attn if kind is NodeKind.ATTN else one.mlp)
        for name, one in zip(names, found.watched, strict=True)
        for kind in kinds
    ]
    most = max((abs(by) for *_, row in rows for by in row), default=0.0) or 1.0
    # The embedding's column is empty: neither attention nor MLP has written yet.
    layers = range(found.model.n_layers)
    steps = (-1.0, 0.0, 1.0)
    return {
        "type": "heatmap",
        "xaxis": "x",
        "yaxis": "y2",
        "x": [-1, *layers],
        "z": [[None, *(root_scale(by / most) for by in row)] for *_, row in rows],
        "text": [
            [None, *(_say_move(name, kind, layer, by) for layer, by in enumerate(row))]
            for name, kind, row in rows
        ],
        "customdata": [
            [None, *(str(NodeId(kind, found.position, layer)) for layer in layers)]
            for _, kind, _ in rows
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "hoverongaps": False,
        "colorscale": plotly_scale(theme.scale("difference")),
        "zmin": -1.0,
        "zmax": 1.0,
        "xgap": 1,
        "ygap": 1,
        "colorbar": {
            "thickness": 9, "lenmode": "pixels", "len": max(_ROW * len(rows), 60), "x": 1,
            "xpad": 8, "y": 0, "yanchor": "bottom", "ypad": 0, "outlinewidth": 0,
            "tickvals": list(steps),
            "ticktext": [literal(signed(step * most, 1)) if step else "0" for step in steps],
            "tickfont": {"size": LETTERS, "color": theme.soft},
        },
    }  # fmt: skip


def _say_move(name: str, kind: NodeKind, layer: int, by: float) -> str:
    part = "attention" if kind is NodeKind.ATTN else "MLP"
    return f"<b>layer {layer}'s {part}</b> → {literal(name)}<br>{literal(signed(by, 3))}"


def _colours(theme: Theme) -> tuple[str, ...]:
    """Eight that are told apart on the page; a dash and a mark tell them apart as well."""
    hues = theme.families
    return (
        theme.plus, theme.minus, hues["mlp"].border, hues["neuron"].border, theme.accent,
        hues["attention"].border, hues["residual"].border, theme.ink,
    )  # fmt: skip


WATCH = ExploreView(
    draw_watched,
    says="A rank of 1 is on top. Below, two rows a token: blue is what a layer's attention or MLP "
    "at this position does for the token in the end, orange against it, with all that follows held "
    "as it was.",
    options=(_SHOW,),
)

"""Every head's score, heads by layers, and beside it how strongly layers could compose."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from visit.graph.explored.heads import KINDS, Heads
from visit.web.explore.view import ExploreView, Shown, choice
from visit.web.explore.views.head_parts import SIDE_WORDS, draw_parts
from visit.web.plots.plotly import (
    Figure,
    axis_title,
    head_rows,
    layout,
    note,
    plain_axis,
    plotly_scale,
)
from visit.web.words import percent, signed

_HEIGHT = 400
_LEFT = 0.56
"""The part of the width that the map of heads has."""
_LEFT_OF_PARTS = 0.5
"""Likewise beside parts, whose names need room."""
_SIDES = (60, 8)
"""The margins left and right, in px."""


class _Score(StrEnum):
    INDUCTION = "induction"
    PREVIOUS = "previous"
    DUPLICATE = "duplicate"
    SINK = "sink"


class _On(StrEnum):
    REPEATS = "repeats"
    PROMPT = "prompt"


class _Compositions(StrEnum):
    LAYERS = "layers"
    PARTS = "parts"


class _Side(StrEnum):
    VALUE = "v"
    KEY = "k"
    QUERY = "q"


def draw_heads(shown: Shown) -> Figure:
    """Heads down and layers across; beside it writing and reading layers, or the card's parts."""
    found, theme = shown.answer, shown.theme
    assert isinstance(found, Heads)
    kind, on, side = (HEADS.read(shown, name) for name in ("score", "on", "side"))
    is_of_parts = HEADS.read(shown, "compositions") == _Compositions.PARTS
    axis = plain_axis(theme)
    n_layers, named = found.model.n_layers, head_rows(found.model.n_heads)
    where = "random tokens said twice" if on == _On.REPEATS else "this prompt"
    if is_of_parts:
        left = _LEFT_OF_PARTS
        right, axes, said = draw_parts(found, theme, left, shown.width - sum(_SIDES))
    else:
        left, right, said = _LEFT, [_composition(found, side, shown)], _say_side(side)
        axes = {
            "xaxis2": {**axis, "domain": [_LEFT + 0.1, 1], "nticks": 8,
                       "title": axis_title("layer that reads", theme)},
            "yaxis2": {**axis, "range": [n_layers - 0.5, -0.5], "nticks": 8,
                       "title": axis_title("layer that writes", theme)},
        }  # fmt: skip
    return {
        "data": [_scores(found, kind, on, shown), *right],
        "layout": layout(
            theme,
            margin=(*_SIDES, 26, 40),
            height=_HEIGHT,
            xaxis={**axis, "domain": [0, left], "title": axis_title("layer", theme), "nticks": 12},
            yaxis={**axis, "autorange": "reversed", "tickvals": list(named),
                   "ticktext": list(named.values())},
            xaxis2={**axes["xaxis2"], "anchor": "y2"},
            yaxis2={**axes["yaxis2"], "anchor": "x2"},
            annotations=[
                note(f"{kind}, 0 to 100 %, on {where}", theme, x=0, xanchor="left", y=1,
                     yanchor="bottom"),
                note(said, theme, x=1, xanchor="right", y=1, yanchor="bottom"),
            ],
            hovermode="closest",
        ),
    }  # fmt: skip


def _say_side(side: str) -> str:
    return f"into the {SIDE_WORDS[side]}, strongest pair over chance"


def _scores(found: Heads, kind: str, on: str, shown: Shown) -> dict[str, Any]:
    n_heads, n_layers = found.model.n_heads, found.model.n_layers
    z: list[list[float | None]] = [[None] * n_layers for _ in range(n_heads)]
    texts: list[list[str]] = [[""] * n_layers for _ in range(n_heads)]
    ids = [[found.node(layer, head) for layer in range(n_layers)] for head in range(n_heads)]
    place = KINDS.index(kind)
    for one in found.heads:
        value = one.repeats[place] if on == _On.REPEATS else one.prompt[place]
        z[one.head][one.layer] = value
        here = one.prompt[place]
        said = "none has such a source" if here is None else percent(here)
        texts[one.head][one.layer] = (
            f"<b>{one.layer}.{one.head}</b><br>{kind} {percent(one.repeats[place])} on repeats"
            f"<br>on this prompt {said}"
        )
    return {
        "type": "heatmap", "z": z, "text": texts, "customdata": ids, "zmin": 0, "zmax": 1,
        "xaxis": "x", "yaxis": "y",
        "hovertemplate": "%{text}<extra></extra>", "xgap": 1, "ygap": 1, "showscale": False,
        "colorscale": plotly_scale(shown.theme.ramps["target"]),
    }  # fmt: skip


def _composition(found: Heads, side: str, shown: Shown) -> dict[str, Any]:
    rows = found.by_layer[side]
    most = max((abs(value) for row in rows for value in row if value is not None), default=1.0)
    best = {(one.writer[0], one.reader[0]): one for one in reversed(found.compositions)
            if one.side == side}  # fmt: skip
    texts, ids = [], []
    for writer, row in enumerate(rows):
        said: list[str] = []
        nodes: list[str | None] = []
        for reader, value in enumerate(row):
            pair = best.get((writer, reader))
            words = f"layers {writer} → {reader}"
            if value is not None:
                words += f"<br>{signed(value, 3)} over chance"
            if pair is not None:
                words += f"<br>strongest: {pair.writer[0]}.{pair.writer[1]} → "
                words += f"{pair.reader[0]}.{pair.reader[1]}"
            said.append(words)
            nodes.append(None if pair is None else found.node(*pair.writer))
        texts.append(said)
        ids.append(nodes)
    theme = shown.theme
    return {
        "type": "heatmap", "z": rows, "text": texts, "customdata": ids,
        "xaxis": "x2", "yaxis": "y2", "zmin": -most, "zmax": most,
        "hovertemplate": "%{text}<extra></extra>", "xgap": 1, "ygap": 1, "showscale": False,
        "colorscale": plotly_scale((theme.minus, theme.middle, theme.plus)),
    }  # fmt: skip


HEADS = ExploreView(
    draw_heads,
    says="On the left a cell is a head: the part of its attention that goes where such a head "
    "looks, of the readers that have such a source. On the right how much the strongest pair of "
    "two layers could pass on, by the weights alone, less what random matrices would; or the parts "
    "of the card's pairs that could pass on most, less the strongest part of random matrices: the "
    "bar with all that the reader reads on that side, the diamond with its nearest part.",
    options=(
        choice("score", "Score", "which score the map shows", _Score),
        choice("on", "On", "random tokens said twice, or this prompt", _On),
        choice("compositions", "Beside it", "layers by the strongest pair, or the card's head by "
               "parts of its circuits", _Compositions),
        choice("side", "Composition", "of layers, into a head's value, key or query", _Side),
    ),
)  # fmt: skip

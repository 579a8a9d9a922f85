"""How long residuals are, layer by position, and which heads rest where."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from visit.graph.explored.answer import name_depth
from visit.graph.explored.sinks import Sinks
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.text import n_columns
from visit.web.explore.view import ExploreView, Shown
from visit.web.plots.plotly import (
    Figure,
    axis_title,
    layout,
    literal,
    note,
    plain_axis,
    plotly_scale,
    token_marks,
)
from visit.web.theme import Theme

_ROW, _LEAST = 13, 300
"""A layer's height in px, and that of all at least."""
_LEFT = 0.66
_MOST_NAMED = 60
_LETTER = 7.2


def draw_sinks(shown: Shown) -> Figure:
    """On the left norms on a logarithmic scale, on the right how many heads of each layer rest."""
    found, theme = shown.answer, shown.theme
    assert isinstance(found, Sinks)
    is_named = len(shown.tokens) <= _MOST_NAMED
    below = min(16 + int(max(map(n_columns, shown.tokens)) * _LETTER), 120) if is_named else 40
    axis = plain_axis(theme)
    n_layers = found.model.n_layers
    rows = {"range": [-0.5, n_layers + 0.5], "tickvals": list(range(0, n_layers + 1, 5)),
            "ticktext": [name_depth(depth) for depth in range(0, n_layers + 1, 5)]}  # fmt: skip
    return {
        "data": [_norms(found, shown), *_rests(found, shown)],
        "layout": layout(
            theme,
            margin=(76, 12, 26, below),
            height=max(_LEAST, _ROW * (n_layers + 1)) + 26 + below,
            xaxis={**axis, "domain": [0, _LEFT],
                   **(token_marks(shown.tokens, theme) if is_named
                      else {"title": axis_title("position", theme)})},
            yaxis={**axis, **rows},
            xaxis2={**axis, "domain": [_LEFT + 0.05, 1], "anchor": "y2", "showgrid": True,
                    "gridcolor": theme.band, "title": axis_title("heads that rest", theme)},
            yaxis2={**axis, "range": rows["range"], "showticklabels": False, "anchor": "x2"},
            barmode="stack",
            annotations=[
                note("length of each residual, log scale", theme, x=0, xanchor="left", y=1,
                     yanchor="bottom"),
                note(_say_colours(theme), theme, x=_LEFT + 0.05, xanchor="left",
                     y=1, yanchor="bottom"),
            ],
            hovermode="closest",
        ),
    }  # fmt: skip


def _say_colours(theme: Theme) -> str:
    """What the bars' colours are, in so few letters that they fit over a narrow figure."""
    hue = theme.families["attention"]
    named = ((hue.border, "first token"), (hue.fill, "elsewhere"))
    return "&nbsp; ".join(f'<span style="color:{one}">■</span> {name}' for one, name in named)


def _norms(found: Sinks, shown: Shown) -> dict[str, Any]:
    z = [[math.log10(max(value, 1e-12)) for value in row] for row in found.norms]
    texts = [
        [
            f"<b>{literal(shown.tokens[at])}</b> at {at}<br>after {name_depth(depth)}: {value:.3g}"
            for at, value in enumerate(row)
        ]
        for depth, row in enumerate(found.norms)
    ]
    ids = [
        [
            str(
                NodeId(NodeKind.EMBED, at)
                if depth == 0
                else NodeId(NodeKind.RESID_POST, at, depth - 1)
            )
            for at in range(len(row))
        ]
        for depth, row in enumerate(found.norms)
    ]
    return {
        "type": "heatmap", "z": z, "text": texts, "customdata": ids, "xaxis": "x", "yaxis": "y",
        "hovertemplate": "%{text}<extra></extra>", "showscale": False, "xgap": 1, "ygap": 1,
        "colorscale": plotly_scale(shown.theme.ramps["entropy"]),
    }  # fmt: skip


def _rests(found: Sinks, shown: Shown) -> list[dict[str, Any]]:
    """Two bars a layer: heads that rest on the first token, and those that rest elsewhere."""
    theme = shown.theme
    first = Counter(one.layer for one in found.heads if one.position == 0)
    others = Counter(one.layer for one in found.heads if one.position != 0)
    hue = theme.families["attention"]
    layers = list(range(found.model.n_layers))
    return [
        {
            "type": "bar", "orientation": "h", "xaxis": "x2", "yaxis": "y2",
            "y": [layer + 1 for layer in layers], "x": [counts[layer] for layer in layers],
            "customdata": [None] * len(layers),
            "hovertext": [f"layer {layer}: {counts[layer]} {where}" for layer in layers],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "marker": {"color": colour, "line": {"color": hue.border, "width": 1}},
        }
        for counts, where, colour in (
            (first, "rest on the first token", hue.border),
            (others, "times one rests elsewhere", hue.fill),
        )
    ]  # fmt: skip


SINKS = ExploreView(
    draw_sinks,
    says="On the left each residual's length, from the embedding below to the last layer above; a "
    "click goes to it. On the right heads with a mean attention of 30 % or more on one token, over "
    "the readers from it on: filled on the first token, pale elsewhere.",
)

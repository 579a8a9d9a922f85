"""A head's queries and keys in the plane, and beside them how far every head's can be believed."""

from __future__ import annotations

from typing import Any

from visit.graph.explored.query_key import QueryKey, QueryKeyPoint
from visit.text import visible
from visit.web.explore.view import ExploreView, Shown
from visit.web.plots.plotly import (
    Figure,
    axis_title,
    head_rows,
    layout,
    literal,
    note,
    plain_axis,
    plotly_scale,
)
from visit.web.theme import MONO, Theme

_HEIGHT = 480
_LEFT = 0.62
"""The part of the width that the plane has."""
_MOST_NAMED = 60
_LINES = 24
"""How many pairs are joined by a line."""


def draw_query_key(shown: Shown) -> Figure:
    """On the left the plane, the strongest pairs joined by lines; on the right every head."""
    found, theme = shown.answer, shown.theme
    assert isinstance(found, QueryKey)
    axis = plain_axis(theme)
    plain = {**axis, "showgrid": True, "gridcolor": theme.band, "showticklabels": False}
    named = head_rows(found.model.n_heads)
    name = f"{found.head.layer}.{found.head.head}"
    queries = [one for one in found.points if one.is_query]
    keys = [one for one in found.points if not one.is_query]
    return {
        "data": [
            *_lines(found, theme),
            _points(queries, "query", shown),
            _points(keys, "key", shown),
            _matrix(found, theme),
        ],
        "layout": layout(
            theme,
            margin=(14, 8, 26, 40),
            height=_HEIGHT,
            xaxis={**plain, "domain": [0, _LEFT]},
            yaxis=plain,
            xaxis2={**axis, "domain": [_LEFT + 0.11, 1], "anchor": "y2",
                    "nticks": 10, "title": axis_title("layer", theme)},
            yaxis2={**axis, "anchor": "x2", "autorange": "reversed",
                    "tickvals": list(named), "ticktext": list(named.values())},
            annotations=[
                note(f"{name}: ● queries, ◆ keys, lines where most is attended", theme, x=0,
                     xanchor="left", y=1, yanchor="bottom"),
                note("score and distance, −1 is a true map", theme, x=1, xanchor="right", y=1,
                     yanchor="bottom"),
            ],
            hovermode="closest",
        ),
    }  # fmt: skip


def _points(points: list[QueryKeyPoint], what: str, shown: Shown) -> dict[str, Any]:
    theme = shown.theme
    hue = theme.families["query" if what == "query" else "attention"]
    many = max((one.prompt for one in points), default=0) > 0
    tips = []
    for one in points:
        where = f"{what} at {one.token.position}"
        where += f" of prompt {one.prompt + 1}" if many else ""
        tips.append(f"<b>{literal(visible(one.token.text))}</b><br>{where}")
    is_named = len(points) <= _MOST_NAMED
    return {
        "type": "scatter",
        "mode": "markers+text" if is_named else "markers",
        "x": [one.place[0] for one in points],
        "y": [one.place[1] for one in points],
        "text": [literal(visible(one.token.text)) if is_named else "" for one in points],
        "textposition": "top center" if what == "query" else "bottom center",
        "textfont": {"family": MONO, "size": 10, "color": theme.soft},
        "hovertext": tips,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "customdata": [None] * len(points),
        "marker": {
            "size": 9,
            "symbol": "circle" if what == "query" else "diamond",
            "color": theme.accent if what == "query" else hue.border,
            "line": {"color": theme.other, "width": 0.8},
        },
    }


def _lines(found: QueryKey, theme: Theme) -> list[dict[str, Any]]:
    """A line a pair, as strong as what is attended."""
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [found.points[one.query].place[0], found.points[one.key].place[0]],
            "y": [found.points[one.query].place[1], found.points[one.key].place[1]],
            "hoverinfo": "skip",
            "line": {"color": theme.faint, "width": 0.6 + 2.4 * one.attention},
            "opacity": 0.25 + 0.55 * one.attention,
        }
        for one in found.pairs[:_LINES]
    ]


def _matrix(found: QueryKey, theme: Theme) -> dict[str, Any]:
    rows = found.correlations
    texts = [
        [
            f"<b>{layer}.{head}</b><br>"
            + ("too few pairs" if value is None else f"correlation {value:+.2f}")
            for layer, value in enumerate(row)
        ]
        for head, row in enumerate(rows)
    ]
    ids = [[found.node(layer, head) for layer in range(len(row))] for head, row in enumerate(rows)]
    return {
        "type": "heatmap", "xaxis": "x2", "yaxis": "y2", "z": rows, "text": texts,
        "customdata": ids, "zmin": -1, "zmax": 1, "xgap": 1, "ygap": 1, "showscale": False,
        "hovertemplate": "%{text}<extra></extra>",
        # Near is attended where it is negative.
        "colorscale": plotly_scale((theme.plus, theme.middle, theme.minus)),
    }  # fmt: skip


QUERY_KEY = ExploreView(
    draw_query_key,
    says="Queries and keys as they meet in the model, brought together by two changes that leave "
    "every pattern as it is. A cell on the right is a head: blue where near means attended; a "
    "click goes to the head, whose panel has a button to its own map.",
)

"""Factors as sparklines over the tokens, a row each; pointing at one fades the others."""

from __future__ import annotations

from typing import Any

from visit.graph.explored.factors import Factor, Factors
from visit.text import n_columns
from visit.web.explore.view import ExploreView, Shown
from visit.web.plots.plotly import (
    Figure,
    axis_title,
    layout,
    literal,
    note,
    plain_axis,
    token_marks,
)
from visit.web.theme import GROUPS
from visit.web.words import percent, signed

_ROW, _HIGH = 64, 0.82
"""A row's height in px, and the part of it that the highest bar takes."""
_LETTER = 7.2
_MOST_NAMED = 90
"""Where there are more tokens than this, none is named below its bars."""
_MEMORIES = 3


def draw_factors(shown: Shown) -> Figure:
    """A row a factor: bars over the tokens, each row on a scale of its own; its memories beside."""
    found, theme = shown.answer, shown.theme
    assert isinstance(found, Factors)
    longest = max(map(n_columns, shown.tokens))
    n_tokens = len(shown.tokens)
    are_named = n_tokens <= _MOST_NAMED
    below = min(16 + int(longest * _LETTER), 130) if are_named else 36
    n_rows = len(found.factors)
    axis = plain_axis(theme)
    return {
        "data": [_row(one, number, n_rows, shown) for number, one in enumerate(found.factors)],
        "layout": layout(
            theme,
            margin=(64, 196, 24, below),
            height=_ROW * n_rows + 24 + below,
            bargap=0.12,
            barmode="overlay",
            meta={"isolates": True},
            xaxis={
                **axis,
                **(token_marks(shown.tokens, theme) if are_named
                   else {"title": axis_title("position", theme)}),
                "range": [-0.6, n_tokens - 0.4],
            },
            yaxis={
                **axis,
                "range": [0, n_rows],
                "tickvals": [n_rows - number - 0.55 for number in range(n_rows)],
                "ticktext": [f"factor {number + 1}" for number in range(n_rows)],
                "tickfont": {"color": theme.ink, "size": 11},
            },
            annotations=[
                note("flow here, strongest memories", theme, x=1, xanchor="left", xshift=10, y=1,
                     yanchor="bottom"),
                *(
                    note(_beside(one), theme, x=1, xanchor="left", xshift=10,
                         y=n_rows - number - 0.55, yref="y", yanchor="middle", align="left")
                    for number, one in enumerate(found.factors)
                ),
            ],
            shapes=[
                {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": row, "y1": row,
                 "line": {"color": theme.line, "width": 1}}
                for row in range(n_rows)
            ],
        ),
    }  # fmt: skip


def _row(one: Factor, number: int, n_rows: int, shown: Shown) -> dict[str, Any]:
    highest = max(one.activation) or 1.0
    colour = GROUPS[number % len(GROUPS)]
    return {
        "type": "bar",
        "x": list(range(len(one.activation))),
        "y": [_HIGH * value / highest for value in one.activation],
        "base": n_rows - number - 1,
        "customdata": [None] * len(one.activation),
        "hovertext": [
            f"<b>{literal(token)}</b> at {at}<br>factor {number + 1}: {value:.3g}"
            for at, (token, value) in enumerate(zip(shown.tokens, one.activation, strict=True))
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {"color": colour, "line": {"color": shown.theme.other, "width": 0.6}},
    }


def _beside(one: Factor) -> str:
    memories = [f"{memory.id.layer}.{memory.id.index}" for memory in one.memories[:_MEMORIES]]
    flow = round(one.flow, 2) or 0.0  # no minus before nothing
    return f"{signed(flow)}, {percent(one.share)} of all<br>{', '.join(memories)}"


FACTORS = ExploreView(
    draw_factors,
    says="A row is a factor, its bars how active it is at each token, each row on its own scale. "
    "Point at one to see it alone. The table of memories leads into the graph.",
)

"""The rank-1 parts of a card's pairs that compose most: a bar each, and a mark."""

from __future__ import annotations

from typing import Any

from visit.graph.explored.heads import Heads, PartComposition
from visit.web.plots.plotly import axis_title, plain_axis
from visit.web.theme import MONO, Theme
from visit.web.words import percent, signed

SIDE_WORDS = {"q": "query", "k": "key", "v": "value"}
_ROWS = 16
"""How many parts are drawn; the table has more."""
_LETTER = 6.7
"""A letter of their names, in px."""


def draw_parts(
    found: Heads, theme: Theme, left: float, width: float
) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
    """Traces on the second axes, those axes, and what stands above them.

    Args:
        found: The answer.
        theme: The page's colours.
        left: The part of the width that is taken; the bars' names stand behind it.
        width: All of it, in px.
    """
    parts = found.card.parts[:_ROWS]
    rows = list(range(len(parts)))
    hue, axis = theme.families["attention"], plain_axis(theme)
    common: dict[str, Any] = {
        "xaxis": "x2", "yaxis": "y2", "y": rows,
        "customdata": [found.node(*found.other_head(one)) for one in parts],
        "hovertext": [_tip(one) for one in parts],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }  # fmt: skip
    bars = {
        **common, "type": "bar", "orientation": "h", "x": [one.amount for one in parts],
        "marker": {"color": hue.fill, "line": {"color": hue.border, "width": 1}},
    }  # fmt: skip
    marks = {
        **common, "type": "scatter", "mode": "markers", "x": [one.cosine for one in parts],
        "marker": {"symbol": "diamond", "size": 7, "color": theme.accent},
    }  # fmt: skip
    longest = max((len(_name(one)) for one in parts), default=0)
    begins = min(left + (longest + 2) * _LETTER / width, 0.9)
    names = {
        "range": [max(len(parts), 1) - 0.5, -0.5],
        "tickvals": rows,
        "ticktext": [_name(one) for one in parts],
        "tickfont": {"family": MONO, "size": 11, "color": theme.soft},
    }
    axes = {
        "xaxis2": {**axis, "domain": [begins, 1], "zeroline": True, "zerolinecolor": theme.line,
                   "showgrid": True, "gridcolor": theme.band, "nticks": 4,
                   "title": axis_title("over chance", theme)},
        "yaxis2": {**axis, **names},
    }  # fmt: skip
    card = f"{found.card.id.layer}.{found.card.id.head}"
    return [bars, marks], axes, f"parts of pairs with {card}"


def _name(one: PartComposition) -> str:
    writer, reader = (f"{layer}.{head}" for layer, head in (one.writer, one.reader))
    return f"{writer} part {one.part} → {reader} {one.side}"


def _tip(one: PartComposition) -> str:
    return (
        f"<b>{_name(one)}</b><br>part {one.part} is {percent(one.share)} of what "
        f"{one.writer[0]}.{one.writer[1]} writes, squared"
        f"<br>with all of the {SIDE_WORDS[one.side]}: {signed(one.amount, 3)} over chance"
        f"<br>with its part {one.into}: cosine {signed(one.cosine, 3)} over chance"
    )

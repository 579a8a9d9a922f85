"""Attention against what it moves: every head and source as a point, and how layers mix."""

from __future__ import annotations

from typing import Any

from visit.graph.explored.norms import Norms
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.web.explore.view import ExploreView, Shown
from visit.web.plots.plotly import Figure, axis_title, layout, literal, note, plain_axis
from visit.web.theme import Theme
from visit.web.words import percent

_HEIGHT = 470
_ROOM = 0.56
"""The part of the width that the points have."""
_LEAST = 0.02
"""Where less is attended to, and moved, no point is drawn: it would be one of thousands."""


def draw_norms(shown: Shown) -> Figure:
    """On the left attention against the part moved; on the right what layers take from elsewhere.

    A point below the line gets more attention than it moves.
    """
    norms, theme = shown.answer, shown.theme
    assert isinstance(norms, Norms)
    axis = plain_axis(theme, showgrid=True, gridcolor=theme.band)
    part: dict[str, Any] = {**axis, "range": [-0.03, 1.03], "tickformat": ".0%"}
    return {
        "data": [
            {
                "type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1],
                "hoverinfo": "skip", "line": {"color": theme.faint, "width": 1, "dash": "dot"},
            },
            _points(shown, norms),
            *_mixing(norms, theme),
        ],
        "layout": layout(
            theme,
            margin=(52, 16, 26, 44),
            height=_HEIGHT,
            xaxis={**part, "domain": [0, _ROOM], "title": axis_title("attention", theme)},
            yaxis={**part, "title": axis_title("part of what the head moves", theme)},
            xaxis2={**axis, "domain": [_ROOM + 0.09, 1], "anchor": "y2", "nticks": 10,
                    "title": axis_title("layer", theme)},
            yaxis2={**axis, "range": [0, 1.03], "tickformat": ".0%", "anchor": "x2"},
            annotations=[
                note("each head and source, at the traced position", theme, x=0, xanchor="left",
                     y=1, yanchor="bottom"),
                note("from other positions", theme, x=_ROOM + 0.09, xanchor="left", y=1,
                     yanchor="bottom"),
            ],
            hovermode="closest",
        ),
    }  # fmt: skip


def _points(shown: Shown, norms: Norms) -> dict[str, Any]:
    tokens = shown.tokens
    found = [
        (one, at, weight, part)
        for one in norms.heads
        for at, (weight, part) in enumerate(zip(one.attention, one.parts, strict=True))
        if max(weight, part) >= _LEAST
    ]
    hue = shown.theme.families["attention"]
    ids = [str(NodeId(NodeKind.HEAD, norms.position, one.layer, one.head)) for one, *_ in found]
    tips = [
        f"<b>{one.layer}.{one.head}</b> ← {literal(tokens[at])} at {at}<br>"
        + literal(f"attention {percent(weight)}, moved {percent(part)}, norm {one.moved[at]:.3g}")
        for one, at, weight, part in found
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [weight for *_, weight, _ in found],
        "y": [part for *_, part in found],
        "customdata": ids,
        "text": tips,
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "size": [11 if at == 0 else 7 for _, at, *_ in found],
            "symbol": ["diamond-open" if at == 0 else "circle" for _, at, *_ in found],
            "color": [hue.border if at == 0 else hue.fill for _, at, *_ in found],
            "line": {"color": hue.border, "width": 1.2},
        },
    }


def _mixing(norms: Norms, theme: Theme) -> list[dict[str, Any]]:
    """Of each layer, at the traced position: attention alone, with the residual, with the norm."""
    lines = (
        ("attention alone", [one.attention for one in norms.traced], theme.faint, "dot"),
        ("with the residual", [one.residual for one in norms.traced], theme.accent, "solid"),
        ("with the next norm", [one.norm for one in norms.traced], theme.plus, "dash"),
    )
    return [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "xaxis": "x2",
            "yaxis": "y2",
            "x": [one.layer for one in norms.traced],
            "y": values,
            "name": name,
            "hovertemplate": f"layer %{{x}}, {name}: %{{y:.0%}}<extra></extra>",
            "line": {"color": colour, "width": 1.8, "dash": dash},
            "marker": {"size": 4},
        }
        for name, values, colour, dash in lines
    ]


NORMS = ExploreView(
    draw_norms,
    says="Below the dotted line a source gets more attention than is moved from it; a diamond is "
    "the first token. On the right: dotted is attention alone, solid with the residual that goes "
    "past it, dashed through the norm that reads both.",
)

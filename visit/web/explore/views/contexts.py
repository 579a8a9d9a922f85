"""The contexts in which a part is most active: the token marked, its value as a bar."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.explored.contexts import Context, Contexts, NearMemory
from visit.graph.kinds import NodeKind
from visit.text import n_columns, shorten, visible, visible_neighbours
from visit.web.explore.view import ExploreView, Shown
from visit.web.parts import data, span, word
from visit.web.plots.plotly import Figure, layout, literal, note, plain_axis
from visit.web.theme import MONO, Theme
from visit.web.words import percent

_ROW, _AROUND = 24, 58
"""A row's height and what stands above and below them, in px."""
_BARS = 0.14
"""The part of the width that the bars have."""
_NEAREST = 6
"""How many of a memory's nearest stand above the figure; the table has more."""
_LETTER = 6.7
"""A letter's width, in px."""


def draw_contexts(shown: Shown) -> Figure:
    """A row a context: its value as a bar, then the text with the token between two marks."""
    found, theme = shown.answer, shown.theme
    assert isinstance(found, Contexts)
    rows = [*found.highest, *found.lowest]
    family = "attention" if found.part.kind is NodeKind.HEAD else "mlp"
    hue = theme.families[family]
    room = int(shown.width * (1 - _BARS) / _LETTER)
    axis = plain_axis(theme, showticklabels=False)
    return {
        "data": [
            {
                "type": "bar", "orientation": "h", "y": list(range(len(rows))),
                "x": [one.value for one in rows],
                "customdata": [None] * len(rows),
                "hovertext": [_tip(one, found) for one in rows],
                "hovertemplate": "%{hovertext}<extra></extra>",
                "marker": {"color": hue.fill, "line": {"color": hue.border, "width": 1.2}},
            }
        ],
        "layout": layout(
            theme,
            margin=(8, 8, 26, 12),
            height=_ROW * len(rows) + _AROUND,
            bargap=0.3,
            xaxis={**axis, "zeroline": True, "zerolinecolor": theme.line, "domain": [0, _BARS]},
            yaxis={**axis, "autorange": "reversed"},
            annotations=[
                note(found.measure, theme, x=0, xanchor="left", y=1, yanchor="bottom"),
                *(_line(one, row, room, theme) for row, one in enumerate(rows)),
            ],
        ),
    }  # fmt: skip


def _line(one: Context, row: int, room: int, theme: Theme) -> dict[str, Any]:
    """The text around a token, which stands at the same place in every row."""
    texts = visible_neighbours([*one.before, one.token, *one.after])
    at = len(one.before)
    before, token, after = "".join(texts[:at]), texts[at], "".join(texts[at + 1 :])
    left = max(room * 3 // 5, 10)
    before = _last(before, left)
    before = " " * (left - n_columns(before)) + before
    after = shorten(after, max(room - left - n_columns(token) - 2, 4))
    marked = f'<b><span style="color:{theme.accent}">{literal(token)}</span></b>'
    text = literal(before).replace(" ", "&nbsp;") + marked + literal(after)
    return {
        **note(text, theme, x=_BARS + 0.01, xanchor="left", y=row, yref="y", yanchor="middle"),
        "font": {"family": MONO, "size": 11, "color": theme.ink},
        "align": "left",
    }


def _last(text: str, columns: int) -> str:
    """The end of a text, in no more columns than there are."""
    while n_columns(text) > columns:
        text = text[1:]
    return text


def _tip(one: Context, found: Contexts) -> str:
    token = visible_neighbours([one.token])[0]
    said = [f"{found.measure} {one.value:.4g} at token {one.at:,} of the text"]
    if one.attention is not None and one.reads is not None:
        said.append(f"attends most to {visible(one.reads)}, {percent(one.attention)}")
    return f"<b>{literal(token)}</b><br>" + "<br>".join(map(literal, said))


def show_nearest(shown: Shown) -> list[Component]:
    """A memory's nearest in the atlas, above its contexts; each leads to that memory."""
    found = shown.answer
    assert isinstance(found, Contexts)
    if not found.nearest:
        return []
    return [
        html.Div(
            [
                html.Span("Nearest in the atlas", className="hint"),
                *(_near(one) for one in found.nearest[:_NEAREST]),
            ],
            className="explore-nearest",
        )
    ]


def _near(one: NearMemory) -> Component:
    said = f"{one.name}: correlation {one.correlation:.3f}; says {' '.join(map(visible, one.says))}"
    words: list[Any] = [span([f"{one.correlation:.2f}"], "number"), word(one.says[0])]
    return html.Button(
        [span([one.name]), *words],
        className="go",
        title=said,
        **data(node=str(one.id)),
    )


CONTEXTS = ExploreView(
    draw_contexts,
    above=show_nearest,
    says="The coloured token is where the part writes; it has read what stands before it, and "
    "nothing behind it. The first token of each piece is left out.",
)

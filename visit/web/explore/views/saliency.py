"""What the next token comes from: coloured tokens, and bars; of several, the map of all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from dash.development.base_component import Component

from visit.graph.explored.saliency import Saliency, SaliencyMethod, TokenSources
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.text import n_columns, shorten, visible
from visit.web.explore.coloured_tokens import ColouredToken, colour_tokens, largest_of
from visit.web.explore.view import ExploreView, Shown, choice
from visit.web.plots.maps import root_scale
from visit.web.plots.plotly import LETTERS, Figure, layout, literal, note, plain_axis, plotly_scale
from visit.web.words import percent, signed

_BARS, _ROW, _TOP = 190, 19, 26
"""In px: a bar figure's height without its labels, a map's row, and the room above."""
_LABEL = 14
"""The most columns of a token's label."""
_LETTER = LETTERS * 0.62
_NARROW = 15
"""Bars closer than so many px have a label every few."""
_N_SAID, _MOST_CELLS = 3, 10_000
"""How many sources a tip names, and how many cells a map has: of more, the last rows are drawn."""
_STEPS = (-1.0, -0.25, 0.0, 0.25, 1.0)


class ScaledBy(StrEnum):
    """Which tokens the strongest colour is measured by."""

    ALL = "all"
    ALL_BUT_FIRST = "all_but_first"


_SCALED = choice(
    "scaled",
    "Colours by",
    "what the strongest colour is: the strongest of all tokens, or of all but the first, which "
    "models park attention on",
    ScaledBy,
)


def draw_saliency(shown: Shown) -> Figure:
    """Bars of one token's sources; of several tokens, the map of every one's."""
    found = shown.answer
    assert isinstance(found, Saliency)
    return _bars(shown, found) if len(found.targets) == 1 else _map(shown, found)


def show_tokens(shown: Shown) -> Sequence[Component]:
    """The prompt up to the traced position, and what comes next, coloured by its sources."""
    found = shown.answer
    assert isinstance(found, Saliency)
    explained = {one.position + 1: one for one in found.targets}
    last = found.traced.position + 1
    texts = [*shown.tokens[:last], visible(found.traced.target.text)]
    tokens = [
        ColouredToken(
            text,
            _node(place) if place < last else f"output@{last - 1}",
            _title(found, explained.get(place), place, last),
            explained[place].sources if place in explained else (),
        )
        for place, text in enumerate(texts)
    ]
    is_signed = found.method is not SaliencyMethod.GRADIENT
    return [
        colour_tokens(
            tokens,
            last,
            shown.theme,
            lambda amount: _say(found, amount),
            signed=is_signed,
            without_first=_is_without_first(shown),
        )
    ]


def _title(found: Saliency, one: TokenSources | None, place: int, last: int) -> str:
    where = f"position {place}" if place < last else f"after position {last - 1}"
    if one is None:
        return where
    named = ", ".join(_name_sources(found, one))
    return f"{where}, {percent(one.target.prob)}: from {named}"


def _name_sources(found: Saliency, one: TokenSources) -> list[str]:
    return [
        f"{visible(found.tokens[at].text)} {_say(found, one.sources[at])}"
        for at in one.strongest[:_N_SAID]
    ]


def _bars(shown: Shown, found: Saliency) -> Figure:
    """A bar each source, and of flow one of the biases: together the metric."""
    one, theme = found.traced, shown.theme
    names = list(shown.tokens[: len(one.sources)])
    amounts, nodes = list(one.sources), [*map(_node, range(len(names)))]
    colours = [theme.plus if amount >= 0 else theme.minus for amount in amounts]
    tips = [
        f"<b>{literal(name)}</b> at {at}<br>" + literal(f"{_say(found, amount)}, {_part(one, at)}")
        for at, (name, amount) in enumerate(zip(names, amounts, strict=True))
    ]
    marks: list[str | None] = [*nodes]
    if one.biases is not None:
        names.append("biases")
        amounts.append(one.biases)
        colours.append(theme.other)
        marks.append(None)
        tips.append("<b>all biases</b><br>" + literal(_say(found, one.biases)))
    each = _every(len(names), shown.width)
    below = _room(names)
    axis = plain_axis(theme)
    return {
        "data": [
            {
                "type": "bar", "x": list(range(len(names))), "y": amounts, "customdata": marks,
                "hovertext": tips, "hovertemplate": "%{hovertext}<extra></extra>",
                "marker": {"color": colours, "line": {"width": 0}},
            }
        ],
        "layout": layout(
            theme,
            margin=(52, 8, _TOP, below),
            height=_BARS + _TOP + below,
            bargap=0.25,
            xaxis={**axis, "tickvals": list(each), "ticktext": [_short(names[i]) for i in each],
                   "tickangle": -90, "range": [-0.6, len(names) - 0.4]},
            yaxis={**axis, "showgrid": True, "gridcolor": theme.band, "zeroline": True,
                   "zerolinecolor": theme.other, "nticks": 6,
                   "tickformat": ".0%" if found.method is SaliencyMethod.GRADIENT else "~g"},
            annotations=[_heading(found, theme, found.unit)],
        ),
    }  # fmt: skip


def _map(shown: Shown, found: Saliency) -> Figure:
    """A row each explained token, a column each source, by its part of the row's whole."""
    theme, count = shown.theme, found.traced.position + 1
    sources, rows = list(shown.tokens[:count]), found.targets[-max(1, _MOST_CELLS // count) :]
    targets = [visible(one.target.text) for one in rows]
    blank: list[Any] = [None] * count
    levels, tips, nodes = [], [], []
    for one, name in zip(rows, targets, strict=True):
        most = largest_of(one.sources, _is_without_first(shown))
        said = literal("from " + ", ".join(_name_sources(found, one)))
        head = f"<b>{literal(name)}</b> after {one.position}, {literal(percent(one.target.prob))}"
        seen = len(one.sources)
        levels.append([_level(amount / most) for amount in one.sources] + blank[seen:])
        tips.append([
            f"{head}<br>← {literal(sources[at])} at {at}: "
            + literal(f"{_say(found, amount)}, {_part(one, at)}") + f"<br>{said}"
            for at, amount in enumerate(one.sources)
        ] + blank[seen:])  # fmt: skip
        nodes.append([_node(at) for at in range(seen)] + blank[seen:])
    left, below = _room(targets), _room(sources)
    is_signed = found.method is not SaliencyMethod.GRADIENT
    steps = [step for step in _STEPS if is_signed or step >= 0]
    scale = theme.scale("difference")
    axis = plain_axis(theme)
    across = _every(count, shown.width - left)
    return {
        "data": [
            {
                "type": "heatmap", "z": levels, "text": tips, "customdata": nodes, "yaxis": "y",
                "hovertemplate": "%{text}<extra></extra>", "hoverongaps": False,
                "colorscale": plotly_scale(scale if is_signed else scale[1:]),
                "zmin": root_scale(steps[0]), "zmax": 1.0, "xgap": 1, "ygap": 1,
                "colorbar": {
                    "thickness": 9, "len": 1, "x": 1, "xpad": 8, "outlinewidth": 0,
                    "tickvals": [root_scale(step) for step in steps],
                    "ticktext": [_tick(step) for step in steps],
                    "tickfont": {"size": LETTERS, "color": theme.soft},
                },
            }
        ],
        "layout": layout(
            theme,
            margin=(left, 64, _TOP, below),
            height=max(_ROW * len(rows), 110) + _TOP + below,
            xaxis={**axis, "tickvals": list(across),
                   "ticktext": [_short(sources[i]) for i in across], "tickangle": -90},
            yaxis={**axis, "tickvals": list(range(len(rows))),
                   "ticktext": [_short(name) for name in targets], "autorange": "reversed"},
            annotations=[_heading(found, theme, _said_of_map(len(rows), len(found.targets)))],
        ),
    }  # fmt: skip


def _said_of_map(drawn: int, count: int) -> str:
    said = "each token's sources, as parts of its strongest"
    return said if drawn == count else f"{said}; the last {drawn} of {count:,} tokens"


def _is_without_first(shown: Shown) -> bool:
    return str(SALIENCY.read(shown, _SCALED.name)) == ScaledBy.ALL_BUT_FIRST


def _level(part: float) -> float:
    """Where a part of the strongest is on the scale, which the first token may be beyond."""
    return root_scale(min(max(part, -1.0), 1.0))


def _tick(step: float) -> str:
    return literal(f"{100 * step:+.0f} %".replace("-", "−")) if step else "0"


def _heading(found: Saliency, theme: Any, text: str) -> dict[str, Any]:
    said = found.method.value.replace("_", " ")
    return note(
        literal(f"{said}: {text}"), theme, x=0, xanchor="left", y=1, yanchor="bottom", yshift=6
    )


def _say(found: Saliency, amount: float) -> str:
    if found.method is SaliencyMethod.GRADIENT:
        return percent(amount)
    digits = 2 if abs(amount) < 10 else 1
    return signed(amount, 3 if abs(amount) < 0.1 else digits)


def _part(one: TokenSources, at: int) -> str:
    return f"{percent(one.shares[at])} of all, signs aside"


def _node(position: int) -> str:
    return str(NodeId(NodeKind.EMBED, position))


def _every(count: int, width: int) -> range:
    """Of how many marks one bears its name."""
    return range(0, count, max(1, math.ceil(_NARROW * count / max(width, 1))))


def _room(names: Sequence[str]) -> int:
    """What the longest of some names takes, in px."""
    widest = max((n_columns(shorten(name, _LABEL)) for name in names), default=0)
    return round(widest * _LETTER + 12)


def _short(name: str) -> str:
    return literal(shorten(name, _LABEL))


SALIENCY = ExploreView(
    draw_saliency,
    says="Blue speaks for the outlined token, orange against it; the number is in the unit above "
    "the figure. Of a text (From position), point at any of its tokens to see where it comes from.",
    options=(_SCALED,),
    above=show_tokens,
)

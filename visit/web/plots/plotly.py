"""What the Plotly figures share: colours that say how much, and texts that Plotly cannot misread.

A figure is the plain dict that ``dcc.Graph`` takes, so that none of Plotly's Python is needed.
Plotly reads its texts as a little HTML, with ``%{…}`` and ``$…$`` besides; tokens go through
``literal``, so that what they hold is shown and never obeyed.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from visit.graph.flow import FlowGraph, Node
from visit.text import n_columns, padded, shortened, visible
from visit.web.flow.stylesheet import FONT, MONO, Theme
from visit.web.words import percent, place, signed, title

Figure = dict[str, Any]
Scale = tuple[str, ...]
"""Colours from 0 to 1, evenly apart; between two of them the channels are mixed, as Plotly does."""

CONFIG = {"displayModeBar": False, "doubleClick": False, "scrollZoom": False}
"""What ``dcc.Graph`` needs as ``config``, so that a figure is clicked and not dragged."""

VISIT_RANK: Scale = ("#2ca02c", "#b4b4b4", "#d62728")
"""The paper's colours of a rank, best to worst. Not safe for colour-blind eyes."""

# Pale to strong on a light page and dark to bright on a dark one: more is always further from it.
_MORE = {
    "target": (
        ("#f1f5fa", "#c9ddf0", "#8dbbe0", "#4389c4", "#134f87"),
        ("#161d28", "#14395a", "#1d6298", "#4f9ed8", "#b5ddff"),
    ),
    "entropy": (
        ("#faf6ec", "#efdcae", "#dcb25c", "#b07d1c", "#6b4705"),
        ("#1d1a14", "#43340f", "#7d5d12", "#c4962f", "#ffe3a1"),
    ),
    # Certain to uncertain: one hue, so that the orange of a minus stands alone.
    "link": (("#1d5f9f", "#6c9fce", "#bcd0e4"), ("#8cc6fb", "#3f7db5", "#27415d")),
}
_N_WORDS = 5
_WORD_COLUMNS = 24


def scale(theme: Theme, name: str) -> Scale:
    """The colours of a measure: ``target`` or ``entropy`` (more is stronger), or ``link``."""
    return _MORE[name][int(is_dark(theme))]


def rank_scale(theme: Theme) -> Scale:
    """The graph's own colours of a rank, best to worst."""
    best, worst = theme.scales["rank"]
    return best, theme.middle, worst


def is_dark(theme: Theme) -> bool:
    """Whether it writes light on dark."""
    return luminance(theme.ink) > 0.5


def colour_at(colours: Scale, level: float) -> str:
    """The colour of a level from 0 to 1; what lies outside has the colour of the nearer end."""
    place_ = min(max(level, 0.0), 1.0) * (len(colours) - 1)
    first = min(int(place_), len(colours) - 2)
    part = place_ - first
    low, high = (_channels(colours[i]) for i in (first, first + 1))
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(low, high, strict=True))


def plotly_scale(colours: Scale) -> list[list[float | str]]:
    """A scale as Plotly takes one."""
    return [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]


def see_through(colour: str, opacity: float) -> str:
    """A colour that lets what is behind it show."""
    red, green, blue = _channels(colour)
    return f"rgba({red},{green},{blue},{opacity})"


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour: always 4.5:1 or more."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """How well two colours are told apart, 1 to 21.

    Source: WCAG 2.2, contrast ratio.
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """How light a colour looks, 0 to 1.

    Source: WCAG 2.2, relative luminance.
    """
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def literal(text: str) -> str:
    """Text that Plotly shows as it is: no tag, entity, ``%{…}`` or ``$…$`` is left to be read."""
    return html.escape(text, quote=False).replace("%", "&#37;").replace("$", "&#36;")


def token(text: str, columns: int = _WORD_COLUMNS) -> str:
    """A token for Plotly: visible, cut to a width in columns, and literal."""
    return literal(shortened(visible(text), columns))


def tip(flow: FlowGraph, node: Node, attention: float | None = None) -> str:
    """What hovering over a node says, in Plotly's markup: at most eight lines.

    Args:
        flow: The node's graph.
        node: The node.
        attention: Of a key or value: how much the head that is shown attends to its source.
    """
    at = flow.tokens[node.id.position]
    where = ", ".join(filter(None, (place(node.id), f"position {at.position}")))
    reading, target = node.reading, node.reading.target
    words = [shortened(visible(top.text), _WORD_COLUMNS) for top in reading.top[:_N_WORDS]]
    widest = max(map(n_columns, words), default=0)
    said = [
        f"{padded(word, widest)} {percent(top.prob):>8}"
        for word, top in zip(words, reading.top, strict=False)
    ]
    measures = [f"entropy {reading.entropy:.2f} bits", f"norm {reading.norm:.3g}"]
    if node.activation is not None:
        measures.append(f"activation {signed(node.activation, 3)}")
    if attention is not None:
        measures.append(f"attention {percent(attention)}")
    wanted = shortened(visible(flow.target.text), _WORD_COLUMNS)
    lines = [
        *said,
        f"target {wanted}: rank {target.rank:,}, {percent(target.prob)}",
        ", ".join(measures),
    ]
    head = f"<b>{literal(title(node.id))}</b>, {where} {token(at.text)}"
    return "<br>".join([head, *map(literal, lines)])


def layout(theme: Theme, *, margin: Sequence[int], **more: Any) -> dict[str, Any]:
    """What every figure's layout has: the app's fonts, no background, margins left to bottom."""
    left, right, top, bottom = margin
    return {
        "autosize": True,
        "margin": {"l": left, "r": right, "t": top, "b": bottom, "pad": 0, "autoexpand": False},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 11, "color": theme.ink},
        "hoverlabel": hover_label(theme),
        "showlegend": False,
        **more,
    }


def hover_label(theme: Theme) -> dict[str, Any]:
    """The look of what hovering says: columns of words and numbers that line up."""
    return {
        "bgcolor": theme.families["norm"].fill,
        "bordercolor": theme.other,
        "align": "left",
        "namelength": -1,
        "font": {"family": MONO, "size": 11, "color": theme.ink},
    }


def note(text: str, theme: Theme, **where: Any) -> dict[str, Any]:
    """A small remark in the margin, in Plotly's markup."""
    return {
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "showarrow": False,
        "borderpad": 0,
        "font": {"size": 11, "color": theme.faint},
        **where,
    }


def chips(colours: Iterable[str]) -> str:
    """Small squares of some colours, in Plotly's markup."""
    return "".join(f'<span style="color:{colour}">■</span>' for colour in colours)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)

"""What the Plotly figures share: a layout, tips, and texts that Plotly cannot misread.

A figure is the plain dict that ``dcc.Graph`` takes, so that none of Plotly's Python is needed.
Plotly reads its texts as a little HTML, with ``%{…}`` and ``$…$`` besides; tokens go through
``literal``, so that they are shown as text and never interpreted.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from visit.graph.flow import FlowGraph, Node
from visit.text import n_columns, pad, shorten, visible
from visit.web.colours import Scale
from visit.web.theme import CLEAR, MONO, SANS, Theme
from visit.web.words import percent, place, signed, title

Figure = dict[str, Any]
EMPTY: Figure = {
    "data": [],
    "layout": {
        "xaxis": {"visible": False},
        "yaxis": {"visible": False},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
    },
}
"""Of which nothing is seen, until there is something to draw."""

LETTERS = 11
"""The size of a figure's letters, in px."""

_ROWS_NAMED = 9
_N_WORDS = 5
_WORD_COLUMNS = 24


def plotly_scale(colours: Scale) -> list[list[float | str]]:
    """A scale as Plotly takes one."""
    return [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]


def literal(text: str) -> str:
    """Text that Plotly shows as it is: no tag, entity, ``%{…}`` or ``$…$`` is left to be read."""
    return html.escape(text, quote=False).replace("%", "&#37;").replace("$", "&#36;")


def token(text: str, columns: int = _WORD_COLUMNS) -> str:
    """A token for Plotly: visible, cut to a width in columns, and literal."""
    return literal(shorten(visible(text), columns))


def token_at(flow: FlowGraph, position: int, columns: int = _WORD_COLUMNS) -> str:
    """A token of the prompt for Plotly, likewise."""
    return literal(shorten(flow.shown[position], columns))


def tip(flow: FlowGraph, node: Node, attention: float | None = None) -> str:
    """What hovering over a node says, in Plotly's markup: at most eight lines.

    Args:
        flow: The node's graph.
        node: The node.
        attention: Of a key or value: how much the head that is shown attends to its source.
    """
    where = ", ".join(filter(None, (place(node.id), f"position {node.id.position}")))
    reading, target = node.reading, node.reading.target
    words = [shorten(visible(top.text), _WORD_COLUMNS) for top in reading.top[:_N_WORDS]]
    widest = max(map(n_columns, words), default=0)
    said = [
        f"{pad(word, widest)} {percent(top.prob):>8}"
        for word, top in zip(words, reading.top, strict=False)
    ]
    measures = [f"entropy {reading.entropy:.2f} bits", f"norm {reading.norm:.3g}"]
    if node.activation is not None:
        measures.append(f"activation {signed(node.activation, 3)}")
    if attention is not None:
        measures.append(f"attention {percent(attention)}")
    wanted = shorten(visible(flow.target.text), _WORD_COLUMNS)
    lines = [
        *said,
        f"target {wanted}: rank {target.rank:,}, {percent(target.prob)}",
        ", ".join(measures),
    ]
    head = f"<b>{literal(title(node.id))}</b>, {where} {token_at(flow, node.id.position)}"
    return "<br>".join([head, *map(literal, lines)])


def layout(theme: Theme, *, margin: Sequence[int], **more: Any) -> dict[str, Any]:
    """What every figure's layout has: the app's fonts, no background, margins left to bottom."""
    left, right, top, bottom = margin
    return {
        "autosize": True,
        "margin": {"l": left, "r": right, "t": top, "b": bottom, "pad": 0, "autoexpand": False},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"family": SANS, "size": LETTERS, "color": theme.ink},
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


def plain_axis(theme: Theme, **more: Any) -> dict[str, Any]:
    """An axis that says its marks and nothing else: no grid, no zero line, no zoom."""
    return {
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "ticks": "",
        "tickfont": {"color": theme.soft, "size": LETTERS},
        **more,
    }


def head_rows(n_heads: int) -> dict[int, str]:
    """The rows of a map of heads that bear a name, so many that none touches the next."""
    return {head: f"head {head}" for head in range(0, n_heads, max(1, -(-n_heads // _ROWS_NAMED)))}


def token_marks(tokens: Sequence[str], theme: Theme) -> dict[str, Any]:
    """An axis that names every token of a prompt, upwards."""
    return {
        "tickvals": list(range(len(tokens))),
        "ticktext": [literal(token) for token in tokens],
        "tickangle": -90,
        "tickfont": {"family": MONO, "size": LETTERS, "color": theme.soft},
    }


def axis_title(text: str, theme: Theme, standoff: int = 6) -> dict[str, Any]:
    """What an axis is of, in letters as large as all others; in Plotly's markup."""
    font = {"size": LETTERS, "color": theme.soft}
    return {"text": text, "standoff": standoff, "font": font}


def note(text: str, theme: Theme, **where: Any) -> dict[str, Any]:
    """A small remark in the margin, in Plotly's markup."""
    return {
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "showarrow": False,
        "borderpad": 0,
        "font": {"size": LETTERS, "color": theme.faint},
        **where,
    }


def chips(colours: Iterable[str]) -> str:
    """Small squares of some colours, in Plotly's markup."""
    return "".join(f'<span style="color:{colour}">■</span>' for colour in colours)

"""Small parts that every panel is made of."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import FlowGraph
from visit.text import visible
from visit.web.trees import Tree


def data(**values: str) -> dict[str, Any]:
    """``data-…`` attributes, by which assets/controls.js knows what a button stands for."""
    return {f"data-{name.replace('_', '-')}": value for name, value in values.items()}


def aria(**values: str) -> dict[str, Any]:
    """``aria-…`` attributes, for those who do not see the screen."""
    return {f"aria-{name}": value for name, value in values.items()}


def by_keyboard(cells: str, says: str) -> dict[str, Any]:
    """Makes a drawing of cells a tab stop, in which the arrow keys move.

    Args:
        cells: Which cells it has, by their name in assets/cells.js.
        says: What it is, and what the keys do.
    """
    return {
        "tabIndex": 0,
        "role": "application",
        **data(cells=cells, focus=f"cells-of-{cells}"),
        **aria(label=says),
    }


def word(text: str, shown: str | None = None) -> Any:
    """A token as visible characters; the raw one is in its title, escaped.

    A tree, like ``bar``: a panel has a hundred of them, and a component takes ten times as long.

    Args:
        text: The token's text.
        shown: How it is shown, where its neighbours have a part in that.
    """
    return span([visible(text) if shown is None else shown], "token", title=repr(text))


def word_at(flow: FlowGraph, position: int) -> Any:
    """A token of the prompt, as ``word`` has it."""
    return word(flow.tokens[position].text, flow.shown[position])


def bar(part: float, side: str) -> Any:
    """A bar as long as a part of 1; ``side`` is what it counts, ``say`` or ``unsay``."""
    width = f"{100 * min(max(part, 0.0), 1.0):.1f}%"
    return span([span([], style=f"width: {width}")], f"bar {side}")


def balance(part: float) -> Any:
    """A bar to the right of its middle for a positive part, and to the left for a negative one."""
    width = 50 * min(abs(part), 1.0)
    left = 50.0 if part >= 0 else 50.0 - width
    style = f"left: {left:.1f}%; width: {width:.1f}%"
    inside = span([], "plus" if part >= 0 else "minus", style=style)
    return span([inside], "signed-bar", style="--zero: 50%")


def span(children: list[Tree], name: str = "", **attributes: str) -> Any:
    """A ``<span>`` of a class, as its tree."""
    said = {"class": name, **attributes} if name else attributes
    return {"tag": "span", "attributes": said, "children": children}


def term(name: str, shown: str | None = None) -> Component:
    """A word of the glossary, which says what it means when it is pointed at."""
    return html.Span(shown or name, className="term", **data(term=name))


def choice(words: str, name: str, options: dict[str, str]) -> Component:
    """One of several, as radio buttons under a title."""
    return html.Fieldset(
        [
            html.Legend(words),
            *(
                html.Label([field(type="radio", name=name, value=value), html.Span(said)])
                for value, said in options.items()
            ),
        ],
        className="choice",
    )


def typed_field(takes: type, **attributes: str) -> Any:
    """A ``field`` in which a number or a text is typed, with the keyboard that fits it."""
    mode = {int: "numeric", float: "decimal", str: "text"}[takes]
    return field(type="text", inputmode=mode, autocomplete="off", spellcheck="false", **attributes)


def field(**attributes: str) -> Any:
    """An ``<input>`` of a panel, as its tree: ``dash.html`` has none."""
    return {"tag": "input", "attributes": attributes, "children": []}

"""The menu *Continue*: how tokens are taken, and a text to read in place of the model's own."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.engine.generating import Generate
from visit.web.parts import data, field

_DEFAULTS = {one.name: one.default for one in fields(Generate)}
_FIELDS = {
    "count": ("Tokens", "How many the model takes, unless its text ends before"),
    "temperature": ("Temperature", "0 takes the likeliest token each time; 1 draws as it says"),
    "top_p": ("Top-p", "Draws from the likeliest tokens that have this much together"),
    "seed": ("Seed", "Of the draws: the same one draws the same tokens"),
}


def continue_menu() -> list[Component]:
    """The menu, which stands at the end of the prompt's tokens."""
    inside = [
        html.Div([_field(name, *said) for name, said in _FIELDS.items()], className="continue-how"),
        html.Button(
            "Continue",
            className="primary",
            title="Let the model go on from the end of the text",
            **data(go_on="own"),
        ),
        html.Label(
            [html.Span("Or what comes next, typed"), _text()],
            className="continue-given",
            htmlFor="continue-text",
        ),
        html.Button(
            "Explain this text",
            title="Read it in place of the model's own continuation",
            **data(go_on="given"),
        ),
    ]
    return [
        html.Details(
            [html.Summary("Continue"), html.Div(inside, className="menu-list continue-form")],
            className="menu to-the-left",
        )
    ]


def _field(name: str, words: str, says: str) -> Component:
    typed = {"type": "text", "inputmode": "decimal", "autocomplete": "off", "spellcheck": "false"}
    value = f"{_DEFAULTS[name]:g}"
    made = field(id=f"continue-{name}", value=value, **typed, **data(continuing=name))
    return html.Label([html.Span(words), made], title=says, htmlFor=f"continue-{name}")


def _text() -> Any:
    attributes = {
        "id": "continue-text",
        "rows": "2",
        "placeholder": " there was a dog",
        "spellcheck": "false",
        "autocomplete": "off",
        "title": "Its leading space counts",
    }
    return {"tag": "textarea", "attributes": attributes, "children": []}

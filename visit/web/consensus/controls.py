"""What is typed and chosen to see what holds over many prompts."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.web.consensus.asking import MEASURE_WORDS
from visit.web.parts import choice, data

PROMPTS, VALUES = "many-prompts", "many-values"
"""The ids of the two fields."""


def many_prompts() -> list[Component]:
    """A template or prompts, the values, what parts are ranked by, and the button."""
    return [
        _lines(PROMPTS, "Template, or prompts one a line", "The capital of {country} is", 2),
        _lines(VALUES, "Values of its slots, a line each", "Japan", 4),
        html.Div(
            [
                choice("Ranked by", "many-by", MEASURE_WORDS),
                html.Button(
                    "Run over the prompts",
                    className="primary",
                    title="Each prompt is explained towards the model's own answer",
                    **data(many=""),
                ),
            ],
            className="many-act",
        ),
    ]


def _lines(name: str, words: str, placeholder: str, rows: int) -> Component:
    attributes = {
        "id": name,
        "rows": str(rows),
        "placeholder": placeholder,
        "spellcheck": "false",
        "autocomplete": "off",
        "wrap": "off",
    }
    area: Any = {"tag": "textarea", "attributes": attributes, "children": []}
    return html.Label([html.Span(words), area], className=f"many-field of-{name}", htmlFor=name)

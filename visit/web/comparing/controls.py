"""What is typed to compare: which of three is another, and what it is then."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from visit.web import ids
from visit.web.causes.controls import second_prompt
from visit.web.comparing.others import OTHER_WORDS, Other
from visit.web.parts import choice, data, field


def compared_with() -> list[Component]:
    """The choice, the field of each, of which the chosen one's is shown, and the button."""
    return [
        choice("With another", "compare-by", {by.value: said for by, said in OTHER_WORDS.items()}),
        html.Div(
            [
                second_prompt("second-of-comparing"),
                _named(
                    Other.TARGET, "Other target", ids.TARGET_CHOICES, "a token, as it is written"
                ),
                _named(
                    Other.MODEL, "Other model", ids.MODEL_CHOICES, "one with the same tokenizer"
                ),
            ],
            className="compare-fields",
        ),
        html.Button(
            "Compare",
            className="primary",
            title="Explain both, and colour the other's graph by how its flow differs",
            **data(compare=""),
        ),
    ]


def _named(other: Other, words: str, choices: str, placeholder: str) -> Component:
    """A field that offers what the header's field of the same name does."""
    name = f"compare-{other}"
    said = {
        "id": name,
        "type": "text",
        "list": choices,
        "placeholder": placeholder,
        "spellcheck": "false",
        "autocomplete": "off",
        "data-other": other.value,
    }
    return html.Label(
        [html.Span(words), field(**said)], className=f"second-prompt of-{other}", htmlFor=name
    )

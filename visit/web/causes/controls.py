"""What is chosen of a cause: what is put in a part's place, and where that comes from."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from visit.graph.interventions import Way
from visit.web.parts import choice, field

WAYS = {Way.ZERO: "zero", Way.MEAN: "mean", Way.RESAMPLE: "resample", Way.PATCH: "patch"}
"""The ways that the screen offers; of what a head takes from one source, a knock-out as well."""

RESULT = "causes-result"
"""The id of where the answer stands in the inspector, while its tab is shown."""


def controls() -> list[Component]:
    """What is put in the part's place, the second prompt, and the place of the answer."""
    return [
        choice("Set to", "cause-how", {way.value: said for way, said in WAYS.items()}),
        second_prompt("second-of-node"),
        html.Div(
            html.P("measuring…", className="hint"),
            id=RESULT,
            className="causes-result",
        ),
    ]


def second_prompt(name: str) -> Component:
    """The field of the prompt that values come from, the same wherever it stands."""
    return html.Label(
        [
            html.Span("Second prompt"),
            field(
                **{
                    "id": name,
                    "type": "text",
                    "placeholder": "another prompt of as many tokens",
                    "spellcheck": "false",
                    "autocomplete": "off",
                    "data-second": "",
                }
            ),
        ],
        className="second-prompt",
        htmlFor=name,
    )

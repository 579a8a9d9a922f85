"""What of the pane is there from the start: the list of explorables, and each one's controls."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.engine.explorables import EXPLORABLES, Explorable
from visit.engine.options import Option, options_of
from visit.web.explore.views import VIEWS
from visit.web.parts import aria, data, typed_field


def list_explorables() -> list[Component]:
    """A button each, with what it answers."""
    return [
        html.Button(
            [html.Span(one.title, className="explore-name"), html.Span(one.asks, className="hint")],
            title=one.asks,
            **data(explore=one.name),
            **aria(pressed="false"),
        )
        for one in EXPLORABLES.values()
    ]


def build_heads() -> list[Component]:
    """Of every explorable, what it answers, how far to trust it, and its controls."""
    return [_head(one) for one in EXPLORABLES.values()]


def _head(one: Explorable) -> Component:
    view = VIEWS[one.name]
    options = (*options_of(one.question), *view.options)
    return html.Div(
        [
            html.Div(
                [
                    html.H2(one.title),
                    html.P(one.asks, className="explore-asks"),
                    html.Details(
                        [html.Summary("How far to trust it"), html.P(one.trust)],
                        className="explore-trust",
                    ),
                    html.Button("CSV", className="quiet", title="Its numbers, as tables",
                                **data(explore_save="csv")),
                    html.Button("JSON", className="quiet", title="All that was found",
                                **data(explore_save="json")),
                ],
                className="explore-title",
            ),
            *([html.Div([_control(one, option) for option in options],
                        className="explore-options")] if options else []),
        ],
        className="explore-of",
        hidden=True,
        **data(of=one.name),
    )  # fmt: skip


def _control(one: Explorable, option: Option) -> Component:
    """A field with its label; what is typed or chosen is held as a text (assets/explore.js)."""
    name = f"explore-{one.name}-{option.name}".replace("_", "-")
    says = f"{name}-says"
    attributes: dict[str, Any] = {
        "id": name,
        **data(explored=f"{one.name}.{option.name}", served=option.said),
        **aria(describedby=says),
    }
    return html.Div(
        [
            html.Label(option.label, htmlFor=name),
            _field(option, attributes),
            html.Span(option.says, id=says, className="unseen"),
        ],
        className="explore-option is-long" if option.lines or option.long else "explore-option",
        title=option.says,
    )


def _field(option: Option, attributes: dict[str, Any]) -> Any:
    if option.lines or option.long:
        typed = {"rows": "2", "spellcheck": "false", "autocomplete": "off", "wrap": "off"}
        return {"tag": "textarea", "attributes": typed | attributes, "children": []}
    if option.takes is bool or option.choices:
        choices = option.choices or ("true", "false")
        words = {"true": "yes", "false": "no"}
        options = [
            html.Option(words.get(choice, choice).replace("_", " "), value=choice)
            for choice in choices
        ]
        return html.Select(options, **attributes)
    return typed_field(option.takes, placeholder=option.said or "auto", **attributes)

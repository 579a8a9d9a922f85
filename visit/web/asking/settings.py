"""How a prediction is explained and how much is drawn, as a form under the prompt.

Made of the table that the command line's options are made of, so it has every one of them, in the
same words. ``assets/settings.js`` holds what is typed as texts, by field.
"""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.request import Request
from visit.graph.settings import SETTINGS, Setting, Topic
from visit.web.parts import aria, data, typed_field

_SERVERS = "The numbers' type and the device are chosen where the server is started."


def settings_form(served: Request) -> list[Component]:
    """The fields, by what they are about, and the buttons.

    Args:
        served: What the fields say at first, and again where they are emptied.
    """
    return [
        *(_build_topic(topic, served) for topic in Topic),
        html.Div(
            [
                html.Span(_SERVERS, className="hint"),
                html.Button("Reset to defaults", **data(settings="reset")),
                html.Button("Trace", className="primary", **data(settings="trace")),
            ],
            className="settings-foot",
        ),
    ]


def _build_topic(topic: Topic, served: Request) -> Component:
    shown = [setting for setting in SETTINGS.values() if setting.topic is topic]
    return html.Fieldset(
        [
            html.Legend(topic.capitalize()),
            html.Div([_build_row(setting, served) for setting in shown], className="settings-rows"),
        ],
        className="settings-topic",
    )


def _build_row(setting: Setting, served: Request) -> Component:
    name = f"setting-{setting.name}"
    says, problem = f"{name}-says", f"{name}-problem"
    attributes = {
        "id": name,
        **data(setting=setting.name, served=setting.said_in(served)),
        **aria(describedby=f"{says} {problem}"),
    }
    return html.Div(
        [
            html.Label(setting.label, htmlFor=name),
            _build_field(setting, attributes),
            html.Span(_explain(setting), id=says, className="hint"),
            html.Span(id=problem, className="problem", role="status"),
        ],
        className="setting",
    )


def _explain(setting: Setting) -> str:
    """What a field chooses, and what it stands for while nothing is chosen."""
    return f"{setting.says}; auto: {setting.unset}" if setting.unset else setting.says


def _build_field(setting: Setting, attributes: dict[str, Any]) -> Any:
    if not setting.choices:
        return typed_field(setting.takes, **attributes)
    options = [html.Option(_WORDS.get(choice, choice), value=choice) for choice in setting.choices]
    if setting.unset:
        options.insert(0, html.Option("auto", value=""))
    return html.Select(options, **attributes)


_WORDS = {"true": "yes", "false": "no"}

"""The header: the fields to ask with, or what is said of a graph that is only looked at."""

from __future__ import annotations

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from visit.engine.protocol import ModelChoice
from visit.graph.limits import MOST_DOCUMENT_BYTES
from visit.graph.request import Request
from visit.web import ids
from visit.web.parts import aria, data
from visit.web.state.view import View
from visit.web.words import typed_from_request

_TARGET_SAYS = (
    "The token to explain, exactly as it is written, its leading space too; empty for the model's "
    "own top token. A vs B compares two. \\n, \\xe6 (a byte), \\u00b7 and \\#7 (a token by its id) "
    "are read, and \\\\ is a backslash"
)


def build_header(middle: Component) -> Component:
    """The header: the name, what is asked or looked at, and the buttons."""
    return html.Header([_brand(), middle, *_buttons()], className="top")


def _brand() -> Component:
    return html.Div([html.Span(className="mark"), html.H1("visit")], className="brand")


def _buttons() -> list[Component]:
    return [
        html.Button(
            "?",
            id=ids.HELP_BUTTON,
            className="quiet icon",
            title="Keys and words (?)",
            **aria(label="Keys and words"),
        ),
        html.Button(
            "◐",
            id=ids.THEME_BUTTON,
            className="quiet icon",
            title="Light or dark",
            **aria(label="Switch between light and dark"),
        ),
    ]


def build_fields(models: Sequence[ModelChoice], request: Request) -> Component:
    """The fields to ask with.

    Args:
        models: What the model picker offers.
        request: What they say at first.
    """
    resident = models[0].name if models else ""
    return html.Div(
        [
            html.Div(
                [
                    html.Div(
                        [
                            html.Label("Prompt", htmlFor=ids.PROMPT),
                            html.Details(
                                [
                                    html.Summary("Examples"),
                                    html.Div(id=ids.EXAMPLES, className="menu-list"),
                                ],
                                className="menu",
                            ),
                            _form_menu(),
                            _settings_menu(),
                            _open_button(),
                            html.Button(
                                "Copy link",
                                id=ids.COPY_LINK,
                                className="open-link",
                                title="A link to what is shown, with your notes and groups in it",
                            ),
                        ],
                        className="field-head",
                    ),
                    dcc.Textarea(
                        id=ids.PROMPT,
                        value=request.prompt,
                        rows=1,
                        spellCheck=False,
                        placeholder="Text for the model to continue",
                        title="Ctrl + Enter traces",
                    ),
                ],
                className="field wide",
            ),
            _picker("Model", ids.MODEL, ids.MODEL_CHOICES, request.model or resident, models),
            html.Div(
                [
                    html.Label("Target", htmlFor=ids.TARGET),
                    dcc.Input(
                        id=ids.TARGET,
                        value=typed_from_request(request),
                        placeholder="auto",
                        list=ids.TARGET_CHOICES,
                        autoComplete="off",
                        debounce=False,
                    ),
                    html.Datalist(id=ids.TARGET_CHOICES),
                ],
                className="field",
                title=_TARGET_SAYS,
            ),
            html.Div(
                [
                    html.Button("Trace", id=ids.TRACE, className="primary", title="Ctrl + Enter"),
                    html.Button("Cancel", id=ids.CANCEL, hidden=True),
                    html.Span(id=ids.STAGE, className="stage", **aria(live="polite")),
                ],
                className="act",
            ),
        ],
        className="controls",
    )


def _form_menu() -> Component:
    return html.Details(
        [
            html.Summary("Text", id=ids.FORM_SAID),
            html.Div(id=ids.FORM_MENU, className="menu-list"),
        ],
        className="menu form",
        title="How the prompt is read: as text or as a chat, with a BOS token or without",
    )


def _settings_menu() -> Component:
    return html.Details(
        [
            html.Summary("Settings", id=ids.SETTINGS_SAID),
            html.Div(id=ids.SETTINGS_MENU, className="menu-list"),
        ],
        className="menu settings",
        title="How the prediction is explained, and how much is drawn",
    )


def _picker(
    label: str, name: str, choices: str, value: str, models: Sequence[ModelChoice]
) -> Component:
    return html.Div(
        [
            html.Label(label, htmlFor=name),
            dcc.Input(id=name, value=value, list=choices, autoComplete="off", debounce=False),
            html.Span(id=ids.FILE_NAME, className="file-name", hidden=True, **aria(hidden="true")),
            html.Datalist(
                [html.Option(value=model.name, label=model.note) for model in models], id=choices
            ),
        ],
        className="field of-model",
        title="A model that is here, smollm2, or any Hugging Face id, folder or .gguf file",
    )


def build_viewer_fields(view: View | None, *, with_server: bool = True) -> Component:
    """What the header says of a graph that is only looked at.

    Args:
        view: The graph's.
        with_server: Whether a server is there, to open another document.
    """
    prompt = view.request.prompt if view else ""
    said = [
        html.Span(_viewing_words(view), id="viewing", className="hint"),
        html.Span(prompt, className="viewed"),
    ]
    return html.Div([*said, _open_button()] if with_server else said, className="controls")


def _viewing_words(view: View | None) -> str:
    """What stands before the prompt of a graph that is looked at."""
    return "Viewing a chat" if view and view.request.chat else "Viewing"


def _open_button() -> Component:
    return html.Button(
        "Open…",
        id=ids.OPEN,
        className="open-link",
        title="Open a document: a .json or .html file that visit made. It can be dropped anywhere",
        **data(max=str(MOST_DOCUMENT_BYTES)),
    )

"""The screen: a header to ask with, the graph, and the panels beside it."""

from __future__ import annotations

from collections.abc import Sequence

import dash_cytoscape as cyto
from dash import dcc, html
from dash.development.base_component import Component

from visit.engine import ModelChoice
from visit.flow import Request
from visit.web import examples, ids
from visit.web.keeping import Kept
from visit.web.parts import aria, data
from visit.web.stylesheet import COLOURINGS, LIGHT, stylesheet, stylesheets
from visit.web.tree import Tree, tree, trees
from visit.web.view import View

INDEX = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <title>{%title%}</title>
        <link rel="icon" type="image/svg+xml" href="/assets/icon.svg">
        {%css%}
    </head>
    <body>
        {%app_entry%}
        <footer>{%config%}{%scripts%}{%renderer%}</footer>
    </body>
</html>"""


def screen(
    *, page: str, models: Sequence[ModelChoice], request: Request | None, view: View | None
) -> Component:
    """Everything on the page.

    Args:
        page: The page's own unguessable name, by which its trace can be cancelled.
        models: What the model picker offers; none for the viewer.
        request: What the controls say at first; ``None`` for the viewer, which has no controls.
        view: What is shown at once, where there is a graph already.
    """
    return html.Div(
        [
            dcc.Store(id=ids.PAGE, data=page),
            dcc.Store(id=ids.ADDRESS),
            dcc.Store(id=ids.VIEW, data=view.data() if view else None),
            dcc.Store(id=ids.KEY),
            dcc.Store(id=ids.PICKED),
            dcc.Store(id=ids.EXPORT),
            dcc.Store(id=ids.FURNITURE, data=_furniture()),
            dcc.Store(id=ids.SURROUNDINGS),
            dcc.Store(id=ids.INSPECTION),
            dcc.Store(id=ids.POSITION),
            dcc.Store(id=ids.THEME, storage_type="local"),
            dcc.Store(id=ids.STYLESHEETS, data=stylesheets()),
            dcc.Download(id=ids.DOWNLOAD),
            html.Header(
                [
                    _brand(),
                    _controls(models, request) if request is not None else _viewing(view),
                    html.Button(
                        "◐",
                        id=ids.THEME_BUTTON,
                        className="quiet icon",
                        title="Light or dark",
                        **aria(label="Switch between light and dark"),
                    ),
                ],
                className="top",
            ),
            html.Div(
                [
                    html.Progress(id=ids.PROGRESS, value="0", max="1", hidden=True),
                    html.Div(id=ids.PROBLEM, role="alert", hidden=True),
                ],
                className="news",
            ),
            html.Div(id=ids.TOKENS, className="strip", role="group", **aria(label="Tokens")),
            html.Main([_graph_pane(), _side()], className="panes"),
        ],
        className="app",
    )


def _brand() -> Component:
    return html.Div([html.Span(className="mark"), html.H1("visit")], className="brand")


def _controls(models: Sequence[ModelChoice], request: Request) -> Component:
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
                        value=request.target or "",
                        placeholder="auto",
                        list=ids.TARGET_CHOICES,
                        autoComplete="off",
                        debounce=False,
                    ),
                    html.Datalist(id=ids.TARGET_CHOICES),
                ],
                className="field",
                title="The token to explain; empty for the model's own top token",
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


def _picker(
    label: str, name: str, choices: str, value: str, models: Sequence[ModelChoice]
) -> Component:
    return html.Div(
        [
            html.Label(label, htmlFor=name),
            dcc.Input(id=name, value=value, list=choices, autoComplete="off", debounce=False),
            html.Datalist(
                [html.Option(value=model.name, label=model.note) for model in models], id=choices
            ),
        ],
        className="field",
        title="A model that is here already, or any Hugging Face id, folder or .gguf file",
    )


def _viewing(view: View | None) -> Component:
    prompt = view.request.prompt if view else ""
    return html.Div(
        [html.Span("Viewing", className="hint"), html.Span(prompt, className="viewed")],
        className="controls",
    )


def _graph_pane() -> Component:
    return html.Section(
        [
            _toolbar(),
            html.Div(
                [
                    cyto.Cytoscape(
                        id=ids.GRAPH,
                        elements=[],
                        stylesheet=stylesheet(LIGHT),
                        layout={"name": "preset", "fit": False},
                        style={"position": "absolute", "inset": "0", "width": "100%"},
                        autoRefreshLayout=False,
                        autoungrabify=True,
                        boxSelectionEnabled=False,
                        minZoom=0.15,
                        maxZoom=2,
                    ),
                    html.Div(id=ids.MARGIN, className="margin", **aria(hidden="true")),
                    html.Div(id=ids.TOOLTIP, className="tooltip", hidden=True),
                ],
                className="canvas",
            ),
            html.Div(id=ids.LEGEND, className="legend"),
        ],
        className="graph-pane",
        **aria(label="Flow graph"),
    )


def _toolbar() -> Component:
    return html.Div(
        [
            html.Div(
                [
                    html.Label("Hide edges below", htmlFor=ids.THRESHOLD),
                    dcc.Input(id=ids.THRESHOLD, type="range", min=0, max=100, step=1, value=0),
                    html.Output("0 %", id=ids.THRESHOLD_TEXT, htmlFor=ids.THRESHOLD),
                ],
                className="tool",
                title="Hides the edges that carry less than this part of the traced residual",
            ),
            html.Div(
                [
                    dcc.RadioItems(
                        id=ids.COLOURING,
                        options=[{"label": v, "value": k} for k, v in COLOURINGS.items()],
                        value="kind",
                        inline=True,
                        className="segments",
                    ),
                ],
                className="tool",
                title="What the fill of a node says: its kind, the target's rank, or the entropy",
            ),
            html.Div(id=ids.NOTE, className="note"),
            html.Div(
                [
                    html.Button("Close all", id=ids.CLOSE_ALL, className="quiet", hidden=True),
                    html.Button("Fit", id=ids.FIT, className="quiet", title="Show everything (f)"),
                    html.Details(
                        [
                            html.Summary("Export"),
                            html.Div(id=ids.EXPORT_MENU, className="menu-list"),
                        ],
                        className="menu to-the-left",
                    ),
                ],
                className="tool end",
            ),
        ],
        className="toolbar",
    )


def _furniture() -> dict[str, list[Tree]]:
    """What fills parts of the screen from the start."""
    untraced = html.P("Nothing is traced yet.", className="hint")
    return {
        ids.LEGEND: trees(_legend()),
        ids.EXAMPLES: trees(examples.menu()),
        ids.EXPORT_MENU: trees(_exports()),
        ids.INSPECTOR: [tree(untraced)],
    }


def _exports() -> list[Component]:
    """The files that a graph can be kept as; the browser makes the PNG by itself."""
    formats = [
        ("JSON", Kept.JSON, "everything, to open again"),
        ("SVG", Kept.SVG, "what is drawn, for print"),
        ("PNG", "png", "what is drawn, twice as fine"),
        ("GraphML", Kept.GRAPHML, "for Gephi, yEd, networkx"),
        ("CSV", Kept.CSV, "nodes and edges, zipped"),
    ]
    return [
        html.Button(
            [html.Span(name, className="export-name"), html.Span(said, className="hint")],
            className="export",
            **data(export=str(kept)),
        )
        for name, kept, said in formats
    ]


def _legend() -> list[Component]:
    """What every mark in the graph means."""

    def shape(name: str, words: str, more: str) -> Component:
        return html.Span(
            [html.Span(className=f"swatch {name}"), html.Span(words)], className="entry", title=more
        )

    def stroke(name: str, words: str) -> Component:
        return html.Span(
            [html.Span(className=f"stroke {name}"), html.Span(words)], className="entry"
        )

    def scale(name: str, low: str, high: str) -> Component:
        return html.Span(
            [html.Span(low), html.Span(className="ramp"), html.Span(high)],
            className=f"entry scale {name}",
        )

    return [
        shape("token", "token", "A token of the prompt, or the one predicted"),
        shape("residual", "residual", "The hidden state of a position at a depth"),
        shape("attention", "attention", "Attention as a whole, its heads, and the values they add"),
        shape("query", "query, key", "What a head looks for, and what a source offers it"),
        shape("neuron", "neuron", "Attention neuron: a row of an attention's output matrix"),
        shape("mlp", "MLP, memory", "The MLP as a whole, its memories: key, value"),
        shape("rest", "rest, bias", "Parts not drawn, folded into one; and biases"),
        stroke("stream", "residual stream"),
        stroke("plus", "adds along"),
        stroke("minus", "adds against"),
        scale("rank", "target's rank: first", "last"),
        scale("entropy", "entropy: low", "high"),
        html.Span(
            [
                html.Span(
                    [html.Span(className=f"weight w{i}") for i in range(3)],
                    className="weights",
                ),
                html.Span("part it carries"),
            ],
            className="entry",
            title="The part of the traced residual that reaches the output through this edge",
        ),
    ]


def _side() -> Component:
    return html.Aside(
        [
            html.Section(
                [
                    html.H2("Next token"),
                    html.Div(id=ids.PREDICTIONS, className="predictions"),
                ],
                className="panel next",
            ),
            html.Section(
                id=ids.INSPECTOR,
                className="panel inspector",
                **aria(label="Inspector", live="polite"),
            ),
        ],
        className="side",
    )

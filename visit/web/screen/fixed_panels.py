"""What fills parts of the screen from the start: the toolbar, the legend, the menus.

All of it works in the browser alone, so that a page without a server has it too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.formats.registry import Format, Maker, formats_made_by
from visit.graph.parts import By
from visit.web import ids
from visit.web.asking import prompt_form
from visit.web.causes.pane import pane_panels
from visit.web.continuing.controls import continue_menu
from visit.web.explore.pane import explore_panels
from visit.web.exports.figures.dialog import dialog
from visit.web.look import COLOURINGS, FAMILY_WORDS, WIDTHS
from visit.web.parts import aria, choice, data, field, term
from visit.web.screen import cover, examples, help, tour
from visit.web.screen.search import finder
from visit.web.theme import PALETTES
from visit.web.trees import Tree, tree, trees

LENS_MEASURES = {"rank": "rank", "prob": "probability", "entropy": "entropy"}


def build_fixed_panels(*, with_engine: bool, with_server: bool = True) -> dict[str, list[Tree]]:
    """The trees, by the part of the screen that they fill.

    Args:
        with_engine: Whether a model is there to ask, for the parts that need one.
        with_server: Whether a server is there, for the lens grid, the Sankey and most exports.
    """
    untraced = html.P("Nothing is traced yet.", className="hint")
    filled = {
        ids.TOOLBAR: trees(toolbar(with_server=with_server, with_engine=with_engine)),
        ids.LEGEND: trees(legend()),
        ids.FINDER: trees(finder()),
        ids.INSPECTOR: [tree(untraced)],
        ids.HELP: trees(
            [
                help.dialog(with_engine=with_engine),
                *tour.card(),
                *([dialog()] if with_server else []),
            ]
        ),
        ids.OFFER: trees(tour.offer()),
    }
    if with_server:
        filled[ids.DOCK_HEAD] = trees(dock_head(with_engine))
    if with_engine:
        filled[ids.EXAMPLES] = trees(examples.menu())
        filled[ids.FORM_MENU] = trees(prompt_form.menu())
        filled[ids.COVER] = trees(cover.cover())
        filled[ids.CONTINUE_MENU] = trees(continue_menu())
        filled |= pane_panels() | explore_panels()
    return filled


def toolbar(*, with_server: bool, with_engine: bool) -> list[Component]:
    """What the graph shows and how."""
    views = [_views(with_engine=with_engine)] if with_server else []
    return [
        *views,
        html.Div(
            [
                html.Label(["Parts", html.Span(" shown", className="if-room")], htmlFor=ids.COUNT),
                field(id=ids.COUNT, type="range", min="0", max="1", step="1", value="0"),
                html.Output("", id=ids.COUNT_TEXT, htmlFor=ids.COUNT),
                html.Label("by", htmlFor=ids.COUNT_BY),
                html.Select(
                    [html.Option(by.value, value=by.value) for by in By],
                    id=ids.COUNT_BY,
                    title="By flow, or by effect: what the model does without each, measured",
                    **aria(label="Parts are chosen by"),
                ),
            ],
            className="tool of-flow",
            title="How many heads and MLPs are drawn, the strongest first",
        ),
        html.Div(
            [
                html.Span(
                    [html.Span("flow ", className="if-room"), term("unexplained")],
                    className="hint",
                ),
                html.Output("0 %", id=ids.UNEXPLAINED),
            ],
            className="tool of-flow",
        ),
        html.Div(
            [
                _button(ids.UNDO, "↶", "Undo (Ctrl + Z)", disabled=True),
                _button(ids.REDO, "↷", "Redo (Ctrl + Shift + Z)", disabled=True),
                html.Span(
                    [
                        _button(
                            ids.CLOSE_ALL,
                            ["Close", html.Span(" all", className="if-room")],
                            "Close every opened block",
                            hidden=True,
                        ),
                        _button(ids.FIT, "Fit", "Show everything (f)"),
                    ],
                    className="of-flow",
                ),
                _menu("Look", looks()),
                *([_making()] if with_server else []),
                _menu("Export", exports(with_server=with_server)),
            ],
            className="tool end",
        ),
    ]


def _views(*, with_engine: bool) -> Component:
    asked = [
        _build_switch("Causes", "causes", "What parts cause: agreement, patching"),
        _build_switch("Explore", "explore", "Saliency, heads, norms, maps and more of this pass"),
    ]
    return html.Div(
        [
            html.Div(
                [
                    _build_switch("Flow", "flow", "The whole model, every position"),
                    _build_switch("Sankey", "sankey", "One layer as in the paper's Figure 1"),
                    *(asked if with_engine else []),
                ],
                className="segments",
                role="group",
                **aria(label="View"),
            ),
            html.Select([], id=ids.SANKEY_LAYER, className="of-sankey", **aria(label="Layer")),
        ],
        className="tool",
    )


def _build_switch(words: str, pane: str, title: str) -> Component:
    return html.Button(words, title=title, **data(pane=pane), **aria(pressed="false"))


def _button(name: str, words: str | list[Any], title: str, **more: Any) -> Component:
    return html.Button(words, id=name, className="quiet", title=title, **more)


def _menu(words: str, inside: Iterable[Component]) -> Component:
    listed = html.Div(list(inside), className="menu-list")
    return html.Details([html.Summary(words), listed], className="menu to-the-left")


def looks() -> list[Component]:
    """What colour and width say."""
    return [
        choice("Nodes coloured by", "look-colouring", COLOURINGS),
        choice("Edges as wide as", "look-width", WIDTHS),
        choice("Palette", "look-palette", PALETTES),
    ]


def _making() -> Component:
    """How far a file is that takes longer, with a way to end it."""
    cancel = html.Button("Cancel", className="quiet", **data(export=""))
    said = html.Span(id="making-said", role="status")
    return html.Span([said, cancel], id="making", className="making", hidden=True)


def exports(*, with_server: bool) -> list[Component]:
    """The files that a graph can be kept as."""

    def button(format_: Format) -> Component:
        said = format_.said if with_server else format_.said_offline or format_.said
        words = [
            html.Span(format_.title, className="export-name"),
            html.Span(said, className="hint"),
        ]
        if with_server and format_.ending == "html":
            words.append(html.Span(id=ids.HTML_SIZE, className="hint"))
        return html.Button(words, className="export", **data(export=format_.ending))

    page = Maker.SERVER if with_server else Maker.OFFLINE_PAGE
    return [button(format_) for format_ in formats_made_by(page | Maker.BROWSER).values()]


def legend() -> list[Component]:
    """What every mark in the graph means; a click on a kind hides it."""
    return [
        _shape("token", "A token of the prompt, or the one predicted"),
        _shape("residual", "The hidden state of a position at a depth"),
        _shape("attention", "Attention as a whole, its heads, the values they add"),
        _shape("query", "What a head looks for, and what a source offers it"),
        _shape("neuron", "Attention neuron: a row of an attention's output matrix"),
        _shape("mlp", "The MLP as a whole, its memories: key, value; experts"),
        _shape("rest", "Parts not drawn, folded into one; and biases"),
        _stroke("stream", "residual stream, as wide as its flow"),
        html.Span(
            [
                html.Span(className="stroke plus"),
                html.Span("flow for the target,"),
                html.Span(className="stroke minus"),
                html.Span("against it"),
            ],
            className="entry",
        ),
        _scale("rank", "target's rank: first", "last"),
        _scale("entropy", "entropy: low", "high"),
        _scale("logit", "direct logit: against", "along"),
        _scale("difference", "flow against the other pass: less", "more"),
        html.Span(
            [
                html.Span(
                    [html.Span(className=f"weight w{i}") for i in range(3)], className="weights"
                ),
                *(html.Span(said, className=f"width {name}") for name, said in WIDTHS.items()),
            ],
            className="entry",
        ),
    ]


def _shape(name: str, more: str) -> Component:
    return html.Button(
        [html.Span(className=f"swatch {name}"), html.Span(FAMILY_WORDS[name])],
        className="entry",
        title=f"{more}. A click hides them, another shows them",
        **data(family=name),
        **aria(pressed="true"),
    )


def _stroke(name: str, words: str) -> Component:
    return html.Span([html.Span(className=f"stroke {name}"), html.Span(words)], className="entry")


def _scale(name: str, low: str, high: str) -> Component:
    return html.Span(
        [html.Span(low), html.Span(className="ramp"), html.Span(high)],
        className=f"entry scale {name}",
    )


def dock_head(with_engine: bool) -> list[Component]:
    """The lens grid's title, what leads on from it, and what its colour says."""
    watch = html.Button(
        "Watch tokens",
        className="quiet",
        title="Some tokens' rank, probability and logit through the layers, beside the grid",
        **data(explore="watch"),
    )
    return [
        html.Button(
            [html.Span("▾", className="chevron"), html.Span("Lens")],
            className="quiet fold",
            title="What every residual says: show or hide the grid",
            **data(dock="toggle"),
            **aria(expanded="true", controls="dock-body"),
        ),
        term("lens", "what every residual says"),
        *([watch] if with_engine else []),
        html.Fieldset(
            [
                html.Legend("coloured by the target's"),
                *(
                    html.Label(
                        [
                            field(type="radio", name="dock-measure", value=value),
                            html.Span(said),
                        ]
                    )
                    for value, said in LENS_MEASURES.items()
                ),
            ],
            className="segments choices",
        ),
        html.Label(
            [field(type="checkbox", id="dock-whole"), html.Span("every layer")],
            className="whole",
            title="Early layers in which no colour changes are shown too",
        ),
        html.Span(id="lens-left-out", className="hint"),
    ]

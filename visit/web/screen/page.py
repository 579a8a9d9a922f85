"""The screen: a header to ask with, the graph, and the panels beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_cytoscape as cyto
from dash import dcc, html
from dash.development.base_component import Component

from visit.engine.protocol import ModelChoice
from visit.formats.document import compact_json
from visit.graph.request import Request, data_from_request
from visit.web import ids
from visit.web.asking.prompt_form import form_from_data
from visit.web.asking.settings import settings_form
from visit.web.causes.pane import build_pane
from visit.web.explore.pane import build_explore_pane
from visit.web.flow.stylesheet import stylesheet, stylesheets
from visit.web.parts import aria, by_keyboard
from visit.web.plots.plotly import EMPTY
from visit.web.screen.fixed_panels import build_fixed_panels
from visit.web.screen.header import build_fields, build_header, build_viewer_fields
from visit.web.screen.planted import plant
from visit.web.state.table import PLACE, STORES, data_from_table
from visit.web.state.view import View
from visit.web.theme import LIGHT, css_variables
from visit.web.trees import Tree, trees

GRAPH_SETTINGS: dict[str, Any] = {
    "id": ids.GRAPH,
    "layout": {"name": "preset", "fit": False},
    "style": {"position": "absolute", "inset": "0", "width": "100%"},
    "autoRefreshLayout": False,
    "autoungrabify": True,
    "boxSelectionEnabled": False,
    "minZoom": 0.15,
    "maxZoom": 3,
}

_GRAPH_SAYS = (
    "Flow graph: the arrow keys step between nodes, Enter opens the picked one, Escape lets it go"
)
_SANKEY_SAYS = "Sankey: the arrow keys step between nodes and links, Enter picks"
_SMALL = "This window is small, so the panels stand below the graph; from 1024 × 640 on, beside it."
_GONE = "The server does not answer; trying again…"
_INDEX = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        <title>{%title%}</title>
        <link rel="icon" type="image/svg+xml" href="/assets/icon.svg">
        <style>@VARIABLES@</style>
        {%css%}
    </head>
    <body>
        {%app_entry%}
        <script type="application/json" id="@STATE_TABLE_ID@">@STATE_TABLE@</script>
        <footer>{%config%}{%scripts%}{%renderer%}</footer>
    </body>
</html>"""


def build_page_template() -> str:
    """The page that Dash fills: the themes' colours, and the state's table for the scripts."""
    parts = {
        "@VARIABLES@": css_variables(),
        "@STATE_TABLE_ID@": PLACE,
        "@STATE_TABLE@": state_table(),
    }
    page = _INDEX
    for mark, part in parts.items():
        page = page.replace(mark, part)
    return page


def state_table() -> str:
    """The table of a page's state as JSON that can stand in a page."""
    return compact_json(data_from_table()).replace("<", "\\u003c")


def build_screen(
    *, page: str, models: Sequence[ModelChoice], request: Request | None, view: View | None
) -> Component:
    """Everything on the page.

    Args:
        page: The page's own unguessable name, by which its trace can be cancelled.
        models: What the model picker offers; none for the viewer.
        request: What the controls say at first; ``None`` for the viewer, which has no controls.
        view: What is shown at once, where there is a graph already.
    """
    middle = build_viewer_fields(view) if request is None else build_fields(models, request)
    panes = () if request is None else (build_pane(), build_explore_pane())
    header, *frame = build_frame(middle, _graph(), _figures(), panes)
    planted = plant(html.Div([header, *frame]))
    gone = html.Div(_GONE, id=ids.GONE, className="gone", role="status", hidden=True)
    return html.Div(
        [
            *_stores(page, view, request, planted),
            header,
            gone,
            html.Div(_SMALL, className="small-window"),
            *frame,
        ],
        className="app",
    )


def _stores(
    page: str, view: View | None, request: Request | None, planted: Mapping[str, list[Tree]]
) -> list[Component]:
    """What the browser holds; each is told of in ``ids``."""
    messages = (
        *(ids.ADDRESS, ids.KEY, ids.DOCK, ids.SHADE, ids.LOOK, ids.EXPORT),
        *(ids.FIGURE, ids.MAKING),
        *(ids.GRAPH_PANELS, ids.COUNTS, ids.DRAWN_PANELS, ids.INSPECTOR_PANELS),
        *(ids.GROWN, ids.SEARCHABLE),
        *(ids.MEASURE, ids.RANKING, ids.SETTINGS_PROBLEMS),
        *(ids.RUN, ids.COMPARE, ids.WEIGH, ids.CHANGED, ids.WEIGHED),
        *(ids.CAUSES_PANELS, ids.AGREEMENT_PANELS, ids.PATCHING_PANELS),
        *(ids.KEEP_ONLY, ids.CIRCUIT_PANELS, ids.MANY, ids.CONSENSUS_PANELS),
        *(ids.EXPLORE_SAVE, ids.EXPLORE_PANELS, ids.CONTINUE, ids.CONTINUE_PANELS),
    )
    given: dict[str, Any] = {
        ids.PAGE: page,
        ids.VIEW: view.data() if view else None,
        ids.FORM: form_from_data(data_from_request(request)) if request else None,
        ids.STYLESHEETS: stylesheets(),
        ids.FIXED_PANELS: {**planted, **_fixed_panels(request)},
    }
    names = dict.fromkeys([*STORES, *messages, *given])
    return [
        *(_store(name, given.get(name)) for name in names),
        dcc.Download(id=ids.DOWNLOAD),
    ]


def _store(name: str, data: Any) -> Component:
    """What holds data, or nothing yet.

    A store that is made with ``None`` finds that its memory, which is empty, is another; it says so
    as the page opens, and calls every callback that listens to it.
    """
    return dcc.Store(id=name) if data is None else dcc.Store(id=name, data=data)


def _fixed_panels(request: Request | None) -> dict[str, list[Tree]]:
    """What fills parts of the screen from the start, the form of the settings among it."""
    filled = build_fixed_panels(with_engine=request is not None)
    if request is not None:
        filled[ids.SETTINGS_MENU] = trees(settings_form(request))
    return filled


def build_frame(
    middle: Component,
    graph: Component,
    figures: Sequence[Component],
    panes: Sequence[Component] = (),
) -> list[Component]:
    """The screen's parts, of plain HTML but for what is given.

    Args:
        middle: What the header says between the name and the buttons (``screen.header``).
        graph: What draws the flow.
        figures: What draws the Sankey and the lens grid, in this order; none without Plotly.
        panes: What else stands in the flow's place when it is chosen; none without a model.
    """
    return [
        build_header(middle),
        html.Div(
            [
                html.Progress(id=ids.PROGRESS, value="0", max="1", hidden=True),
                html.Div(id=ids.PROBLEM, role="alert", hidden=True),
            ],
            className="news",
        ),
        html.Div(
            [
                html.Div(id=ids.TOKENS, className="strip", role="group", **aria(label="Tokens")),
                *([html.Div(id=ids.CONTINUE_MENU, className="continue-menu")] if panes else []),
                html.Div(id=ids.FINDER, className="finder", role="search"),
            ],
            className="second",
        ),
        *(_continuing() if panes else []),
        html.Main(
            [
                _graph_pane(graph, figures, panes),
                _splitter(ids.SPLIT_SIDE, "Width of the inspector", "vertical"),
                _side(),
            ],
            className="panes",
        ),
        html.Div(id=ids.HELP),
        html.Div(html.Span(id="cell-said"), id="cell-mark", hidden=True, **aria(hidden="true")),
    ]


def _continuing() -> list[Component]:
    """The text that is being written, and the strip of what was."""
    return [
        html.Div(id=ids.CONTINUING_SAID, className="continuing-said", role="status"),
        html.Div(id=ids.CONTINUING, className="continuing"),
    ]


def _graph() -> Component:
    graph: Component = cyto.Cytoscape(elements=[], stylesheet=stylesheet(LIGHT), **GRAPH_SETTINGS)
    return graph


def _figures() -> list[Component]:
    """The Sankey, which follows the window, and the lens grid, which follows its sheet alone."""
    config: Any = {"displayModeBar": False, "scrollZoom": False}
    follows: dict[str, Any] = {ids.SANKEY: True, ids.LENS: "auto"}
    return [
        dcc.Graph(id=name, figure=EMPTY, config=config, responsive=responsive, className="figure")
        for name, responsive in follows.items()
    ]


def _graph_pane(
    graph: Component, figures: Sequence[Component], panes: Sequence[Component]
) -> Component:
    sankey, lens = figures or (None, None)
    dock = [
        _splitter(ids.SPLIT_DOCK, "Height of the lens grid", "horizontal"),
        html.Section(
            [
                html.Div(id=ids.DOCK_HEAD, className="dock-head"),
                html.Div(
                    _lens_sheet(lens),
                    id="dock-body",
                    className="dock-body",
                    # It scrolls, so the keyboard must reach it.
                    tabIndex=0,
                    role="region",
                    **aria(label="Lens"),
                ),
            ],
            className="dock",
            **aria(label="Lens grid"),
        ),
    ]
    return html.Section(
        [
            html.Div(id=ids.TOOLBAR, className="toolbar", role="toolbar", **aria(label="Graph")),
            html.Div(
                [
                    html.Div(id=ids.WHAT_IF_SITES, className="what-if-sites"),
                    html.Div(id=ids.WHAT_IF_SAID, role="status"),
                ],
                id=ids.WHAT_IF,
                className="what-if",
                hidden=True,
            ),
            html.Div(
                [
                    html.Div(
                        graph,
                        className="flow",
                        tabIndex=0,
                        role="application",
                        **aria(label=_GRAPH_SAYS, describedby=ids.SPOKEN),
                    ),
                    html.Div(id=ids.SPOKEN, className="unseen", role="status"),
                    *([_sankey(sankey)] if sankey is not None else []),
                    *panes,
                    html.Div(id=ids.MARGIN, className="margin", **aria(hidden="true")),
                    html.Div(id=ids.TOOLTIP, className="tooltip", hidden=True),
                    html.Div(id=ids.COVER, className="cover"),
                ],
                className="canvas",
            ),
            html.Div(
                [
                    html.Div(id=ids.LEGEND, className="legend"),
                    html.Span(id=ids.COUNT_SAID, className="measuring", role="status"),
                    html.Div(id=ids.NOTE, className="note"),
                ],
                className="below of-flow",
            ),
            *(dock if lens is not None else []),
        ],
        className="graph-pane",
        **aria(label="Flow graph"),
    )


def _sankey(figure: Component) -> Component:
    return html.Div(figure, className="sankey", **by_keyboard("sankey", _SANKEY_SAYS))


def _lens_sheet(lens: Component | None) -> Component:
    """The lens grid under what the browser lays over it; it may be higher than the dock."""
    over = html.Div(id=ids.LENS_OVER, className="lens-over", **aria(hidden="true"))
    return html.Div([over, lens], id=ids.LENS_SHEET, className="lens-sheet")


def _splitter(name: str, label: str, way: str) -> Component:
    return html.Div(
        id=name,
        className=f"splitter {way}",
        role="separator",
        tabIndex=0,
        title="Drag, or move with the arrow keys",
        **aria(label=label, orientation=way),
    )


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
            html.Section(id=ids.INSPECTOR, className="panel inspector", **aria(label="Inspector")),
            html.Div(id=ids.OFFER, className="offer", hidden=True),
        ],
        className="side",
    )

"""The pane's frame: the list on the left, and what is explored on the right."""

from __future__ import annotations

from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from visit.web import ids
from visit.web.explore.controls import build_heads, list_explorables
from visit.web.parts import aria, by_keyboard
from visit.web.plots.plotly import EMPTY
from visit.web.trees import Tree, trees

_SAYS = "What is explored: the arrow keys move, Enter goes to the part in the flow"
_CONFIG: Any = {"displayModeBar": False, "scrollZoom": False}


def build_explore_pane() -> Component:
    """The frame; its list and controls are filled as panels, its figure drawn by the server."""
    figure = dcc.Graph(
        id=ids.EXPLORE, figure=EMPTY, config=_CONFIG, responsive=True, className="figure"
    )
    return html.Div(
        [
            html.Nav(id=ids.EXPLORABLES, className="explorables", **aria(label="Explorables")),
            html.Section(
                [
                    html.Div(id=ids.EXPLORE_HEADS),
                    html.Div(id=ids.EXPLORE_SAID, className="explore-said", role="status"),
                    html.Div(id=ids.EXPLORE_ABOVE, className="explore-above"),
                    html.Div(
                        figure,
                        id=ids.EXPLORE_SHEET,
                        className="explore-figure",
                        **by_keyboard("explore", _SAYS),
                    ),
                    html.Div(id=ids.EXPLORE_TABLES, className="explore-tables"),
                ],
                className="explore-view",
                tabIndex=0,
                **aria(label="Explored"),
            ),
        ],
        className="explore-pane",
    )


def explore_panels() -> dict[str, list[Tree]]:
    """What is there from the start, by the part that it fills."""
    return {
        ids.EXPLORABLES: trees(list_explorables()),
        ids.EXPLORE_HEADS: trees(build_heads()),
    }

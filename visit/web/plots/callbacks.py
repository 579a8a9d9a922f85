"""The Plotly figures beside the graph: the lens grid, and one layer as a Sankey."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, no_update

from visit.engine.questions import ReadLens
from visit.errors import VisitError
from visit.graph.flow import Node, NodeId, NodeKind
from visit.graph.index import Index
from visit.web import ids
from visit.web.plots.lens_grid import (
    MEASURES,
    choose_positions,
    lens_figure,
    lens_height,
    nodes_in_document,
)
from visit.web.sankey.diagram import sankey_figure
from visit.web.server.tracing import show_problem
from visit.web.state.graphs import Graphs
from visit.web.state.view import View
from visit.web.theme import SAFE, choose_theme


def register(app: Dash, graphs: Graphs) -> None:
    """Attach the figures' callbacks to this app, which draw of these graphs."""

    def lens(
        key: str | None,
        dock: dict[str, Any] | None,
        shade: str | None,
        data: dict[str, Any] | None,
    ) -> tuple[Any, Any]:
        """The lens grid, while its dock is open: as high as the dock, or higher, to be scrolled."""
        if key is None or data is None or not dock or not dock.get("open"):
            return no_update, no_update
        view = View.parse(data)
        index = graphs.find(view)
        if index is None:
            return no_update, no_update  # drawing says what is wrong
        asked = dock.get("measure")
        measure = next((known for known in MEASURES if known == asked), MEASURES[0])
        figure = lens_figure(
            lens_nodes(index, view, graphs),
            index.flow,
            measure=measure,
            theme=choose_theme(shade or "light"),
            width=int(dock.get("width") or 0) or 1080,
        )
        figure["layout"]["meta"]["key"] = view.key
        least = lens_height(len(choose_positions(index.flow)))
        return figure, {"height": f"max(100%, {least}px)"}

    app.callback(
        Output(ids.LENS, "figure"),
        Output(ids.LENS_SHEET, "style"),
        Input(ids.KEY, "data"),
        Input(ids.DOCK, "data"),
        Input(ids.SHADE, "data"),
        State(ids.VIEW, "data"),
        websocket=True,
    )(lens)

    def sankey(
        key: str | None,
        pane: dict[str, Any] | None,
        shade: str | None,
        look: dict[str, Any] | None,
        data: dict[str, Any] | None,
    ) -> Any:
        """One layer at the traced position, while the Sankey is shown."""
        if key is None or data is None or not pane or pane.get("name") != "sankey":
            return no_update
        view = View.parse(data)
        try:
            index = graphs.find_opened(view)
            layer = min(max(int(pane.get("layer") or 0), 0), index.flow.model.n_layers - 1)
            block = NodeId(NodeKind.ATTN, index.flow.position, layer)
            return sankey_figure(
                graphs.add_block(view, index, block),
                layer,
                choose_theme(shade or "light", (look or {}).get("palette") or SAFE),
                neurons=bool(pane.get("neurons")),
                width=int(pane.get("width") or 0) or 1000,
                height=int(pane.get("height") or 0) or 560,
            )
        except VisitError as problem:
            show_problem(str(problem))
            return no_update

    app.callback(
        Output(ids.SANKEY, "figure"),
        Input(ids.KEY, "data"),
        Input(ids.PANE, "data"),
        Input(ids.SHADE, "data"),
        Input(ids.LOOK, "data"),
        State(ids.VIEW, "data"),
        websocket=True,
    )(sankey)


def lens_nodes(index: Index, view: View, graphs: Graphs) -> tuple[Node, ...]:
    """What every residual says that the grid has a cell for; without an engine, those drawn."""
    read = graphs.answer(view, ReadLens(view.request, tuple(choose_positions(index.flow))))
    return nodes_in_document(index.flow) if read is None else read

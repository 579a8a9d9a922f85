"""The Plotly figures beside the graph: the lens grid, and one layer as a Sankey."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import Input, Output, State, no_update

from visit.engine.questions import ReadLens
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
from visit.web.plots.plotly import Figure
from visit.web.plots.scene import Drawn, Scene
from visit.web.sankey.diagram import sankey_figure
from visit.web.server.calls import Calls
from visit.web.state.graphs import Graphs
from visit.web.state.view import View
from visit.web.theme import choose_theme, read_theme


async def draw_lens(scene: Scene, shown: Mapping[str, Any], drawn: Drawn) -> Figure:
    """The lens grid, as high as its rows need; ``shown`` is what its dock shows."""
    index = scene.index
    nodes = await lens_nodes(index, scene.view, scene.graphs)
    asked = shown.get("measure")
    measure = next((known for known in MEASURES if known == asked), MEASURES[0])
    figure = await scene.jobs.tap(
        lambda: lens_figure(
            nodes,
            index.flow,
            measure=measure,
            theme=drawn.theme,
            width=drawn.width,
            whole=bool(shown.get("whole")),
        )
    )
    figure["layout"]["height"] = lens_height(len(choose_positions(index.flow)))
    return figure


async def draw_sankey(scene: Scene, shown: Mapping[str, Any], drawn: Drawn) -> Figure:
    """One layer at the traced position, higher than it is to be where its parts need it.

    Args:
        scene: What it is of.
        shown: What its pane shows.
        drawn: How it is to look.
    """
    layer = layer_shown(scene.index, shown)
    block = NodeId(NodeKind.ATTN, scene.index.flow.position, layer)
    grown = await scene.graphs.add_block(scene.view, scene.index, block)
    neurons = bool(shown.get("neurons"))
    return await scene.jobs.tap(
        lambda: sankey_figure(
            grown, layer, drawn.theme, neurons=neurons, width=drawn.width, height=drawn.height
        )
    )


def layer_shown(index: Index, shown: Mapping[str, Any]) -> int:
    """The layer that the Sankey shows."""
    return min(max(int(shown.get("layer") or 0), 0), index.flow.model.n_layers - 1)


def register(calls: Calls, graphs: Graphs) -> None:
    """Add the figures' callbacks, which draw of these graphs."""

    async def lens(
        key: str | None,
        dock: dict[str, Any] | None,
        shade: str | None,
        data: dict[str, Any] | None,
    ) -> tuple[Any, Any]:
        """The lens grid, while its dock is open: as high as the dock, or higher, to be scrolled."""
        if not dock or not dock.get("open"):
            return no_update, no_update
        told = await graphs.find_told(key, data)
        if told is None:
            return no_update, no_update  # drawing says what is wrong
        view, index = told
        drawn = Drawn(choose_theme(shade or "light"), int(dock.get("width") or 0) or 1080, 0)
        figure = await draw_lens(Scene(index, view, graphs, calls.jobs), dock, drawn)
        figure["layout"]["meta"]["key"] = view.key
        least = figure["layout"].pop("height")  # the sheet under it has the height
        return figure, {"height": f"max(100%, {least}px)"}

    calls.add(
        lens,
        Output(ids.LENS, "figure"),
        Output(ids.LENS_SHEET, "style"),
        Input(ids.KEY, "data"),
        Input(ids.DOCK, "data"),
        Input(ids.SHADE, "data"),
        State(ids.VIEW, "data"),
    )

    async def sankey(
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
        index = await graphs.find_opened(view)
        drawn = Drawn(
            read_theme(shade, look),
            int(pane.get("width") or 0) or 1000,
            int(pane.get("height") or 0) or 560,
        )
        return await draw_sankey(Scene(index, view, graphs, calls.jobs), pane, drawn)

    calls.add(
        sankey,
        Output(ids.SANKEY, "figure"),
        Input(ids.KEY, "data"),
        Input(ids.PANE, "data"),
        Input(ids.SHADE, "data"),
        Input(ids.LOOK, "data"),
        State(ids.VIEW, "data"),
    )


async def lens_nodes(index: Index, view: View, graphs: Graphs) -> tuple[Node, ...]:
    """What every residual says that the grid has a cell for; without an engine, those drawn."""
    read = await graphs.answer(view, ReadLens(view.request, tuple(choose_positions(index.flow))))
    return nodes_in_document(index.flow) if read is None else read

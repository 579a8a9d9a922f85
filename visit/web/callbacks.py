"""What happens when something is asked, tapped or moved.

The state is one small view in the browser: the graph's key, its request, what is open and noted.
Taps and buttons change it in the browser (the scripts in assets/); the server draws what it says.
Callbacks run over a websocket, so that progress streams. They wait on the event loop, without a
thread, and compute in a few threads of their own, so that no trace ever holds up a page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, no_update, set_props
from dash.development.base_component import Component

from visit.engine.protocol import Engine
from visit.formats.registry import FORMATS
from visit.graph.flow import Node, NodeId
from visit.graph.index import Index
from visit.graph.kinds import RESIDUALS
from visit.graph.parts import By
from visit.graph.request import Request
from visit.text import size
from visit.web import ids, inspector
from visit.web.asking.prompt_form import abilities
from visit.web.causes.callbacks import find_before, register_causes
from visit.web.causes.difference import mark_differences
from visit.web.continuing.callbacks import register_continuing
from visit.web.explore.callbacks import register_explore
from visit.web.exports.downloads import download
from visit.web.exports.offline import estimate_bytes
from visit.web.exports.printed import Wanted, print_screen
from visit.web.exports.telling import telling_page
from visit.web.flow import elements
from visit.web.inspector.needs import DOCUMENT_TABS, Tab, wants
from visit.web.look import Look
from visit.web.plots import callbacks
from visit.web.plots.scene import Scene
from visit.web.ranking import callbacks as ranking
from visit.web.ranking.needs import all_parts, find_measured, is_measured
from visit.web.ranking.rows import SORTS
from visit.web.screen.graph_panels import build_counts, build_graph_panels, note
from visit.web.screen.search import searchable
from visit.web.server import tracing
from visit.web.server.calls import Calls
from visit.web.state.bounds import Bounds
from visit.web.state.graphs import Graphs
from visit.web.state.jobs import Jobs
from visit.web.state.shelf import Shelf
from visit.web.state.table import TOLD
from visit.web.state.view import View
from visit.web.trees import trees


def register(
    app: Dash, engine: Engine | None, shelf: Shelf, default: Request | None = None
) -> None:
    """Attach every callback to this app (a module-level one would go to the first app only).

    Args:
        app: The app.
        engine: What answers requests; ``None`` for the viewer.
        shelf: Where graphs are kept.
        default: What a page traces when its address says nothing; needed with an engine.
    """
    calls = Calls(app, Jobs())
    if engine is not None and default is not None:
        tracing.register(calls, engine, shelf, default)
    graphs = Graphs(engine, shelf, calls.jobs, bounds=Bounds(default))
    callbacks.register(calls, graphs)
    ranking.register(calls, graphs)
    if engine is not None and default is not None:
        register_causes(calls, engine, graphs, shelf, default)
        register_explore(calls, graphs)
        register_continuing(calls, engine, graphs, shelf, default)
    _register_graph(calls, engine, graphs)
    _register_browser(app, with_engine=engine is not None)


def _register_graph(calls: Calls, engine: Engine | None, graphs: Graphs) -> None:
    jobs = calls.jobs
    has_view = engine is None  # from the start; what follows from its key is called for that

    async def draw(
        data: dict[str, Any] | None, parts: Any, by: Any, kept: Any, unfolded: Any, room: Any
    ) -> tuple[Any, Any]:
        """The graph as the view says, and what else the page asks to be drawn.

        By effect it is drawn by flow at first, until the effects are measured.
        """
        if data is None:
            return no_update, no_update
        view = View.parse(data)
        said = {"parts": parts, "by": by, "kept": kept, "unfolded": unfolded, "room": room}
        look = Look.parse(said)
        index = await graphs.find_shown(view, look.kept)
        before = await find_before(view, graphs)

        def make(index: Index, look: Look) -> tuple[Any, Any]:
            drawn, made = elements.draw(index, view.opened, look, notes=view.notes)
            marked = mark_differences(made, index, before)
            return marked, {ids.NOTE: trees(note(index, drawn))}

        if look.by is By.EFFECT:
            if graphs.can_ask(view) and not is_measured(view, graphs):
                made, said = await jobs.tap(lambda: make(index, replace(look, by=By.FLOW)))
                set_props(ids.GRAPH, {"elements": made})
                set_props(ids.DRAWN_PANELS, {"data": said})
            index = await find_measured(view, index, look, graphs)
        return await jobs.tap(lambda: make(index, look))

    calls.add(
        draw,
        Output(ids.GRAPH, "elements"),
        Output(ids.DRAWN_PANELS, "data"),
        Input(ids.VIEW, "data"),
        *(
            Input(name, "data")
            for name in (ids.PARTS, ids.CHOSEN_BY, ids.KEPT, ids.UNFOLDED, ids.ROOM)
        ),
        first=has_view,
    )

    async def count(key: str | None, by: Any, data: dict[str, Any] | None) -> Any:
        """The numbers of parts that can be asked for, and what each leaves unexplained."""
        told = await graphs.find_told(key, data)
        if told is None:
            return no_update
        (view, index), look = told, Look.parse({"by": by})
        if look.by is By.EFFECT:
            index = await find_measured(view, index, look, graphs)
        return await jobs.tap(lambda: build_counts(index, elements.choose_by(index, look)))

    calls.add(
        count,
        Output(ids.COUNTS, "data"),
        Input(ids.KEY, "data"),
        Input(ids.CHOSEN_BY, "data"),
        State(ids.VIEW, "data"),
    )

    async def show_panels(key: str | None, data: dict[str, Any] | None) -> Any:
        """The panels beside a graph that stay while its blocks open and close."""
        told = await graphs.find_told(key, data)
        if told is None:
            return no_update
        view, index = told

        def build() -> dict[str, Any]:
            panels = build_graph_panels(index, clickable=engine is not None and not view.fixed)
            panels["panels"][ids.HTML_SIZE] = [f"about {size(estimate_bytes(index.flow))}"]
            if engine is not None:
                panels["abilities"] = abilities(engine.models(), index.flow.model.name)
            return panels

        return await jobs.tap(build)

    calls.add(
        show_panels,
        Output(ids.GRAPH_PANELS, "data"),
        Input(ids.KEY, "data"),
        State(ids.VIEW, "data"),
    )

    async def look_again(key: str | None, data: dict[str, Any] | None) -> Any:
        """What can be searched of a graph that a fetched block was added to, and of its parts."""
        told = await graphs.find_told(key, data)
        if told is None:
            return no_update
        view, index = told
        ranking = await graphs.answer(view, all_parts(view.request))
        return await jobs.tap(lambda: searchable(index, ranking))

    calls.add(
        look_again,
        Output(ids.SEARCHABLE, "data"),
        Input(ids.GROWN, "data"),
        State(ids.VIEW, "data"),
    )

    async def inspect(picked: str | None, tab: str | None, data: dict[str, Any] | None) -> Any:
        """The inspector for the picked node, or for the trace as a whole."""
        if data is None:
            return no_update
        view = View.parse(data)
        index = await graphs.find_shown(view, _ids(picked))
        build = await inspection(index, view, picked, tab, graphs)
        return await jobs.tap(lambda: {ids.INSPECTOR: trees(build())})

    calls.add(
        inspect,
        Output(ids.INSPECTOR_PANELS, "data"),
        Input(ids.PICKED, "data"),
        Input(ids.TAB, "data"),
        Input(ids.VIEW, "data"),
        first=has_view,
    )

    async def keep(asked: dict[str, Any] | None, data: dict[str, Any] | None) -> tuple[Any, Any]:
        """The graph as a file, with the blocks that were opened in it, or a figure to save.

        Nothing, where nothing is asked for: that ends what was asked for before.
        """
        if data is None or asked is None or asked.get("kept") is None:
            return no_update, no_update
        view = View.parse(data)
        index, look = await graphs.find_opened(view), Look.parse(asked["look"])
        if look.by is By.EFFECT and FORMATS[asked["kept"]].write is None:  # it is drawn
            index = await find_measured(view, index, look, graphs)
        if asked["kept"] in ("svg", "png"):
            scene = Scene(index, view, graphs, jobs)
            return no_update, await print_screen(Wanted.parse(asked), scene)
        format_ = FORMATS[asked["kept"]]
        with telling_page() as tell:
            return await jobs.file(lambda: download(format_, index, view, look, tell)), no_update

    calls.add(
        keep,
        Output(ids.DOWNLOAD, "data"),
        Output(ids.FIGURE, "data"),
        Input(ids.EXPORT, "data"),
        State(ids.VIEW, "data"),
    )


def _register_browser(app: Dash, *, with_engine: bool) -> None:
    """What the browser does by itself; the functions are in assets/bindings.js."""
    untyped: Any = app

    def browser(name: str, *dependencies: Output | Input | State, first: bool = False) -> None:
        """Have a script's function called with what changes; a fresh page's too if ``first``.

        The fewer the better, as ``Calls.add`` says.
        """
        untyped.clientside_callback(
            ClientsideFunction("visit", name), *dependencies, prevent_initial_call=not first
        )

    # What the server puts into a store of the state is held by the scripts.
    for name in TOLD:
        untyped.clientside_callback(
            ClientsideFunction("state", name), Input(name, "data"), prevent_initial_call=True
        )
    browser(
        "begin",
        Output(ids.ADDRESS, "data"),
        Input(ids.PAGE, "data"),
        State(ids.FORM, "data"),
        State(ids.FIXED_PANELS, "data"),
        first=True,
    )
    browser(
        "dress",
        Output(ids.GRAPH, "stylesheet"),
        Output(ids.SHADE, "data"),
        Output(ids.LOOK, "data"),
        Input(ids.STYLESHEETS, "data"),
        first=True,
    )
    # With a view the server says what is picked in it; a callback of its own would slow each tap.
    browser(
        "remember",
        Output(ids.KEY, "data"),
        Input(ids.VIEW, "data"),
        State(ids.PICKED, "data"),
        State(ids.FIXED_PANELS, "data"),
        first=True,
    )
    browser("choose", Input(ids.LENS, "clickData"))
    browser("choose", Input(ids.SANKEY, "clickData"))
    browser("changed", Input(ids.CHANGED, "data"))
    browser("fillCauses", Input(ids.CAUSES_PANELS, "data"))
    browser("weighed", Input(ids.WEIGHED, "data"))
    if with_engine:
        browser("goTo", Input(ids.AGREEMENT, "clickData"))
        browser("goTo", Input(ids.PATCHING, "clickData"))
        browser("keepSize", Input(ids.CIRCUIT, "clickData"))
        browser("goTo", Input(ids.CONSENSUS, "clickData"))
        browser("goTo", Input(ids.EXPLORE, "clickData"))
        browser("showContinuing", Input(ids.CONTINUE_PANELS, "data"))
    browser("lens", Input(ids.LENS, "figure"))
    browser("saveFigure", Input(ids.FIGURE, "data"))
    browser("showMaking", Input(ids.MAKING, "data"))
    browser("showGraphPanels", Input(ids.GRAPH_PANELS, "data"))
    browser("setCounts", Input(ids.COUNTS, "data"))
    browser("setRanking", Input(ids.RANKING, "data"))
    browser("setSearchable", Input(ids.SEARCHABLE, "data"))
    browser("showSettingProblems", Input(ids.SETTINGS_PROBLEMS, "data"))
    for store in (
        *(ids.DRAWN_PANELS, ids.INSPECTOR_PANELS),
        *(ids.AGREEMENT_PANELS, ids.PATCHING_PANELS, ids.CIRCUIT_PANELS, ids.CONSENSUS_PANELS),
        ids.EXPLORE_PANELS,
    ):
        browser("fill", Input(store, "data"))


def _ids(picked: str | None) -> list[NodeId]:
    return [NodeId.parse(picked)] if picked else []


async def inspection(
    index: Index, view: View, picked: str | None, tab: str | None, graphs: Graphs
) -> Callable[[], list[Component]]:
    """What builds one tab of the picked node's panel, with what the engine has to add to it."""
    node = None if not picked else await _node(NodeId.parse(picked), index, view, graphs)
    if node is None:
        return await _without_node(index, view, picked, graphs)
    tabs = tuple(Tab) if graphs.can_ask(view) else DOCUMENT_TABS
    shown = next((known for known in tabs if known == tab), Tab.WORDS)
    if shown in inspector.idle_tabs(node.id):
        shown = Tab.WORDS
    question = wants(shown, node.id, view.request)
    answer = None if question is None else await graphs.answer(view, question)
    noted = next((note for note in view.notes if note.node == node.id), None)
    return lambda: inspector.node_panel(index, node, shown, answer, noted, tabs)


async def _without_node(
    index: Index, view: View, picked: str | None, graphs: Graphs
) -> Callable[[], list[Component]]:
    """What builds the panel of a part that the graph does not hold; else of the whole trace."""
    if picked and NodeId.parse(picked).kind in SORTS:
        ranking = await graphs.answer(view, all_parts(view.request))
        parts = () if ranking is None else ranking.parts
        part = next((one for one in parts if str(one.id) == picked), None)
        if ranking is not None and part is not None:
            return partial(inspector.part_panel, index, part, ranking)
    return lambda: inspector.about(index, view.notes)


async def _node(node_id: NodeId, index: Index, view: View, graphs: Graphs) -> Node | None:
    """A node of the graph, or a residual off the route that the lens grid has."""
    if node_id in index.nodes or node_id.kind not in RESIDUALS:
        return index.nodes.get(node_id)
    read = await callbacks.lens_nodes(index, view, graphs)
    return next((node for node in read if node.id == node_id), None)

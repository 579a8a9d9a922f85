"""What happens when something is asked, tapped or moved.

The state is one small view in the browser: the graph's key, its request, and what is open. Taps
and buttons change it in the browser (``assets/app.js``); the server draws what it says. Callbacks
run over a websocket, each in a thread of this process, so that progress streams and a trace never
holds up a page.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dash import (
    ClientsideFunction,
    Dash,
    Input,
    Output,
    State,
    ctx,
    html,
    no_update,
    set_props,
)
from dash.development.base_component import Component

from visit.engine import Engine, Progress
from visit.errors import Cancelled, VisitError
from visit.flow import FlowGraph, NodeId, NodeKind, Request
from visit.text import visible
from visit.web import elements, ids, inspector
from visit.web.address import request_from_address
from visit.web.index import Index
from visit.web.keeping import Kept, download
from visit.web.picture import Picture, can_open
from visit.web.shelf import Jobs, Shelf
from visit.web.text import percent, token_from_typed
from visit.web.tree import Tree, trees
from visit.web.view import View

PROGRESS_EVERY = 0.05


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
    if engine is not None and default is not None:
        _register_trace(app, engine, shelf, default)
    _register_graph(app, engine, shelf)
    _register_browser(app)


def _register_trace(app: Dash, engine: Engine, shelf: Shelf, default: Request) -> None:
    jobs = Jobs()

    def trace(
        clicks: int | None,
        address: str | None,
        prompt: str | None,
        model: str | None,
        target: str | None,
        position: dict[str, Any] | None,
        page: str,
    ) -> tuple[Any, Any]:
        """Explain what the controls ask for, with progress; a problem is told in place."""
        job = jobs.start(page)
        show_problem(None)
        show_running(True)
        try:
            if clicks:
                opened: list[NodeId] = []
                request = replace(
                    default,
                    prompt=prompt or "",
                    model=(model or "").strip() or None,
                    target=token_from_typed(target),
                    position=position_in(prompt, position),
                )
            else:
                request, opened = request_from_address(address, default)
                show_request(request)
            flow = engine.explain(request, progress_to_page(job.is_set, page_is_gone))
            return View(shelf.put(flow), request, tuple(opened)).data(), None
        except Cancelled:
            return no_update, no_update
        except VisitError as problem:
            show_problem(str(problem))
            return no_update, no_update
        finally:
            if jobs.end(page, job):
                show_running(False)

    app.callback(
        Output(ids.VIEW, "data"),
        Output(ids.PICKED, "data"),
        Input(ids.TRACE, "n_clicks"),
        Input(ids.ADDRESS, "data"),
        State(ids.PROMPT, "value"),
        State(ids.MODEL, "value"),
        State(ids.TARGET, "value"),
        State(ids.POSITION, "data"),
        State(ids.PAGE, "data"),
        websocket=True,
    )(trace)

    def cancel(_clicks: int, page: str) -> None:
        jobs.cancel(page)

    app.callback(
        Input(ids.CANCEL, "n_clicks"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
        websocket=True,
    )(cancel)


def _register_graph(app: Dash, engine: Engine | None, shelf: Shelf) -> None:
    def draw(data: dict[str, Any] | None) -> tuple[Any, ...]:
        """The graph as the view says."""
        if data is None:
            return (no_update,) * 3
        try:
            view = View.parse(data)
            index = opened_index(view, engine, shelf)
        except VisitError as problem:
            show_problem(str(problem))
            return (no_update,) * 3
        drawn, made = elements.draw(index, view.opened)
        return made, note(index, drawn), not drawn.opened

    app.callback(
        Output(ids.GRAPH, "elements"),
        Output(ids.NOTE, "children"),
        Output(ids.CLOSE_ALL, "hidden"),
        Input(ids.VIEW, "data"),
        websocket=True,
    )(draw)

    def surround(key: str | None, data: dict[str, Any] | None) -> Any:
        """What stands around a graph and stays while its blocks open and close."""
        if key is None or data is None:
            return no_update
        index = held(View.parse(data), engine, shelf)
        if index is None:
            return no_update  # drawing says what is wrong
        return surroundings(index.flow, clickable=engine is not None)

    app.callback(
        Output(ids.SURROUNDINGS, "data"),
        Input(ids.KEY, "data"),
        State(ids.VIEW, "data"),
        websocket=True,
    )(surround)

    def inspect(picked: str | None, data: dict[str, Any] | None) -> Any:
        """The inspector for the picked node, or for the trace as a whole."""
        if data is None:
            return no_update
        try:
            index = opened_index(View.parse(data), engine, shelf)
        except VisitError:
            return no_update  # drawing says what is wrong
        node = index.nodes.get(NodeId.parse(picked)) if picked else None
        panel = inspector.about(index) if node is None else inspector.node_panel(index, node)
        return {ids.INSPECTOR: trees(panel)}

    app.callback(
        Output(ids.INSPECTION, "data"),
        Input(ids.PICKED, "data"),
        Input(ids.VIEW, "data"),
        websocket=True,
    )(inspect)

    def keep(asked: dict[str, Any] | None, data: dict[str, Any] | None) -> Any:
        """The graph as a file, with the blocks that were opened in it."""
        if data is None or asked is None:
            return no_update
        view = View.parse(data)
        try:
            index = opened_index(view, engine, shelf)
        except VisitError as problem:
            show_problem(str(problem))
            return no_update
        kept, level = Kept(asked["kept"]), float(asked["level"])
        return download(kept, index, view, theme=asked["theme"], level=level)

    app.callback(
        Output(ids.DOWNLOAD, "data"),
        Input(ids.EXPORT, "data"),
        State(ids.VIEW, "data"),
        prevent_initial_call=True,
        websocket=True,
    )(keep)


def _register_browser(app: Dash) -> None:
    """What the browser does by itself; the functions are in assets/app.js."""

    def browser(name: str, *dependencies: Output | Input | State) -> None:
        untyped: Any = app
        untyped.clientside_callback(ClientsideFunction("visit", name), *dependencies)

    browser(
        "dress",
        Output(ids.GRAPH, "stylesheet"),
        Input(ids.THEME, "data"),
        Input(ids.COLOURING, "value"),
        State(ids.STYLESHEETS, "data"),
    )
    browser("address", Output(ids.ADDRESS, "data"), Input(ids.PAGE, "data"))
    browser("remember", Output(ids.KEY, "data"), Input(ids.VIEW, "data"))
    browser("mark", Input(ids.PICKED, "data"))
    browser("fill", Input(ids.FURNITURE, "data"))
    browser("fill", Input(ids.SURROUNDINGS, "data"))
    browser("fill", Input(ids.INSPECTION, "data"))


def held(view: View, engine: Engine | None, shelf: Shelf) -> Index | None:
    """The view's graph; one that fell off the shelf is made again from its request, once."""
    index = shelf.get(view.key)
    if index is None and engine is not None:
        with shelf.making(view.key):
            if shelf.get(view.key) is None:
                shelf.put(engine.explain(view.request), view.key)
            index = shelf.get(view.key)
    return index


def opened_index(view: View, engine: Engine | None, shelf: Shelf) -> Index:
    """The view's graph, with every opened block in it.

    Raises:
        VisitError: a block cannot be opened, or the graph is gone.
    """
    index = held(view, engine, shelf)
    if index is None:
        raise VisitError("this graph is no longer held by the server; open the document again")
    for node_id in view.opened:
        if engine is not None and _lacks(index, node_id):
            index = _with_block(index, node_id, view, engine, shelf)
    return index


def _lacks(index: Index, node_id: NodeId) -> bool:
    """Whether a block is open that the graph does not hold yet."""
    return node_id.kind in (NodeKind.ATTN, NodeKind.MLP) and not can_open(index, node_id)


def _with_block(index: Index, node_id: NodeId, view: View, engine: Engine, shelf: Shelf) -> Index:
    """The graph with a block fetched into it: once, however many callbacks wait for it."""
    with shelf.making(view.key):
        index = shelf.get(view.key) or index
        if _lacks(index, node_id) and node_id.layer is not None:
            block = engine.open(node_id.layer, node_id.position, view.request)
            index = shelf.add(view.key, block) or index
    return index


def position_in(prompt: str | None, chosen: dict[str, Any] | None) -> int | None:
    """The position that was chosen among a prompt's tokens; the last one of any other prompt."""
    if chosen is None or chosen.get("prompt") != prompt:
        return None
    return int(chosen["position"])


def note(index: Index, drawn: Picture) -> list[Component]:
    """What the picture does not show, in numbers."""
    said: list[Component] = [
        html.Span(
            f"unexplained {percent(index.unexplained)}",
            title="The part of the traced residual that what is drawn does not explain: it comes "
            "from positions and parts that are folded into rests",
        )
    ]
    if drawn.left_out:
        said.append(
            html.Span(
                f"{drawn.left_out} edges left out",
                title="To keep the graph quick. Each carries less than "
                f"{percent(drawn.left_out_above)} of the traced residual",
            )
        )
    return said


def surroundings(flow: FlowGraph, *, clickable: bool) -> dict[str, list[Tree]]:
    """The tokens, the predictions, and the targets to choose from, by the part they fill."""
    around = {
        ids.TOKENS: inspector.tokens(flow, clickable=clickable),
        ids.PREDICTIONS: inspector.predictions(flow, clickable=clickable),
        ids.TARGET_CHOICES: target_options(flow) if clickable else [],
    }
    return {name: trees(parts) for name, parts in around.items()}


def target_options(flow: FlowGraph) -> list[Component]:
    """The ten predictions, as the target picker offers them."""
    return [
        html.Option(value=visible(p.text), label=f"{visible(p.text)}  {percent(p.prob)}")
        for p in flow.predictions
    ]


def page_is_gone() -> bool:
    """Whether the page that asked was closed in the meantime."""
    return ctx.websocket is not None and ctx.websocket.is_shutdown


def progress_to_page(is_cancelled: Callable[[], bool], is_gone: Callable[[], bool]) -> Progress:
    """A progress callable that moves the page's bar, and stops work nobody waits for."""
    shown_at = 0.0

    def progress(stage: str, part: float) -> None:
        nonlocal shown_at
        if is_cancelled() or is_gone():
            raise Cancelled("the trace was cancelled")
        now = time.monotonic()
        if now - shown_at >= PROGRESS_EVERY:
            shown_at = now
            set_props(ids.STAGE, {"children": stage})
            set_props(ids.PROGRESS, {"value": f"{part:.3f}"})

    return progress


def show_running(running: bool) -> None:
    """Put the controls in the state of a trace under way, or back."""
    set_props(ids.TRACE, {"disabled": running})
    set_props(ids.CANCEL, {"hidden": not running})
    set_props(ids.PROGRESS, {"hidden": not running, "value": "0"})
    set_props(ids.STAGE, {"children": ""})


def show_request(request: Request) -> None:
    """Put a request that came from the address into the controls."""
    set_props(ids.PROMPT, {"value": request.prompt})
    if request.model is not None:
        set_props(ids.MODEL, {"value": request.model})
    set_props(ids.TARGET, {"value": "" if request.target is None else visible(request.target)})


def show_problem(text: str | None) -> None:
    """Say what is wrong, in place and in words; ``None`` takes it back."""
    set_props(ids.PROBLEM, {"children": text or "", "hidden": text is None})

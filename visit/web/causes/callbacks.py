"""What happens when a part is measured, left out, patched, or held against its prediction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dash import Input, Output, State, no_update, set_props

from visit.engine.protocol import Engine
from visit.engine.questions import Explain, Measure, SplitScore
from visit.errors import RequestError, VisitError
from visit.graph.flow import FlowGraph, NodeId
from visit.graph.index import Index
from visit.graph.interventions import NEED_REFERENCE, How, Intervention, Site, Way
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.web import ids
from visit.web.attending.why import COUNT, why_there
from visit.web.causes.asking import plain, under_way
from visit.web.causes.controls import RESULT, WAYS
from visit.web.causes.pane_callbacks import register_circuit, register_pane
from visit.web.causes.sites import site_from_text, site_of
from visit.web.causes.without import cannot, measured, say_change, say_together, sources
from visit.web.comparing.compared import register_comparing, say_difference
from visit.web.consensus.callbacks import register_consensus
from visit.web.inspector.needs import Tab
from visit.web.server.calls import Calls
from visit.web.server.tracing import progress_to_page
from visit.web.state.graphs import Graphs
from visit.web.state.jobs import ask
from visit.web.state.shelf import Shelf
from visit.web.state.view import View
from visit.web.trees import trees

MOST_SOURCES = 24
"""A head's sources are knocked out one by one in a prompt of so many tokens at most."""


def register_causes(
    calls: Calls, engine: Engine, graphs: Graphs, shelf: Shelf, default: Request
) -> None:
    """Add the callbacks of the tab, the tray and the pane.

    Args:
        calls: Adds them to an app.
        engine: What measures.
        graphs: Finds the graphs of views.
        shelf: Where graphs are kept.
        default: What the server draws where nothing else is asked for.
    """
    _register_without(calls, graphs)
    _register_what_if(calls, engine, graphs, shelf, default)
    register_comparing(calls, engine, graphs, shelf, default)
    register_pane(calls, graphs)
    register_circuit(calls, graphs)
    register_consensus(calls, graphs)


# ------------------------------------------------------------------ without one part


def _register_without(calls: Calls, graphs: Graphs) -> None:
    async def without(
        picked: str | None,
        tab: str | None,
        how: str | None,
        second: str | None,
        chosen: str | None,
        _key: str | None,
        data: dict[str, Any] | None,
    ) -> Any:
        """What the model would say without the picked part, while its tab is shown."""
        if data is None or picked is None or tab != Tab.CAUSES:
            return no_update
        view = View.parse(data)
        index = await graphs.find(view)
        if index is None or not graphs.can_ask(view):
            return no_update
        node_id = NodeId.parse(picked)
        site = _source_of(node_id, chosen) or site_of(node_id, index.flow.position)
        made = await _measure_site(site, how, second, view, index.flow, graphs)
        if made and site is not None and site.kind is NodeKind.HEAD and site.source is None:
            # The head itself is shown while its sources are measured.
            set_props(ids.CAUSES_PANELS, {"data": _panels(picked, made)})
            made = made + await _measure_sources(site, view, index.flow, graphs)
        elif site is not None and site.source is not None:
            # What is measured is shown while the score is taken apart.
            set_props(ids.CAUSES_PANELS, {"data": _panels(picked, made)})
            made = made + await _say_why(site, view, index, graphs)
        return _panels(picked, made)

    calls.add(
        without,
        Output(ids.CAUSES_PANELS, "data"),
        Input(ids.PICKED, "data"),
        Input(ids.TAB, "data"),
        Input(ids.HOW, "data"),
        Input(ids.SECOND, "data"),
        Input(ids.SITE, "data"),
        Input(ids.KEY, "data"),
        State(ids.VIEW, "data"),
    )


def _panels(picked: str, made: list[Any]) -> dict[str, Any]:
    return {"of": picked, "panels": {RESULT: trees(made)}}


async def _measure_site(
    site: Site | None,
    how: str | None,
    second: str | None,
    view: View,
    flow: FlowGraph,
    graphs: Graphs,
) -> list[Any]:
    """What one site causes, or why that cannot be measured."""
    if site is None:
        return cannot("Nothing can be changed here. Pick a head, an MLP or a memory.")
    try:
        effects = await graphs.answer(view, ask_without(view.request, site, how, second))
    except VisitError as problem:
        return cannot(str(problem))
    assert effects is not None
    made: list[Any] = measured(effects, flow, site)
    if view.request.interventions:
        made += cannot("Measured in the plain pass, in which nothing else is off.")
    return made


def _source_of(node_id: NodeId, chosen: str | None) -> Site | None:
    """The source of the picked node's head that was chosen in its pattern, if one was."""
    site = site_from_text(chosen)
    if site is None or site.source is None:
        return None
    is_same = (site.layer, site.number) == (node_id.layer, node_id.head)
    return site if is_same else None


async def _measure_sources(site: Site, view: View, flow: FlowGraph, graphs: Graphs) -> list[Any]:
    reader = site.position
    if not reader or reader >= MOST_SOURCES:  # the first position reads itself alone
        return []
    parts = tuple(str(replace(site, source=source)) for source in range(reader + 1))
    question = Measure(plain(view.request), parts, how=str(Way.KNOCKOUT))
    effects = await graphs.answer(view, question)
    return [] if effects is None else sources(effects, flow)


async def _say_why(site: Site, view: View, index: Index, graphs: Graphs) -> list[Any]:
    """Why the head looks at the source, in the pass that is shown, or why that is not known."""
    question = SplitScore(view.request, str(site.node), site.source, COUNT)
    try:
        scores = await graphs.answer(view, question)
    except VisitError as problem:
        return cannot(str(problem))
    return [] if scores is None else why_there(scores, index)


def ask_without(request: Request, site: Site, how: str | None, second: str | None) -> Measure:
    """The question what one site causes; a source is knocked out where zero is chosen.

    Raises:
        RequestError: the way needs a second prompt, and there is none.
    """
    way = next((known for known in WAYS if known == how), Way.ZERO)
    if way is Way.ZERO and site.source is not None:
        way = Way.KNOCKOUT
    return Measure(plain(request), (str(site),), how=str(way), reference=_reference(way, second))


def _reference(way: Way, second: str | None) -> tuple[str, ...]:
    if way not in NEED_REFERENCE:
        return ()
    if not second:
        raise RequestError(f"{way} takes its values from a second prompt; type one above")
    return (second,)


# ------------------------------------------------------------------ without several


async def find_before(view: View, graphs: Graphs) -> FlowGraph | None:
    """What a view's graph is held against: the plain pass, or another prompt's; or nothing."""
    return await find_plain(view, graphs) or graphs.find_beside(view)


async def find_plain(view: View, graphs: Graphs) -> FlowGraph | None:
    """The plain pass's graph of a view of a changed one; ``None`` of a plain view."""
    if not view.request.interventions:
        return None
    return await graphs.answer(view, Explain(plain(view.request)))


def _register_what_if(
    calls: Calls, engine: Engine, graphs: Graphs, shelf: Shelf, default: Request
) -> None:
    # Named as the other trace is: a page has one under way, which Cancel ends.
    async def trace(asked: dict[str, Any] | None, data: dict[str, Any] | None) -> Any:
        """Explain the pass without the collected sites, as a graph of its own."""
        if asked is None or data is None:
            return no_update
        view = View.parse(data)
        async with under_way():
            before = await find_plain(view, graphs)
            if before is None:
                index = await graphs.find(view)
                before = None if index is None else index.flow
            request = replace(view.request, interventions=_texts(asked))
            graphs.check(request)
            question = Explain(request, weights=view.weights)
            flow = await ask(engine, question, progress_to_page())
            key = await calls.jobs.tap(lambda: shelf.put(flow))
            if before is not None and request.interventions:
                kept = Explain(plain(request), weights=view.weights)
                shelf.keep_answer(key, kept, before)
        return replace(view, key=key, request=request).data(default)

    calls.add(
        trace,
        Output(ids.VIEW, "data", allow_duplicate=True),
        Input(ids.RUN, "data"),
        State(ids.VIEW, "data"),
        cancels=True,
    )

    async def weigh(asked: dict[str, Any] | None, data: dict[str, Any] | None) -> Any:
        """What the collected sites change together, measured and not drawn."""
        if asked is None or data is None:
            return no_update
        view = View.parse(data)
        index = await graphs.find(view)
        if index is None:
            return no_update
        way = How.parse(str(asked.get("how"))).way
        async with under_way():
            question = Measure(
                plain(view.request),
                tuple(str(one.site) for one in map(Intervention.parse, _texts(asked))),
                how=str(way),
                reference=_reference(way, asked.get("second")),
                together=True,
            )
            effects = await graphs.answer(view, question, progress_to_page())
        assert effects is not None
        return {ids.WHAT_IF_SAID: trees(say_together(effects, index.flow))}

    calls.add(
        weigh,
        Output(ids.WEIGHED, "data"),
        Input(ids.WEIGH, "data"),
        State(ids.VIEW, "data"),
        cancels=True,
    )

    async def say(key: str | None, data: dict[str, Any] | None) -> Any:
        """What is off in the pass that is shown, and what it predicts against the plain one."""
        if key is None or data is None:
            return no_update
        view = View.parse(data)
        before, index = await find_plain(view, graphs), await graphs.find(view)
        said: list[Any] = []
        if before is not None and index is not None:
            now, best = index.flow, index.flow.predictions[0]
            change = now.metric.value - before.metric.value
            said = say_change(
                before, (before.target.prob, now.target.prob), (before.metric.value, change),
                (best.text, best.prob),
            )  # fmt: skip
        beside = graphs.find_beside(view)
        if beside is not None and index is not None:
            said = await calls.jobs.tap(lambda: say_difference(beside, index.flow))
        sites = [str(Intervention.parse(text)) for text in view.request.interventions]
        return {
            "off": sites,
            "compared": beside is not None,
            "panels": {ids.WHAT_IF_SAID: trees(said)},
        }

    calls.add(say, Output(ids.CHANGED, "data"), Input(ids.KEY, "data"), State(ids.VIEW, "data"))


def _texts(asked: dict[str, Any]) -> tuple[str, ...]:
    sites = asked.get("sites")
    if not isinstance(sites, list) or not all(isinstance(one, str) for one in sites):
        raise ValueError("a run without no list of sites")
    return tuple(sites)

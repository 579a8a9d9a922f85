"""Another prompt, target or model held against what is shown: asked for, and said in the tray."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from dash import Input, Output, State, html, no_update
from dash.development.base_component import Component

from visit.engine.comparing import Both, steps_to_compare
from visit.engine.protocol import Engine
from visit.engine.questions import Explain
from visit.graph.alignment import AlignedBy
from visit.graph.compare import Difference, Held, NodeDifference, at_column, compare
from visit.graph.flow import FlowGraph
from visit.graph.request import Request
from visit.text import one_line, shorten
from visit.web import ids
from visit.web.causes.asking import plain, under_way
from visit.web.comparing.others import Other, ask_other, find_other
from visit.web.parts import data, term, word
from visit.web.server.calls import Calls
from visit.web.server.tracing import progress_to_page
from visit.web.state.graphs import Graphs
from visit.web.state.jobs import ask
from visit.web.state.shelf import Shelf
from visit.web.state.view import View
from visit.web.words import model_title, name_part, percent, signed

_ROWS = 12
_LONGEST_PROMPT = 60
_HELD = {Held.FIRST: "only there", Held.SECOND: "only here"}
_HEAD = (
    "part", "at", "flow there", "here", "Δ flow", "Δ direct", "Δ effect", "promotes there", "here",
)  # fmt: skip


def register_comparing(
    calls: Calls, engine: Engine, graphs: Graphs, shelf: Shelf, default: Request
) -> None:
    """Add the callback that explains another and holds it against what is shown.

    Args:
        calls: Adds it to an app.
        engine: What explains.
        graphs: What checks what is asked.
        shelf: Where graphs are kept.
        default: What the server draws where nothing else is asked for.
    """

    async def hold_against(asked: dict[str, Any] | None, data: dict[str, Any] | None) -> Any:
        """The other's graph, with the same parts, as a graph of its own."""
        if asked is None or data is None:
            return no_update
        view = View.parse(data)
        first = plain(view.request)
        request = ask_other(first, asked)
        graphs.check(request)
        weights = view.weights if request.model == first.model else None
        async with under_way():
            one, other = Explain(first, weights=view.weights), Explain(request, weights=weights)
            before, flow = await _take(engine, steps_to_compare(one, other))
            key = await calls.jobs.tap(lambda: shelf.put(flow))
            shelf.keep_beside(key, before)
        request = replace(request, model=flow.model.name)
        return View(key, request, weights=flow.model.weights_sha256).data(default)

    calls.add(
        hold_against,
        Output(ids.VIEW, "data", allow_duplicate=True),
        Input(ids.COMPARE, "data"),
        State(ids.VIEW, "data"),
        cancels=True,
    )


async def _take(engine: Engine, steps: Generator[Explain, FlowGraph, Both]) -> Both:
    """Ask step by step, and give both graphs."""
    question = next(steps)
    while True:
        answer = await ask(engine, question, progress_to_page())
        try:
            question = steps.send(answer)
        except StopIteration as ended:
            both: Both = ended.value
            return both


def say_difference(before: FlowGraph, shown: FlowGraph) -> list[Component]:
    """Both answers in a line, and a table that opens.

    Args:
        before: What is compared with.
        shown: What is shown.
    """
    difference = compare(before, shown)
    said: list[Any] = [*_against(before, shown), ": "]
    for words, side in (("there ", difference.first), (", here ", difference.second)):
        said += [words, word(side.target.text), f" {percent(side.target.prob)}, "]
        said += [term("metric"), f" {signed(side.metric.value)}"]
    if difference.alignment.by is AlignedBy.COMMON_SEQUENCE:
        said.append("; tokens along their longest common sequence")
    return [html.Span(said), _table(difference)]


def _against(before: FlowGraph, shown: FlowGraph) -> list[Any]:
    """What the shown graph is held against, where the answers do not say it themselves."""
    match find_other(before, shown):
        case Other.PROMPT:
            prompt = shorten(one_line(before.request.prompt), _LONGEST_PROMPT)
            return ["against ", html.Q(prompt)]
        case Other.MODEL:
            return ["against ", html.B(model_title(before.model.name))]
        case Other.TARGET:
            return ["against another target"]


def _table(difference: Difference) -> Component:
    parts = difference.parts()
    rows = [_row(difference, one) for one in parts[:_ROWS]]
    table = html.Table(
        [html.Thead(html.Tr([html.Th(name) for name in _HEAD])), html.Tbody(rows)],
        className="differences",
    )
    said = f"The {len(rows)} of {len(parts)} parts that differ most by flow"
    return html.Details([html.Summary(said), table], className="differing")


def _row(difference: Difference, one: NodeDifference) -> Component:
    sides = (one.first, one.second)
    there, here = (None if side is None else side.flow for side in sides)
    cells: list[Any] = [
        _name(difference, one),
        _token(difference, one),
        _number(there),
        _number(here),
        html.B(_number(one.difference("flow")) if one.held is Held.BOTH else _HELD[one.held]),
        *(_number(one.difference(measure)) for measure in ("direct_logit", "effect")),
        *("—" if side is None or side.word is None else word(side.word) for side in sides),
    ]
    return html.Tr([html.Td(cell) for cell in cells])


def _name(difference: Difference, one: NodeDifference) -> Any:
    """A part's name; where the shown graph can hold it, a button that goes to it."""
    position = difference.alignment.columns[one.id.position].second
    if position is None:
        return name_part(one.id)
    node = at_column(one.id, {one.id.position: position})
    return html.Button(name_part(one.id), className="quiet", **data(node=str(node)))


def _token(difference: Difference, one: NodeDifference) -> Any:
    """The token that a part is at: both, where they differ."""
    column = difference.alignment.columns[one.id.position]
    pairs = ((difference.first, column.first), (difference.second, column.second))
    texts = dict.fromkeys(side.tokens[at].text for side, at in pairs if at is not None)
    found: list[Any] = []
    for text in texts:
        found += [" ⇢ ", word(text)] if found else [word(text)]
    return html.Span(found)


def _number(value: float | None) -> str:
    return "—" if value is None else signed(value)

"""What happens when the page asks what holds over many prompts."""

from __future__ import annotations

from typing import Any

from dash import Input, Output, State, no_update

from visit.errors import VisitError
from visit.web import ids
from visit.web.causes.asking import under_way
from visit.web.causes.without import cannot
from visit.web.consensus.asking import ask_consensus, measure_from, with_unread
from visit.web.consensus.figure import consensus_figure
from visit.web.consensus.listed import list_parts, say_consensus
from visit.web.plots.plotly import EMPTY
from visit.web.server.calls import Calls
from visit.web.server.tracing import progress_to_page
from visit.web.state.graphs import Graphs
from visit.web.theme import read_theme
from visit.web.trees import trees


def register_consensus(calls: Calls, graphs: Graphs) -> None:
    """Add the callback that runs many prompts when the page asks for it."""

    async def read_many(
        asked: dict[str, Any] | None, key: str | None, shade: str | None,
        look: dict[str, Any] | None, data: dict[str, Any] | None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """What holds over the prompts that were typed, read by the shown graph's model."""
        told = await graphs.find_told(key, data) if asked else None
        if told is None or asked is None:
            return no_update, no_update
        view, index = told
        if asked.get("of") != view.key:  # asked beside the graph before
            return EMPTY, {ids.CONSENSUS_SAID: [], ids.CONSENSUS_PARTS: []}
        by = measure_from(asked.get("by"))
        try:
            question, unread = ask_consensus(view.request, asked)
            graphs.check_prompts(question)
            async with under_way():
                answer = await graphs.answer(view, question, progress_to_page())
        except VisitError as problem:
            said = trees(cannot(str(problem)))
            return EMPTY, {ids.CONSENSUS_SAID: said, ids.CONSENSUS_PARTS: []}
        if answer is None:
            return no_update, {ids.CONSENSUS_SAID: trees(cannot(_FROM_A_DOCUMENT))}
        consensus, theme = with_unread(answer, unread), read_theme(shade, look)
        figure = await calls.jobs.tap(lambda: consensus_figure(consensus, index.flow, by, theme))
        return figure, {
            ids.CONSENSUS_SAID: trees(say_consensus(consensus)),
            ids.CONSENSUS_PARTS: trees(list_parts(consensus, index.flow, by)),
        }

    calls.add(
        read_many,
        Output(ids.CONSENSUS, "figure"),
        Output(ids.CONSENSUS_PANELS, "data"),
        Input(ids.MANY, "data"),
        Input(ids.KEY, "data"),
        Input(ids.SHADE, "data"),
        Input(ids.LOOK, "data"),
        State(ids.VIEW, "data"),
        cancels=True,
    )


_FROM_A_DOCUMENT = "This graph came from a document; trace its prompt to run others beside it."

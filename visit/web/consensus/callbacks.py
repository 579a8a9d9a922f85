"""What happens when the page asks what holds over many prompts."""

from __future__ import annotations

from typing import Any

from dash import Input, Output, State, no_update

from visit.graph.consensus import Consensus
from visit.web import ids
from visit.web.causes.asking import ask_or_say
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
        by, wanted = measure_from(asked.get("by")), asked

        async def ask() -> Consensus | None:
            question, unread = ask_consensus(view.request, wanted)
            graphs.check_prompts(question)
            answer = await graphs.answer(view, question, progress_to_page())
            return None if answer is None else with_unread(answer, unread)

        consensus, problem = await ask_or_say(
            ask, ids.CONSENSUS_SAID, "run others beside it", (ids.CONSENSUS_PARTS,)
        )
        if consensus is None:
            return EMPTY, problem
        theme = read_theme(shade, look)
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

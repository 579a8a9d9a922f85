"""The pane's figures: agreement, patching and the circuit, each drawn when it is measured."""

from __future__ import annotations

from typing import Any

from dash import Input, Output, State, no_update

from visit.graph.circuit import Circuit
from visit.graph.effects import Effects
from visit.graph.flow import FlowGraph
from visit.web import ids
from visit.web.causes.agreement import agreement_figure, prediction_from, say_agreement
from visit.web.causes.asking import ask_or_say, measure_parts, patch_from
from visit.web.causes.circuit import ask_circuit, circuit_figure, list_parts, say_circuit
from visit.web.causes.patching import patching_figure, say_patching
from visit.web.causes.without import cannot
from visit.web.plots.plotly import EMPTY
from visit.web.server.calls import Calls
from visit.web.server.tracing import progress_to_page
from visit.web.state.graphs import Graphs
from visit.web.theme import read_theme
from visit.web.trees import trees


def register_pane(calls: Calls, graphs: Graphs) -> None:
    """Add the callbacks that draw the pane, while it is shown."""

    async def agree(
        key: str | None, pane: dict[str, Any] | None, shade: str | None, predicted: str | None,
        look: dict[str, Any] | None, data: dict[str, Any] | None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Predicted against measured, while the pane is shown."""
        told = await graphs.find_told(key, data) if _is_shown(pane) else None
        if told is None:
            return no_update, no_update
        view, index = told
        effects, problem = await ask_or_say(
            lambda: measure_parts(view, graphs), ids.AGREEMENT_SAID, _TO_DO
        )
        if effects is None:
            return EMPTY, problem
        by = prediction_from(predicted)
        theme = read_theme(shade, look)
        figure = await calls.jobs.tap(lambda: agreement_figure(effects, index.flow, by, theme))
        return figure, {ids.AGREEMENT_SAID: trees(say_agreement(effects, by))}

    calls.add(
        agree,
        Output(ids.AGREEMENT, "figure"),
        Output(ids.AGREEMENT_PANELS, "data"),
        Input(ids.KEY, "data"),
        Input(ids.PANE, "data"),
        Input(ids.SHADE, "data"),
        Input(ids.PREDICTED, "data"),
        Input(ids.LOOK, "data"),
        State(ids.VIEW, "data"),
        cancels=True,
    )

    async def patch(
        key: str | None, pane: dict[str, Any] | None, shade: str | None, second: str | None,
        look: dict[str, Any] | None, data: dict[str, Any] | None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """The second prompt's values in this pass, everywhere, while the pane is shown."""
        told = await graphs.find_told(key, data) if _is_shown(pane) else None
        if told is None:
            return no_update, no_update
        view, index = told
        if not second and graphs.can_ask(view):
            return no_update, {ids.PATCHING_SAID: trees(cannot(_NO_SECOND))}

        async def ask() -> tuple[FlowGraph, Effects, Effects] | None:
            is_live = graphs.can_ask(view)
            return await patch_from(view, second or "", index.flow, graphs) if is_live else None

        found, problem = await ask_or_say(ask, ids.PATCHING_SAID, _TO_DO)
        if found is None:
            return EMPTY, problem
        (other, residuals, heads), theme = found, read_theme(shade, look)
        figure = await calls.jobs.tap(
            lambda: patching_figure(residuals, heads, index.flow, other, theme)
        )
        said_trees = trees(say_patching(residuals, index.flow, other))
        return figure, {ids.PATCHING_SAID: said_trees}

    calls.add(
        patch,
        Output(ids.PATCHING, "figure"),
        Output(ids.PATCHING_PANELS, "data"),
        Input(ids.KEY, "data"),
        Input(ids.PANE, "data"),
        Input(ids.SHADE, "data"),
        Input(ids.SECOND, "data"),
        Input(ids.LOOK, "data"),
        State(ids.VIEW, "data"),
        cancels=True,
    )


def register_circuit(calls: Calls, graphs: Graphs) -> None:
    """Add the callback that finds a circuit when the page asks for one."""

    async def keep_only(
        asked: dict[str, Any] | None, key: str | None, shade: str | None,
        look: dict[str, Any] | None, data: dict[str, Any] | None,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Only the strongest parts, or those collected, kept and all others ablated."""
        told = await graphs.find_told(key, data) if asked else None
        if told is None or asked is None:
            return no_update, no_update
        view, index = told
        if asked.get("of") != view.key:  # asked of the graph before
            return EMPTY, {ids.CIRCUIT_SAID: [], ids.CIRCUIT_PARTS: []}
        wanted = asked

        async def ask() -> Circuit | None:
            question = ask_circuit(index.flow, view.request, wanted)
            return await graphs.answer(view, question, progress_to_page())

        circuit, problem = await ask_or_say(ask, ids.CIRCUIT_SAID, _TO_DO, (ids.CIRCUIT_PARTS,))
        if circuit is None:
            return EMPTY, problem
        theme = read_theme(shade, look)
        figure = await calls.jobs.tap(lambda: circuit_figure(circuit, theme))
        return figure, {
            ids.CIRCUIT_SAID: trees(say_circuit(circuit)),
            ids.CIRCUIT_PARTS: trees(list_parts(circuit, index.flow)),
        }

    calls.add(
        keep_only,
        Output(ids.CIRCUIT, "figure"),
        Output(ids.CIRCUIT_PANELS, "data"),
        Input(ids.KEEP_ONLY, "data"),
        Input(ids.KEY, "data"),
        Input(ids.SHADE, "data"),
        Input(ids.LOOK, "data"),
        State(ids.VIEW, "data"),
        cancels=True,
    )


def _is_shown(pane: dict[str, Any] | None) -> bool:
    return pane is not None and pane.get("name") == "causes"


_TO_DO = "measure what parts cause"
_NO_SECOND = (
    "Type a prompt of as many tokens that differs in one word, like another country's name, and "
    "press Enter."
)

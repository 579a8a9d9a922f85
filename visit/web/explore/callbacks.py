"""What happens in the pane: it is drawn while it is shown, and its numbers are kept as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import Input, Output, State, no_update, set_props

from visit.formats.explored import csv_from_explored, json_from_explored
from visit.graph.explored.answer import Explored
from visit.web import ids
from visit.web.causes.asking import ask_or_say
from visit.web.explore.asking import ask_explorable, chosen_of, explorable_from
from visit.web.explore.said import say_explored, say_marks
from visit.web.explore.tables import list_tables
from visit.web.explore.view import Shown
from visit.web.explore.views import VIEWS
from visit.web.exports.downloads import file_from_texts
from visit.web.plots.plotly import EMPTY, Figure
from visit.web.server.calls import Calls
from visit.web.server.tracing import progress_to_page
from visit.web.state.graphs import Graphs
from visit.web.state.view import View
from visit.web.theme import read_theme
from visit.web.trees import Tree, trees
from visit.web.words import file_name

_NAV = 232
"""What the list and the margins take of the canvas's width, in px."""
_LEAST_WIDTH = 480


def register_explore(calls: Calls, graphs: Graphs) -> None:
    """Add the callbacks of the pane."""

    async def explore(
        key: str | None, pane: dict[str, Any] | None, chosen: dict[str, Any] | None,
        shade: str | None, look: dict[str, Any] | None, data: dict[str, Any] | None, room: Any,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        """What is explored, while the pane is shown."""
        told = await graphs.find_told(key, data) if _is_shown(pane) else None
        if told is None or pane is None:
            return no_update, no_update, no_update
        view, _ = told
        shown = pane

        async def ask() -> Explored | None:
            return await _answer(shown, chosen, view, graphs)

        answer, problem = await ask_or_say(
            ask, ids.EXPLORE_SAID, "explore its pass", (ids.EXPLORE_ABOVE, ids.EXPLORE_TABLES)
        )
        if answer is None:
            return EMPTY, problem, {"height": "0px"}
        asked = explorable_from(pane)
        drawn, own = VIEWS[asked.name], chosen_of(asked, chosen)
        width = room[0] if isinstance(room, list) and room else 0
        width = max(int(width or 0) - _NAV, _LEAST_WIDTH)
        seen = Shown(answer, own, read_theme(shade, look), width)

        def make() -> tuple[Figure, dict[str, list[Tree]]]:
            above = [] if drawn.above is None else drawn.above(seen)
            return drawn.draw(seen), {
                ids.EXPLORE_SAID: trees(say_explored(answer)),
                ids.EXPLORE_ABOVE: trees(above),
                ids.EXPLORE_TABLES: trees([*say_marks(drawn), *list_tables(answer)]),
            }

        figure, panels = await calls.jobs.tap(make)
        height = figure["layout"].pop("height")
        return figure, panels, {"height": f"{height}px"}

    calls.add(
        explore,
        Output(ids.EXPLORE, "figure"),
        Output(ids.EXPLORE_PANELS, "data"),
        Output(ids.EXPLORE_SHEET, "style"),
        Input(ids.KEY, "data"),
        Input(ids.PANE, "data"),
        Input(ids.EXPLORED_BY, "data"),
        Input(ids.SHADE, "data"),
        Input(ids.LOOK, "data"),
        State(ids.VIEW, "data"),
        State(ids.ROOM, "data"),
        cancels=True,
    )

    async def save_explored(
        asked: dict[str, Any] | None, pane: dict[str, Any] | None, chosen: dict[str, Any] | None,
        key: str | None, data: dict[str, Any] | None,
    ) -> None:  # fmt: skip
        """The numbers of what is explored, as a file for the browser to keep."""
        told = await graphs.find_told(key, data) if asked else None
        if told is None or asked is None or pane is None:
            return
        answer = await _answer(pane, chosen, told[0], graphs)
        if answer is not None:
            made = await calls.jobs.tap(lambda: _file(answer, str(asked.get("kept"))))
            set_props(ids.DOWNLOAD, {"data": made})

    calls.add(
        save_explored,
        Input(ids.EXPLORE_SAVE, "data"),
        State(ids.PANE, "data"),
        State(ids.EXPLORED_BY, "data"),
        State(ids.KEY, "data"),
        State(ids.VIEW, "data"),
    )


async def _answer(
    pane: Mapping[str, Any], chosen: Mapping[str, Any] | None, view: View, graphs: Graphs
) -> Explored | None:
    """What is explored of a view; ``None`` where no engine may be asked.

    Raises:
        VisitError: it cannot be asked or answered.
    """
    asked = explorable_from(pane)
    question = ask_explorable(asked, view.request, chosen_of(asked, chosen))
    answer: Explored | None = await graphs.answer(view, question, progress_to_page())
    return answer


def _file(answer: Explored, kept: str) -> dict[str, Any]:
    """A file for ``dcc.Download``: the document, or its tables, zipped where they are several."""
    name = file_name(answer.request.prompt, answer.model.name, answer.name)
    if kept != "csv":
        return file_from_texts(json_from_explored(answer), f"{name}.json", "application/json")
    return file_from_texts(csv_from_explored(answer), f"{name}.csv", "text/csv")


def _is_shown(pane: dict[str, Any] | None) -> bool:
    return pane is not None and pane.get("name") == "explore"

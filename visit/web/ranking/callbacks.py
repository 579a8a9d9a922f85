"""What is asked about all parts when a graph is shown: first how they rank, then their effects."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import Input, State, set_props

from visit.errors import Cancelled
from visit.web import ids
from visit.web.ranking.needs import all_parts, effects_of, is_cheap
from visit.web.ranking.rows import Known, columns, effect_columns
from visit.web.screen.search import searchable
from visit.web.server.calls import Calls
from visit.web.state.graphs import Graphs

RANK = "rank"
"""The kind of what a page has under way here: a newer trace ends it."""


def register(calls: Calls, graphs: Graphs) -> None:
    """Add the callback that ranks the parts of the graph that is shown."""

    async def rank(
        key: str | None, measured: dict[str, Any] | None, data: dict[str, Any] | None
    ) -> None:
        """All parts as soon as they are known, to search as well, and their effects once measured.

        Effects that would take long are measured when the page asks for them.
        """
        told = await graphs.find_told(key, data)
        if key is None or told is None:
            return
        view, index = told
        ranking = await graphs.answer(view, all_parts(view.request))
        if ranking is None:
            return
        bidden = measured is not None and measured.get("key") == key
        is_changed = bool(view.request.interventions)  # effects are of the plain pass
        measures = not is_changed and (bidden or is_cheap(index.flow.model, ranking))
        known = Known.MEASURING if measures else Known.RANKED
        shown, found = index, ranking
        # Told with all that comes after: of news that come at once a page may hear the last alone.
        parts = {
            "columns": await calls.jobs.tap(lambda: columns(shown, found, known)),
            "searchable": await calls.jobs.tap(lambda: searchable(shown, found)),
        }
        tell(key, **parts)
        if is_changed:
            return
        question = effects_of(view.request, ranking, estimate_only=not measures)
        try:
            effects = await graphs.answer(view, question)
        except (Cancelled, asyncio.CancelledError):
            tell(key, **parts, known=Known.RANKED)
            raise
        if effects is not None:
            done = Known.MEASURED if measures else Known.RANKED
            tell(key, **parts, known=done, effects=effect_columns(effects))

    calls.add(rank, Input(ids.KEY, "data"), Input(ids.MEASURE, "data"), State(ids.VIEW, "data"))


def tell(key: str, **news: Any) -> None:
    """Say to the page what is known of the parts of one graph."""
    set_props(ids.RANKING, {"data": {"key": key, **news}})

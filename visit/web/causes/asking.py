"""How causes are asked for: of the plain pass, and with the page told that something runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from visit.graph.request import Request
from visit.web.server.calls import show_problem
from visit.web.server.tracing import show_running


def plain(request: Request) -> Request:
    """The request of the pass in which nothing is changed."""
    return replace(request, interventions=())


@asynccontextmanager
async def under_way() -> AsyncIterator[None]:
    """The page shows that something runs, until it has ended one way or the other."""
    show_problem(None)
    show_running(True)
    try:
        yield
    finally:
        show_running(False)

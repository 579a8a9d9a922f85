"""How far a file is, as its page shows it; and its end, when nobody waits for it any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event

from dash import set_props

from visit.engine.progress import Progress
from visit.errors import Cancelled
from visit.web import ids

_EVERY, _AFTER = 0.1, 0.5
"""Seconds from one telling to the next, and before the first: most files take less."""


@contextmanager
def telling_page() -> Iterator[Progress]:
    """A ``Progress`` for work in a thread, which the page sees and which ends with the call.

    The thread cannot be stopped from outside: when its page cancels, whatever it makes is stopped
    at its next telling.
    """
    is_over, context = Event(), copy_context()  # the call's own, by which Dash knows the page
    start = told = time.monotonic()

    def tell(stage: str, part: float) -> None:
        nonlocal told
        if is_over.is_set():
            raise Cancelled("the file is no longer wanted")
        now = time.monotonic()
        if now - start >= _AFTER and now - told >= _EVERY:
            told = now
            said = {"data": {"stage": stage, "part": round(part, 3)}}
            context.run(set_props, ids.MAKING, said)

    try:
        yield tell
    finally:
        is_over.set()
        set_props(ids.MAKING, {"data": None})

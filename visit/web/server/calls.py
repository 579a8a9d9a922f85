"""How a callback is answered: on the event loop, the newest of its kind, and always in words.

Every callback of the server is added here. What it is called with is checked against its
annotations, since anybody can send anything; what goes wrong is shown on the page and is one line
in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from traceback import extract_tb
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from dash import Dash, Input, Output, State, ctx, no_update, set_props
from dash.dependencies import DashDependency
from fastapi import HTTPException

from visit.errors import Cancelled, VisitError
from visit.text import one_line, shorten
from visit.web import ids
from visit.web.state.jobs import Jobs

LOG = logging.getLogger("visit.web")
_MALFORMED, _FAULT = 400, 500
_LONGEST_LINE, _LONGEST_NAME = 300, 64


class Room:
    """As many places as calls may be under way on one connection."""

    def __init__(self, most: int) -> None:
        self._left = most

    def take(self) -> bool:
        """Take a place, if there is one left."""
        if self._left == 0:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Leave a place that was taken."""
        self._left += 1


ROOM: ContextVar[Room | None] = ContextVar("room", default=None)
"""The room on the connection of the current task, in which a call has a place until it is done."""

Function = Callable[..., Awaitable[Any]]


def show_problem(text: str | None) -> None:
    """Say what is wrong, in place and in words; ``None`` takes it back."""
    set_props(ids.PROBLEM, {"children": text or "", "hidden": text is None})


class Calls:
    """Adds callbacks to an app.

    Attributes:
        jobs: What the pages have under way.
        cancelled: The kinds of it that *Cancel* ends.
    """

    def __init__(self, app: Dash, jobs: Jobs) -> None:
        self._app = app
        self._silent: set[tuple[str, ...]] = set()
        self.jobs = jobs
        self.cancelled: set[str] = set()

    def add(
        self,
        function: Function,
        *dependencies: DashDependency,
        first: bool = False,
        cancels: bool = False,
    ) -> None:
        """Have a function answer a callback.

        A newer call of a page ends its older one, whose answer the page would not take any more.

        Args:
            function: Takes the values of the inputs and states, as it annotates them.
            dependencies: Its outputs, inputs and states.
            first: Whether a fresh page calls it before anything changes: where the page holds what
                it is about from the start. Dash compares each callback that is called then with
                every other, again whenever something comes, so the fewer the better.
            cancels: Whether *Cancel* ends it.

        Raises:
            ValueError: it has no output and another without one has the same inputs, of which Dash
                would call one alone.
        """
        name = function.__name__
        if cancels:
            self.cancelled.add(name)
        hints = get_type_hints(function)
        hints.pop("return", None)
        takes = list(hints.items())
        has_output = any(isinstance(one, Output) for one in dependencies)
        if not has_output:
            inputs = tuple(str(one) for one in dependencies if isinstance(one, Input))
            if inputs in self._silent:
                raise ValueError(f"{name}: a callback without output has these inputs already")
            self._silent.add(inputs)

        async def call(*values: Any) -> Any:
            *own, page = values
            try:
                _check(takes, own, page)
                return await self.jobs.run(page, name, lambda: function(*own))
            except Cancelled:
                pass
            except VisitError as problem:
                show_problem(str(problem))
            except ValueError as mistake:  # of whoever called: no page sends such a thing
                _refuse(f"{name}: {mistake}{_place(mistake)}", _MALFORMED)
            except Exception as fault:
                _refuse(f"{name}: {type(fault).__name__}: {fault}{_place(fault)}", _FAULT)
            finally:
                room = ROOM.get()
                if room is not None:
                    room.give_back()
            return no_update if has_output else None

        self._app.callback(
            *dependencies,
            State(ids.PAGE, "data"),
            prevent_initial_call=not first,
            websocket=True,
        )(call)


def _place(problem: BaseException) -> str:
    """Where something was raised, for the log."""
    where = extract_tb(problem.__traceback__)[-1]
    return f" ({Path(where.filename).name}:{where.lineno})"


def _check(takes: list[tuple[str, Any]], values: list[Any], page: object) -> None:
    """Refuse values of other types than a function takes.

    Raises:
        ValueError: one of them is, or the page says no name.
    """
    if not isinstance(page, str) or not 0 < len(page) <= _LONGEST_NAME:
        raise ValueError("a call from no page of this app")
    for (parameter, hint), value in zip(takes, values, strict=True):
        if not _fits(value, hint):
            raise ValueError(f"a call with {parameter} of type {type(value).__name__}")


def _fits(value: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    return hint is Any or isinstance(value, origin or hint)


def log_refusal(said: str) -> None:
    """One line in the log about something that is not answered."""
    LOG.warning("%s", shorten(one_line(said), _LONGEST_LINE))


def _refuse(said: str, status: int) -> None:
    """Say in the log and on the page that a call came to nothing.

    Raises:
        HTTPException: it came over HTTP; over a websocket the page is told.
    """
    log_refusal(said)
    if ctx.websocket is None:
        raise HTTPException(status, shorten(one_line(said), _LONGEST_LINE))
    show_problem(f"the app could not answer ({said}); reload the page")

"""The line that questions wait in: looks before traces, and the askers in turn.

Pure bookkeeping, without threads; ``visit.engine.queue`` serves it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sized
from itertools import zip_longest
from typing import Generic, Protocol, TypeVar, runtime_checkable

from visit.errors import RequestError

MOST_WAITING = 256
"""Questions of either kind that may wait at once."""
MOST_OF_ONE = 8
"""Of them, those of one asker. A page's newer question takes the place of its older one of the same
kind, so that a page comes nowhere near it."""
LOOKS_IN_A_ROW = 8
"""How many looks may go before a trace that waits; the next turn is the trace's."""


@runtime_checkable
class Standing(Protocol):
    """What stands in a line."""

    @property
    def asker(self) -> object:
        """Whose it is; two that are equal share their turns and their limit."""
        ...

    @property
    def is_look(self) -> bool:
        """Whether it is a look at a graph that is there, which is answered in milliseconds."""
        ...


T = TypeVar("T", bound=Standing)


class Line(Generic[T]):
    """Who is next.

    Looks go before traces, but for one trace after every ``LOOKS_IN_A_ROW``. Among either, each
    asker has a turn before any has a second one; an asker's own are served as they came.
    """

    def __init__(self, most: int = MOST_WAITING, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._looks: dict[object, deque[T]] = {}  # by asker, whose turn is next first
        self._traces: dict[object, deque[T]] = {}
        self._in_a_row = 0

    def __len__(self) -> int:
        return _length(self._looks) + _length(self._traces)

    def join(self, one: T) -> None:
        """Stand at the end.

        Raises:
            RequestError: the line, or the asker's part of it, is full.
        """
        kind = self._kind(one)
        if _length(kind) >= self._most:
            raise RequestError(
                f"{self._most} questions wait here already, and no more may; ask again in a moment"
            )
        own = kind.get(one.asker, ())
        if len(own) >= self._most_of_one:
            raise RequestError(
                f"{len(own)} of your questions wait already, and no more may; wait for them, or "
                "cancel"
            )
        kind.setdefault(one.asker, deque()).append(one)

    def leave(self, one: T) -> None:
        """Go away, if it still stands there."""
        kind = self._kind(one)
        own = kind.get(one.asker, deque())
        if one in own:
            own.remove(one)
            if not own:
                del kind[one.asker]

    def take(self) -> T | None:
        """Whoever is next, taken out; ``None`` of an empty line."""
        is_trace = _is_trace_next(self._looks, self._traces, self._in_a_row)
        kind = self._traces if is_trace else self._looks
        if not kind:
            return None
        self._in_a_row = 0 if is_trace else self._in_a_row + 1
        return _taken(kind)

    def take_look(self) -> T | None:
        """The next look, taken out; ``None`` where none waits."""
        return _taken(self._looks) if self._looks else None

    def order(self) -> list[T]:
        """All of them, the next one first, as they would be taken if nobody else came."""
        looks, traces = deque(_rounds(self._looks)), deque(_rounds(self._traces))
        order: list[T] = []
        in_a_row = self._in_a_row
        while looks or traces:
            is_trace = _is_trace_next(looks, traces, in_a_row)
            order.append((traces if is_trace else looks).popleft())
            in_a_row = 0 if is_trace else in_a_row + 1
        return order

    def _kind(self, one: T) -> dict[object, deque[T]]:
        return self._looks if one.is_look else self._traces


def _is_trace_next(looks: Sized, traces: Sized, in_a_row: int) -> bool:
    """Whether the next turn is a trace's, given who waits and how many looks have just gone."""
    return len(traces) > 0 and (len(looks) == 0 or in_a_row >= LOOKS_IN_A_ROW)


def _taken(kind: dict[object, deque[T]]) -> T:
    """The first of whoever's turn it is, taken out; the asker goes behind the others."""
    asker, own = next(iter(kind.items()))
    one = own.popleft()
    del kind[asker]
    if own:
        kind[asker] = own
    return one


def _length(kind: dict[object, deque[T]]) -> int:
    return sum(map(len, kind.values()))


def _rounds(kind: dict[object, deque[T]]) -> list[T]:
    """Each asker's first, then each one's second, and so on."""
    return [one for turn in zip_longest(*kind.values()) for one in turn if one is not None]

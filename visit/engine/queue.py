"""Who goes next: one piece of work at a time, first come, first served.

A lock wakes whom it likes and says nothing meanwhile. Here whoever waits is told how many are
ahead, and may leave the line at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from visit.engine.protocol import Progress

TOLD_EVERY = 0.1
"""Seconds after which a waiting one is told again, and so may leave."""


class Turns:
    """A line of threads. Safe to use from any of them, and again inside a turn of one's own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: list[object] = []  # tickets in order of arrival; the first has its turn
        self._holder: int | None = None

    @property
    def n_waiting(self) -> int:
        """How many wait for their turn; the one that has it is not counted."""
        return max(0, len(self._line) - 1)

    @contextmanager
    def taken(self, tell: Progress) -> Iterator[None]:
        """Wait for a turn, and have it until the block ends.

        Args:
            tell: Told ``waiting, 2 ahead`` while others are; what it raises leaves the line.
        """
        if self._holder == threading.get_ident():
            yield
            return
        ticket = object()
        try:
            with self._changed:
                self._line.append(ticket)
            self._wait(ticket, tell)
            self._holder = threading.get_ident()
            try:
                yield
            finally:
                self._holder = None
        finally:
            with self._changed:
                with suppress(ValueError):  # interrupted before it stood in line
                    self._line.remove(ticket)
                self._changed.notify_all()

    def _wait(self, ticket: object, tell: Progress) -> None:
        while ahead := self._n_ahead(ticket):
            # Not under the lock: a slow teller keeps nobody else waiting.
            tell(f"waiting, {ahead} ahead", 0.0)
            with self._changed:
                self._changed.wait_for(lambda: self._n_ahead(ticket) != ahead, TOLD_EVERY)

    def _n_ahead(self, ticket: object) -> int:
        with self._changed:
            return self._line.index(ticket)

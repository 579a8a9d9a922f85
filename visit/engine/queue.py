"""Who goes next, and in which thread: one piece of work at a time, first come, first served.

A plain lock wakes any of those that wait, in no order, and tells none of them anything. In a queue
each is told how many are ahead, and may leave at any time.

Whatever is asked from other threads than the main one, as a server's callbacks do, is worked on in
one worker thread. Were each to compute in its own, every one would keep what computing leaves
behind: a team of OpenMP threads as large as the machine, and an arena of the allocator as large as
its largest trace. With thirty clients that took 1.7 GB, against 0.5 GB, and twice the threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

from visit.engine.progress import Progress

TOLD_EVERY = 0.1
"""Seconds after which whoever waits is told again, and so may leave."""

T = TypeVar("T")


class Queue:
    """Runs one piece of work at a time. Safe to use from any thread, and from within work."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: list[object] = []  # tickets in order of arrival; the first has its turn
        self._working: int | None = None  # the thread that works
        # It starts its thread when that is first needed, and ends it with the queue or the process.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="engine")

    @property
    def n_waiting(self) -> int:
        """How many wait for their turn; the one that has it is not counted."""
        return max(0, len(self._line) - 1)

    def run(self, work: Callable[[], T], tell: Progress) -> T:
        """Wait for a turn, and do the work in it.

        It is done in the main thread where that asks, so that Ctrl-C stops it in a terminal or a
        notebook; else in the worker thread, which knows the asking one's context variables. Work
        that asks again, as its progress may, does so within its own turn.

        Args:
            work: What to do.
            tell: Told ``waiting, 2 ahead`` while others are; what it raises leaves the queue.

        Returns:
            What the work returns; what it raises is raised.
        """
        if self._working == threading.get_ident():
            return work()
        ticket = object()
        try:
            with self._changed:
                self._line.append(ticket)
            self._wait(ticket, tell)
            if threading.current_thread() is threading.main_thread():
                return self._work(work)
            return self._worker.submit(copy_context().run, self._work, work).result()
        finally:
            with self._changed:
                with suppress(ValueError):  # interrupted before it stood in line
                    self._line.remove(ticket)
                self._changed.notify_all()

    def _work(self, work: Callable[[], T]) -> T:
        try:
            self._working = threading.get_ident()
            return work()
        finally:
            self._working = None

    def _wait(self, ticket: object, tell: Progress) -> None:
        while ahead := self._n_ahead(ticket):
            # Not under the lock: a slow teller keeps nobody else waiting.
            tell(f"waiting, {ahead} ahead", 0.0)
            with self._changed:
                self._changed.wait_for(lambda: self._n_ahead(ticket) != ahead, TOLD_EVERY)

    def _n_ahead(self, ticket: object) -> int:
        with self._changed:
            return self._line.index(ticket)

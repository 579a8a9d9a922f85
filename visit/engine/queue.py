"""Who goes next, and in which thread: one piece of work at a time, first come, first served.

A plain lock wakes its waiters in any order and cannot tell them their place. Here each waiter is
told how many are ahead, and may leave at any time.

Work from threads other than the main one, such as a server's callbacks, runs in one worker thread.
If every thread computed by itself, each would keep a team of OpenMP threads as large as the machine
and an allocator arena as large as its largest trace: with thirty clients, 1.7 GB instead of 0.5 GB,
and twice the threads.
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
"""Seconds after which a waiter is told again, and so may leave."""

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

        If the main thread asks, the work runs there, so that Ctrl-C stops it in a terminal or a
        notebook; otherwise it runs in the worker thread, with the context variables of the thread
        that asked. Work that asks again, as its progress may, does so within its own turn.

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
                with suppress(ValueError):  # interrupted before it joined the line
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
            # Outside the lock, so that slow progress reporting delays nobody else.
            tell(f"waiting, {ahead} ahead", 0.0)
            with self._changed:
                self._changed.wait_for(lambda: self._n_ahead(ticket) != ahead, TOLD_EVERY)

    def _n_ahead(self, ticket: object) -> int:
        with self._changed:
            return self._line.index(ticket)

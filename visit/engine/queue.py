"""Who goes next, and in which thread: one piece of work at a time, in the line's order.

Waiting takes no thread: work that is submitted stands in the line as a ticket, a future that its
asker may await, and cancel at any time. Those who wait are told how many are ahead. Looks do not
wait for the whole of a trace that is under way, only for its next step: they are answered between.

Work from threads other than the main one, such as a server's, runs in one worker thread. If every
thread computed by itself, each would keep a team of OpenMP threads as large as the machine and an
allocator arena as large as its largest trace: with thirty clients, 1.7 GB instead of 0.5 GB, and
twice the threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar, cast

from visit.engine.line import LOOKS_IN_A_ROW, MOST_OF_ONE, MOST_WAITING, Line
from visit.engine.progress import UNBROKEN, Progress, silent
from visit.errors import Cancelled

TOLD_EVERY = 0.1
"""Seconds after which a thread that waits is told again, and so may leave."""

T = TypeVar("T")
Work = Callable[[Progress], T]
"""A piece of work. What it tells its progress raises ``Cancelled`` once nobody wants its answer."""


class Ticket(Future[T]):
    """A place in the line, and the answer once there is one.

    ``cancel`` leaves the line; of work under way, it ends that at the next step it tells of.

    Attributes:
        asker: Whose it is.
        is_look: Whether it goes before traces.
        begun: Set once its turn has come, where a thread waits for that.
        is_here: Whether that thread does the work itself.
        between: Called at each step of the work that others may come between.
    """

    def __init__(
        self,
        work: Work[T],
        tell: Progress = silent,
        asker: object = None,
        *,
        is_look: bool = False,
        begun: threading.Event | None = None,
        is_here: bool = False,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.asker = self if asker is None else asker
        self.is_look = is_look
        self.begun, self.is_here = begun, is_here
        self._between = between
        self._work, self._tell = work, tell
        self._context = copy_context()
        self._is_unwanted = False

    def cancel(self) -> bool:
        """Leave the line, or have the work end at its next step."""
        self._is_unwanted = True
        return super().cancel()

    def work(self) -> None:
        """Do the work, with the context variables of whoever asked, and keep what comes of it."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            answer = self._context.run(self._work, self._told)
        except BaseException as problem:
            self.set_exception(problem)
            if not isinstance(problem, Exception):
                raise  # such as Ctrl-C
        else:
            self.set_result(answer)

    def hear(self, n_ahead: int) -> None:
        """Tell whoever asked how many are ahead; what that raises leaves the line."""
        try:  # in a copy, for the work may begin meanwhile
            self._context.copy().run(self._told, waiting(n_ahead), 0.0)
        except Exception:
            self.cancel()

    def _told(self, stage: str, part: float) -> None:
        if self._is_unwanted:
            raise Cancelled("nobody waits for the answer any more")
        self._tell(stage, part)
        if stage not in UNBROKEN and self.running():
            self._between()


def waiting(n_ahead: int) -> str:
    """The stage of whoever waits, in words."""
    return f"waiting, {n_ahead} ahead"


class Queue:
    """Runs one piece of work at a time. Safe to use from any thread, and from within work."""

    def __init__(self, most: int = MOST_WAITING, most_of_one: int = MOST_OF_ONE) -> None:
        """An empty queue.

        Args:
            most: How many traces may wait at once, and how many looks.
            most_of_one: How many of one asker.
        """
        self._changed = threading.Condition()
        self._line: Line[Ticket[object]] = Line(most, most_of_one)
        self._turn: Ticket[object] | None = None  # whoever works, or is about to
        self._working: int | None = None  # the thread that works
        # It starts its thread when that is first needed, and ends it with the queue or the process.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="engine")

    @property
    def n_waiting(self) -> int:
        """How many wait for their turn; the one that has it is not counted."""
        with self._changed:
            return len(self._line)

    def submit(
        self,
        work: Work[T],
        tell: Progress = silent,
        *,
        asker: object = None,
        is_look: bool = False,
    ) -> Ticket[T]:
        """Have work done in the worker thread, in its turn, and go on at once.

        Args:
            work: What to do.
            tell: Told ``waiting, 2 ahead`` whenever that changes, and what the work tells. It is
                called from the thread that submits and from the worker's, and must not linger.
            asker: Whose work it is; ``None`` for nobody's in particular.
            is_look: Whether it goes before traces.

        Raises:
            RequestError: too many wait already.
        """
        between = (lambda: None) if is_look else self._answer_looks
        ticket = Ticket(work, tell, asker, is_look=is_look, between=between)
        if n_ahead := self._join(ticket):
            ticket.hear(n_ahead)
        return ticket

    def run(self, work: Callable[[], T], tell: Progress, *, is_look: bool = False) -> T:
        """Wait for a turn, and do the work in it.

        If the main thread asks, the work runs there, so that Ctrl-C stops it in a terminal or a
        notebook; otherwise it runs in the worker thread, with the context variables of the thread
        that asked. Work that asks again, as its progress may, does so within its own turn.

        Args:
            work: What to do.
            tell: Told ``waiting, 2 ahead`` while others are; what it raises leaves the queue.
            is_look: Whether it goes before traces.

        Returns:
            What the work returns; what it raises is raised.

        Raises:
            RequestError: too many wait already.
        """
        if self._working == threading.get_ident():
            return work()
        is_main = threading.current_thread() is threading.main_thread()
        begun = threading.Event()
        # What is done in the main thread is never done between the steps of another's work.
        is_between = is_look and not is_main
        ticket = Ticket(lambda _: work(), is_look=is_between, begun=begun, is_here=is_main)
        try:
            self._join(ticket)
            while not begun.is_set():
                self._wait(ticket, tell)
            if is_main:
                self._work(ticket)
            return ticket.result()
        except BaseException:
            ticket.cancel()
            raise
        finally:
            if is_main:
                self._end(ticket)

    def _join(self, ticket: Ticket[T]) -> int:
        """Stand in line; says how many are ahead, 0 for one whose turn it is."""
        one = cast("Ticket[object]", ticket)
        with self._changed:
            self._line.join(one)
        one.add_done_callback(self._leave)
        self._go_on()
        return self._n_ahead(one)

    def _leave(self, ticket: Future[object]) -> None:
        with self._changed:
            self._line.leave(cast("Ticket[object]", ticket))
            self._changed.notify_all()

    def _wait(self, ticket: Ticket[T], tell: Progress) -> None:
        one = cast("Ticket[object]", ticket)
        # Outside the lock, so that slow progress reporting delays nobody else.
        if ahead := self._n_ahead(one):
            tell(waiting(ahead), 0.0)
        with self._changed:
            self._changed.wait_for(lambda: self._n_ahead(one) != ahead, TOLD_EVERY)

    def _n_ahead(self, ticket: Ticket[object]) -> int:
        with self._changed:
            order = self._line.order()
            return order.index(ticket) + 1 if ticket in order else 0

    def _go_on(self) -> None:
        """Give the turn to the next one, unless somebody has it, and tell the others."""
        with self._changed:
            if self._turn is not None:
                return
            self._turn = ticket = self._line.take()
            others = self._line.order()
            if ticket is not None and ticket.begun is not None:
                ticket.begun.set()
            self._changed.notify_all()
        if ticket is None:
            return
        if not ticket.is_here:
            self._worker.submit(self._work_and_end, ticket)
        for n_ahead, other in enumerate(others, 1):
            if other.begun is None:  # no thread waits for it, and tells it
                other.hear(n_ahead)

    def _answer_looks(self) -> None:
        """Do the looks that wait, a bounded number, within the turn of the work under way."""
        for _ in range(LOOKS_IN_A_ROW):
            with self._changed:
                look = self._line.take_look()
                if look is None:
                    return
                if look.begun is not None:
                    look.begun.set()
                self._changed.notify_all()
            look.work()

    def _work_and_end(self, ticket: Ticket[T]) -> None:
        try:
            self._work(ticket)
        finally:
            self._end(ticket)

    def _work(self, ticket: Ticket[T]) -> None:
        try:
            self._working = threading.get_ident()
            ticket.work()
        finally:
            self._working = None

    def _end(self, ticket: Ticket[T]) -> None:
        """Hand the turn on, if this ticket has it."""
        with self._changed:
            if self._turn is not cast("Ticket[object]", ticket):
                return
            self._turn = None
        self._go_on()

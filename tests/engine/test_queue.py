"""The queue: first come, first served; waiters know their place and may leave; one worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from visit.engine.queue import TOLD_EVERY, Queue, Ticket
from visit.errors import Cancelled, RequestError

SOON = 10.0
"""Seconds that a test waits at most for what happens in milliseconds."""


def ignore(stage: str, fraction: float) -> None:
    """Hear nothing."""


def eventually(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@contextmanager
def held(queue: Queue) -> Iterator[threading.Event]:
    """The turn, held by another thread's work until the event is set or the block ends."""
    has_it, done = threading.Event(), threading.Event()

    def hold() -> None:
        has_it.set()
        done.wait(SOON)

    holder = threading.Thread(target=queue.run, args=(hold, ignore))
    holder.start()
    assert has_it.wait(SOON)
    try:
        yield done
    finally:
        done.set()
        holder.join(SOON)
        assert not holder.is_alive()


class Waiter(threading.Thread):
    """A thread that stands in line, and what it was told."""

    def __init__(
        self, queue: Queue, work: Callable[[], None], tell: Callable[[str, float], None] = ignore
    ) -> None:
        super().__init__()
        self._queue, self._work, self._tell = queue, work, tell
        self.heard: list[str] = []
        self.problem: Exception | None = None

    def run(self) -> None:
        def hear(stage: str, fraction: float) -> None:
            assert fraction == 0.0
            self.heard.append(stage)
            self._tell(stage, fraction)

        try:
            self._queue.run(self._work, hear)
        except Exception as problem:
            self.problem = problem


def line_up(queue: Queue, *waiters: Waiter) -> None:
    """Let them arrive one after the other."""
    for waiter in waiters:
        n_waiting = queue.n_waiting
        waiter.start()
        eventually(lambda before=n_waiting: queue.n_waiting == before + 1)


def all_done(*waiters: Waiter) -> None:
    for waiter in waiters:
        waiter.join(SOON)
        assert not waiter.is_alive()


def test_nobody_waits_where_nobody_is():
    queue, heard = Queue(), []
    assert queue.run(lambda: queue.n_waiting, lambda *told: heard.append(told)) == 0
    assert heard == []


def test_who_comes_first_is_served_first():
    queue, served = Queue(), []
    waiters = [Waiter(queue, lambda name=name: served.append(name)) for name in range(8)]
    with held(queue) as done:
        line_up(queue, *waiters)
        done.set()
        all_done(*waiters)
    assert served == list(range(8))


def test_one_works_at_a_time_and_none_is_forgotten():
    queue, working, most = Queue(), [], []

    def work() -> None:
        working.append(1)
        most.append(len(working))
        time.sleep(0.001)
        working.pop()

    waiters = [Waiter(queue, work) for _ in range(40)]
    started = time.monotonic()
    for waiter in waiters:
        waiter.start()
    all_done(*waiters)
    assert most == [1] * 40
    assert queue.n_waiting == 0
    # Each is woken as its turn comes, not when it next looks.
    assert time.monotonic() - started < 40 * TOLD_EVERY / 2


def test_whoever_waits_is_told_how_many_are_ahead_and_told_again():
    queue = Queue()
    first, second = Waiter(queue, lambda: None), Waiter(queue, lambda: None)
    with held(queue) as done:
        line_up(queue, first, second)
        eventually(lambda: first.heard.count("waiting, 1 ahead") >= 3)
        eventually(lambda: second.heard.count("waiting, 2 ahead") >= 3)
        done.set()
        all_done(first, second)
    assert set(first.heard) == {"waiting, 1 ahead"}
    assert second.heard[0] == "waiting, 2 ahead"


def test_a_change_in_the_line_is_told_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("visit.engine.queue.TOLD_EVERY", SOON)
    queue, go_on = Queue(), threading.Event()
    first, second = Waiter(queue, lambda: assert_set(go_on)), Waiter(queue, lambda: None)
    with held(queue) as done:
        line_up(queue, first, second)
        done.set()
        eventually(lambda: second.heard == ["waiting, 2 ahead", "waiting, 1 ahead"])
        go_on.set()
        all_done(first, second)


def assert_set(event: threading.Event) -> None:
    assert event.wait(SOON)


def test_whoever_is_cancelled_leaves_the_line_at_once_and_the_others_move_up():
    queue, stop, served = Queue(), threading.Event(), []

    def leave(stage: str, fraction: float) -> None:
        if stop.is_set():
            raise Cancelled("stopped")

    leaver = Waiter(queue, lambda: served.append("leaver"), leave)
    stayer = Waiter(queue, lambda: served.append("stayer"))
    with held(queue) as done:
        line_up(queue, leaver, stayer)
        stop.set()
        all_done(leaver)  # while the turn is still held
        assert isinstance(leaver.problem, Cancelled)
        eventually(lambda: stayer.heard[-1] == "waiting, 1 ahead")
        assert queue.n_waiting == 1
        done.set()
        all_done(stayer)
    assert served == ["stayer"]


def test_work_that_fails_hands_the_turn_on():
    queue, served = Queue(), []

    def fail() -> None:
        raise KeyError("layer")

    failing, next_one = Waiter(queue, fail), Waiter(queue, lambda: served.append(1))
    with held(queue) as done:
        line_up(queue, failing, next_one)
        done.set()
        all_done(failing, next_one)
    assert isinstance(failing.problem, KeyError)
    assert served == [1]


def test_a_slow_listener_keeps_nobody_else_waiting():
    queue, listening, go_on = Queue(), threading.Event(), threading.Event()

    def listen_slowly(stage: str, fraction: float) -> None:
        listening.set()
        go_on.wait(SOON)

    slow = Waiter(queue, lambda: None, listen_slowly)
    with held(queue):
        line_up(queue, slow)
        assert listening.wait(SOON)
        other = Waiter(queue, lambda: None)
        line_up(queue, other)
        eventually(lambda: other.heard == ["waiting, 2 ahead"])
        go_on.set()
    all_done(slow, other)


def test_work_that_asks_again_does_so_in_its_own_turn():
    queue, heard = Queue(), []
    waiter = Waiter(queue, lambda: None)

    def inner() -> None:
        assert queue.n_waiting == 1

    def outer() -> None:
        line_up(queue, waiter)
        queue.run(inner, lambda *told: heard.append(told))
        assert queue.n_waiting == 1  # the inner one's end does not hand the turn on
        assert waiter.is_alive()

    queue.run(outer, ignore)
    all_done(waiter)
    assert heard == []


def test_work_in_the_worker_thread_may_ask_again_too():
    queue, answered = Queue(), []
    asker = Waiter(queue, lambda: answered.append(queue.run(threading.get_ident, ignore)))
    asker.start()
    all_done(asker)
    assert asker.problem is None and len(answered) == 1


# ---------------------------------------------------------------- without a thread


def test_two_hundred_that_wait_take_no_thread_and_all_are_served():
    queue, served = Queue(), []
    with held(queue) as done:
        n_threads = threading.active_count()
        tickets = [
            queue.submit(lambda _, n=n: served.append(n), asker=f"page {n}") for n in range(200)
        ]
        assert queue.n_waiting == 200
        assert threading.active_count() <= n_threads
        done.set()
        for ticket in tickets:
            ticket.result(SOON)
    assert served == list(range(200))


def test_a_ticket_hears_how_many_are_ahead_whenever_that_changes():
    queue, heard = Queue(), []
    with held(queue) as done:
        first = queue.submit(lambda _: None)
        second = queue.submit(lambda tell: tell("forward", 0.5), lambda *told: heard.append(told))
        assert heard == [("waiting, 2 ahead", 0.0)]
        done.set()
        first.result(SOON), second.result(SOON)
    assert heard == [("waiting, 2 ahead", 0.0), ("waiting, 1 ahead", 0.0), ("forward", 0.5)]


def test_a_ticket_that_is_cancelled_leaves_the_line_at_once():
    queue, served = Queue(), []
    with held(queue) as done:
        leaver = queue.submit(lambda _: served.append("leaver"))
        stayer = queue.submit(lambda _: served.append("stayer"))
        assert leaver.cancel() and queue.n_waiting == 1
        done.set()
        stayer.result(SOON)
    assert served == ["stayer"] and leaver.cancelled()


def test_work_whose_ticket_is_cancelled_ends_at_its_next_step():
    queue, working = Queue(), threading.Event()

    def work(tell: Callable[[str, float], None]) -> None:
        while True:
            working.set()
            time.sleep(0.002)
            tell("forward", 0.5)

    ticket = queue.submit(work)
    assert working.wait(SOON)
    ticket.cancel()
    with pytest.raises(Cancelled, match="nobody waits"):
        ticket.result(SOON)
    assert queue.run(lambda: "next", ignore) == "next"


def test_a_ticket_whose_listener_fails_leaves_the_line():
    queue = Queue()

    def fail(stage: str, fraction: float) -> None:
        raise Cancelled("stopped")

    with held(queue):
        assert queue.submit(lambda _: None, fail).cancelled()
        assert queue.n_waiting == 0


def test_a_look_is_answered_before_the_traces_that_wait():
    queue, served = Queue(), []
    with held(queue) as done:
        tickets = [queue.submit(lambda _: served.append("trace")) for _ in range(3)]
        tickets.append(queue.submit(lambda _: served.append("look"), is_look=True))
        done.set()
        for ticket in tickets:
            ticket.result(SOON)
    assert served == ["look", "trace", "trace", "trace"]


def test_a_look_is_answered_between_the_steps_of_a_trace_but_never_while_the_model_runs():
    queue, order = Queue(), []

    def trace(tell: Callable[[str, float], None]) -> None:
        looks.append(queue.submit(lambda _: order.append("look"), is_look=True))
        tell("forward", 0.5)
        order.append("forward")
        tell("ledgers", 0.5)
        order.append("ledgers")

    looks: list[Ticket[None]] = []
    queue.submit(trace).result(SOON)
    assert order == ["forward", "look", "ledgers"] and looks[0].done()
    assert queue.run(lambda: queue.n_waiting, ignore) == 0


def test_a_look_that_fails_between_the_steps_of_a_trace_fails_alone():
    queue = Queue()

    def fail(_tell: Callable[[str, float], None]) -> None:
        raise KeyError("layer")

    def trace(tell: Callable[[str, float], None]) -> str:
        looks.append(queue.submit(fail, is_look=True))
        tell("readings", 0.5)
        return "graph"

    looks: list[Ticket[None]] = []
    assert queue.submit(trace).result(SOON) == "graph"
    with pytest.raises(KeyError):
        looks[0].result(SOON)


def test_more_than_may_wait_are_refused_and_nobody_is_lost():
    queue = Queue(most=2)
    with held(queue) as done:
        tickets = [queue.submit(lambda _: "answer") for _ in range(2)]
        with pytest.raises(RequestError, match="2 questions wait here already"):
            queue.submit(lambda _: None)
        with pytest.raises(RequestError, match="2 questions wait here already"):
            queue.run(lambda: None, ignore)
        done.set()
        assert [ticket.result(SOON) for ticket in tickets] == ["answer"] * 2


# ---------------------------------------------------------------- in which thread


def test_work_is_done_in_one_thread_whoever_asks_and_each_gets_their_own_answer():
    queue = Queue()

    def work(number: int) -> tuple[int, str]:
        return number, threading.current_thread().name

    with ThreadPoolExecutor(6) as askers:
        answers = list(
            askers.map(lambda number: queue.run(lambda: work(number), ignore), range(12))
        )
    assert [number for number, _ in answers] == list(range(12))
    threads = {thread for _, thread in answers}
    assert len(threads) == 1
    assert threading.current_thread().name not in threads


def test_what_the_main_thread_asks_is_done_there():
    assert Queue().run(threading.get_ident, ignore) == threading.get_ident()


def test_work_knows_the_context_of_whoever_asked_and_can_still_be_stopped():
    queue, page, seen = Queue(), ContextVar("page", default=None), []

    def progress(stage: str, part: float) -> None:
        seen.append(page.get())
        raise Cancelled("enough")

    def ask(name: str) -> None:
        page.set(name)
        with pytest.raises(Cancelled, match="enough"):
            queue.run(lambda: progress("forward", 0.5), progress)

    with ThreadPoolExecutor(1) as askers:
        askers.submit(ask, "mine").result(SOON)
    ask("the main thread's")
    assert seen == ["mine", "the main thread's"]


def test_ctrl_c_leaves_the_queue_and_stops_what_the_main_thread_works_on():
    queue = Queue()

    def interrupt(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with held(queue):
        with pytest.raises(KeyboardInterrupt):
            queue.run(lambda: None, interrupt)
        assert queue.n_waiting == 0
    with pytest.raises(KeyboardInterrupt):
        queue.run(interrupt, ignore)
    assert queue.run(lambda: "whole", ignore) == "whole"


@pytest.mark.parametrize("thread", ["main", "other"])
def test_a_process_ends_whoever_asked_last(thread: str):
    ask = "queue.run(lambda: print('done'), lambda *_: None)"
    code = f"from visit.engine.queue import Queue; queue = Queue(); {ask}"
    if thread == "other":
        code = code.replace(ask, f"import threading; ask = lambda: {ask}")
        code += "; asker = threading.Thread(target=ask); asker.start(); asker.join()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=6 * SOON, check=True
    )
    assert (done.stdout, done.stderr) == ("done\n", "")

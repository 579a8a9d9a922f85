"""The line in front of the model: first come, first served, told where they stand, free to go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from visit.engine.queue import TOLD_EVERY, Turns
from visit.errors import Cancelled

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
def held(turns: Turns) -> Iterator[threading.Event]:
    """The turn, held by another thread until the event is set or the block ends."""
    has_it, done = threading.Event(), threading.Event()

    def hold() -> None:
        with turns.taken(ignore):
            has_it.set()
            done.wait(SOON)

    holder = threading.Thread(target=hold)
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
        self, turns: Turns, work: Callable[[], None], tell: Callable[[str, float], None] = ignore
    ) -> None:
        super().__init__()
        self._turns, self._work, self._tell = turns, work, tell
        self.heard: list[str] = []
        self.problem: Exception | None = None

    def run(self) -> None:
        def hear(stage: str, fraction: float) -> None:
            assert fraction == 0.0
            self.heard.append(stage)
            self._tell(stage, fraction)

        try:
            with self._turns.taken(hear):
                self._work()
        except Exception as problem:
            self.problem = problem


def line_up(turns: Turns, *waiters: Waiter) -> None:
    """Let them arrive one after the other."""
    for waiter in waiters:
        n_waiting = turns.n_waiting
        waiter.start()
        eventually(lambda before=n_waiting: turns.n_waiting == before + 1)


def all_done(*waiters: Waiter) -> None:
    for waiter in waiters:
        waiter.join(SOON)
        assert not waiter.is_alive()


def test_nobody_waits_where_nobody_is():
    turns, heard = Turns(), []
    with turns.taken(lambda *told: heard.append(told)):
        assert turns.n_waiting == 0
    assert heard == []


def test_who_comes_first_is_served_first():
    turns, served = Turns(), []
    waiters = [Waiter(turns, lambda name=name: served.append(name)) for name in range(8)]
    with held(turns) as done:
        line_up(turns, *waiters)
        done.set()
        all_done(*waiters)
    assert served == list(range(8))


def test_one_works_at_a_time_and_none_is_forgotten():
    turns, working, most = Turns(), [], []

    def work() -> None:
        working.append(1)
        most.append(len(working))
        time.sleep(0.001)
        working.pop()

    waiters = [Waiter(turns, work) for _ in range(40)]
    started = time.monotonic()
    for waiter in waiters:
        waiter.start()
    all_done(*waiters)
    assert most == [1] * 40
    assert turns.n_waiting == 0
    # Each is woken as its turn comes, not when it next looks.
    assert time.monotonic() - started < 40 * TOLD_EVERY / 2


def test_whoever_waits_is_told_how_many_are_ahead_and_told_again():
    turns = Turns()
    first, second = Waiter(turns, lambda: None), Waiter(turns, lambda: None)
    with held(turns) as done:
        line_up(turns, first, second)
        eventually(lambda: first.heard.count("waiting, 1 ahead") >= 3)
        eventually(lambda: second.heard.count("waiting, 2 ahead") >= 3)
        done.set()
        all_done(first, second)
    assert set(first.heard) == {"waiting, 1 ahead"}
    assert second.heard[0] == "waiting, 2 ahead"


def test_a_change_in_the_line_is_told_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("visit.engine.queue.TOLD_EVERY", SOON)
    turns, go_on = Turns(), threading.Event()
    first, second = Waiter(turns, lambda: assert_set(go_on)), Waiter(turns, lambda: None)
    with held(turns) as done:
        line_up(turns, first, second)
        done.set()
        eventually(lambda: second.heard == ["waiting, 2 ahead", "waiting, 1 ahead"])
        go_on.set()
        all_done(first, second)


def assert_set(event: threading.Event) -> None:
    assert event.wait(SOON)


def test_whoever_is_cancelled_leaves_the_line_at_once_and_the_others_move_up():
    turns, stop, served = Turns(), threading.Event(), []

    def leave(stage: str, fraction: float) -> None:
        if stop.is_set():
            raise Cancelled("stopped")

    leaver = Waiter(turns, lambda: served.append("leaver"), leave)
    stayer = Waiter(turns, lambda: served.append("stayer"))
    with held(turns) as done:
        line_up(turns, leaver, stayer)
        stop.set()
        all_done(leaver)  # while the turn is still held
        assert isinstance(leaver.problem, Cancelled)
        eventually(lambda: stayer.heard[-1] == "waiting, 1 ahead")
        assert turns.n_waiting == 1
        done.set()
        all_done(stayer)
    assert served == ["stayer"]


def test_work_that_fails_hands_the_turn_on():
    turns, served = Turns(), []

    def fail() -> None:
        raise KeyError("layer")

    failing, next_one = Waiter(turns, fail), Waiter(turns, lambda: served.append(1))
    with held(turns) as done:
        line_up(turns, failing, next_one)
        done.set()
        all_done(failing, next_one)
    assert isinstance(failing.problem, KeyError)
    assert served == [1]


def test_a_slow_listener_keeps_nobody_else_waiting():
    turns, listening, go_on = Turns(), threading.Event(), threading.Event()

    def listen_slowly(stage: str, fraction: float) -> None:
        listening.set()
        go_on.wait(SOON)

    slow = Waiter(turns, lambda: None, listen_slowly)
    with held(turns):
        line_up(turns, slow)
        assert listening.wait(SOON)
        other = Waiter(turns, lambda: None)
        line_up(turns, other)
        eventually(lambda: other.heard == ["waiting, 2 ahead"])
        go_on.set()
    all_done(slow, other)


def test_a_turn_inside_ones_own_turn_waits_for_nobody():
    turns, heard = Turns(), []
    waiter = Waiter(turns, lambda: None)
    with turns.taken(ignore):
        line_up(turns, waiter)
        with turns.taken(lambda *told: heard.append(told)):
            assert turns.n_waiting == 1
        assert turns.n_waiting == 1  # the inner one's end does not hand the turn on
        assert waiter.is_alive()
    all_done(waiter)
    assert heard == []

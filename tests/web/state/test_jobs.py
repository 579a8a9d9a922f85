"""What pages have under way: the newest of each kind, ended by its page or by a newer one."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from contextlib import suppress

import pytest
from loops import run
from sample import FakeEngine

from visit.engine.questions import Explain
from visit.errors import Cancelled, RequestError
from visit.graph.flow import FlowGraph
from visit.graph.request import Request
from visit.web.state.jobs import FILE_THREADS, TAP_THREADS, Jobs, ask

SLOW, SOON = Request("a slow prompt"), 10.0


def test_a_page_s_new_trace_ends_its_last_and_no_other_s():
    async def see() -> None:
        jobs, engine = Jobs(), FakeEngine()

        async def trace(request: Request) -> str:
            return (await ask(engine, Explain(request))).request.prompt

        first = asyncio.create_task(jobs.run("a", "trace", lambda: trace(SLOW)))
        other = asyncio.create_task(jobs.run("b", "trace", lambda: trace(Request("b's"))))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(jobs.run("a", "trace", lambda: trace(Request("a's"))))
        with pytest.raises(Cancelled, match="the trace was cancelled"):
            await asyncio.wait_for(first, SOON)
        assert await asyncio.wait_for(other, SOON) == "b's"
        assert await asyncio.wait_for(second, SOON) == "a's"
        assert not jobs.cancel("a", "trace")  # nothing is under way any more

    run(see())


def test_a_page_s_other_work_goes_on_when_its_trace_is_cancelled():
    async def see() -> None:
        jobs, engine = Jobs(), FakeEngine()
        tap = asyncio.create_task(jobs.run("a", "inspect", lambda: jobs.tap(lambda: "panel")))
        trace = asyncio.create_task(jobs.run("a", "trace", lambda: ask(engine, Explain(SLOW))))
        await asyncio.sleep(0.05)
        assert jobs.cancel("a", "trace")
        with pytest.raises(Cancelled):
            await asyncio.wait_for(trace, SOON)
        assert await tap == "panel"

    run(see())


def test_a_page_s_drawings_come_one_after_the_other_and_no_other_page_waits_for_them():
    """Side by side all of them came when the last did; the graph, which is asked for first, too."""

    async def see() -> None:
        jobs, go_on = Jobs(), threading.Event()
        begun: list[str] = []

        def work(name: str) -> None:
            begun.append(name)
            assert go_on.wait(SOON)

        async def draw(page: str, name: str) -> None:
            await jobs.run(page, name, lambda: jobs.tap(lambda: work(name)))

        own = [asyncio.create_task(draw("a", name)) for name in ("graph", "inspector", "panels")]
        other = asyncio.create_task(draw("b", "the other's"))
        await asyncio.sleep(0.1)
        assert begun == ["graph", "the other's"]
        go_on.set()
        await asyncio.wait_for(asyncio.gather(*own, other), SOON)
        assert [name for name in begun if name != "the other's"] == ["graph", "inspector", "panels"]

    run(see())


def test_a_page_that_is_gone_takes_its_question_back():
    async def see() -> None:
        jobs, engine = Jobs(), FakeEngine()
        trace = asyncio.create_task(jobs.run("a", "trace", lambda: ask(engine, Explain(SLOW))))
        await asyncio.sleep(0.05)
        trace.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trace
        answer = ask(engine, Explain(Request("the next one's")))
        assert (await asyncio.wait_for(answer, SOON)).request.prompt == "the next one's"

    run(see())


def test_files_under_way_keep_no_tap_waiting():
    async def see() -> None:
        jobs, done = Jobs(), threading.Event()
        files = [asyncio.create_task(jobs.file(done.wait)) for _ in range(FILE_THREADS + 2)]
        taps = (jobs.tap(lambda: "panel") for _ in range(2 * TAP_THREADS))
        assert set(await asyncio.wait_for(asyncio.gather(*taps), SOON)) == {"panel"}
        done.set()
        await asyncio.gather(*files)

    run(see())


class Large:
    """Stands for the tensors of a trace."""


@pytest.mark.parametrize("problem", [KeyError, RequestError])
def test_what_a_failed_question_held_is_freed_with_its_answer(problem: type[Exception]):
    """Not when the next question comes, nor whenever the collector does."""
    held: list[weakref.ref[Large]] = []

    def make(_request: Request) -> FlowGraph:
        large = Large()
        held.append(weakref.ref(large))
        raise problem("too long")

    async def fail() -> None:
        with suppress(problem):
            await ask(engine, Explain(Request("a b")))

    engine = FakeEngine(make)
    gc.disable()
    try:
        run(fail())
        assert [one() for one in held] == [None]
    finally:
        gc.enable()

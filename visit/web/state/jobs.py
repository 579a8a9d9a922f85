"""What pages have under way: calls that wait on the event loop, and work in threads of their own.

Whatever waits for an answer waits as a coroutine and takes no thread. What is computed here for a
page (drawings, panels, files) runs in a few threads: more would only fight for the interpreter, and
keep the event loop from answering anybody. For the same reason one page's drawings and panels are
computed one after the other: side by side they would all come when the last does, the graph among
them. Files have threads of their own, since they can take seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import ContextVar
from traceback import clear_frames
from typing import TypeVar
from weakref import WeakValueDictionary

from visit.engine.progress import Progress
from visit.engine.protocol import Engine
from visit.engine.questions import Answer, Question
from visit.errors import Cancelled

TAP_THREADS, FILE_THREADS = 4, 2

T = TypeVar("T")

_PAGE: ContextVar[str | None] = ContextVar("page", default=None)
"""The page that the current task works for: whose questions its questions are."""


class Jobs:
    """What each page has under way, of each kind the newest: an older one ends in its favour.

    To be used from the event loop.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], asyncio.Task[object]] = {}
        self._turns: WeakValueDictionary[str | None, asyncio.Lock] = WeakValueDictionary()
        # They start their threads when those are first needed, and end them with the process.
        self._taps = ThreadPoolExecutor(TAP_THREADS, thread_name_prefix="tap")
        self._files = ThreadPoolExecutor(FILE_THREADS, thread_name_prefix="file")

    async def run(self, page: str, kind: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do something for a page, in place of what it has under way of this kind.

        Args:
            page: The page's own name.
            kind: What is done, in a word.
            work: Does it.

        Raises:
            Cancelled: the page asked for something newer, or cancelled it.
        """
        task, place = asyncio.current_task(), (page, kind)
        assert task is not None
        self.cancel(page, kind)
        self._running[place] = task
        _PAGE.set(page)
        try:
            return await work()
        except asyncio.CancelledError:
            if self._running.get(place) is task:
                raise  # the page is gone
            task.uncancel()
            raise Cancelled(f"the {kind} was cancelled") from None
        finally:
            if self._running.get(place) is task:
                del self._running[place]

    def cancel(self, page: str, kind: str) -> bool:
        """End what a page has under way of a kind; says whether there was anything."""
        task = self._running.pop((page, kind), None)
        if task is not None:
            task.cancel()
        return task is not None

    async def tap(self, work: Callable[[], T]) -> T:
        """Compute what a page is to show, after what the page asked for before."""
        async with self._turns.setdefault(_PAGE.get(), asyncio.Lock()):
            return await _in_threads(self._taps, work)

    async def file(self, work: Callable[[], T]) -> T:
        """Compute a file to download."""
        return await _in_threads(self._files, work)


async def ask(
    engine: Engine, question: Question[Answer], progress: Progress | None = None
) -> Answer:
    """The answer to a question of the current page; to cancel the task takes the question back.

    Raises:
        VisitError: it cannot be answered, or too many wait already.
    """
    return await _freed(asyncio.wrap_future(engine.submit(question, progress, asker=_PAGE.get())))


async def _in_threads(threads: Executor, work: Callable[[], T]) -> T:
    return await _freed(asyncio.get_running_loop().run_in_executor(threads, work))


async def _freed(answer: Awaitable[T]) -> T:
    """An answer that is awaited; if it fails, whatever its work held is freed at once.

    An error holds the frames that it went through, and whoever carries it between threads holds the
    error until it has something newer to carry.
    """
    try:
        return await answer
    except Exception as problem:
        _clear(problem)
        raise


def _clear(problem: BaseException | None) -> None:
    """Clear the frames of an error and of those that it came of."""
    cleared: set[int] = set()
    while problem is not None and id(problem) not in cleared:
        cleared.add(id(problem))
        clear_frames(problem.__traceback__)
        problem = problem.__cause__ or problem.__context__

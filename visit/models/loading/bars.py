"""Work that fills progress bars of its own, followed from the thread that asked for it.

huggingface_hub counts bytes in a class of bars that it is given, from several threads. Here they
are counted, and reported from the thread that waits, because a page's callback can only be updated
from its own thread; it may leave at any time, even while nothing arrives.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

from visit.text import size

TOLD_EVERY = 0.2
"""Seconds between two tellings."""
_Result = TypeVar("_Result")


class _Left(Exception):
    """The caller no longer waits for the work."""


class _Count:
    """How far the work is. Its bars' bytes, or their files where they count no bytes."""

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes = n_bytes
        self._done, self._total = 0, 0
        self.has_bytes = False
        self.is_left = False

    def set(self, done: int, total: int, *, of_bytes: bool) -> None:
        """Record a bar's progress; if the caller has left, end the work."""
        if self.is_left:
            raise _Left
        if of_bytes == self.has_bytes:
            self._done, self._total = done, total

    def words(self) -> str:
        """``, 1.2 of 3.4 GB`` or ``, 2 of 7 files``; nothing while nothing is counted."""
        if not self._total:
            return ""
        if not self.has_bytes:
            return f", {self._done} of {self._total} files"
        so_far, whole = size(self._done), size(max(self._done, self._n_bytes))
        number, unit = so_far.split()
        return f", {number if whole.endswith(f' {unit}') else so_far} of {whole}"


def follow(
    work: Callable[[type], _Result], stage: str, n_bytes: int, tell: Callable[[str], None]
) -> _Result:
    """Do work in a thread of its own, and tell how far it is from this one.

    Args:
        work: Given a class of bars, as huggingface_hub's ``tqdm_class``.
        stage: What is said first, like ``downloading NAME``.
        n_bytes: How many bytes there are to fetch.
        tell: Told in words every ``TOLD_EVERY`` seconds. What it raises is raised at once, and the
            work ends when one of its bars moves next.

    Raises:
        Exception: whatever the work raises.
    """
    count = _Count(n_bytes)
    results: list[_Result] = []
    problems: list[Exception] = []

    def do() -> None:
        try:
            results.append(work(_bars(count)))
        except Exception as problem:
            problems.append(problem)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(TOLD_EVERY)
            tell(stage + count.words())
    except BaseException:
        count.is_left = True
        raise
    if problems:
        raise problems[0]
    return results[0]


def _bars(count: _Count) -> type:
    """A class of bars that draw nothing and keep a count."""

    class Bar(tqdm):  # type: ignore[type-arg]
        monitor_interval = 0  # no thread that watches over it

        def __init__(self, *given: Any, **named: Any) -> None:
            self._of_bytes = named.get("unit") == "B"
            count.has_bytes |= self._of_bytes
            named.pop("name", None)  # huggingface_hub's own bars have one
            super().__init__(*given, **{**named, "disable": True})

        def __iter__(self) -> Iterator[Any]:
            for item in self.iterable:
                yield item
                self.update()

        def update(self, n: Any = 1) -> bool | None:
            self.n += n or 0
            count.set(int(self.n), int(self.total or 0), of_bytes=self._of_bytes)
            return None

    return Bar

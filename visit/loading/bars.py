"""Progress bars that other libraries fill and that tell instead of draw."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tqdm import tqdm

from visit.loading.memory import in_words

TOLD_EVERY = 0.2
"""Seconds between two tellings."""


class _Teller:
    """Tells how far work is, from any thread, and stops all threads once telling raised."""

    def __init__(self, stage: str, n_bytes: int, tell: Callable[[str], None]) -> None:
        self._stage, self._n_bytes, self._tell = stage, n_bytes, tell
        self._lock = threading.Lock()
        self._last = 0.0
        self._problem: BaseException | None = None
        self.counts_bytes = False

    def tell(self, done: int, total: int | None, *, of_bytes: bool) -> None:
        """Say that so much is done, unless something was said just now."""
        with self._lock:
            if self._problem is not None:
                raise self._problem
            # Where bytes are counted, counting files besides would have the words flicker.
            if of_bytes != self.counts_bytes or time.monotonic() - self._last < TOLD_EVERY:
                return
            self._last = time.monotonic()
            try:
                self._tell(f"{self._stage}, {self._so_far(done, total, of_bytes)}")
            except BaseException as problem:
                self._problem = problem
                raise

    def _so_far(self, done: int, total: int | None, of_bytes: bool) -> str:
        if not of_bytes:
            return f"{done} of {total or 0} files"
        so_far, whole = in_words(done), in_words(max(done, self._n_bytes))
        number, unit = so_far.split()
        return f"{number if whole.endswith(f' {unit}') else so_far} of {whole}"


def telling_bars(stage: str, n_bytes: int, tell: Callable[[str], None]) -> type:
    """A class for huggingface_hub's ``tqdm_class``: bars that tell how many bytes have come.

    Args:
        stage: What is said first, like ``downloading NAME``.
        n_bytes: How many bytes there are to fetch.
        tell: Told in words, at most every ``TOLD_EVERY`` seconds, from any thread but never from
            two at once. What it raises ends the download in all threads.
    """
    teller = _Teller(stage, n_bytes, tell)

    class Bar(tqdm):  # type: ignore[type-arg]
        monitor_interval = 0  # no thread that watches over it

        def __init__(self, *given: Any, **named: Any) -> None:
            self._of_bytes = named.get("unit") == "B"
            teller.counts_bytes |= self._of_bytes
            named.pop("name", None)  # huggingface_hub's own bars have one
            super().__init__(*given, **{**named, "disable": True})

        def __iter__(self) -> Iterator[Any]:
            for item in self.iterable:
                yield item
                self.update()

        def update(self, n: Any = 1) -> bool | None:
            self.n += n or 0
            teller.tell(
                int(self.n),
                None if self.total is None else int(self.total),
                of_bytes=self._of_bytes,
            )
            return None

    return Bar

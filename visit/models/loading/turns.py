"""One at a time: processes and threads that would make the same file or folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOKS_EVERY = 0.2
"""Seconds between two looks whether the other is done."""


@contextmanager
def alone_with(path: Path, tell: Callable[[], None]) -> Iterator[None]:
    """Hold off whoever would make the same; a process that is killed holds nobody off.

    Args:
        path: What is made; its folder is there.
        tell: Told again and again while another is at it. What it raises ends the wait.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path.parent / f".{path.name}.lock")
    while True:
        try:
            lock.acquire(timeout=_LOOKS_EVERY)
            break
        except Timeout:
            tell()
    try:
        yield
    finally:
        lock.release()

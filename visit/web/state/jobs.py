"""The traces under way, one a page, so that each can be cancelled."""

from __future__ import annotations

import threading


class Jobs:
    """The trace that each page has under way."""

    def __init__(self) -> None:
        self._running: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def start(self, page: str) -> threading.Event:
        """Begin one; the page's last one, if still under way, is cancelled."""
        cancelled = threading.Event()
        with self._lock:
            last = self._running.get(page)
            self._running[page] = cancelled
        if last is not None:
            last.set()
        return cancelled

    def cancel(self, page: str) -> None:
        """Stop the page's trace at its next step."""
        with self._lock:
            running = self._running.get(page)
        if running is not None:
            running.set()

    def end(self, page: str, job: threading.Event) -> bool:
        """Forget a job; says whether it was still the page's own, not overtaken by a later one."""
        with self._lock:
            if self._running.get(page) is not job:
                return False
            del self._running[page]
            return True

"""What the server keeps between two requests of a page: flow graphs, and traces under way.

A document can be 2 MB: too much to send up with every tap. So the browser holds an unguessable key
and its view (a few hundred bytes), the server a bounded shelf of graphs by key. Nothing is kept
per user, and nothing is lost when a graph falls off the shelf: the view holds the request, which
gives the same graph again.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from visit.graph.flow import FlowGraph
from visit.graph.index import Index

T = TypeVar("T")
MAX_ELEMENTS = 300_000
"""About 500 MB of Python objects; a whole GPT-2-small graph has some 6,000."""


class Shelf:
    """Flow graphs by key, the least recently used falling off first."""

    def __init__(self, max_elements: int = MAX_ELEMENTS) -> None:
        self._max = max_elements
        self._held: OrderedDict[str, Index] = OrderedDict()
        self._beside: dict[str, dict[Hashable, Any]] = {}
        self._making: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._lock = threading.Lock()

    def making(self, key: str) -> threading.Lock:
        """A key's own lock, held while its graph is made or added to, so that it is made once."""
        with self._lock:
            return self._making.setdefault(key, threading.Lock())

    def put(self, flow: FlowGraph, key: str | None = None) -> str:
        """Keep a graph, and say under which key."""
        key = key or secrets.token_urlsafe(18)
        self.hold(key, Index(flow))
        return key

    def hold(self, key: str, index: Index) -> Index:
        """Keep a graph that is made ready, and give it back: it may fall off again at once."""
        with self._lock:
            self._held[key] = index
            self._held.move_to_end(key)
            while len(self._held) > 1 and sum(map(_size, self._held.values())) > self._max:
                gone, _ = self._held.popitem(last=False)
                self._beside.pop(gone, None)
        return index

    def get(self, key: str) -> Index | None:
        """The graph of a key, unless it fell off."""
        with self._lock:
            index = self._held.get(key)
            if index is not None:
                self._held.move_to_end(key)
            return index

    def beside(self, key: str, what: Hashable, make: Callable[[], T]) -> T:
        """Something made once for a graph, and kept as long as the graph is."""
        kept = self._beside.get(key, {})
        if what not in kept:
            with self.making(key):
                kept = self._beside.get(key, {})
                if what not in kept:
                    kept = {**kept, what: make()}
                    with self._lock:
                        if key in self._held:
                            self._beside[key] = kept
        made: T = kept[what]
        return made


def _size(index: Index) -> int:
    return len(index.flow.nodes) + len(index.flow.edges)


class Jobs:
    """The trace that each page has under way, so that it can be cancelled."""

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

"""What the server keeps between two requests of a page: flow graphs, and answers about them.

A document can be 2 MB: too much to send up with every tap. So the browser holds an unguessable key
and its view (a few hundred bytes), the server a bounded shelf of graphs by key. Nothing is kept
per user, and nothing is lost when a graph falls off the shelf: the view holds the request, which
gives the same graph again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any
from weakref import WeakValueDictionary

from cachetools import LRUCache

from visit.engine.questions import Answer, Question
from visit.graph.flow import Edge, FlowGraph, Node
from visit.graph.index import Index

MAX_ELEMENTS = 300_000
"""About 500 MB of Python objects; a whole GPT-2-small graph has some 6,000."""
VALUES_AN_ELEMENT = 50
"""About how many numbers or short texts take as much memory as a node with its reading."""


@dataclass(slots=True)
class _Entry:
    """A graph, and what was answered about it."""

    index: Index
    answers: dict[Question[Any], Any] = field(default_factory=dict)
    n_elements: float = 0.0


class Shelf:
    """Flow graphs by key, the least recently used falling off first; the newest always stays."""

    def __init__(self, max_elements: int = MAX_ELEMENTS) -> None:
        # What is larger than the shelf counts as large as the shelf: it then stands there alone.
        self._entries: LRUCache[str, _Entry] = LRUCache(
            max_elements, getsizeof=lambda entry: min(entry.n_elements, max_elements)
        )
        self._making: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._lock = threading.Lock()

    def making(self, key: str) -> threading.Lock:
        """A key's own lock, held while its graph is made or added to, so that it is made once."""
        with self._lock:
            return self._making.setdefault(key, threading.Lock())

    def put(self, flow: FlowGraph, key: str | None = None) -> str:
        """Keep a graph, and say under which key."""
        key = key or secrets.token_urlsafe(18)
        self.keep(key, Index(flow))
        return key

    def keep(self, key: str, index: Index) -> Index:
        """Keep a graph that is made ready, and give it back: it may fall off again at once."""
        with self._lock:
            entry = self._entries.get(key)
            self._set(key, _Entry(index, {} if entry is None else entry.answers))
        return index

    def get(self, key: str) -> Index | None:
        """The graph of a key, unless it fell off."""
        with self._lock:
            entry = self._entries.get(key)
            return None if entry is None else entry.index

    def answer(self, key: str, question: Question[Answer], make: Callable[[], Answer]) -> Answer:
        """The answer to a question about a graph: made once, kept as long as the graph is."""
        if question not in (kept := self._answers(key)):
            with self.making(key):
                if question not in (kept := self._answers(key)):
                    kept = {**kept, question: make()}
                    with self._lock:
                        entry = self._entries.get(key)
                        if entry is not None:
                            self._set(key, _Entry(entry.index, kept))
        answer: Answer = kept[question]
        return answer

    def _answers(self, key: str) -> dict[Question[Any], Any]:
        """What was answered about a graph so far; nothing is ever added to it in place."""
        with self._lock:
            entry = self._entries.get(key)
            return {} if entry is None else entry.answers

    def _set(self, key: str, entry: _Entry) -> None:
        """Keep an entry in place of the key's last one; called under the lock."""
        flow = entry.index.flow
        entry.n_elements = n_elements((flow.nodes, flow.edges, tuple(entry.answers.values())))
        self._entries.pop(key, None)  # else others would make room for both
        self._entries[key] = entry


def n_elements(answer: object) -> float:
    """About how much memory an answer of any type takes; a node or an edge counts as one."""
    if isinstance(answer, Node | Edge):
        return 1.0
    if isinstance(answer, tuple | list):
        if answer and isinstance(answer[0], float):  # a row of a pattern: no need to look at each
            return len(answer) / VALUES_AN_ELEMENT
        return sum(map(n_elements, answer), 0.0)
    if is_dataclass(answer):
        return sum((n_elements(getattr(answer, part.name)) for part in fields(answer)), 0.0)
    return 1 / VALUES_AN_ELEMENT

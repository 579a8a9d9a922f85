"""What the server keeps between two requests of a page: flow graphs, and answers about them.

A document can be 2 MB: too much to send up with every tap. So the browser holds an unguessable key
and its view (a few hundred bytes), the server a bounded shelf of graphs by key. Nothing is kept
per user, and nothing is lost when a graph is dropped from the shelf: the view holds the request,
which gives the same graph again.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import fields, is_dataclass
from typing import Any

from cachetools import LRUCache

from visit.engine.questions import Answer, Question
from visit.graph.flow import Edge, FlowGraph, Node
from visit.graph.index import Index

MAX_ELEMENTS = 300_000
"""About 500 MB of Python objects; a whole GPT-2-small graph has some 6,000."""
VALUES_AN_ELEMENT = 50
"""About how many numbers or short texts take as much memory as a node with its reading."""


class Shelf:
    """Graphs by key, and answers about them; what was used longest ago is dropped first.

    The newest always stays, however large it is.
    """

    def __init__(self, max_elements: int = MAX_ELEMENTS) -> None:
        # An entry larger than the limit counts as exactly the limit, so it is kept alone.
        self._kept: LRUCache[str | tuple[str, Question[Any]], Any] = LRUCache(
            max_elements, getsizeof=lambda kept: min(n_elements(kept), max_elements)
        )
        self._lock = threading.Lock()

    def put(self, flow: FlowGraph, key: str | None = None) -> str:
        """Keep a graph, and say under which key."""
        key = key or secrets.token_urlsafe(18)
        self.keep(key, Index(flow))
        return key

    def keep(self, key: str, index: Index) -> Index:
        """Keep a graph that is made ready, and return it: it may be dropped again at once."""
        self._set(key, index)
        return index

    def get(self, key: str) -> Index | None:
        """The graph of a key, unless it was dropped."""
        index: Index | None = self._get(key)
        return index

    def get_answer(self, key: str, question: Question[Answer]) -> tuple[Answer] | None:
        """The answer to a question about a graph, alone in a tuple, unless it was dropped."""
        kept: tuple[Answer] | None = self._get((key, question))
        return kept

    def keep_answer(self, key: str, question: Question[Any], answer: object) -> None:
        """Keep an answer to a question about a graph."""
        self._set((key, question), (answer,))

    def _get(self, place: str | tuple[str, Question[Any]]) -> Any:
        with self._lock:
            return self._kept.get(place)

    def _set(self, place: str | tuple[str, Question[Any]], kept: Any) -> None:
        with self._lock:
            self._kept.pop(place, None)  # else others would make room for it twice
            self._kept[place] = kept


def n_elements(kept: object) -> float:
    """About how much memory something takes, of whatever type; a node or an edge counts as one."""
    if isinstance(kept, Node | Edge):
        return 1.0
    if isinstance(kept, Index):
        return n_elements(kept.flow)  # what it finds things by is made of these
    if isinstance(kept, tuple | list):
        if kept and isinstance(kept[0], float):  # a row of a pattern: no need to look at each
            return len(kept) / VALUES_AN_ELEMENT
        return sum(map(n_elements, kept), 0.0)
    if is_dataclass(kept):
        return sum((n_elements(getattr(kept, part.name)) for part in fields(kept)), 0.0)
    return 1 / VALUES_AN_ELEMENT

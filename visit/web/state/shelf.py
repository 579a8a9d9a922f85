"""What the server keeps between two requests of a page: flow graphs, and answers about them.

A document can be 2 MB: too much to send up with every tap. So the browser holds an unguessable key
and its view (a few hundred bytes), the server a bounded shelf of graphs by key. Nothing is kept
per user, and nothing is lost when a graph is dropped from the shelf: the view holds the request,
which gives the same graph again.
"""

from __future__ import annotations

import secrets
import threading
from typing import Any

from cachetools import LRUCache

from visit.engine.questions import Answer, Question
from visit.graph.flow import FlowGraph
from visit.graph.index import Index
from visit.graph.limits import SHELF_BYTES
from visit.graph.sizes import n_bytes

_BESIDE = "beside"
_Place = str | tuple[str, Question[Any] | str]
"""A graph's key, or with it a question about it, or that it is held against another."""


class Shelf:
    """Graphs by key, and answers about them; what was used longest ago is dropped first.

    The newest always stays, however large it is.
    """

    def __init__(self, max_bytes: int = SHELF_BYTES) -> None:
        # An entry larger than the limit counts as exactly the limit, so it is kept alone.
        self._kept: LRUCache[_Place, Any] = LRUCache(
            max_bytes, getsizeof=lambda kept: min(n_bytes(kept), max_bytes)
        )
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many graphs and answers are kept."""
        return len(self._kept)

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

    def get_beside(self, key: str) -> FlowGraph | None:
        """The graph that one is held against, if it is against any."""
        flow: FlowGraph | None = self._get((key, _BESIDE))
        return flow

    def keep_beside(self, key: str, flow: FlowGraph) -> None:
        """Keep the graph that one is held against."""
        self._set((key, _BESIDE), flow)

    def _get(self, place: _Place) -> Any:
        with self._lock:
            return self._kept.get(place)

    def _set(self, place: _Place, kept: Any) -> None:
        with self._lock:
            self._kept.pop(place, None)  # else others would make room for it twice
            self._kept[place] = kept

"""One thread for all that a model computes, however many threads ask, first come, first served.

Callbacks run in many threads, and an engine serves one of them at a time. Were each to compute in
its own, every one would keep what computing leaves behind: a team of OpenMP threads as large as the
machine, and an arena of the allocator as large as its largest trace. With thirty clients that took
1.7 GB, against 0.5 GB, and twice the threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from visit.engine.protocol import Engine, ModelChoice, Progress, silent
from visit.engine.queue import Turns
from visit.graph.flow import FlowGraph, Node
from visit.graph.request import Request

P = ParamSpec("P")
T = TypeVar("T")


class Alone:
    """An engine that answers in the order it is asked, always in the same thread.

    Whoever waits is told how many are ahead, and may leave, as ``Turns`` has it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turns = Turns()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="engine")

    def models(self) -> tuple[ModelChoice, ...]:
        """The models that need no download; a page that opens need not wait for a trace."""
        return self._engine.models()

    def explain(self, request: Request, progress: Progress | None = None) -> FlowGraph:
        """As the engine does."""
        return self._run(progress or silent, self._engine.explain, request, progress)

    def open(self, layer: int, position: int, request: Request | None = None) -> FlowGraph:
        """As the engine does."""
        return self._run(silent, self._engine.open, layer, position, request)

    def lens(self, request: Request, positions: Sequence[int]) -> tuple[Node, ...]:
        """As the engine does."""
        return self._run(silent, self._engine.lens, request, positions)

    def pattern(self, layer: int, head: int, request: Request) -> tuple[tuple[float, ...], ...]:
        """As the engine does."""
        return self._run(silent, self._engine.pattern, layer, head, request)

    def _run(self, tell: Progress, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a method answers or raises; its progress still knows which page asked."""
        context = copy_context()
        with self._turns.taken(tell):
            return self._worker.submit(lambda: context.run(method, *args, **kwargs)).result()

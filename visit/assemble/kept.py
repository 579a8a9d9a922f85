"""What was found of traces lately, for the next questions about the same ones.

Opening a block asks for the metric's flow again, another target for the candidates', and measuring
a change for the pass that it goes on from. Each is found in the same way whatever was asked before,
so that a kept one is the same to the last bit.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar, runtime_checkable

from visit.tracing.trace import Trace

KEPT_BYTES = 128 << 20
"""How much memory it may take: of SmolLM2, what seven prompts of 8 tokens need, or one of 330."""


@runtime_checkable
class _Sized(Protocol):
    @property
    def n_bytes(self) -> int: ...


_Found = TypeVar("_Found", bound=_Sized)


class Kept:
    """Keeps the latest that was found of traces; what was used longest ago is dropped first.

    Args:
        max_bytes: How much memory it may take; what is larger alone is not kept.
    """

    def __init__(self, max_bytes: int = KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, tuple[weakref.ref[Trace], Any]] = OrderedDict()

    def find(self, trace: Trace, what: Hashable, make: Callable[[], _Found]) -> _Found:
        """What is asked for of a trace, made where it is not kept.

        Args:
            trace: The trace.
            what: Names what is made, with all that it depends on beside the trace.
            make: Makes it.
        """
        key = id(trace), what
        kept = self._kept.get(key)
        if kept is not None and kept[0]() is trace:  # else of one that is gone, whose place it has
            self._kept.move_to_end(key)
            found: _Found = kept[1]
            return found
        made = make()
        if made.n_bytes <= self._max_bytes:
            self._keep(key, trace, made)
        return made

    def _keep(self, key: Hashable, trace: Trace, made: _Sized) -> None:
        self._kept = OrderedDict(
            (of, kept) for of, kept in self._kept.items() if kept[0]() is not None and of != key
        )
        self._kept[key] = weakref.ref(trace), made
        while sum(kept.n_bytes for _, kept in self._kept.values()) > self._max_bytes:
            self._kept.popitem(last=False)

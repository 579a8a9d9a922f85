"""How much memory kept graphs and answers take, about: in bytes, by what they are made of.

The figures are of CPython 3.11 to 3.14 on 64 bits, measured with ``tracemalloc`` on graphs of the
bundled model and of SmolLM2, look-ups (``visit.graph.index``) included.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from visit.graph.flow import Edge, Node, Outcome, Reading, TokenFlow, TokenProbability
from visit.graph.index import Index

_NODE, _EDGE, _LISTED, _TEXT, _VALUE = 900, 900, 120, 50, 32


def n_bytes(kept: object) -> int:
    """About how much memory something takes, of whatever type."""
    if isinstance(kept, Node):
        effect = 0 if kept.effect is None else n_bytes(kept.effect)
        return _NODE + _of_reading(kept.reading) + _of_outcome(kept.outcome) + effect
    if isinstance(kept, Edge):
        return _EDGE
    if isinstance(kept, Index):
        return n_bytes(kept.flow)  # what it finds things by is counted with these
    if isinstance(kept, str):
        return _TEXT + len(kept)
    if isinstance(kept, tuple | list):
        if kept and isinstance(kept[0], float):  # a row of a pattern: no need to look at each
            return _VALUE * len(kept)
        return _VALUE + sum(map(n_bytes, kept))
    if is_dataclass(kept):
        return sum(n_bytes(getattr(kept, part.name)) for part in fields(kept))
    return _VALUE


def _of_reading(reading: Reading) -> int:
    return sum(_of_listing(listed) for listed in (reading.top, reading.bottom))


def _of_outcome(outcome: Outcome | None) -> int:
    if outcome is None:
        return 0
    return _VALUE + sum(_of_listing(listed) for listed in (outcome.promotes, outcome.suppresses))


def _of_listing(listed: tuple[TokenProbability, ...] | tuple[TokenFlow, ...]) -> int:
    return _LISTED * len(listed) + sum(len(token.text) for token in listed)

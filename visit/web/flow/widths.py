"""How wide lines are by each measure, and what the widest says."""

from __future__ import annotations

from visit.graph.index import Index
from visit.web.words import percent

_PARTS_OF_ONE = frozenset({"carried", "share"})


def find_widest(index: Index, measure: str) -> float:
    """What the widest line there can be says, by one of ``look.WIDTHS``, in its unit.

    It is the graph's, drawn or not, so that no width changes as blocks open and close.
    """
    return 1.0 if measure == "carried" else index.largest[measure]


def say_width(value: float, measure: str) -> str:
    """A number as a legend has it: a part in percent, any other in three digits."""
    return percent(value) if measure in _PARTS_OF_ONE else f"{value:.3g}"

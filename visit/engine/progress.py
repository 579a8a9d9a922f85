"""How the caller follows an answer's progress, and stops it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a stage in words and how far the whole is, 0 to 1; raise ``Cancelled`` to stop."""


UNBROKEN = frozenset({"forward"})
"""Stages that nothing else may come between: meanwhile the model is being watched as it runs."""


def silent(stage: str, part: float) -> None:
    """A ``Progress`` that does nothing."""


def part_of(tell: Progress, low: float, high: float) -> Progress:
    """A ``Progress`` for a part of the work, which is from ``low`` to ``high`` of the whole."""

    def tell_part(stage: str, part: float) -> None:
        tell(stage, low + (high - low) * part)

    return tell_part

"""How the caller follows an answer's progress, and stops it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a stage in words and how far the whole is, 0 to 1; raise ``Cancelled`` to stop."""


def silent(stage: str, part: float) -> None:
    """A ``Progress`` that does nothing."""

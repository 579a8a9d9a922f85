"""Figures of many measurements, and how they are written down."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

Row = Sequence[str]


def quantile(values: Iterable[float], part: float) -> float:
    """The value that a part of the values, 0 to 1, lies at or below; between two, a mixture.

    Raises:
        ValueError: there are no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values to take a quantile of")
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def growth(samples: Sequence[tuple[float, float]], warm_up: float, window: float) -> float:
    """By what part a measure grew after its warm-up: the last window's median over the first's.

    Args:
        samples: Times in seconds from the start, and what was measured then.
        warm_up: When the first window begins, in seconds.
        window: How long both windows are, in seconds.

    Raises:
        ValueError: one of the windows holds no sample.
    """
    end = max((time for time, _ in samples), default=0.0)
    first = [value for time, value in samples if warm_up <= time <= warm_up + window]
    last = [value for time, value in samples if time >= end - window]
    if not first or not last:
        raise ValueError(f"no sample in the {window:.0f} s after {warm_up:.0f} s")
    return statistics.median(last) / statistics.median(first) - 1


def milliseconds(value: float) -> str:
    """A duration in milliseconds, as it is written in a table."""
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table, its columns lined up."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    written = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([written[0], rule, *written[1:]])

"""What a study's ``report`` makes its figures of: lines with intervals, and numbers in sentences.

``line`` takes one row of numbers a prompt, and the makers of figures take lines::

    overlap = line("with W_O", rows["head_overlap"].mean(2), within=(0, 1))
    says = f"Heads share {share_in_words(overlap, 20)} of the block's words in layer 20."
    return [lines_figure("heads", "Heads and their block", says, [overlap], x_title="layer",
                         y_title="words shared", n=len(rows))]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np

from visit.graph.studied.columns import Array
from visit.graph.studied.figure import Figure, FigureKind, Line
from visit.graph.studied.intervals import Bounds, Interval, mean_interval

Xs = Sequence[float | str] | None


def line(name: str, values: Array, *, within: Bounds | None = None, seed: int = 0) -> Line:
    """The means over prompts with their intervals.

    Args:
        name: What the line is of.
        values: ``[prompt, x]``, NaN where something is not known.
        within: The least and the greatest that a value can be, such as 0 and 1.
        seed: Of the intervals' draws.

    Raises:
        ValueError: the values have other axes.
    """
    if values.ndim != 2:
        raise ValueError(f"{name} has {values.ndim} axes; a line takes [prompt, x]")
    return line_from_interval(name, mean_interval(values, within=within, seed=seed))


def line_from_interval(name: str, interval: Interval) -> Line:
    """A line of intervals that are known already, such as of a difference."""
    n = int(interval.n.max()) if interval.n.size else 0
    return Line(name, _numbers(interval.mean), _numbers(interval.low), _numbers(interval.high), n)


def _numbers(values: Array) -> tuple[float | None, ...]:
    return tuple(float(one) if math.isfinite(one) else None for one in values)


def map_figure(
    name: str,
    title: str,
    says: str,
    values: Array,
    rows: Sequence[str],
    *,
    x_title: str,
    y_title: str,
    n: int,
    x: Xs = None,
    expected: str = "",
    within: Bounds | None = None,
) -> Figure:
    """A map of means over prompts.

    Args:
        name: As ``Figure`` has it, and so are the others.
        title: Likewise.
        says: Likewise.
        values: ``[prompt, row, x]``, NaN where something is not known.
        rows: The rows' names, from above.
        x_title: What x is.
        y_title: What the colour is.
        n: How many prompts it is over.
        x: Where the values stand; from 0 by ones when left out.
        expected: What whoever said it first found.
        within: The least and the greatest that a value can be.

    Raises:
        ValueError: there are other rows than names.
    """
    if values.ndim != 3 or values.shape[1] != len(rows):
        raise ValueError(f"{name} has the shape {values.shape} for {len(rows)} rows")
    found = mean_interval(values, within=within)
    lines = [
        line_from_interval(
            row, Interval(found.mean[at], found.low[at], found.high[at], found.n[at])
        )
        for at, row in enumerate(rows)
    ]
    return _figure(
        FigureKind.MAP, name, title, says, lines,
        x_title=x_title, y_title=y_title, n=n, x=x, expected=expected,
    )  # fmt: skip


def _figure(
    kind: FigureKind,
    name: str,
    title: str,
    says: str,
    lines: Sequence[Line],
    *,
    x_title: str,
    y_title: str,
    n: int,
    x: Xs = None,
    expected: str = "",
    of: str = "prompt",
) -> Figure:
    """A figure of lines that are made; x is from 0 by ones when left out, as layers are."""
    n_values = len(lines[0].mean) if lines else 0
    places = tuple(np.arange(n_values).tolist()) if x is None else tuple(x)
    return Figure(
        name, title, says, kind, x_title, y_title, places, tuple(lines), n, expected=expected, of=of
    )


lines_figure = partial(_figure, FigureKind.LINES)
"""Lines over x; it takes what ``Figure`` has, in this order."""
bars_figure = partial(_figure, FigureKind.BARS)
"""Bars beside each other, one colour a line, with whiskers; likewise."""


def depth_names(n_depths: int) -> list[str]:
    """The depths of the residual stream as an axis names them: the embedding, then each layer."""
    return ["embedding", *map(str, range(n_depths - 1))]


def highest(line: Line) -> int:
    """Where a line is highest, of what is known; 0 where nothing is."""
    known = [at for at, mean in enumerate(line.mean) if mean is not None]
    return max(known, key=lambda at: line.mean[at] or 0.0, default=0)


def number_in_words(line: Line, at: int, digits: int = 2) -> str:
    """A value with its interval, as a sentence has it: ``−1.24 (−1.31 to −1.17)``."""
    return _in_words(line, at, 1.0, digits, "")


def share_in_words(line: Line, at: int, digits: int = 1) -> str:
    """A part of 1 likewise, in per cent: ``12.3 % (11.9 to 12.7)``."""
    return _in_words(line, at, 100.0, digits, " %")


def _in_words(line: Line, at: int, times: float, digits: int, unit: str) -> str:
    mean = line.mean[at]
    if mean is None:
        return "unknown"
    said = _digits(times * mean, digits) + unit
    low, high = (ends[at] if ends else None for ends in (line.low, line.high))
    if low is None or high is None:
        return said
    return f"{said} ({_digits(times * low, digits)} to {_digits(times * high, digits)})"


def _digits(value: float, digits: int) -> str:
    """Rounded, with a true minus, which nothing has that is rounded to 0."""
    said = f"{value:.{digits}f}"
    return said.lstrip("-") if float(said) == 0 else said.replace("-", "−")

"""How the numbers of many prompts vary, part by part: their means, deviations and intervals.

Plain arrays, prompts down and parts across; where a prompt lacks a part it holds NaN.
"""

from __future__ import annotations

import numpy as np

from visit.graph.spread import Spread
from visit.graph.studied.columns import Array
from visit.graph.studied.intervals import mean_interval


def spread_over(values: Array, strong: Array | None = None) -> list[Spread | None]:
    """How each part's number varies; ``None`` for a part that no prompt has.

    Args:
        values: ``[prompt, part]``, NaN where a prompt lacks the part.
        strong: Likewise, whether the part is among the strongest of the prompt.
    """
    there = ~np.isnan(values)
    interval = mean_interval(values)
    counts, means = interval.n, interval.mean
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.where(there, (values - means) ** 2, 0.0).sum(0)
        deviations = np.sqrt(squares / (counts - 1))
        among = None if strong is None else (strong & there).sum(0) / counts
    return [
        None
        if counts[at] == 0
        else Spread(
            n=int(counts[at]),
            mean=float(means[at]),
            sd=float(deviations[at]) if counts[at] > 1 else None,
            low=_number(interval.low[at]),
            high=_number(interval.high[at]),
            among=None if among is None else float(among[at]),
        )
        for at in range(values.shape[1])
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def strongest_in(values: Array, count: int) -> Array:
    """Whether each part is among its prompt's strongest, signs aside; of equal ones the first."""
    sizes = np.where(np.isnan(values), -1.0, np.abs(values))
    order = np.argsort(-sizes, axis=1, kind="stable")[:, :count]
    strong = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(strong, order, True, axis=1)
    return strong & (sizes > 0)

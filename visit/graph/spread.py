"""How a number varies from prompt to prompt: mean, deviation, interval, and how often it is strong.

Plain arrays, prompts down and parts across; where a prompt lacks a part it holds NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
LEVEL = 0.95
"""How often an interval holds the mean over all prompts like these."""
LEAST = 5
"""With fewer prompts there is no interval: resamples of so few say nothing."""
RESAMPLES = 2000
_AT_ONCE = 1 << 22
"""How many resampled means are held at once: 32 MiB."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How one number varies over prompts.

    Attributes:
        n: How many prompts have it.
        mean: Their mean.
        sd: The standard deviation of one prompt's; ``None`` of a single prompt.
        low: Where the 95 % interval of the mean begins; ``None`` with fewer than five prompts.
        high: Where it ends.
        among: In which part of the prompts it is among the strongest by this measure, 0 to 1;
            ``None`` where that is not asked.
    """

    n: int
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    among: float | None = None


def spread_over(values: Array, strong: Array | None = None) -> list[Spread | None]:
    """How each part's number varies; ``None`` for a part that no prompt has.

    Args:
        values: ``[prompt, part]``, NaN where a prompt lacks the part.
        strong: Likewise, whether the part is among the strongest of the prompt.
    """
    there = ~np.isnan(values)
    counts = there.sum(0)
    # A sum in a fixed order says the same whatever order the prompts came in, up to rounding.
    filled = np.where(there, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = filled.sum(0) / counts
        squares = np.where(there, (values - means) ** 2, 0.0).sum(0)
        deviations = np.sqrt(squares / (counts - 1))
        among = None if strong is None else (strong & there).sum(0) / counts
    lows, highs = intervals(values)
    return [
        None
        if counts[at] == 0
        else Spread(
            n=int(counts[at]),
            mean=float(means[at]),
            sd=float(deviations[at]) if counts[at] > 1 else None,
            low=_number(lows[at]),
            high=_number(highs[at]),
            among=None if among is None else float(among[at]),
        )
        for at in range(values.shape[1])
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def intervals(
    values: Array, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Array, Array]:
    """The bootstrap-t interval of each part's mean; NaN with fewer than ``LEAST`` prompts.

    Prompts are drawn again with replacement; how far a resample's mean lies from the sample's, in
    its own standard errors, is how far the sample's may lie from the truth in its own.

    Args:
        values: ``[prompt, part]``, NaN where a prompt lacks the part.
        level: How often the interval holds the truth.
        resamples: How many times prompts are drawn.
        seed: Of the draws.

    Source: Efron & Tibshirani 1993, section 12.5.
    """
    low, high = (np.full(values.shape[1], np.nan) for _ in range(2))
    # Parts of the same prompts are drawn together: the parts of a slot are.
    masks, group = np.unique(~np.isnan(values), axis=1, return_inverse=True)
    for number, mask in enumerate(masks.T):
        n = int(mask.sum())
        if n < LEAST:
            continue
        parts = np.flatnonzero(group.reshape(-1) == number)
        weights = _draw(n, resamples, seed)
        step = max(1, _AT_ONCE // resamples)
        for begin in range(0, len(parts), step):
            some = parts[begin : begin + step]
            low[some], high[some] = _interval(values[np.ix_(mask, some)], weights, level)
    return low, high


def _draw(n: int, resamples: int, seed: int) -> Array:
    """How often each of ``n`` prompts is drawn in every resample, as a part of ``n``."""
    drawn = np.random.default_rng(seed).integers(0, n, (resamples, n))
    counts = np.zeros((resamples, n))
    np.add.at(counts, (np.arange(resamples)[:, None], drawn), 1.0)
    return counts / n


def _interval(sample: Array, weights: Array, level: float) -> tuple[Array, Array]:
    n = len(sample)
    mean = sample.mean(0)
    centred = sample - mean
    error = np.sqrt((centred**2).sum(0) / (n - 1) / n)
    moved = weights @ centred
    variance = np.maximum(weights @ centred**2 - moved**2, 0.0) / (n - 1)
    # A resample of one prompt over and over has no deviation, and says nothing.
    with np.errstate(invalid="ignore", divide="ignore"):
        studentised = np.where(variance > 1e-24 * error**2, moved / np.sqrt(variance), np.nan)
        tail = (1 - level) / 2
        ends = _quantiles(studentised, (tail, 1 - tail))
    still = error == 0
    return (
        np.where(still, mean, mean - ends[1] * error),
        np.where(still, mean, mean - ends[0] * error),
    )


def _quantiles(values: Array, parts: tuple[float, float]) -> Array:
    """Quantiles of each column, NaN passed over; of a column of nothing else, 0."""
    ordered = np.sort(values, axis=0)  # NaN comes last
    counts = (~np.isnan(values)).sum(0)
    found = []
    for part in parts:
        place = part * np.maximum(counts - 1, 0)
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, np.maximum(counts - 1, 0))
        one, other = (np.take_along_axis(ordered, at[None], 0)[0] for at in (below, above))
        found.append(np.where(counts > 0, one + (place - below) * (other - one), 0.0))
    return np.stack(found)


def strongest_in(values: Array, count: int) -> Array:
    """Whether each part is among its prompt's strongest, signs aside; of equal ones the first."""
    sizes = np.where(np.isnan(values), -1.0, np.abs(values))
    order = np.argsort(-sizes, axis=1, kind="stable")[:, :count]
    strong = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(strong, order, True, axis=1)
    return strong & (sizes > 0)

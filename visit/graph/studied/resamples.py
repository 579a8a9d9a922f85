"""The means of prompts that are drawn again with replacement, for many columns at once.

A resample is a row of weights, how often it has each prompt, so all resamples of all columns are
one product of matrices. Prompts of which something is not known are drawn like all others, and the
mean is over those that are known.

More than ``MANY`` prompts are dealt in turn into that many blocks, and blocks are drawn instead:
what a block's prompts add up to is a number like any other, independent of the other blocks', and
the mean of all is the same. Only the spread of the resamples is a little less certain then: by one
part in the square root of twice ``MANY``, 2 %, which is less than the 3 % that 2,000 draws leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visit.graph.studied.columns import Array

MANY = 1000
_AT_ONCE = 64
"""Columns that are read at once: with ``MANY`` rows they stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is drawn from, and what is known of it without drawing: all by column.

    Attributes:
        n: How many prompts are known.
        mean: Theirs; NaN of none.
        variance: The mean squared deviation from it; exactly 0 where all agree.
        third: The mean cubed deviation.
        is_share: Whether 0 and 1, and nothing else, are known.
        sums: ``[unit, column]``: what the known of a prompt or a block deviate, added up, in
            standard deviations and single precision, which of such numbers loses nothing seen.
        counts: Likewise, how many are known.
    """

    n: Array
    mean: Array
    variance: Array
    third: Array
    is_share: Array
    sums: Array
    counts: Array


def take_sample(values: Array) -> Sample:
    """What can be drawn of columns ``[prompt, column]``, NaN where something is not known."""
    shape = (min(len(values), MANY), values.shape[1])
    moments = np.empty((4, shape[1]))
    sums, counts = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for begin in range(0, shape[1], _AT_ONCE):
        at = slice(begin, begin + _AT_ONCE)
        moments[:, at] = _read(values[:, at], sums[:, at], counts[:, at])
    n, mean, variance, third = moments[0], moments[1], moments[2], moments[3]
    is_share: Array = np.abs(variance - mean * (1 - mean)) < 1e-9
    is_share &= variance > 0
    some = values[:, is_share]
    is_share[is_share] = ((some == 0) | (some == 1) | np.isnan(some)).all(0)
    return Sample(n, mean, variance, third, is_share, sums, counts)


def _read(values: Array, sums: Array, counts: Array) -> Array:
    """Fill in sums and counts; n, mean, variance and third moment.

    Deviations are from the first known value until the mean is known, so that where all agree
    nothing is rounded.
    """
    first = _first_known(values).astype(np.float64)
    units, known_of = np.zeros(sums.shape), np.zeros(sums.shape)
    powers = np.zeros((2, sums.shape[1]))
    for begin in range(0, len(values), MANY):
        away = values[begin : begin + MANY].astype(np.float64)
        away -= first
        unknown = np.isnan(away)
        if unknown.any():
            away[unknown] = 0.0
        square = away * away
        units[: len(away)] += away
        known_of[: len(away)] += ~unknown
        powers += square.sum(0), np.einsum("ij,ij->j", square, away)
    n = known_of.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        off = units.sum(0) / n
        square, cube = powers / n
        variance = np.where(square == 0, 0.0, np.maximum(square - off**2, 0.0))
        third = cube - 3 * off * square + 2 * off**3
        scale = np.where(variance > 0, 1 / np.sqrt(variance), 0.0)
        sums[:] = (units - known_of * np.nan_to_num(off)) * scale
    counts[:] = known_of
    return np.stack([n, first + off, np.where(n > 0, variance, np.nan), third])


def _first_known(values: Array) -> Array:
    if not len(values):
        return np.full(values.shape[1], np.nan)
    first: Array = values[0].copy()
    late = np.flatnonzero(np.isnan(first))
    if len(late):
        some = values[:, late]
        first[late] = some[np.argmax(~np.isnan(some), axis=0), np.arange(len(late))]
    return first


def draw_means(sample: Sample, resamples: int, seed: int | Sequence[int]) -> Array:
    """The resamples' means, less the column's own: ``[column, resample]``."""
    n_units, n_columns = sample.sums.shape
    if not n_units:
        return np.zeros((n_columns, resamples))
    weights = _draw(n_units, resamples, seed)
    means = (sample.sums.T @ weights).astype(np.float64)
    # Where all is known, and in as many prompts a unit, a resample has always as many.
    ragged = np.ptp(sample.counts, axis=0) > 0
    means[~ragged] /= np.maximum(sample.n[~ragged, None], 1)
    if ragged.any():
        known = sample.counts[:, ragged].T @ weights
        means[ragged] = np.divide(means[ragged], known, out=np.zeros(known.shape), where=known > 0)
    return means * np.sqrt(sample.variance)[:, None]


def _draw(n: int, resamples: int, seed: int | Sequence[int]) -> Array:
    """How often each of ``n`` units is drawn in every resample: ``[unit, resample]``."""
    drawn = np.random.default_rng(seed).integers(0, n, (resamples, n))
    drawn += (np.arange(resamples) * n)[:, None]
    counts = np.bincount(drawn.reshape(-1), minlength=resamples * n)
    return counts.reshape(resamples, n).T.astype(np.float32)

"""Intervals of means: how often they hold the truth, and the same by scipy."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from visit.graph.studied import resamples
from visit.graph.studied.intervals import LEAST, Interval, difference_interval, mean_interval

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
KNOWN: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, shape: rng.normal(3, 2, shape), 3.0),
    "exponential": (lambda rng, shape: rng.exponential(1, shape), 1.0),
    "lognormal": (lambda rng, shape: rng.lognormal(0, 0.5, shape), math.exp(0.125)),
}
SHARES: dict[str, tuple[Draw, float]] = {
    "Bernoulli, .1": (lambda rng, shape: (rng.random(shape) < 0.1).astype(float), 0.1),
    "Bernoulli, .5": (lambda rng, shape: (rng.random(shape) < 0.5).astype(float), 0.5),
}


def coverage(found: Interval, truth: float) -> float:
    held = (found.low <= truth + 1e-9) & (truth <= found.high + 1e-9)
    return float(held.mean())


@pytest.mark.parametrize(("n", "studies"), [(50, 1500), (100, 1500), (1000, 800)])
@pytest.mark.parametrize("name", KNOWN)
def test_an_interval_holds_the_truth_in_93_to_97_of_100_studies(name: str, n: int, studies: int):
    draw, truth = KNOWN[name]
    values = draw(np.random.default_rng(7), (n, studies)).astype(np.float32)
    found = mean_interval(values, resamples=1000)
    assert 0.93 <= coverage(found, truth) <= 0.97
    if name == "exponential" and n == 50:
        # Neither end is missed much more often than the other, as a plain percentile's are.
        assert 0.015 < (found.low > truth).mean() < 0.04
        assert 0.02 < (found.high < truth).mean() < 0.045


@pytest.mark.parametrize("n", [50, 100, 1000])
@pytest.mark.parametrize("truth", [0.1, 0.5])
def test_so_does_one_of_a_share_by_every_count_that_there_can_be(truth: float, n: int):
    """Exactly, not by simulation: of a count only so many things can come out."""
    rng = np.random.default_rng(1)
    likely = stats.binom.pmf(np.arange(n + 1), n, truth)
    counts = np.flatnonzero(likely > 1e-6)
    values = rng.permuted(np.arange(n)[:, None] < counts, axis=0)
    found = mean_interval(values)
    held = (found.low <= truth) & (truth <= found.high)
    assert 0.93 <= likely[counts][held].sum() <= 0.97


@pytest.mark.parametrize("name", ["exponential", "Bernoulli, .1"])
def test_so_does_one_of_more_prompts_than_are_drawn_one_by_one(name: str):
    draw, truth = (KNOWN | SHARES)[name]
    values = draw(np.random.default_rng(8), (2300, 400)).astype(np.float32)
    assert 0.93 <= coverage(mean_interval(values, resamples=1000), truth) <= 0.97


@pytest.mark.parametrize("of", [(40, 60), (1200, 50)])
def test_so_does_that_of_a_difference_of_two_sets_or_of_pairs(of: tuple[int, int]):
    rng = np.random.default_rng(9)
    one, other = rng.exponential(3, (of[0], 800)), rng.normal(1, 2, (of[1], 800))
    found = difference_interval(one, other, resamples=1000)
    assert 0.93 <= coverage(found, 2.0) <= 0.97
    assert (found.n == min(of)).all()

    common = rng.exponential(50, (of[0], 800))
    noise = rng.normal(0, 1, (of[0], 800))
    found = difference_interval(common + 1 + noise, common, paired=True, resamples=1000)
    assert 0.93 <= coverage(found, 1.0) <= 0.97
    assert (found.high - found.low).max() < 2  # what the prompts have in common is not in it


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("n", [30, 400])
def test_it_is_scipys_with_the_level_that_is_expanded_for_few_prompts(name: str, n: int):
    sample = KNOWN[name][0](np.random.default_rng(3), (n, 1))
    tail = stats.norm.cdf(math.sqrt(n / (n - 1)) * stats.t.ppf(0.025, n - 1))
    theirs = stats.bootstrap(
        (sample[:, 0],), np.mean, axis=-1, vectorized=True, n_resamples=10_000,
        confidence_level=1 - 2 * tail, method="BCa", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    ours = mean_interval(sample, resamples=10_000)
    error = sample.std(ddof=1) / math.sqrt(n)
    assert (ours.low[0] - theirs.low) / error == pytest.approx(0, abs=0.1)
    assert (ours.high[0] - theirs.high) / error == pytest.approx(0, abs=0.1)
    assert ours.mean[0] == pytest.approx(sample.mean(), rel=1e-12)


def test_blocks_of_prompts_say_what_prompts_one_by_one_do(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(5)
    values = rng.lognormal(0, 1, (3217, 40))
    values[rng.random(values.shape) < 0.2] = np.nan
    values[:, 0] = np.where(np.arange(3217) % 800 == 5, 3.0, 0.0)  # four of all
    blocks = mean_interval(values, resamples=3000)
    monkeypatch.setattr(resamples, "MANY", len(values))
    plain = mean_interval(values, resamples=3000)
    half = (plain.high - plain.low) / 2
    for one, other in ((blocks.low, plain.low), (blocks.high, plain.high)):
        assert np.abs((one - other) / half).max() < 0.2
        assert np.abs((one - other) / half).mean() < 0.06
    np.testing.assert_allclose(blocks.mean, np.nanmean(values, axis=0), rtol=1e-12)


def test_a_value_that_is_not_known_is_as_if_it_had_not_been_asked_for():
    rng = np.random.default_rng(11)
    known = rng.gamma(2, 1, 60)
    values = np.full((180, 2), np.nan)
    values[rng.permutation(180)[:60], 0] = known
    values[:60, 1] = known
    found, alone = mean_interval(values), mean_interval(known[:, None])
    assert found.n.tolist() == [60, 60]
    np.testing.assert_allclose(found.mean, known.mean(), rtol=1e-12)
    half = (alone.high - alone.low)[0] / 2
    assert np.abs(found.low - alone.low[0]).max() < 0.12 * half
    assert np.abs(found.high - alone.high[0]).max() < 0.12 * half


def test_the_same_seed_draws_the_same_and_axes_keep_their_shape():
    values = np.random.default_rng(0).normal(size=(30, 4, 3)).astype(np.float32)
    one, again, other = (mean_interval(values, seed=seed) for seed in (1, 1, 2))
    assert one.mean.shape == one.low.shape == one.high.shape == one.n.shape == (4, 3)
    assert (one.low == again.low).all() and (one.high == again.high).all()
    assert (one.low != other.low).any()
    assert (one.low < one.mean).all() and (one.mean < one.high).all()
    apart = mean_interval(values[:, 1:2, 1])
    assert apart.mean[0] == pytest.approx(values[:, 1, 1].astype(float).mean())
    assert mean_interval(np.empty((5, 0, 2))).mean.shape == (0, 2)


def test_of_one_prompt_there_is_a_mean_and_no_interval_of_none_nothing():
    found = mean_interval(np.array([[4.0, np.nan], [np.nan, np.nan]]))
    assert found.mean[0] == 4 and np.isnan([found.low[0], found.high[0]]).all()
    assert np.isnan([found.mean[1], found.low[1], found.high[1]]).all()
    assert found.n.tolist() == [1, 0]
    assert np.isnan(mean_interval(np.empty((0, 1))).mean).all()
    apart = difference_interval(np.array([[4.0]]), np.array([[1.0], [2.0], [3.0]]))
    assert apart.mean[0] == 2 and np.isnan(apart.low[0])


def test_few_prompts_have_students_interval():
    values = np.random.default_rng(4).normal(size=(LEAST - 1, 2))
    found = mean_interval(values)
    for column in range(2):
        theirs = stats.ttest_1samp(values[:, column], 0).confidence_interval()
        assert (found.low[column], found.high[column]) == pytest.approx(theirs, rel=1e-9)
    other = np.random.default_rng(5).normal(size=(20, 2))
    apart = difference_interval(values, other)
    theirs = stats.ttest_ind(values[:, 0], other[:, 0], equal_var=False).confidence_interval()
    assert (apart.low[0], apart.high[0]) == pytest.approx(theirs, rel=1e-9)


def test_where_all_agree_the_interval_is_the_value_unless_bounds_say_how_far_off_it_can_be():
    values = np.stack([np.full(50, 0.1), np.zeros(50), np.ones(50)], axis=1)
    found = mean_interval(values)
    assert found.mean.tolist() == found.low.tolist() == found.high.tolist() == [0.1, 0.0, 1.0]
    share = mean_interval(values, within=(0.0, 1.0))
    exact = stats.binomtest(0, 50).proportion_ci(method="exact")
    assert (share.low[1], share.high[1]) == pytest.approx((exact.low, exact.high))
    assert (share.low[2], share.high[2]) == pytest.approx((1 - exact.high, 1.0))
    assert share.low[0] == pytest.approx(0.1 * (1 - exact.high))
    apart = difference_interval(values, values, within=(0.0, 1.0))
    assert (apart.low[1], apart.high[1]) == pytest.approx((-exact.high, exact.high))


def test_the_interval_of_a_share_is_what_resamples_say_where_there_are_many_prompts():
    values = (np.arange(900)[:, None] % 900 < np.array([90, 450])).astype(float)
    share, drawn = mean_interval(values), mean_interval(values * 3, resamples=10_000)
    half = (share.high - share.low) / 2
    assert np.abs((share.low - drawn.low / 3) / half).max() < 0.04
    assert np.abs((share.high - drawn.high / 3) / half).max() < 0.04
    assert (mean_interval(values > 0.5).low == share.low).all()


def test_a_rare_share_stays_between_0_and_1():
    values = np.zeros((40, 1))
    values[3] = 1.0
    found = mean_interval(values)
    assert 0.0 < found.low[0] < 0.005 and 0.08 < found.high[0] < 0.13
    seldom = mean_interval(values * 7)  # no share, and the bootstrap-t has no end here
    assert 0.0 <= seldom.low[0] < 0.01 and 0.08 * 7 < seldom.high[0] < 0.2 * 7
    few = mean_interval(values[:5] / 2, within=(0.0, 1.0))
    assert few.low[0] == 0.0 and few.high[0] <= 1.0


def test_a_hundred_thousand_rows_take_little_more_memory_than_the_rows():
    values = np.random.default_rng(0).exponential(1, (100_000, 24)).astype(np.float32)
    values = np.tile(values, (1, 2))
    tracemalloc.start()
    found = mean_interval(values)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 60e6
    exact = values.astype(np.float64)
    error = exact.std(0, ddof=1) / math.sqrt(len(exact))
    np.testing.assert_allclose(found.mean, exact.mean(0), rtol=1e-10)
    np.testing.assert_allclose((found.high - found.low) / error, 2 * 1.96, rtol=0.12)


def test_sets_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="paired sets have the shapes"):
        difference_interval(np.zeros((3, 2)), np.zeros((4, 2)), paired=True)
    with pytest.raises(ValueError, match="the sets have the shapes"):
        difference_interval(np.zeros((3, 2)), np.zeros((4, 3)))

"""What one intervention does to a prediction: measured, and as three ways of predicting it have it.

Every change is of the metric: with the intervention less without it, sign as written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import StatisticsError, correlation
from typing import NamedTuple

from visit.graph.interventions import Site
from visit.graph.metric import TokenProbability

NOTICEABLE = 0.01
"""A change of the metric that is worth a sign; smaller ones are left out of equal signs."""


class Flag(StrEnum):
    """What a site's measured effect says of its direct one.

    *Repaired*: less than a quarter of it is left, since what follows makes up for it. *Reversed*:
    the prediction changes the other way.
    """

    REPAIRED = "repaired"
    REVERSED = "reversed"


class TokenDelta(NamedTuple):
    """A candidate, with how much its logit changes less the candidates' mean change."""

    id: int
    text: str
    delta: float


@dataclass(frozen=True, slots=True)
class After:
    """What the changed pass predicts.

    Attributes:
        prob: The target's probability.
        rank: The target's rank; 1 is best.
        kl: Divergence of the changed prediction from the plain one, ``KL(plain ‖ changed)``, in
            nats.
        top: The likeliest next tokens, likeliest first.
        gains: The candidates that gain most over their mean, most first.
        losses: Those that lose most, most first.
    """

    prob: float
    rank: int
    kl: float
    top: tuple[TokenProbability, ...]
    gains: tuple[TokenDelta, ...]
    losses: tuple[TokenDelta, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one intervention, or several together, change the metric by.

    Attributes:
        sites: Where.
        measured: By the changed pass, everything downstream run again; ``None`` where it was only
            predicted.
        direct: Predicted by the direct logits, nothing downstream counted; ``None`` where the
            metric is no sum of logits.
        flow: Predicted through the pass with patterns, norms and gates held.
        estimate: Predicted by the live pass's gradient (attribution patching).
        after: What the changed pass predicts.
        normalised: Of a patch: how much of the way from the plain metric to the reference's.
    """

    sites: tuple[Site, ...]
    measured: float | None
    direct: float | None
    flow: float | None
    estimate: float | None
    after: After | None = None
    normalised: float | None = None

    @property
    def flag(self) -> Flag | None:
        """Whether what follows repairs or reverses what the part does directly."""
        if self.measured is None or self.direct is None or abs(self.direct) <= NOTICEABLE:
            return None
        if self.measured * self.direct < 0 and abs(self.measured) > NOTICEABLE:
            return Flag.REVERSED
        return Flag.REPAIRED if abs(self.measured) < abs(self.direct) / 4 else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well a prediction agrees with what was measured.

    Attributes:
        n: Over how many sites.
        pearson: Correlation; ``None`` where either does not vary.
        spearman: Correlation of ranks.
        sign: The part of the sites, of those that change the metric noticeably, where both have
            the same sign; ``None`` where none does.
    """

    n: int
    pearson: float | None
    spearman: float | None
    sign: float | None


WAYS_OF_PREDICTING = ("direct", "flow", "estimate")


def agreement_of(effects: Iterable[Effect]) -> dict[str, Agreement]:
    """Each way of predicting against what was measured, over the effects that have both."""
    found = {}
    effects = tuple(effects)
    for way in WAYS_OF_PREDICTING:
        pairs = [
            (predicted, one.measured)
            for one in effects
            if (predicted := getattr(one, way)) is not None and one.measured is not None
        ]
        if pairs:
            found[way] = agreement_from(*zip(*pairs, strict=True))
    return found


def agreement_from(predicted: Sequence[float], measured: Sequence[float]) -> Agreement:
    """How well numbers agree with measured ones."""
    signs = [p * m > 0 for p, m in zip(predicted, measured, strict=True) if abs(m) > NOTICEABLE]
    return Agreement(
        n=len(measured),
        pearson=_correlate(predicted, measured),
        spearman=_correlate(_ranks(predicted), _ranks(measured)),
        sign=sum(signs) / len(signs) if signs else None,
    )


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    counts = Counter(values)
    last, rank_of = 0, dict[float, float]()
    for value in sorted(counts):
        last += counts[value]
        rank_of[value] = last - (counts[value] - 1) / 2
    return [rank_of[value] for value in values]


def _correlate(one: Sequence[float], other: Sequence[float]) -> float | None:
    try:
        return correlation(one, other)
    except StatisticsError:  # fewer than two, or one of them does not vary
        return None


def strongest_first(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    """Effects by what was measured, or else estimated; equal ones by their sites."""

    def strength(one: Effect) -> tuple[float, tuple[str, ...]]:
        size = one.measured if one.measured is not None else one.estimate or one.flow or 0.0
        return -abs(size), tuple(map(str, one.sites))

    return tuple(sorted(effects, key=strength))

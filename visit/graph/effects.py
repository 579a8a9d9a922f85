"""The answer to ``Measure``: what changes at some sites do to one prediction."""

from __future__ import annotations

from dataclasses import dataclass, field

from visit.graph.effect import (
    NOTICEABLE,
    WAYS_OF_PREDICTING,
    After,
    Agreement,
    Effect,
    Flag,
    TokenDelta,
    agreement_of,
    strongest_first,
)
from visit.graph.flow import ModelInfo, Prediction, Target, Token
from visit.graph.interventions import Unit
from visit.graph.metric import MetricInfo
from visit.graph.request import Request

__all__ = [
    "NOTICEABLE",
    "WAYS_OF_PREDICTING",
    "After",
    "Agreement",
    "Base",
    "Effect",
    "Effects",
    "Flag",
    "Reference",
    "TokenDelta",
    "agreement_of",
    "strongest_first",
]


@dataclass(frozen=True, slots=True)
class Base:
    """What the plain pass says of the target."""

    logit: float
    logprob: float
    prob: float
    rank: int
    metric: float


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an intervention's values come from.

    Attributes:
        name: In a few words, as it is shown.
        prompts: The texts.
        n_positions: How many positions a mean is over, or a resample drawn from.
        metric: The reference's own metric, where it is one prompt of the same length.
    """

    name: str
    prompts: tuple[str, ...] = ()
    n_positions: int | None = None
    metric: float | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """The answer to ``Measure``: what changes at some sites do to one prediction.

    Attributes:
        request: The prompt that is changed, and what is explained.
        how: The way, as ``How`` writes it.
        unit: What changes are of.
        effects: Of every site, or of all of them together, strongest first.
    """

    visit_version: str
    request: Request
    model: ModelInfo
    tokens: tuple[Token, ...]
    target: Target
    metric: MetricInfo
    how: str
    unit: Unit
    base: Base
    predictions: tuple[Prediction, ...]
    effects: tuple[Effect, ...] = field(repr=False)
    versus: Target | None = None
    reference: Reference | None = None

    @property
    def agreement(self) -> dict[str, Agreement]:
        """How well each way of predicting agrees with what was measured."""
        return agreement_of(self.effects)

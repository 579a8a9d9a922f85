"""A circuit: the parts that are kept while all others are ablated, and how much they keep.

Its *faithfulness* is the part of the metric that it keeps. Nothing kept is 0 and everything kept is
1, so that it is of what the parts in question do to the metric, whatever else is in the pass.

Source: Wang et al. 2022, "Interpretability in the Wild" (faithfulness, completeness, minimality);
Mueller et al. 2025, "MIB", on the curve over size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate

from visit.graph.effect import NOTICEABLE
from visit.graph.effects import Base, Reference
from visit.graph.flow import ModelInfo, NodeId, Target, Token
from visit.graph.interventions import Site
from visit.graph.metric import MetricInfo
from visit.graph.request import Request

NEAR = 0.2
"""A circuit whose faithfulness is no further from 1 is faithful enough where no size is asked for:
it keeps four fifths of the metric."""
LEAST_CHANGE = 1e-4
"""Of the metric with no part kept: a smaller one is hardly more than rounding, and any part of it
that is kept says nothing."""
_FIRST_SIZES = 6
"""The smallest sizes, 0 among them, are all points of a curve."""


class Score(StrEnum):
    """What parts are ranked by, each a change of the metric when the part alone is ablated.

    Measured; or as flow, the first-order estimate or the direct logit predicts it.
    """

    EFFECT = "effect"
    FLOW = "flow"
    ESTIMATE = "estimate"
    DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Point:
    """What is left of the metric with some parts kept and all others ablated.

    Attributes:
        size: How many parts are kept.
        metric: The metric of that pass.
        faithfulness: How far that is from the pass with none kept (0) to the plain one (1).
    """

    size: int
    metric: float
    faithfulness: float


@dataclass(frozen=True, slots=True)
class CircuitPart:
    """A part that is kept or left out.

    Attributes:
        site: Where.
        score: What it is ranked by: the change of the metric when it alone is ablated.
        kept: Whether it is of the circuit.
        change: What changes of the faithfulness when it alone changes sides: a kept part is ablated
            as well, one that was left out is kept as well. ``None`` where that was not measured.
        backup: Of one that was left out: how much more of the faithfulness hangs on it once the
            circuit is ablated. ``None`` where that was not measured.
    """

    site: Site
    score: float
    kept: bool
    change: float | None = None
    backup: float | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it is kept and not needed: without it hardly anything is lost."""
        return self.kept and self.change is not None and self.change > -NOTICEABLE

    @property
    def is_missed(self) -> bool:
        """Whether it is left out and missed: with it noticeably more of the metric is kept."""
        return not self.kept and self.change is not None and self.change > NOTICEABLE


@dataclass(frozen=True, slots=True)
class CircuitEdge:
    """How much of one kept part's flow comes through another that wrote what it reads.

    Attributes:
        source: The one that wrote.
        target: The one that reads, or the output.
        flow: In the metric's unit; of the plain pass, patterns, norms and gates held.
    """

    source: Site
    target: Site | NodeId
    flow: float


@dataclass(frozen=True, slots=True)
class Circuit:
    """The answer to ``FindCircuit``.

    Attributes:
        request: The prompt, and what is explained.
        how: What becomes of the parts that are left out, as ``How`` writes it.
        by: What parts are ranked by.
        base: The plain pass.
        none: The metric with no part kept.
        chosen: The circuit.
        complement: The other way round: the circuit ablated and all other parts kept. What is
            faithful there is done by others as well; a circuit is complete where that is 0.
        curve: From no part kept to all, by score.
        parts: Every part in question, the strongest score first.
        edges: Of flow between kept parts and to the output, strongest first.
        reference: Where the values of what is left out come from.
    """

    visit_version: str
    request: Request
    model: ModelInfo
    tokens: tuple[Token, ...]
    target: Target
    metric: MetricInfo
    how: str
    by: Score
    base: Base
    none: float
    chosen: Point
    complement: Point
    curve: tuple[Point, ...] = field(repr=False)
    parts: tuple[CircuitPart, ...] = field(repr=False)
    edges: tuple[CircuitEdge, ...] = field(default=(), repr=False)
    versus: Target | None = None
    reference: Reference | None = None

    @property
    def kept(self) -> tuple[CircuitPart, ...]:
        """The parts of the circuit, the strongest score first."""
        return tuple(part for part in self.parts if part.kept)


def list_sizes(n_parts: int, n_points: int) -> list[int]:
    """The sizes of a curve's points: each of the smallest, then longer and longer steps, then all.

    Args:
        n_parts: How many parts there are.
        n_points: How many points, at most.
    """
    if n_points > n_parts:
        return list(range(n_parts + 1))
    first = min(_FIRST_SIZES, n_points - 1)
    sizes = list(range(first))
    left = n_points - first
    for step in range(left):
        # What is left is parted evenly on a logarithmic scale, each step at least one part.
        low, rest = sizes[-1], left - step
        size = low * (n_parts / low) ** (1 / rest) if low else n_parts / rest
        sizes.append(min(max(low + 1, round(size)), n_parts - rest + 1))
    return sizes


def size_above(scores: Sequence[float], threshold: float) -> int:
    """How many of the scores, signs aside, are at least so large; they are the strongest first."""
    return sum(abs(score) >= threshold for score in scores)


def size_of_sum(scores: Sequence[float], part: float) -> int:
    """How many of the strongest scores make up a part of their sum, signs aside.

    Args:
        scores: The strongest first.
        part: 0 to 1.
    """
    sums = list(accumulate((abs(score) for score in scores), initial=0.0))
    # A sum of the same numbers, so that all of it is reached whatever the rounding.
    return next(size for size, total in enumerate(sums) if total >= part * sums[-1])


def faithfulness(change: float, change_of_none: float) -> float:
    """The part of the metric that is kept.

    Args:
        change: Of the metric, with some parts kept and all others ablated.
        change_of_none: With none kept.

    Raises:
        ValueError: ablating every part changes next to nothing, so that there is nothing to keep.
    """
    if abs(change_of_none) < LEAST_CHANGE:
        raise ValueError("with every part ablated the metric is as it was")
    return 1.0 - change / change_of_none


def choose_point(curve: Sequence[Point]) -> Point:
    """The smallest circuit of a curve that keeps about all of the metric (``NEAR``)."""
    return next(point for point in curve if abs(point.faithfulness - 1) <= NEAR)

"""Which tokens of the prompt a next token comes from: the answer to ``ReadSaliency``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from visit.graph.explored.answer import Explored, Table
from visit.graph.flow import Target
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.graph.metric import MetricKind
from visit.text import counted, percent, visible

_LARGE_DELTA = 0.05
"""The part of what is to be explained that a convergence delta may be unremarked."""


class SaliencyMethod(StrEnum):
    """How a next token is traced back to its sources.

    ``FLOW`` is exact: with the biases' part the sources add up to the metric. The others are of the
    live pass: ``GRADIENT`` the norm of its gradient (how much a small change matters, for or
    against), ``INPUT_X_GRADIENT`` its dot product with the embedding, ``INTEGRATED_GRADIENTS`` its
    mean on the way from a baseline times the way.
    """

    FLOW = "flow"
    GRADIENT = "gradient"
    INPUT_X_GRADIENT = "input_x_gradient"
    INTEGRATED_GRADIENTS = "integrated_gradients"


class SaliencyOf(StrEnum):
    """The number that is traced back: the request's metric, or the target's probability."""

    METRIC = "metric"
    PROBABILITY = "probability"


class Baseline(StrEnum):
    """Where integrated gradients begin: every embedding zero, the prompt's mean, or a token's.

    From zero they hardly converge: a norm undoes any scale, so that next to zero, where embeddings
    only grow, nearly all of the change lies in the first per cent of the way.
    """

    ZERO = "zero"
    MEAN = "mean"
    TOKEN = "token"


@dataclass(frozen=True, slots=True)
class TokenSources:
    """What one next token comes from.

    Attributes:
        position: The position whose next token it is.
        target: That token, and what the model gives it.
        value: The number that is traced back.
        sources: What each position up to that one has of it, by the method: in the number's unit,
            signed; of ``GRADIENT`` a part of 1.
        biases: Of ``FLOW``, what flows through all biases; the sources and this make up the value.
        at_baseline: Of ``INTEGRATED_GRADIENTS``, the number where the embeddings are the baseline.
        delta: Of ``INTEGRATED_GRADIENTS``, the sources' sum, less what the value is more than that:
            0 with enough steps (the convergence delta).
    """

    position: int
    target: Target
    value: float
    sources: tuple[float, ...]
    biases: float | None = None
    at_baseline: float | None = None
    delta: float | None = None

    @property
    def shares(self) -> tuple[float, ...]:
        """Each source's part of all, signs aside."""
        whole = sum(map(abs, self.sources))
        return tuple(abs(one) / whole if whole else 0.0 for one in self.sources)

    @property
    def strongest(self) -> list[int]:
        """The sources, the strongest first, signs aside."""
        return sorted(range(len(self.sources)), key=lambda at: -abs(self.sources[at]))


@dataclass(frozen=True)
class Saliency(Explored):
    """Which source tokens one next token comes from, or each of several.

    Attributes:
        method: How it was found.
        of: What is traced back.
        metric: The metric, where it is of that.
        versus: The token whose logit is taken off the target's, where one was named.
        steps: Of integrated gradients.
        baseline: Where they begin.
        baseline_token: The token whose embeddings that are, where it is of one.
        targets: The next tokens that are explained, by position; the last is that of the traced
            position.
    """

    name: ClassVar[str] = "saliency"

    method: SaliencyMethod
    of: SaliencyOf
    metric: MetricKind | None
    versus: Target | None
    steps: int | None
    baseline: Baseline | None
    targets: tuple[TokenSources, ...] = field(repr=False)
    baseline_token: str | None = None

    @property
    def traced(self) -> TokenSources:
        """What the traced position's next token comes from."""
        return self.targets[-1]

    @property
    def unit(self) -> str:
        """What the numbers are of, in words."""
        if self.method is SaliencyMethod.GRADIENT:
            return "part of all gradients' norm"
        return self.of.value if self.metric is None else self.metric.value.replace("_", " ")

    def tables(self) -> Sequence[Table]:
        """Every source of every target, the strongest of each first; then the targets' sums."""
        rows, nodes = [], []
        for one in reversed(self.targets):
            for at in one.strongest:
                token = self.tokens[at].text
                rows.append((at, token, one.sources[at], one.shares[at], one.target.text,
                             one.position))  # fmt: skip
                nodes.append(str(NodeId(NodeKind.EMBED, at)))
        columns = ("source", "token", self.unit, "part of all", "of", "after position")
        sums = tuple(
            (
                one.position, one.target.text, one.target.prob, one.target.rank, one.value,
                sum(one.sources), one.biases, one.at_baseline, one.delta,
            )
            for one in reversed(self.targets)
        )  # fmt: skip
        told = (
            "after position", "token", "probability", "rank", self.of.value, "sum of sources",
            "biases", "at baseline", "delta",
        )  # fmt: skip
        return Table("sources", columns, tuple(rows), tuple(nodes)), Table("targets", told, sums)

    def findings(self) -> Sequence[str]:
        """Where the traced position's next token comes from, and what that adds up to."""
        said = [self._say_strongest(self.traced), self._say_sum(self.traced)]
        if len(self.targets) > 1:
            said.append(self._say_all())
        return said

    def _say_strongest(self, one: TokenSources) -> str:
        named = [
            f"{self._token(at)} at {at} ({self._amount(one.sources[at])})"
            for at in one.strongest[:3]
        ]
        against = "" if self.versus is None else f" rather than {visible(self.versus.text)}"
        return (
            f"{visible(one.target.text)}{against} after position {one.position}: the strongest "
            f"{'source is' if len(named) == 1 else 'sources are'} {', '.join(named)}"
        )

    def _say_sum(self, one: TokenSources) -> str:
        if self.method is SaliencyMethod.FLOW:
            total, biases = sum(one.sources), one.biases or 0.0
            return (
                f"all sources add up to {total:+.4g} and the biases to {biases:+.3g}: together the "
                f"{self.unit}, {one.value:.4g}, to {abs(total + biases - one.value):.0e}"
            )
        if one.delta is not None and one.at_baseline is not None:
            wanted = one.value - one.at_baseline
            part = abs(one.delta / wanted) if wanted else float("inf") if one.delta else 0.0
            where = f"embeddings of {self.baseline}"
            if self.baseline_token is not None:
                where = f"the token {visible(self.baseline_token)}"
            elif self.baseline is Baseline.MEAN:
                where = "the prompt's mean embedding"
            advice = (
                "" if part <= _LARGE_DELTA
                else ": not to be trusted; give more steps or another baseline, or take flow"
            )  # fmt: skip
            return (
                f"all sources add up to {sum(one.sources):+.4g}, and the {self.unit} is "
                f"{wanted:.4g} more than at the baseline, {where}: a convergence delta of "
                f"{one.delta:+.2g}, {percent(part)} of it, with {self.steps} steps{advice}"
            )
        if self.method is SaliencyMethod.GRADIENT:
            return (
                f"these are parts of all norms of the {self.of.value}'s gradient: how much a small "
                "change of a token's embedding would matter, for or against"
            )
        return (
            f"all sources add up to {sum(one.sources):+.3g}, which need not be the {self.unit}, "
            f"{one.value:.4g}: a gradient holds for small changes"
        )

    def _say_all(self) -> str:
        """The token that is the strongest source of most targets, and the strongest other source.

        That token is often the first, which models park attention on, whatever comes next.
        """
        firsts = [one.strongest[0] for one in self.targets]
        most = max(sorted(set(firsts)), key=firsts.count)
        others = [
            (abs(amount), one, at)
            for one in self.targets
            for at, amount in enumerate(one.sources)
            if at != most
        ]
        _, one, at = max(others, key=lambda other: other[0])
        return (
            f"of {counted(len(firsts), 'next token')}, {firsts.count(most)} have "
            f"{self._token(most)} at {most} as their strongest source; the strongest other is "
            f"{self._token(at)} at {at}, of {visible(one.target.text)} after position "
            f"{one.position} ({self._amount(one.sources[at])})"
        )

    def _token(self, position: int) -> str:
        return visible(self.tokens[position].text)

    def _amount(self, amount: float) -> str:
        return percent(amount) if self.method is SaliencyMethod.GRADIENT else f"{amount:+.3g}"

"""Where attention rests, and what is out of all proportion: the answer to ``ReadSinks``.

Source: Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks"; Sun et al.
2024, "Massive Activations in Large Language Models"; Gu et al. 2024, "When Attention Sink Emerges".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from visit.graph.explored.answer import Explored, Table, name_depth
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.text import percent, visible

RESTS = 0.3
LEAST_READERS = 4
"""Of fewer readers, itself among them, every token has much of any head's attention."""
"""From this mean attention on a position on, a head is said to sink there."""


@dataclass(frozen=True, slots=True)
class SinkHead:
    """A head that rests on one position.

    Attributes:
        layer: Its layer.
        head: Its number.
        position: The position.
        attention: The mean over the readers from there on, the position itself among them.
    """

    layer: int
    head: int
    position: int
    attention: float


@dataclass(frozen=True, slots=True)
class Outlier:
    """A coordinate of a residual that is far larger than the others.

    Attributes:
        depth: 0 for the embedding, then a layer's ``resid_post`` each.
        position: The token's.
        coordinate: Which of ``d_model``.
        value: What it holds.
        ratio: Its size over the median size of all coordinates at that depth.
        is_massive: Whether it is by Sun's rule: above 100, and 1,000 times the median or more.
    """

    depth: int
    position: int
    coordinate: int
    value: float
    ratio: float
    is_massive: bool


@dataclass(frozen=True, slots=True)
class WithoutSink:
    """The prediction with the strongest sink hidden from every head at the traced position.

    Attributes:
        position: The sink.
        measured: The change of the metric.
        before: The target's probability before.
        prob: Its probability after.
        top: The likeliest token after.
    """

    position: int
    measured: float
    before: float
    prob: float
    top: str


@dataclass(frozen=True)
class Sinks(Explored):
    """Where attention rests, how long residuals are, and what the model says without the sink.

    Attributes:
        position: The traced position.
        norms: A row for the embedding and each layer, a column a position: L2 norms.
        heads: Those that rest somewhere, the surest first.
        outliers: The coordinates that stand out most, the farthest first.
        without: What hiding the strongest sink does; ``None`` where that was not asked for, or
            there is none before the traced position.
    """

    name: ClassVar[str] = "sinks"

    position: int
    norms: tuple[tuple[float, ...], ...] = field(repr=False)
    heads: tuple[SinkHead, ...] = field(repr=False)
    outliers: tuple[Outlier, ...]
    without: WithoutSink | None

    def tables(self) -> Sequence[Table]:
        """Heads, outlying coordinates, and norms."""
        return (
            Table(
                "heads",
                ("head", "rests on", "at", "mean attention"),
                tuple(
                    (
                        f"{one.layer}.{one.head}", self.tokens[one.position].text, one.position,
                        one.attention,
                    )
                    for one in self.heads
                ),
                tuple(
                    str(NodeId(NodeKind.HEAD, self.position, one.layer, one.head))
                    for one in self.heads
                ),
            ),
            Table(
                "outliers",
                ("after", "token", "at", "coordinate", "value", "over the median", "massive"),
                tuple(
                    (
                        name_depth(one.depth), self.tokens[one.position].text, one.position,
                        one.coordinate, one.value, one.ratio, "yes" if one.is_massive else "no",
                    )
                    for one in self.outliers
                ),
            ),
            Table(
                "norms",
                ("after", *(f"{at} {token.text}" for at, token in enumerate(self.tokens))),
                tuple((name_depth(depth), *row) for depth, row in enumerate(self.norms)),
            ),
        )  # fmt: skip

    def findings(self) -> Sequence[str]:
        """How many heads rest where, the largest coordinate, and what the sink is good for."""
        return tuple(filter(None, (self._say_heads(), self._say_outliers(), self._say_without())))

    def _say_heads(self) -> str:
        n_heads = self.model.n_layers * self.model.n_heads
        if len(self.tokens) < LEAST_READERS:
            return f"{len(self.tokens)} tokens are too few to say where heads rest."
        if not self.heads:
            least = f"mean attention {100 * RESTS:.0f} % or more"
            return f"No head of {n_heads} rests on a token ({least})."
        at = self.strongest()
        there = sum(one.position == at for one in self.heads)
        elsewhere = len(self.heads) - there
        said = f"{there} of {n_heads} heads rest on “{visible(self.tokens[at].text)}” at {at}"
        return said + (f", {elsewhere} times one rests elsewhere." if elsewhere else ".")

    def strongest(self) -> int:
        """The position on which most heads rest; the first such."""
        found = [one.position for one in self.heads]
        return max(sorted(set(found)), key=found.count) if found else 0

    def _say_outliers(self) -> str:
        if not self.outliers:
            return ""
        far = self.outliers[0]
        rule = "massive by Sun's rule" if far.is_massive else "not massive by Sun's rule"
        token = visible(self.tokens[far.position].text)
        return (
            f"The farthest coordinate is {far.coordinate} at “{token}” "
            f"after {name_depth(far.depth)}: {far.value:.0f}, {far.ratio:,.0f} times the median "
            f"({rule})."
        )

    def _say_without(self) -> str:
        if self.without is None:
            return ""
        one = self.without
        token = visible(self.tokens[one.position].text)
        return (
            f"With “{token}” hidden from every head here, the metric "
            f"changes by {one.measured:+.2f} and the target's probability from "
            f"{percent(one.before)} to "
            f"{percent(one.prob)}; the likeliest is “{visible(one.top)}”."
        )

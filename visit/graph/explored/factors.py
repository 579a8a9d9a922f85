"""Which memories fire together over a text's tokens: the answer to ``FindFactors``.

Source: Alammar 2021, "Ecco", section on neuron factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from visit.graph.explored.answer import Explored, Table
from visit.graph.ids import NodeId
from visit.text import percent, visible

_NAMED = 3
"""How many tokens a finding names of a factor."""


@dataclass(frozen=True, slots=True)
class FactorMemory:
    """A memory of a factor.

    Attributes:
        id: Its value, at the token where the factor is strongest.
        weight: Of a factor with an activation of 1, the memory's own activation.
    """

    id: NodeId
    weight: float


@dataclass(frozen=True, slots=True)
class Factor:
    """Memories that fire together.

    Attributes:
        activation: At each token of the prompt, 0 or more: the L2 norm of what the factor makes of
            all memories there; 0 at tokens that were left out.
        share: Of the squared length of all activations, the part that it makes by itself.
        flow: How much of the metric flows through it at the traced position, in the metric's unit.
        memories: Its strongest, strongest first; a weight of 1 is the whole factor.
    """

    activation: tuple[float, ...]
    share: float
    flow: float
    memories: tuple[FactorMemory, ...]

    @property
    def peaks(self) -> list[int]:
        """The tokens where it is strongest, the strongest first."""
        order = sorted(range(len(self.activation)), key=lambda at: -self.activation[at])
        return [at for at in order if self.activation[at] > 0]


@dataclass(frozen=True)
class Factors(Explored):
    """The memories' activations as a few patterns over the tokens, none of them negative.

    Attributes:
        position: The traced position.
        layers: Whose memories are taken, together.
        left_out: The positions that are not taken.
        factors: The strongest first.
        given: Whether their number was given; else it is where the curve of errors bends.
        error: What they leave of the activations, as a part of their L2 norm.
        errors: Likewise of the best approximation with 1, 2 and so on patterns of any sign, below
            which no number of factors comes.
        flow: How much of the metric flows through all these memories at the traced position,
            negative activations included.
    """

    name: ClassVar[str] = "factors"

    position: int
    layers: tuple[int, ...]
    left_out: tuple[int, ...]
    factors: tuple[Factor, ...] = field(repr=False)
    given: bool
    error: float
    errors: tuple[float, ...]
    flow: float

    def tables(self) -> Sequence[Table]:
        """Each factor at each token, then its memories, then the errors."""
        tokens = [token.text for token in self.tokens]
        memories = [
            (number, one, memory)
            for number, one in enumerate(self.factors, 1)
            for memory in one.memories
        ]
        return (
            Table(
                "factors",
                ("factor", "share", "flow", "strongest at"),
                tuple(
                    (number, one.share, one.flow, ", ".join(self._peaks(one)))
                    for number, one in enumerate(self.factors, 1)
                ),
            ),
            Table(
                "memories",
                ("memory", "factor", "weight"),
                tuple(
                    (f"{memory.id.layer}.{memory.id.index}", number, memory.weight)
                    for number, _, memory in memories
                ),
                tuple(str(memory.id) for *_, memory in memories),
            ),
            Table(
                "activation",
                ("position", "token", *(f"factor {n}" for n in range(1, len(self.factors) + 1))),
                tuple(
                    (at, token, *(one.activation[at] for one in self.factors))
                    for at, token in enumerate(tokens)
                ),
            ),
            Table(
                "errors",
                ("patterns", "error at best"),
                tuple((count, error) for count, error in enumerate(self.errors, 1)),
            ),
        )

    def findings(self) -> Sequence[str]:
        """What the strongest factor fires at, and which one carries the prediction."""
        most = max(self.factors, key=lambda one: abs(one.flow))
        number = self.factors.index(most) + 1
        how = "as asked for" if self.given else "where the curve of errors bends"
        return (
            f"{len(self.factors)} factors ({how}) leave {percent(self.error)} of the "
            f"activations of {len(self.layers)} layers. The strongest fires at "
            f"{self._named(self.factors[0])}.",
            f"Factor {number}, strongest at {self._named(most)}, has the largest flow to the "
            f"metric: {most.flow:+.2f}, of {self.flow:+.2f} through these memories in all.",
        )

    def _named(self, one: Factor) -> str:
        return ", ".join(f"“{visible(text)}”" for text in self._peaks(one)) or "no token"

    def _peaks(self, one: Factor) -> list[str]:
        """The tokens where a factor is strongest, none twice."""
        texts = dict.fromkeys(self.tokens[at].text for at in one.peaks)
        return list(texts)[:_NAMED]

"""What attention really moves, against what its pattern says: the answer to ``ReadNorms``.

Source: Kobayashi et al. 2020, "Attention is not only a weight", and 2021, "Incorporating residual
and normalization layers into analysis of masked language models".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from visit.graph.explored.answer import Explored, Table
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.text import percent, visible

_LARGE = 0.3
"""An attention weight that looks like much."""


@dataclass(frozen=True, slots=True)
class HeadNorms:
    """One head at the traced position.

    Attributes:
        layer: The layer that it is in.
        head: Its number there.
        attention: Its pattern: of each source up to the reader, adding up to 1.
        moved: The L2 norm of what it takes from each, ``‖attention · v · W_O‖``.
        mixing: Of what it writes, the part that comes from other positions:
            ``‖others‖ / (‖others‖ + ‖own‖)``.
    """

    layer: int
    head: int
    attention: tuple[float, ...]
    moved: tuple[float, ...]
    mixing: float

    @property
    def parts(self) -> tuple[float, ...]:
        """Of each source, its part of all norms that the head moves; they add up to 1."""
        whole = sum(self.moved)
        return tuple(one / whole if whole else 0.0 for one in self.moved)

    @property
    def misleading(self) -> tuple[float, int]:
        """By how much the pattern says more than is moved, where it does most, and the source."""
        return max(
            (weight - part, -at)
            for at, (weight, part) in enumerate(zip(self.attention, self.parts, strict=True))
        )


@dataclass(frozen=True, slots=True)
class LayerMixing:
    """How much of a layer's attention block comes from other positions, 0 to 1.

    Attributes:
        layer: The layer.
        attention: Of all heads together, the residual left out.
        residual: With the residual that goes past them.
        norm: With the norm that reads both, its scale held; ``None`` where none reads their sum (a
            parallel layer).
    """

    layer: int
    attention: float
    residual: float
    norm: float | None


@dataclass(frozen=True)
class Norms(Explored):
    """How much each head moves from where to the traced position, and how layers mix positions.

    Attributes:
        position: The reader.
        heads: Every head, in order.
        traced: Of each layer, at the reader.
        everywhere: Of each layer, the mean over all positions but the first, which has no other to
            read; empty for a prompt of one token.
    """

    name: ClassVar[str] = "norms"

    position: int
    heads: tuple[HeadNorms, ...] = field(repr=False)
    traced: tuple[LayerMixing, ...] = field(repr=False)
    everywhere: tuple[LayerMixing, ...] = field(repr=False)

    def misleading(self) -> list[HeadNorms]:
        """The heads whose pattern says much more than they move, the worst first."""
        found = [
            one
            for one in self.heads
            if (at := -one.misleading[1]) is not None
            and one.attention[at] >= _LARGE
            and one.parts[at] < one.attention[at] / 2
        ]
        return sorted(found, key=lambda one: -one.misleading[0])

    def tables(self) -> Sequence[Table]:
        """Every head and source, where the pattern misleads most first; then the layers."""
        rows = []
        for one in self.heads:
            for at, part in enumerate(one.parts):
                row = (
                    one.layer, one.head, at, self.tokens[at].text, one.attention[at],
                    one.moved[at], part, one.attention[at] - part,
                )  # fmt: skip
                node = NodeId(NodeKind.HEAD, self.position, one.layer, one.head)
                rows.append((row, str(node)))
        rows.sort(key=lambda one: -one[0][-1])
        whole = zip(self.traced, self.everywhere or (None,) * len(self.traced), strict=True)
        return (
            Table(
                "sources",
                (
                    "layer", "head", "source", "token", "attention", "moved (norm)",
                    "part of all moved", "attention less part moved",
                ),
                tuple(row for row, _ in rows),
                tuple(node for _, node in rows),
            ),
            Table(
                "layers",
                (
                    "layer", "mixing", "with residual", "with norm", "mixing, mean",
                    "with residual, mean", "with norm, mean",
                ),
                tuple(
                    (
                        at.layer, at.attention, at.residual, at.norm,
                        *((None,) * 3 if mean is None
                          else (mean.attention, mean.residual, mean.norm)),
                    )
                    for at, mean in whole
                ),
            ),
        )  # fmt: skip

    def findings(self) -> Sequence[str]:
        """Where the pattern misleads, and how much the residual goes past attention."""
        misleading, worst = self.misleading(), max(self.heads, key=lambda one: one.misleading[0])
        at = -worst.misleading[1]
        mean = sum(one.residual for one in self.traced) / len(self.traced)
        return (
            f"{len(misleading)} of {len(self.heads)} heads give {100 * _LARGE:.0f} % or more of "
            "their attention to a token and take less than half of that from it. Farthest apart: "
            f"{worst.layer}.{worst.head}, {percent(worst.attention[at])} of its attention on "
            f"“{visible(self.tokens[at].text)}” and {percent(worst.parts[at])} of what it moves.",
            f"With the residual counted, {percent(mean)} of what leaves attention here comes from "
            "other positions, on average over the layers.",
        )

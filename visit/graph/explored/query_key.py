"""A head's queries and keys in one plane: the answer to ``MapQueryKey``.

Source: Yeh et al. 2023, "AttentionViz: A Global View of Transformer Attention".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from visit.graph.explored.answer import Explored, Table
from visit.graph.explored.maps import Projection
from visit.graph.flow import Token
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.text import percent, visible


@dataclass(frozen=True, slots=True)
class QueryKeyPoint:
    """A query or a key of one token.

    Attributes:
        is_query: Which.
        prompt: Which prompt, from 0, the request's own.
        token: The token, at its position there.
        place: In the plane.
    """

    is_query: bool
    prompt: int
    token: Token
    place: tuple[float, float]


@dataclass(frozen=True, slots=True)
class QueryKeyPair:
    """A query and a key that meet.

    Attributes:
        query: The query's number among the points.
        key: The key's.
        attention: What the query's token gives to the key's.
    """

    query: int
    key: int
    attention: float


@dataclass(frozen=True)
class QueryKey(Explored):
    """Queries and keys of one head, such that what attends is near, as far as the head allows.

    Attributes:
        head: The head, at the traced position.
        points: All queries and keys, prompt by prompt.
        pairs: Those that attend most, strongest first.
        projection: What made two dimensions of many.
        scale: What queries are multiplied by and keys divided by, which changes no score.
        correlation: Of score and distance in the full space, over all pairs that see each other;
            -1 where near always means attended.
        correlations: A row a head and a column a layer: the same of every head; ``None`` where
            there are too few pairs.
        left_out: Whether each prompt's first token is left out, as a reader and as a source.
    """

    name: ClassVar[str] = "query-key"

    head: NodeId
    points: tuple[QueryKeyPoint, ...] = field(repr=False)
    pairs: tuple[QueryKeyPair, ...] = field(repr=False)
    projection: Projection
    scale: float
    correlation: float | None
    correlations: tuple[tuple[float | None, ...], ...] = field(repr=False)
    left_out: bool

    def node(self, layer: int, head: int) -> str:
        """A head's id at the traced position."""
        return str(NodeId(NodeKind.HEAD, self.head.position, layer, head))

    def tables(self) -> Sequence[Table]:
        """Pairs, places, and the correlation of every head."""
        every = [
            (layer, head, value)
            for head, row in enumerate(self.correlations)
            for layer, value in enumerate(row)
            if value is not None
        ]
        every.sort(key=lambda one: one[2])
        return (
            Table(
                "pairs",
                ("reader", "at", "source", "source at", "attention"),
                tuple(
                    (
                        self.points[one.query].token.text, self.points[one.query].token.position,
                        self.points[one.key].token.text, self.points[one.key].token.position,
                        one.attention,
                    )
                    for one in self.pairs
                ),
            ),
            Table(
                "places",
                ("is", "prompt", "position", "token", "x", "y"),
                tuple(
                    (
                        "query" if one.is_query else "key", one.prompt, one.token.position,
                        one.token.text, *one.place,
                    )
                    for one in self.points
                ),
            ),
            Table(
                "correlation",
                ("head", "of score and distance"),
                tuple((f"{layer}.{head}", value) for layer, head, value in every),
                tuple(self.node(layer, head) for layer, head, _ in every),
            ),
        )  # fmt: skip

    def findings(self) -> Sequence[str]:
        """How far the picture can be believed for this head, and what it attends to most."""
        name = f"{self.head.layer}.{self.head.head}"
        known = [value for row in self.correlations for value in row if value is not None]
        mean = sum(known) / len(known) if known else 0.0
        trust = "there are too few pairs to say whether near means attended"
        if self.correlation is not None:
            trust = f"score and distance correlate with {self.correlation:+.2f}"
        said = [f"{name}: {trust} (all heads: {mean:+.2f} on average; −1 is a true map)."]
        if self.pairs:
            best = self.pairs[0]
            reader, source = (self.points[one].token.text for one in (best.query, best.key))
            without = ", the first token left out" if self.left_out else ""
            said.append(
                f"It attends most{without}, from “{visible(reader)}” to “{visible(source)}”: "
                f"{percent(best.attention)}."
            )
        return tuple(said)

"""Some tokens through the layers, and what moved each: the answer to ``WatchTokens``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from visit.graph.explored.answer import Explored, Table
from visit.graph.flow import TargetReading
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.text import visible


@dataclass(frozen=True, slots=True)
class WatchedToken:
    """One token at one position, through the layers.

    Attributes:
        id: Its number in the vocabulary.
        text: What it stands for.
        readings: What the lens says of it: of the embedding, then of each layer's resid_post.
        attn: Of each layer, what flows through what its attention writes at the position to this
            token's logit in the end, less its mean over the candidates: what it does to it against
            what else may come.
        mlp: Likewise of each layer's MLP.
    """

    id: int
    text: str
    readings: tuple[TargetReading, ...]
    attn: tuple[float, ...]
    mlp: tuple[float, ...]

    @property
    def moves(self) -> list[tuple[float, int, NodeKind]]:
        """What moved it, what did most first: by how much, and which layer's what."""
        both = ((self.attn, NodeKind.ATTN), (self.mlp, NodeKind.MLP))
        moves = [(by, layer, kind) for row, kind in both for layer, by in enumerate(row)]
        return sorted(moves, key=lambda one: -abs(one[0]))


@dataclass(frozen=True)
class Watched(Explored):
    """Some tokens' rank, probability and logit through the layers at one position.

    Attributes:
        position: Where they are watched.
        watched: The tokens, in the order asked for.
        candidates: How many of the likeliest next tokens the flows are against.
    """

    name: ClassVar[str] = "watch"

    position: int
    watched: tuple[WatchedToken, ...] = field(repr=False)
    candidates: int

    def tables(self) -> Sequence[Table]:
        """What moved each token, the strongest first; then every token at every depth."""
        moves = sorted(
            ((one, *move) for one in self.watched for move in one.moves),
            key=lambda row: -abs(row[1]),
        )
        depths = [
            (depth, self._depth(depth), one.text, at.rank, at.prob, at.logit)
            for one in self.watched
            for depth, at in enumerate(one.readings)
        ]
        return (
            Table(
                "moves",
                ("layer", "part", "token", "flow to its logit"),
                tuple((layer, str(kind), one.text, by) for one, by, layer, kind in moves),
                tuple(str(NodeId(kind, self.position, layer)) for _, _, layer, kind in moves),
            ),
            Table(
                "depths",
                ("depth", "after", "token", "rank", "probability", "logit"),
                tuple(depths),
                tuple(self._node(depth) for depth, *_ in depths),
            ),
        )

    def findings(self) -> Sequence[str]:
        """From which layer on each token leads for good, or its last rank, and what moved it."""
        return [self._say(one) for one in self.watched]

    def _say(self, one: WatchedToken) -> str:
        ranks = [at.rank for at in one.readings]
        best = min(ranks)
        if ranks[-1] == 1:
            since = max((depth + 1 for depth, rank in enumerate(ranks) if rank > 1), default=0)
            where = f"leads from {self._depth(since)} on"
        elif best < ranks[-1]:
            where = f"ends at rank {ranks[-1]}, after {best} at {self._depth(ranks.index(best))}"
        else:
            where = f"ends at rank {ranks[-1]}, its best"
        lifts = max(one.moves, key=lambda move: move[0])
        lowers = min(one.moves, key=lambda move: move[0])
        said = [f"{name} most by {self._part(move)}" for name, move, is_so in (
            ("lifted", lifts, lifts[0] > 0), ("lowered", lowers, lowers[0] < 0)
        ) if is_so]  # fmt: skip
        return "; ".join([f"{visible(one.text)} {where}", *([", ".join(said)] if said else [])])

    def _part(self, move: tuple[float, int, NodeKind]) -> str:
        by, layer, kind = move
        part = "attention" if kind is NodeKind.ATTN else "MLP"
        return f"layer {layer}'s {part} ({by:+.2g})"

    def _depth(self, depth: int) -> str:
        return f"layer {depth - 1}" if depth else "the embedding"

    def _node(self, depth: int) -> str:
        if not depth:
            return str(NodeId(NodeKind.EMBED, self.position))
        return str(NodeId(NodeKind.RESID_POST, self.position, depth - 1))

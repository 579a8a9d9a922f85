"""Some tokens through the layers, and what moved each: the answer to ``WatchTokens``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from visit.graph.explored.answer import Cell, Explored, Table
from visit.graph.flow import TargetReading
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.text import visible

Move: TypeAlias = tuple[float, int, NodeKind]
"""By how much a token is moved, and which layer's attention or MLP moves it."""


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
    def moves(self) -> list[Move]:
        """What moved it, what did most first: by how much, and which layer's what."""
        both = ((self.attn, NodeKind.ATTN), (self.mlp, NodeKind.MLP))
        moves = [(by, layer, kind) for row, kind in both for layer, by in enumerate(row)]
        return sorted(moves, key=lambda move: -abs(move[0]))


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
        """Each token in a line; what moved it, the strongest first; and every depth's reading."""
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
                "tokens",
                (
                    "token", "rank in the end", "best rank", "after", "lifted most by", "flow",
                    "lowered most by", "flow, lowered",
                ),
                tuple(self._row(one) for one in self.watched),
            ),
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
        )  # fmt: skip

    def findings(self) -> Sequence[str]:
        """How the first token ends and what moved it; and which of all lead at which depths."""
        return self._say(self.watched[0]), self._say_leads()

    def _row(self, one: WatchedToken) -> tuple[Cell, ...]:
        ranks = [at.rank for at in one.readings]
        best = min(ranks)
        lifts, lowers = max(one.moves, key=_by), min(one.moves, key=_by)
        return (
            one.text, ranks[-1], best, self._depth(ranks.index(best)),
            *(_cells(lifts) if lifts[0] > 0 else (None, None)),
            *(_cells(lowers) if lowers[0] < 0 else (None, None)),
        )  # fmt: skip

    def _say(self, one: WatchedToken) -> str:
        ranks = [at.rank for at in one.readings]
        best = min(ranks)
        if ranks[-1] == 1:
            since = max((depth + 1 for depth, rank in enumerate(ranks) if rank > 1), default=0)
            where = f"leads from {self._depth(since)} on"
        elif best < ranks[-1]:
            where = (
                f"ends at rank {ranks[-1]:,}, after {best:,} at {self._depth(ranks.index(best))}"
            )
        else:
            where = f"ends at rank {ranks[-1]:,}, its best"
        lifts, lowers = max(one.moves, key=_by), min(one.moves, key=_by)
        said = [f"{visible(one.text)} {where}"]
        said += [f"lifted most by {_part(lifts)}"] if lifts[0] > 0 else []
        said += [f"lowered most by {_part(lowers)}"] if lowers[0] < 0 else []
        return "; ".join(said)

    def _say_leads(self) -> str:
        """Which of the tokens are at rank 1, and at which depths."""
        led = [
            (visible(one.text), depths)
            for one in self.watched
            if (depths := [depth for depth, at in enumerate(one.readings) if at.rank == 1])
        ]
        if not led:
            return "none of the watched tokens is ever at rank 1"
        led.sort(key=lambda one: one[1])
        said = [f"{text} after {', '.join(map(self._span, _runs(depths)))}" for text, depths in led]
        return f"at rank 1: {'; '.join(said)}"

    def _span(self, run: tuple[int, int]) -> str:
        first, last = run
        if first == last:
            return self._depth(first)
        return f"{self._depth(first)} to {last - 1}"

    def _depth(self, depth: int) -> str:
        return f"layer {depth - 1}" if depth else "the embedding"

    def _node(self, depth: int) -> str:
        if not depth:
            return str(NodeId(NodeKind.EMBED, self.position))
        return str(NodeId(NodeKind.RESID_POST, self.position, depth - 1))


def _by(move: Move) -> float:
    return move[0]


def _cells(move: Move) -> tuple[Cell, Cell]:
    by, layer, kind = move
    return str(NodeId(kind, 0, layer)).partition("@")[0], by


def _part(move: Move) -> str:
    by, layer, kind = move
    part = "attention" if kind is NodeKind.ATTN else "MLP"
    return f"layer {layer}'s {part} ({by:+.2g})"


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers in order, as the first and last of each row without a gap."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return runs

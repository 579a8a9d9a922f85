"""What each head is known by, and with which others it composes: the answer to ``ReadHeads``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from visit.graph.explored.answer import Explored, Table
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.text import percent, visible

KINDS = ("previous", "duplicate", "induction", "sink")
"""What a head's score can be of."""
KNOWN = 0.5
"""A score from which on a head is said to be of a kind."""


@dataclass(frozen=True, slots=True)
class HeadScores:
    """One head's scores, each 0 to 1.

    Attributes:
        layer: Its layer.
        head: Its number.
        prompt: On the prompt, by ``KINDS``; ``None`` where no token has such a source.
        repeats: Likewise on random tokens that are said twice, the mean over some of them.
    """

    layer: int
    head: int
    prompt: tuple[float | None, ...]
    repeats: tuple[float, ...]

    @property
    def place(self) -> tuple[int, int]:
        """Its layer and its number."""
        return self.layer, self.head

    def score(self, kind: str) -> float:
        """On repeats, the score of a kind."""
        return self.repeats[KINDS.index(kind)]


@dataclass(frozen=True, slots=True)
class Composition:
    """How much one head could write into what a later one reads.

    Attributes:
        side: ``q``, ``k`` or ``v``: into its query, its key or its value.
        writer: The earlier head, as (layer, head).
        reader: The later one.
        amount: Less that of random matrices of the same sizes.
    """

    side: str
    writer: tuple[int, int]
    reader: tuple[int, int]
    amount: float


@dataclass(frozen=True, slots=True)
class PartComposition:
    """How much one rank-1 part of what a head writes could pass on to what a later one reads.

    Parts are numbered from 0 by their singular values, the largest first.

    Attributes:
        side: ``q``, ``k`` or ``v``: into the reader's query, its key or its value.
        writer: The earlier head, as (layer, head).
        reader: The later one.
        part: Which part of the writer's OV circuit.
        share: Of that circuit's squared norm, the part's.
        amount: Its composition with all that the reader reads on that side, less the strongest that
            a part of random matrices of the same sizes has.
        into: The part of what the reader reads that lies nearest to the writer's.
        cosine: Between the two, without sign, less the greatest of random matrices.
    """

    side: str
    writer: tuple[int, int]
    reader: tuple[int, int]
    part: int
    share: float
    amount: float
    into: int
    cosine: float


@dataclass(frozen=True, slots=True)
class TokenCircuit:
    """What a head makes of one token, from its weights.

    Attributes:
        token: The token, as a source.
        promotes: The tokens whose logits it lifts most.
        own_rank: Where the token itself stands among those, from 1.
        reader: The token that looks for it most, and by how much over the mean of the sources.
        score: That.
    """

    token: str
    promotes: tuple[str, ...]
    own_rank: int
    reader: str
    score: float


@dataclass(frozen=True, slots=True)
class HeadCard:
    """All about one head.

    Attributes:
        id: The head, at the traced position.
        reads: Heads that could write into it, the strongest composition first.
        feeds: Heads that it could write into.
        parts: Of those pairs, or of the one that was named, the few parts that compose most.
        parts_baseline: What was taken off a part's composition, and off a cosine.
        upstream: Heads that do feed it on this prompt, with the flow that comes through each.
        flow: Its own flow here.
        tokens: What it makes of the prompt's tokens and of some others drawn from the vocabulary.
    """

    id: NodeId
    reads: tuple[Composition, ...]
    feeds: tuple[Composition, ...]
    parts: tuple[PartComposition, ...] = field(repr=False)
    parts_baseline: tuple[float, float]
    upstream: tuple[tuple[NodeId, float], ...]
    flow: float
    tokens: tuple[TokenCircuit, ...] = field(repr=False)


@dataclass(frozen=True)
class Heads(Explored):
    """Every head's scores, the strongest compositions, and one head's card.

    Attributes:
        position: The traced position.
        heads: Every head, in order.
        compositions: Of each side, the strongest pairs first.
        by_layer: By side, a row a writing layer and a column a reading one: the strongest pair's
            amount; ``None`` where the first is not the earlier.
        baseline: What random matrices of the same sizes have, already taken off.
        card: Of the chosen head.
        length: How many random tokens are said twice.
        repeats: How many such rows.
    """

    name: ClassVar[str] = "heads"

    position: int
    heads: tuple[HeadScores, ...] = field(repr=False)
    compositions: tuple[Composition, ...] = field(repr=False)
    by_layer: dict[str, tuple[tuple[float | None, ...], ...]] = field(repr=False)
    baseline: float
    card: HeadCard
    length: int
    repeats: int

    def known(self, kind: str) -> list[HeadScores]:
        """The heads of a kind, the surest first."""
        found = [one for one in self.heads if one.score(kind) >= KNOWN]
        return sorted(found, key=lambda one: -one.score(kind))

    def node(self, layer: int, head: int) -> str:
        """A head's id at the traced position."""
        return str(NodeId(NodeKind.HEAD, self.position, layer, head))

    def tables(self) -> Sequence[Table]:
        """All heads, surest first; the card; the compositions, by parts and whole."""
        order = sorted(self.heads, key=lambda one: -max(one.repeats[:3]))
        pairs = self.compositions
        return (
            Table(
                "heads",
                ("head", *KINDS, *(f"{kind}, here" for kind in KINDS)),
                tuple((_of(one.place), *one.repeats, *one.prompt) for one in order),
                tuple(self.node(one.layer, one.head) for one in order),
            ),
            Table(
                "card",
                ("token", "promotes", "own rank", "looked for by", "score"),
                tuple(
                    (one.token, " ".join(one.promotes), one.own_rank, one.reader, one.score)
                    for one in self.card.tokens
                ),
            ),
            Table(
                "upstream",
                ("head", "at", "flow into it"),
                tuple(
                    (f"{id_.layer}.{id_.head}", self.tokens[id_.position].text, flow)
                    for id_, flow in self.card.upstream
                ),
                tuple(str(id_) for id_, _ in self.card.upstream),
            ),
            Table(
                "parts",
                ("writer", "part", "share", "reader", "into its", "over random", "into part",
                 "cosine over random"),
                tuple(
                    (
                        _of(one.writer), one.part, one.share, _of(one.reader), one.side,
                        one.amount, one.into, one.cosine,
                    )
                    for one in self.card.parts
                ),
                tuple(self.node(*self.other_head(one)) for one in self.card.parts),
            ),
            Table(
                "composition",
                ("writer", "reader", "into its", "over random"),
                tuple((_of(one.writer), _of(one.reader), one.side, one.amount) for one in pairs),
                tuple(self.node(*one.writer) for one in pairs),
            ),
        )  # fmt: skip

    def other_head(self, one: PartComposition) -> tuple[int, int]:
        """Of a pair with the card's head, the other one."""
        own = self.card.id.layer, self.card.id.head
        return one.writer if one.reader == own else one.reader

    def findings(self) -> Sequence[str]:
        """Which heads are of a kind, and what the chosen one does."""
        said = []
        for kind in KINDS[:3]:
            first = [f"{_of(one.place)} {percent(one.score(kind))}" for one in self.known(kind)[:4]]
            said.append(f"{kind} {', '.join(first) or 'none'}")
        sinks = len(self.known("sink"))
        return (
            f"Heads that give half of their attention or more, on random tokens said twice: "
            f"{'; '.join(said)}. {sinks} of {len(self.heads)} rest on the first token.",
            self._say_card(),
        )

    def _say_card(self) -> str:
        card = self.card
        copies = sum(one.own_rank <= len(one.promotes) for one in card.tokens)
        said = [
            f"{card.id.layer}.{card.id.head} lifts the very token that it reads for {copies} of "
            f"{len(card.tokens)} tokens, by its weights"
        ]
        if card.reads:
            said.append(f"could read {_of(card.reads[0].writer)} most ({card.reads[0].side})")
        if card.parts and card.parts[0].amount > 0:
            one = card.parts[0]
            said.append(
                f"of single parts, part {one.part} of {_of(one.writer)} could pass most to "
                f"{_of(one.reader)} ({one.side}, {one.amount:+.2f} over chance)"
            )
        if card.upstream:
            id_, flow = card.upstream[0]
            at = visible(self.tokens[id_.position].text)
            said.append(f"is fed most by {id_.layer}.{id_.head} at “{at}” here ({flow:+.2f})")
        return "; ".join(said) + "."


def _of(place: tuple[int, int]) -> str:
    return f"{place[0]}.{place[1]}"

"""Why a head attends: the answer to ``SplitScore``, one score by the parts that make it."""

from __future__ import annotations

from dataclasses import dataclass, field

from visit.graph.flow import ModelInfo, Token, word_of
from visit.graph.ids import NodeId
from visit.graph.metric import Outcome, TokenProbability
from visit.graph.request import Request


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One part of a head's query, or of its key, and what it adds to the score.

    Attributes:
        id: What was written into the residual that the query, or the key, is made of: an embedding,
            a head, an attention's bias, an MLP. The norm stands for its bias, and the query or key
            for its own.
        score: What it adds to the score, against its mean over the sources that are seen.
        without: The attention to the source if the query, or the key, were made without it.
        top: What it says through the lens, best first; nothing of a norm's, query's or key's bias.
        outcome: Which candidates it lifts and lowers in the end, where that was asked for.
    """

    id: NodeId
    score: float
    without: float
    top: tuple[TokenProbability, ...] = ()
    outcome: Outcome | None = None

    @property
    def word(self) -> str | None:
        """The token that says best what it does, by the rule of the graph's nodes."""
        return word_of(self.outcome, self.top) if self.top else None


@dataclass(frozen=True, slots=True)
class ScorePair:
    """What one part of the query and one of the key add together."""

    query: NodeId
    key: NodeId
    score: float


@dataclass(frozen=True, slots=True)
class ScoreSide:
    """The query's side or the key's: its parts, which add up to the score with the bias.

    Attributes:
        parts: The strongest, signs aside, strongest first.
        rest: Of the others, together.
        n_others: How many others there are.
    """

    parts: tuple[ScorePart, ...]
    rest: float
    n_others: int

    @property
    def total(self) -> float:
        """All parts together."""
        return sum((part.score for part in self.parts), self.rest)


@dataclass(frozen=True, slots=True)
class SourceScore:
    """A source that the reader sees.

    Attributes:
        position: Where it is.
        attention: What it gets.
        score: Less the mean over all that are seen, before any cap.
    """

    position: int
    attention: float
    score: float


@dataclass(frozen=True, slots=True)
class ScoreAudit:
    """How closely it adds up.

    Attributes:
        split: The worst difference between the score and the parts of a side, or the pairs.
        attention: The worst difference between the model's attention to a source and what the
            softmax makes of the scores here.
    """

    split: float
    attention: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Why one head attends to one source from one position: the score, by what makes it.

    Softmax sees only differences, so the score and its parts are taken against their mean over the
    sources that the reader sees. All norms' scales are held.

    Attributes:
        request: The prompt, and what outcomes are towards.
        head: The head, at the position that reads.
        source: The source.
        attention: What it gets.
        score: The score of the source, before any cap, less the mean over those seen.
        bias: What of that is for the positions alone (ALiBi); 0 where the model adds nothing.
        cap: The scores' soft-cap, or ``None``.
        sources: All that the reader sees, in order.
        query: By the parts of the reader's query.
        key: By the parts of the source's key.
        pairs: By both at once: the strongest, signs aside, strongest first.
        pairs_rest: Of the other pairs, together.
        audit: How closely it adds up.
    """

    visit_version: str
    request: Request
    model: ModelInfo
    tokens: tuple[Token, ...]
    head: NodeId
    source: int
    attention: float
    score: float
    bias: float
    cap: float | None
    sources: tuple[SourceScore, ...]
    query: ScoreSide = field(repr=False)
    key: ScoreSide = field(repr=False)
    pairs: tuple[ScorePair, ...] = field(repr=False)
    pairs_rest: float
    audit: ScoreAudit

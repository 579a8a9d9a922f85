"""The parts that write at the traced position, and what each does to the tokens that may follow."""

from __future__ import annotations

from dataclasses import dataclass

from visit.graph.ids import NodeId
from visit.graph.metric import Outcome, TokenProbability


@dataclass(frozen=True, slots=True)
class Part:
    """A head, an MLP, a memory or an expert: what it writes at the traced position.

    Attributes:
        id: Its node, whether or not a graph holds it.
        flow: How much of the metric passes through it, patterns, norms and gates held.
        direct: Its direct logit.
        share: Of its whole: a head's of the attention, an MLP's of the residual after it, a
            memory's and an expert's of the MLP.
        norm: Its length, L2.
        tokens: Its flow to the logit of each of the ranking's tokens, less its mean flow over the
            candidates.
        outcome: Which candidates it lifts and lowers most in the end.
        source: Of a head: the position through which most of its flow comes, signs aside.
        attention: How much the head attends to that source.
    """

    id: NodeId
    flow: float
    direct: float
    share: float
    norm: float
    tokens: tuple[float, ...]
    outcome: Outcome
    source: int | None = None
    attention: float | None = None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The answer to ``RankParts``: all heads and MLPs, and each layer's strongest memories.

    Attributes:
        tokens: The ten likeliest candidates, and the target and what it is compared with where
            they are not among those: what every part's ``tokens`` are of.
        parts: By layer, in the order of the flow.
    """

    tokens: tuple[TokenProbability, ...]
    parts: tuple[Part, ...]

"""What feeds a part: how much of its flow comes through each part that wrote what it reads."""

from __future__ import annotations

from dataclasses import dataclass

from visit.graph.ids import NodeId


@dataclass(frozen=True, slots=True)
class UpstreamPart:
    """One part that wrote what another reads, and how much of the other's flow comes through it."""

    id: NodeId
    flow: float


@dataclass(frozen=True, slots=True)
class Upstream:
    """A part's flow by the parts upstream that it comes through, patterns, norms and gates held.

    The listed parts, the rest and the biases add up to the reader's flow.

    Attributes:
        reader: The head, memory or MLP that reads.
        flow: How much of the metric flows through it, of a row the whole of what it adds.
        parts: Embeddings, heads, attentions' biases and MLPs, the strongest first; those that a
            head reads stand at each of its sources.
        rest: Of the parts that are not listed, together.
        biases: Of the reader's own biases and its norm's.
    """

    reader: NodeId
    flow: float
    parts: tuple[UpstreamPart, ...]
    rest: float
    biases: float

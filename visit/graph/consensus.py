"""One graph over many prompts: what every part at a slot does, on average and how surely."""

from __future__ import annotations

from dataclasses import dataclass, field

from visit.graph.flow import EdgeKind, ModelInfo, NodeId, Target
from visit.graph.metric import MetricKind
from visit.graph.request import Request
from visit.graph.slots import Slot
from visit.graph.spread import Spread

MEASURES = ("flow", "direct_logit", "effect")
"""What is told of every part."""


@dataclass(frozen=True, slots=True)
class PromptResult:
    """A prompt that was read.

    Attributes:
        line: Where it stands in its file, from 1.
        prompt: Its text.
        target: What is explained of it.
        metric: What the metric is.
    """

    line: int
    prompt: str
    target: Target
    metric: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A prompt that could not be read, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class PartConsensus:
    """A node of the graph; the position in its id is its slot.

    Attributes:
        id: Where it is.
        flow: How much of the metric passes through it.
        direct_logit: Its direct logit, at the traced slot.
        effect: What setting it to zero does to the metric, likewise.
    """

    id: NodeId
    flow: Spread | None = None
    direct_logit: Spread | None = None
    effect: Spread | None = None


@dataclass(frozen=True, slots=True)
class EdgeConsensus:
    """What flows from one node to another."""

    source: NodeId
    target: NodeId
    kind: EdgeKind
    flow: Spread


@dataclass(frozen=True, slots=True)
class Consensus:
    """The answer to ``ReadConsensus``.

    Attributes:
        request: What all prompts have in common; its prompt is the template, or the first prompt.
        kind: What the metric is of each prompt's target.
        template: The text with its slots; empty where there is none.
        slots: The places that prompts share, in order.
        traced: The slot whose next token is explained.
        strongest: Of how many parts a part is *among the strongest* of a prompt.
        prompts: Those that were read, in the order of their lines.
        left_out: Those that were not.
        nodes: Embeddings, heads, MLPs and residuals at every slot, in the order of the flow.
        edges: Between residuals and those parts that are among the strongest of any prompt.
    """

    visit_version: str
    request: Request
    model: ModelInfo
    kind: MetricKind
    template: str
    slots: tuple[Slot, ...]
    traced: int
    strongest: int
    prompts: tuple[PromptResult, ...]
    left_out: tuple[LeftOut, ...]
    nodes: tuple[PartConsensus, ...] = field(repr=False)
    edges: tuple[EdgeConsensus, ...] = field(repr=False)

    def parts(self, measure: str = "flow") -> list[PartConsensus]:
        """The heads and MLPs, those of the largest mean by a measure first, signs aside.

        A prompt that lacks a part's slot counts as 0 here.
        """
        found = [
            (abs(spread.mean) * spread.n, node)
            for node in self.nodes
            if (node.id.head is not None or node.id.kind == "mlp")
            and (spread := getattr(node, measure)) is not None
        ]
        return [node for _, node in sorted(found, key=lambda one: -one[0])]

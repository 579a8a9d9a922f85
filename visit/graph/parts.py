"""Which parts of a model matter for one prediction, and how much: heads, MLPs and their like.

How strong a part is, is signed: towards the target, or against it. By flow that is its flow; in a
graph without flow (``visit.flow/1``, or a route by share) what the part carries. By effect it is
what the metric loses without the part, as it was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from visit.graph.flow import Ledger, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import EXPERTS

_ALWAYS = frozenset({NodeKind.HEAD, NodeKind.MLP})


class By(StrEnum):
    """What says how strong a part is."""

    FLOW = "flow"
    EFFECT = "effect"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked to be drawn of a graph.

    Attributes:
        count: How many of the strongest parts.
        kept: What is drawn whatever its strength.
        unfolded: The layers that are drawn though nothing of them is.
        by: What the strongest are the strongest by.
    """

    count: int = 40
    kept: frozenset[NodeId] = field(default_factory=frozenset)
    unfolded: frozenset[int] = field(default_factory=frozenset)
    by: By = By.FLOW


def find_strength(index: Index, part: NodeId, by: By = By.FLOW) -> float | None:
    """How strong a part is, signed towards the target; ``None`` where that was not measured."""
    if by is By.FLOW:
        return index.measure(part)
    effect = index.nodes[part].effect
    return None if effect is None or effect.measured is None else 0.0 - effect.measured


def has_effects(index: Index) -> bool:
    """Whether any part of the graph was measured."""
    return any(node.effect is not None for node in index.flow.nodes)


def rank_parts(index: Index, by: By = By.FLOW) -> Mapping[NodeId, int]:
    """The parts that can be drawn by themselves with their places, the strongest first, from 1.

    By effect those have places that were measured, heads rather than their attention. By flow an
    attention is a part as long as the graph holds none of its heads. Memories and experts are where
    the request asked for the strongest of them, and compete with the rest.
    """
    kinds = _ALWAYS | EXPERTS
    if index.flow.request.strongest_memories:
        kinds |= {NodeKind.MEMORY_VALUE}
    parts = [
        node_id
        for node_id in index.nodes
        if node_id.kind in kinds or (_is_whole_part(index, node_id) and by is By.FLOW)
    ]
    known = [(abs(size), p) for p in parts if (size := find_strength(index, p, by)) is not None]
    known.sort(key=lambda one: (-one[0], one[1]))
    return {part: place for place, (_, part) in enumerate(known, start=1)}


def _is_whole_part(index: Index, node_id: NodeId) -> bool:
    """Whether it is an attention of which the graph holds no head."""
    return node_id.kind is NodeKind.ATTN and not index.lines(node_id, Ledger.HEADS)


def count_parts(index: Index) -> int:
    """How many heads and MLPs the forward pass has, at the traced position and before it."""
    model = index.flow.model
    return (index.flow.position + 1) * model.n_layers * (model.n_heads + 1)

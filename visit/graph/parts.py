"""Which parts of a model matter for one prediction, and how much: heads, MLPs and their like.

A part's measure is signed: its flow, towards the metric or against it. In a graph without flow
(``visit.flow/1``, or a route by share) it is what the part carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from visit.graph.flow import Ledger, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import EXPERTS

_ALWAYS = frozenset({NodeKind.HEAD, NodeKind.MLP})


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked to be drawn of a graph.

    Attributes:
        count: How many of the strongest parts.
        kept: What is drawn whatever its strength.
        unfolded: The layers that are drawn though nothing of them is.
    """

    count: int = 40
    kept: frozenset[NodeId] = field(default_factory=frozenset)
    unfolded: frozenset[int] = field(default_factory=frozenset)


def rank_parts(index: Index) -> Mapping[NodeId, int]:
    """The parts that can be drawn by themselves with their places, the strongest first, from 1.

    An attention is a part as long as the graph holds none of its heads. Memories and experts are
    where the request asked for the strongest of them, and compete with the rest.
    """
    kinds = _ALWAYS | EXPERTS
    if index.flow.request.strongest_memories:
        kinds |= {NodeKind.MEMORY_VALUE}
    parts = [
        node_id
        for node_id in index.nodes
        if node_id.kind in kinds
        or (node_id.kind is NodeKind.ATTN and not index.lines(node_id, Ledger.HEADS))
    ]
    parts.sort(key=lambda part: (-abs(index.measure(part)), part))
    return {part: place for place, part in enumerate(parts, start=1)}


def count_parts(index: Index) -> int:
    """How many heads and MLPs the forward pass has, at the traced position and before it."""
    model = index.flow.model
    return (index.flow.position + 1) * model.n_layers * (model.n_heads + 1)

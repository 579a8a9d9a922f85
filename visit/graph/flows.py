"""How much of the traced residual is explained by what is drawn, at every step of the threshold.

Going down the route from the tokens, a node is explained by as much of what it carries as comes
through drawn edges from explained nodes; a token explains itself, and so do the biases. What is
folded into rests, or hidden by the threshold, is not explained.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from visit.graph.flow import EdgeKind, Ledger, NodeId, NodeKind
from visit.graph.index import RESIDUALS, Index, depth, edge_id

STEPS = 100
_LOWEST, _DECADES = -3.0, 2.7
_ROUTE = (Ledger.RESIDUAL, Ledger.POSITIONS)


@cache
def levels() -> tuple[float, ...]:
    """The threshold at each step of its slider: 0, then 0.1 % to 50 % over orders of magnitude."""
    return (0.0, *(10 ** (_LOWEST + _DECADES * step / STEPS) for step in range(1, STEPS + 1)))


def unexplained(index: Index, at: Sequence[float]) -> list[float]:
    """The part of the traced residual that is not explained, at each threshold, 0 to 1.

    Attention edges between positions that carry less than the threshold are hidden; the residual
    stream never is.
    """
    order = [
        node_id
        for node_id in sorted(index.nodes, key=depth)
        if node_id.kind in RESIDUALS | {NodeKind.ATTN, NodeKind.MLP}
    ]
    traced = next(n for n in reversed(order) if n.position == index.flow.position)
    inputs = {node_id: _inputs(index, node_id) for node_id in order}
    return [1.0 - _explained(index, order, inputs, level)[traced] for level in at]


_Inputs = list[tuple[NodeId, float, bool]]
"""Of a node: where what it carries comes from, how much, and whether the threshold may hide it."""


def _inputs(index: Index, node_id: NodeId) -> _Inputs:
    if node_id.kind is NodeKind.MLP:
        read = index.read_by(node_id)
        return [] if read is None else [(read, index.carries[node_id], False)]
    return [
        (edge.source, index.carried[edge_id(edge)], edge.ledger is Ledger.POSITIONS)
        for edge in index.into.get(node_id, ())
        if edge.kind is EdgeKind.ADDS and edge.ledger in _ROUTE
    ]


def _explained(
    index: Index, order: Sequence[NodeId], inputs: dict[NodeId, _Inputs], level: float
) -> dict[NodeId, float]:
    """What part of what each node carries is explained, in the order of the flow."""
    explained: dict[NodeId, float] = {}
    for node_id in order:
        if node_id.kind is NodeKind.EMBED:
            explained[node_id] = 1.0
            continue
        whole, known = index.carries.get(node_id, 0.0), 0.0
        for source, carried, may_hide in inputs[node_id]:
            if source.kind is NodeKind.ATTN_BIAS:
                known += carried
            elif not may_hide or carried >= level:
                known += carried * explained.get(source, 0.0)
        explained[node_id] = min(1.0, known / whole) if whole > 0 else 0.0
    return explained

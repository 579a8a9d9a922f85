"""How much of what passes is explained by what is drawn, at every step of the threshold.

Going down the route from the tokens, a node is explained by as much of what it carries as comes
through drawn lines from explained nodes; a token explains itself, and so do the biases. What is
folded into rests, left out by the budget, or hidden by the threshold is not explained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from visit.graph.flow import Ledger, NodeId, NodeKind
from visit.graph.ids import depth
from visit.graph.index import Index, edge_id
from visit.graph.kinds import BIASES
from visit.graph.selection import Line

STEPS = 100
_LOWEST, _DECADES = -3.0, 2.7


@cache
def levels() -> tuple[float, ...]:
    """The threshold at each step of its slider: 0, then 0.1 % to 50 % over orders of magnitude."""
    return (0.0, *(10 ** (_LOWEST + _DECADES * step / STEPS) for step in range(1, STEPS + 1)))


def unexplained(index: Index, lines: Iterable[Line], at: Sequence[float]) -> list[float]:
    """The part of what passes (``Index.carried``) that is not explained, at each threshold, 0 to 1.

    Args:
        index: The graph.
        lines: The route as it is drawn, ``selection.select`` with nothing open. Each is hidden as
            the slider hides it (``Line.is_hidden``).
        at: The thresholds.
    """
    into: dict[NodeId, list[Line]] = defaultdict(list)
    for line in lines:
        into[line.target].append(line)
    output = NodeId(NodeKind.OUTPUT, index.flow.position)
    known = {node_id: _from_biases(index, node_id) for node_id in into}
    return [1.0 - _find_explained(index, into, known, level).get(output, 0.0) for level in at]


def _from_biases(index: Index, node_id: NodeId) -> float:
    """What a closed attention's bias, which is not drawn, carries into it."""
    lines = index.lines(node_id, Ledger.POSITIONS)
    return sum((index.carried[edge_id(e)] for e in lines if e.source.kind in BIASES), 0.0)


def _find_explained(
    index: Index,
    into: Mapping[NodeId, Sequence[Line]],
    known: Mapping[NodeId, float],
    level: float,
) -> dict[NodeId, float]:
    """What part of what enters each node is explained, in the order of the flow."""
    explained = {node_id: 1.0 for node_id in index.nodes if node_id.kind is NodeKind.EMBED}
    for node_id in sorted(into, key=depth):
        whole = index.entering(node_id)
        through = (
            line.carried * explained.get(line.source, 0.0)
            for line in into[node_id]
            if not line.is_hidden(level)
        )
        explained[node_id] = min(1.0, (known[node_id] + sum(through)) / whole) if whole else 0.0
    return explained

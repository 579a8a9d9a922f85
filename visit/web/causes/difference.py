"""How much more or less flows through each node of a graph than of one that it is held against.

That is the plain pass of a changed one, or another prompt's, target's or model's.
"""

from __future__ import annotations

from typing import Any

from visit.graph.compare import at_column, compare
from visit.graph.flow import FlowGraph
from visit.graph.index import Index
from visit.web.comparing.others import name_other
from visit.web.flow.elements import signed_level
from visit.web.words import signed


def differences(shown: FlowGraph, before: FlowGraph) -> dict[str, float]:
    """The flow now less the flow before of every node that both graphs have, by the one shown."""
    difference = compare(before, shown)
    moved = ((node, node.difference("flow")) for node in difference.nodes)
    places = {
        at: c.second for at, c in enumerate(difference.alignment.columns) if c.second is not None
    }
    return {str(at_column(node.id, places)): flow for node, flow in moved if flow is not None}


def mark_differences(
    made: list[dict[str, Any]], index: Index, before: FlowGraph | None
) -> list[dict[str, Any]]:
    """Elements with the difference as a level from 0 (less) to 1 (more), and in the tip's words.

    Args:
        made: The elements of the graph that is shown.
        index: It.
        before: What it is held against; ``None`` leaves everything as it is.
    """
    if before is None:
        return made
    found = differences(index.flow, before)
    is_plain = not index.flow.request.interventions
    against = name_other(before, index.flow) if is_plain else "the plain pass"
    largest = max(map(abs, found.values()), default=0.0) or 1.0
    for data in (element["data"] for element in made):
        moved = found.get(data["id"])
        if moved is not None:
            data["difference"] = round(signed_level(moved / largest), 4)
            data["tip"] = f"{data.get('tip', '')}\nflow {signed(moved)} against {against}"
    return made

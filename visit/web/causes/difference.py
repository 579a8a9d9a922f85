"""How much more or less flows through each node of a changed pass than of the plain one."""

from __future__ import annotations

from typing import Any

from visit.graph.compare import compare
from visit.graph.flow import FlowGraph
from visit.graph.index import Index
from visit.web.flow.elements import signed_level
from visit.web.words import signed


def differences(changed: FlowGraph, plain: FlowGraph) -> dict[str, float]:
    """The flow now less the flow before of every node that both graphs have."""
    moved = ((str(node.id), node.difference("flow")) for node in compare(plain, changed).nodes)
    return {node_id: flow for node_id, flow in moved if flow is not None}


def mark_differences(
    made: list[dict[str, Any]], index: Index, plain: FlowGraph | None
) -> list[dict[str, Any]]:
    """Elements with the difference as a level from 0 (less) to 1 (more), and in the tip's words.

    Args:
        made: The elements of the changed pass.
        index: Its graph.
        plain: The plain pass's graph; ``None`` leaves everything as it is.
    """
    if plain is None:
        return made
    found = differences(index.flow, plain)
    largest = max(map(abs, found.values()), default=0.0) or 1.0
    for data in (element["data"] for element in made):
        moved = found.get(data["id"])
        if moved is not None:
            data["difference"] = round(signed_level(moved / largest), 4)
            data["tip"] = f"{data.get('tip', '')}\nflow {signed(moved)} against the plain pass"
    return made

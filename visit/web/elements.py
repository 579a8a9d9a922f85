"""A picture as Cytoscape elements. Looks are the stylesheet's; here is only what it needs to know.

Ids are node ids, and texts are data that Cytoscape draws on a canvas, so a token can hold anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from visit.flow import FlowGraph, Node, NodeId, NodeKind
from visit.text import visible
from visit.web import places
from visit.web.index import RESIDUALS, RESTS, Index
from visit.web.picture import BUDGET, OPENABLE, Line, Picture, picture
from visit.web.text import place, title

Element = dict[str, Any]

STRAIGHT_ABOVE = 500
_BIASES = frozenset({NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS})
_NORMS = frozenset({NodeKind.LN1, NodeKind.LN2, NodeKind.FINAL_NORM})
_UNLABELLED = _NORMS | {NodeKind.RESID_MID}
_FAMILY = {
    NodeKind.EMBED: "token",
    NodeKind.OUTPUT: "token",
    NodeKind.ATTN: "attention",
    NodeKind.HEAD: "attention",
    NodeKind.QUERY: "query",
    NodeKind.KEY: "query",
    NodeKind.VALUE: "attention",
    NodeKind.ATTN_NEURON: "neuron",
    NodeKind.MLP: "mlp",
    NodeKind.MEMORY_KEY: "memory-key",
    NodeKind.MEMORY_VALUE: "mlp",
}


def draw(
    index: Index, opened: Iterable[NodeId] = (), *, budget: int = BUDGET
) -> tuple[Picture, list[Element]]:
    """What is drawn of a flow graph, and its elements: bands, titles, nodes, edges."""
    frame = len(index.flow.tokens) + 2 * index.flow.model.n_layers + 1
    drawn = picture(index, opened, max(0, budget - frame))
    return drawn, elements(index, drawn)


def elements(index: Index, drawn: Picture) -> list[Element]:
    """The elements of a picture, each at its place."""
    plan = places.plan(drawn)
    curved = len(drawn.nodes) <= STRAIGHT_ABOVE
    return [
        *_bands(plan),
        *_row_titles(index.flow, plan),
        *(_node(index, node, plan.boxes[node.id], drawn) for node in drawn.nodes),
        *(_edge(line, plan, curved) for line in drawn.lines),
    ]


def family(kind: NodeKind) -> str:
    """The group of kinds that look alike; what is none of the others is a residual."""
    if kind in RESTS or kind in _BIASES:
        return "rest"
    if kind in _NORMS:
        return "norm"
    return _FAMILY.get(kind, "residual")


def label(node: Node) -> str:
    """What is written on a node: its top token, and for a part which one it is."""
    kind = node.id.kind
    if kind in _UNLABELLED:
        return ""
    if kind in RESTS:
        return "rest"
    if kind in _BIASES:
        return "bias"
    word = visible(node.label)
    return f"{node.id.head} {word}" if kind is NodeKind.HEAD else word


def tip(flow: FlowGraph, node: Node) -> str:
    """What hovering says, as plain text."""
    where = f"{place(node.id)}, at " if place(node.id) else "at "
    words = "  ".join(visible(token.text) for token in node.reading.top[:5])
    at = visible(flow.tokens[node.id.position].text)
    return f"{title(node.id)}, {where}{at}\n{words}\ntarget's rank {node.reading.target.rank:,}"


def rank_level(rank: int, d_vocab: int) -> float:
    """A target's rank on a scale from 0 (best) to 1 (worst), logarithmic."""
    return math.log(rank) / math.log(max(d_vocab, 2))


def _node(index: Index, node: Node, box: places.Box, drawn: Picture) -> Element:
    kind = node.id.kind
    flow = index.flow
    return {
        "data": {
            "id": str(node.id),
            "kind": str(kind),
            "family": family(kind),
            "label": label(node),
            "w": box.width,
            "h": box.height,
            "tip": tip(flow, node),
            "opens": int(kind in OPENABLE),
            "open": int(node.id in drawn.opened),
            "traced": int(node.id.position == flow.position),
            "rank": round(rank_level(node.reading.target.rank, flow.model.d_vocab), 4),
            "entropy": round(node.reading.entropy / math.log2(max(flow.model.d_vocab, 2)), 4),
        },
        "position": {"x": round(box.x, 1), "y": round(box.y, 1)},
        "grabbable": False,
    }


def _edge(line: Line, plan: places.Plan, curved: bool) -> Element:
    source, target = plan.boxes[line.source], plan.boxes[line.target]
    data: dict[str, Any] = {
        "id": line.id,
        "source": str(line.source),
        "target": str(line.target),
        "kind": str(line.kind),
        "sign": "minus" if line.share is not None and line.share < 0 else "plus",
        "carried": round(line.carried, 6),
        "width": round(0.7 + 5.3 * math.sqrt(line.carried), 2),
        "way": _way(line, source, target, curved),
    }
    if line.ledger is not None:
        data["ledger"] = str(line.ledger)
    if line.source.kind in RESIDUALS and line.target.kind in RESIDUALS:
        data["stream"] = 1
    if data["way"] == "curve":
        data["weights"], data["distances"] = control_points(
            target.left - source.right, target.y - source.y
        )
    return {"data": data}


def _way(line: Line, source: places.Box, target: places.Box, curved: bool) -> str:
    if source.x == target.x:
        return "down"
    return "curve" if curved and abs(source.y - target.y) > 0.5 else "level"


def control_points(dx: float, dy: float) -> tuple[list[float], list[float]]:
    """The two control points that make an S-curve leave and arrive level.

    As weights along the straight line between the ends and distances from it.
    """
    squared = dx * dx + dy * dy
    weight = dx * dx / (2 * squared)
    distance = dx * dy / (2 * math.sqrt(squared))
    return (
        [round(weight, 4), round(1 - weight, 4)],
        [round(-distance, 1), round(distance, 1)],
    )


def _bands(plan: places.Plan) -> list[Element]:
    made = []
    for layer, box in plan.bands.items():
        made.append(
            _label(
                f"band{layer}", "", box, frame="band", shade=layer % 2, w=box.width, h=box.height
            )
        )
        title = places.Box(box.x, box.y - box.height / 2 - 14, 100.0, 20.0)
        made.append(_label(f"column{layer}", f"layer {layer}", title, frame="column"))
    return made


def _row_titles(flow: FlowGraph, plan: places.Plan) -> list[Element]:
    return [
        _label(
            f"row{position}",
            visible(flow.tokens[position].text),
            box,
            frame="row",
            traced=int(position == flow.position),
        )
        for position, box in plan.rows.items()
    ]


def _label(name: str, text: str, box: places.Box, **data: Any) -> Element:
    return {
        "data": {"id": name, "label": text, "w": box.width, "h": box.height, **data},
        "position": {"x": round(box.x, 1), "y": round(box.y, 1)},
        "grabbable": False,
        "selectable": False,
    }

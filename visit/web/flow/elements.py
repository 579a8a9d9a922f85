"""A picture as Cytoscape elements. Looks are the stylesheet's; here is only what it needs to know.

Ids are node ids, and texts are data that Cytoscape draws on a canvas, so a token can hold anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from visit.graph.flow import FlowGraph, Node, NodeId, NodeKind, Note, Token
from visit.graph.index import RESIDUALS, RESTS, Index
from visit.graph.selection import BUDGET, OPENABLE, Line, Picture, picture
from visit.text import visible
from visit.web.flow import placement
from visit.web.marks import THIN
from visit.web.theme import GROUPS
from visit.web.words import place, title

Element = dict[str, Any]

STRAIGHT_ABOVE = 500
MESSAGE_WIDTH, MESSAGE_HEIGHT = 24.0, 88.0
"""Of the bracket beside a message of one row: its role is written along it."""
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
    NodeKind.EXPERT: "mlp",
    NodeKind.SHARED_EXPERT: "mlp",
}


def draw(
    index: Index,
    opened: Iterable[NodeId] = (),
    *,
    notes: Iterable[Note] = (),
    budget: int = BUDGET,
) -> tuple[Picture, list[Element]]:
    """What is drawn of a flow graph, and its elements: bands, titles, nodes, edges."""
    frame = len(index.flow.tokens) + 2 * index.flow.model.n_layers + 1
    frame += len({token.message for token in index.flow.tokens} - {None})
    drawn = picture(index, opened, max(0, budget - frame))
    return drawn, elements(index, drawn, notes)


def elements(index: Index, drawn: Picture, notes: Iterable[Note] = ()) -> list[Element]:
    """The elements of a picture, each at its place; a note's name stands for a node's label."""
    plan = placement.plan(drawn)
    curved = len(drawn.nodes) <= STRAIGHT_ABOVE
    logits = {node.id: index.direct_logit(node.id) for node in drawn.nodes}
    largest = index.largest["written"]
    widths = _widths(index, drawn.lines)
    return [
        *_bands(plan),
        *_row_titles(index.flow, plan),
        *_messages(index.flow, plan),
        *_noted(
            [
                _node(index, node, plan.boxes[node.id], drawn, logits[node.id], largest)
                for node in drawn.nodes
            ],
            notes,
        ),
        *(
            _edge(line, plan, curved, thick)
            for line, thick in zip(drawn.lines, widths, strict=True)
        ),
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
    mark = mark_of(node.id)
    return f"{mark} {word}" if mark else word


def mark_of(node_id: NodeId) -> str:
    """Which head or expert a node is, as it is written before its word; empty for other kinds."""
    if node_id.kind is NodeKind.SHARED_EXPERT:
        return "shared"
    number = {NodeKind.HEAD: node_id.head, NodeKind.EXPERT: node_id.index}.get(node_id.kind)
    return "" if number is None else str(number)


def tip(flow: FlowGraph, node: Node) -> str:
    """What hovering says, as plain text."""
    where = f"{place(node.id)}, at " if place(node.id) else "at "
    words = "  ".join(visible(token.text) for token in node.reading.top[:5])
    at = visible(flow.tokens[node.id.position].text)
    return f"{title(node.id)}, {where}{at}\n{words}\ntarget's rank {node.reading.target.rank:,}"


def rank_level(rank: int, d_vocab: int) -> float:
    """A target's rank on a scale from 0 (best) to 1 (worst), logarithmic."""
    return math.log(rank) / math.log(max(d_vocab, 2))


def _node(
    index: Index,
    node: Node,
    box: placement.Box,
    drawn: Picture,
    logit: float | None,
    largest_logit: float,
) -> Element:
    kind = node.id.kind
    flow = index.flow
    signed = {} if logit is None else {"logit": round(signed_level(logit / largest_logit), 4)}
    return {
        "data": {
            **signed,
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


def signed_level(part: float) -> float:
    """A signed part of the largest on a scale from 0 (against) to 1 (along), 0.5 for none."""
    return 0.5 + 0.5 * math.copysign(math.sqrt(min(1.0, abs(part))), part)


def _noted(nodes: list[Element], notes: Iterable[Note]) -> list[Element]:
    """Nodes with what a reader noted beside them: a name, a pin, a group by its number."""
    by_id = {str(note.node): note for note in notes}
    groups = sorted({note.group for note in by_id.values() if note.group})
    for data in (node["data"] for node in nodes):
        note = by_id.get(data["id"])
        # Always said: the browser forgets no field of a node that it has.
        data |= {"pinned": 0, "group": -1}
        if note is None:
            continue
        if note.name:
            data["label"] = note.name
        if note.pinned:
            data["pinned"] = 1
        if note.group:
            data["group"] = groups.index(note.group) % len(GROUPS)
        said = [note.name, note.text, note.group and f"group: {note.group}"]
        data["tip"] = "\n".join([data["tip"], *(line for line in said if line)])
    return nodes


def _widths(index: Index, lines: Sequence[Line]) -> list[dict[str, float]]:
    """How wide every line is by each measure, in pixels: by its square root, the widest 6.

    The widest is the graph's, drawn or not, so that no width changes as blocks open and close.
    """
    measures: dict[str, list[float]] = {
        "carried": [line.carried for line in lines],
        "norm": [line.norm or 0.0 for line in lines],
        "share": [abs(line.share or 0.0) for line in lines],
        "logit": [abs(line.direct_logit or 0.0) for line in lines],
    }
    widest = {**index.largest, "carried": 1.0}
    return [
        {
            f"w_{name}": round(THIN + 5.3 * math.sqrt(min(1.0, sizes[row] / widest[name])), 2)
            for name, sizes in measures.items()
        }
        for row in range(len(lines))
    ]


def _edge(line: Line, plan: placement.Plan, curved: bool, widths: dict[str, float]) -> Element:
    source, target = plan.boxes[line.source], plan.boxes[line.target]
    data: dict[str, Any] = {
        "id": line.id,
        "source": str(line.source),
        "target": str(line.target),
        "kind": str(line.kind),
        "sign": "minus" if line.share is not None and line.share < 0 else "plus",
        "carried": round(line.carried, 6),
        **widths,
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


def _way(line: Line, source: placement.Box, target: placement.Box, curved: bool) -> str:
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


def _bands(plan: placement.Plan) -> list[Element]:
    made = []
    for layer, box in plan.bands.items():
        made.append(
            _label(
                f"band{layer}", "", box, frame="band", shade=layer % 2, w=box.width, h=box.height
            )
        )
        title = placement.Box(box.x, box.y - box.height / 2 - 14, 100.0, 20.0)
        made.append(_label(f"column{layer}", f"layer {layer}", title, frame="column"))
    return made


def _row_titles(flow: FlowGraph, plan: placement.Plan) -> list[Element]:
    return [
        _label(
            f"row{position}",
            visible(flow.tokens[position].text),
            box,
            frame="row",
            traced=int(position == flow.position),
            **_written_by(flow, flow.tokens[position]),
        )
        for position, box in plan.rows.items()
    ]


def _written_by(flow: FlowGraph, token: Token) -> dict[str, int]:
    """Whether a token is special, and whether a chat's template wrote it; said where it holds."""
    holds = {"special": token.special, "template": flow.request.chat and token.message is None}
    return {name: 1 for name, is_so in holds.items() if is_so}


def _messages(flow: FlowGraph, plan: placement.Plan) -> list[Element]:
    """A bracket beside the rows of each of a chat's messages, with its role along it."""
    made = []
    by_message = groupby(sorted(plan.rows), key=lambda position: flow.tokens[position].message)
    for message, run in by_message:
        if message is None:
            continue
        positions = list(run)
        first, last = plan.rows[positions[0]], plan.rows[positions[-1]]
        box = placement.Box(
            first.left - 6 - MESSAGE_WIDTH / 2,
            (first.y + last.y) / 2,
            MESSAGE_WIDTH,
            last.y - first.y + MESSAGE_HEIGHT,
        )
        role = flow.tokens[positions[0]].role or ""
        made.append(_label(f"message{positions[0]}", visible(role), box, frame="message"))
    return made


def _label(name: str, text: str, box: placement.Box, **data: Any) -> Element:
    return {
        "data": {"id": name, "label": text, "w": box.width, "h": box.height, **data},
        "position": {"x": round(box.x, 1), "y": round(box.y, 1)},
        "grabbable": False,
        "selectable": False,
    }

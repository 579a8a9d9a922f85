"""What is drawn, as Cytoscape elements: what the stylesheet needs to know, and no looks.

Ids are node ids, and texts are data that Cytoscape draws on a canvas, so a token can hold anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from visit.graph.flow import FlowGraph, Node, NodeId, Note, Token
from visit.graph.index import Index
from visit.graph.kinds import BLOCKS, NODES, RESIDUALS, RESTS
from visit.graph.notes import lines_of, number_groups
from visit.graph.paths import Paths, Step
from visit.graph.relations import attention_of
from visit.graph.selection import BUDGET, Line, Selection, select
from visit.text import visible
from visit.web.flow import placement
from visit.web.marks import THIN
from visit.web.theme import GROUPS
from visit.web.words import outcome_sides, place, signed, title

Element = dict[str, Any]

STRAIGHT_ABOVE = 500
MESSAGE_WIDTH, MESSAGE_HEIGHT = 24.0, 88.0
"""Of the bracket beside a message of one row: its role is written along it."""


def draw(
    index: Index, opened: Iterable[NodeId] = (), *, notes: Iterable[Note] = ()
) -> tuple[Selection, list[Element]]:
    """What is drawn of a flow graph, and its elements: bands, titles, nodes, edges."""
    drawn = choose(index, opened)
    return drawn, elements(index, drawn, notes)


def choose(index: Index, opened: Iterable[NodeId] = ()) -> Selection:
    """Choose what is drawn of a flow graph, so that with its frame it stays within the budget."""
    frame = len(index.flow.tokens) + 2 * index.flow.model.n_layers + 1
    frame += len({token.message for token in index.flow.tokens} - {None})
    return select(index, opened, max(0, BUDGET - frame))


def elements(index: Index, drawn: Selection, notes: Iterable[Note] = ()) -> list[Element]:
    """The elements of what is drawn, each at its place; a note's name stands for a label."""
    plan = placement.plan(drawn)
    curved = len(drawn.nodes) <= STRAIGHT_ABOVE
    widths = _widths(index, drawn.lines)
    steps = _steps(index, drawn)
    return [
        *_bands(plan),
        *_row_titles(index.flow, plan),
        *_messages(index.flow, plan),
        *_add_notes(
            [
                _node(index, node, plan.boxes[node.id], drawn, steps[node.id])
                for node in drawn.nodes
            ],
            notes,
        ),
        *(
            _edge(line, plan, curved, thick)
            for line, thick in zip(drawn.lines, widths, strict=True)
        ),
    ]


def label(node: Node) -> str:
    """What is written on a node: its word, and for a part which one it is."""
    fixed = NODES[node.id.kind].label
    if fixed is not None:
        return fixed
    word = visible(node.word)
    mark = mark_of(node.id)
    return f"{mark} {word}" if mark else word


def mark_of(node_id: NodeId) -> str:
    """Which head or expert a node is, as it is written before its word; empty for other kinds."""
    return NODES[node_id.kind].mark.replace("#", str(node_id.number))


def tip(flow: FlowGraph, node: Node) -> str:
    """What hovering says, as plain text."""
    where = f"{place(node.id)}, at " if place(node.id) else "at "
    words = "  ".join(visible(token.text) for token in node.reading.top[:5])
    at = flow.shown[node.id.position]
    rank = f"target's rank {node.reading.target.rank:,}"
    return "\n".join([f"{title(node.id)}, {where}{at}", words, rank, *_in_the_end(node)])


def _in_the_end(node: Node) -> list[str]:
    """What a tip says of a node's flow and outcome, a line each, where there are any."""
    said = [] if node.flow is None else [f"flow {signed(node.flow)}"]
    for does, listed in outcome_sides(node.outcome):
        said.append(f"{does} {'  '.join(visible(token.text) for token in listed)}")
    return said


def rank_level(rank: int, d_vocab: int) -> float:
    """A target's rank on a scale from 0 (best) to 1 (worst), logarithmic."""
    return math.log(rank) / math.log(max(d_vocab, 2))


def _node(
    index: Index, node: Node, box: placement.Box, drawn: Selection, steps: dict[str, str]
) -> Element:
    flow, row = index.flow, NODES[node.id.kind]
    logit = index.direct_logit(node.id)
    level = None if logit is None else signed_level(logit / index.largest["written"])
    return {
        "data": {
            **({} if level is None else {"logit": round(level, 4)}),
            **steps,
            "id": str(node.id),
            "kind": str(node.id.kind),
            "family": str(row.role),
            "label": label(node),
            "w": box.width,
            "h": box.height,
            "tip": tip(flow, node),
            "opens": int(is_opened_by_a_tap(node.id)),
            "open": int(node.id in drawn.opened),
            "closes": _closed_with(node.id, drawn),
            "traced": int(node.id.position == flow.position),
            **({"residual": 1} if node.id.kind in RESIDUALS else {}),
            "rank": round(rank_level(node.reading.target.rank, flow.model.d_vocab), 4),
            "entropy": round(node.reading.entropy / math.log2(max(flow.model.d_vocab, 2)), 4),
        },
        "position": {"x": round(box.x, 1), "y": round(box.y, 1)},
        "grabbable": False,
    }


def is_opened_by_a_tap(node_id: NodeId) -> bool:
    """Whether a node opens when it is tapped; a rest, which opens neurons, is a part as well."""
    return bool(NODES[node_id.kind].opens) and node_id.kind not in RESTS


def _closed_with(node_id: NodeId, drawn: Selection) -> str:
    """What is open inside a node, and closes with it: an attention's heads and neurons."""
    inside = (n for n in drawn.opened if n.kind not in BLOCKS and attention_of(n) == node_id)
    return " ".join(sorted(map(str, inside)))


def _steps(index: Index, drawn: Selection) -> dict[NodeId, dict[str, str]]:
    """Where the strongest path through each node comes from and goes on to, among what is drawn.

    The steps of ``visit.graph.paths``, past nodes that are not drawn. The path through a drawn node
    is the chain of them, so the browser only follows.
    """
    paths, ids = Paths(index), {node.id for node in drawn.nodes}

    def first(steps: Iterable[Step]) -> str:
        return next((str(step.node) for step in steps if step.node in ids), "")

    return {
        node_id: {"back": first(paths.back_from(node_id)), "on": first(paths.on_from(node_id))}
        for node_id in ids
    }


def signed_level(part: float) -> float:
    """A signed part of the largest on a scale from 0 (against) to 1 (along), 0.5 for none."""
    return 0.5 + 0.5 * math.copysign(math.sqrt(min(1.0, abs(part))), part)


def _add_notes(nodes: list[Element], notes: Iterable[Note]) -> list[Element]:
    """Nodes with what a reader noted beside them: a name, a pin, a group by its number."""
    by_id = {str(note.node): note for note in notes}
    groups = number_groups(by_id.values())
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
            data["group"] = groups[note.group] % len(GROUPS)
        data["tip"] = "\n".join([data["tip"], *lines_of(note)])
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
        "carried": line.carried,  # not rounded: the threshold is compared with it
        "hides": int(line.hides),
        **widths,
        "way": _way(line, source, target, curved),
    }
    if line.ledger is not None:
        data["ledger"] = str(line.ledger)
    if not line.hides:
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
            flow.shown[position],
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

"""What is drawn, as Cytoscape elements: what the stylesheet needs to know, and no looks.

Ids are node ids, and texts are data that Cytoscape draws on a canvas, so a token can hold anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from visit.graph.flow import FlowGraph, Node, NodeId, NodeKind, Note
from visit.graph.flows import find_strongest, list_counts
from visit.graph.index import Index
from visit.graph.kinds import BLOCKS, NODES, RESIDUALS, RESTS
from visit.graph.notes import lines_of, number_groups
from visit.graph.parts import By, Choice, find_strength, has_effects, rank_parts
from visit.graph.paths import Paths, Step
from visit.graph.relations import attention_of
from visit.graph.selection import Line, Selection, select
from visit.text import visible
from visit.web.flow import placement
from visit.web.flow.frame import Element, frame
from visit.web.flow.labels import LETTER, PARTS, label, measure_width
from visit.web.flow.placement import Box
from visit.web.flow.widths import find_widest
from visit.web.look import Look, Room
from visit.web.marks import BAR_INSET, KINDS, SMALLEST, edge_width
from visit.web.theme import GROUPS
from visit.web.words import outcome_sides, place, signed, title

_FEWEST, _MOST = 4, 40
"""Between these is the number of parts that is legible."""
_SIZES = {
    **dict.fromkeys(RESIDUALS, (7.0, 7.0)),
    NodeKind.EMBED: (11.0, 11.0),
    NodeKind.FINAL_NORM: (11.0, 11.0),
    NodeKind.LN1: (13.0, 13.0),
    NodeKind.LN2: (13.0, 13.0),
}
_LEAST_BAR = 2.0
"""How long the bar of any part is at least that is not idle, in pixels."""
LEAST_ON_SCREEN = 10.0
"""How high letters are on the screen at least, in pixels."""
_PART_HEIGHT, _OTHER_SIZE, _OUTPUT_HEIGHT = 36.0, (76.0, 23.0), 36.0


def draw(
    index: Index,
    opened: Iterable[NodeId] = (),
    look: Look | None = None,
    *,
    notes: Iterable[Note] = (),
) -> tuple[Selection, list[Element]]:
    """What is drawn of a flow graph, and its elements: bands, titles, nodes, edges.

    Args:
        index: The graph.
        opened: The nodes whose parts are drawn.
        look: How many parts, what besides, and in how large a room; by default when left out.
        notes: The reader's; what is pinned is always drawn.
    """
    look, notes = look or Look(), tuple(notes)
    kept = look.kept | {note.node for note in notes if note.pinned}
    drawn = choose(index, opened, replace(look, kept=kept))
    return drawn, elements(index, drawn, look.room, notes)


def choose(index: Index, opened: Iterable[NodeId] = (), look: Look | None = None) -> Selection:
    """Choose what is drawn: as many parts as asked for, else as many as are legible in the room.

    What is opened, kept or unfolded takes room of its own: nothing else makes way for it.
    """
    look, opened = look or Look(), tuple(opened)
    by = choose_by(index, look)
    places, count = rank_parts(index, by), look.count
    if count is None:
        count = _fit_count(index, places, look)
    choice = Choice(count, look.kept, look.unfolded, by)
    return select(index, opened, choice, places)


def choose_by(index: Index, look: Look) -> By:
    """What parts are the strongest by: flow, in a graph of which nothing is measured."""
    return look.by if has_effects(index) else By.FLOW


def _fit_count(index: Index, places: Mapping[NodeId, int], look: Look) -> int:
    """The most parts that are legible, of the numbers that can be asked for: by bisection."""
    by = choose_by(index, look)
    offered = [count for count in list_counts(len(places)) if _FEWEST <= count <= _MOST]
    fitting = list_counts(min(_FEWEST, len(places)))[-1:]
    while offered:
        middle = len(offered) // 2
        count = offered[middle]
        if _is_legible(index, select(index, (), Choice(count, by=by), places), look.room):
            fitting, offered = [count], offered[middle + 1 :]
        else:
            offered = offered[:middle]
    return fitting[0]


def _is_legible(index: Index, drawn: Selection, room: Room) -> bool:
    placed = placement.plan(drawn, measure_nodes(index, drawn), room)
    return placed.zoom_in(room) * SMALLEST >= LEAST_ON_SCREEN


def elements(
    index: Index, drawn: Selection, room: Room | None = None, notes: Iterable[Note] = ()
) -> list[Element]:
    """The elements of what is drawn, each at its place; a note's name stands for a label."""
    sizes = measure_nodes(index, drawn)
    plan = placement.plan(drawn, sizes, room or Room())
    widths = _widths(index, drawn.lines)
    steps = _steps(index, drawn)
    most = find_strongest(index, drawn) or 1.0
    return [
        *frame(index.flow, plan, drawn),
        *_add_notes(
            [
                _node(index, node, plan.boxes[node.id], drawn, steps[node.id], most)
                for node in drawn.nodes
            ],
            notes,
        ),
        *(_edge(line, plan, thick) for line, thick in zip(drawn.lines, widths, strict=True)),
    ]


def measure_nodes(index: Index, drawn: Selection) -> dict[NodeId, tuple[float, float]]:
    """How large each node is; a part is as wide as what is written on it."""
    return {node.id: _size(index, node) for node in drawn.nodes}


def _size(index: Index, node: Node) -> tuple[float, float]:
    kind = node.id.kind
    if kind in PARTS:
        return measure_width(label(index, node)), _PART_HEIGHT
    if kind is NodeKind.OUTPUT:
        letters = KINDS["output"]["size"] / 12 * LETTER
        return max(64.0, len(label(index, node)) * letters + 22.0), _OUTPUT_HEIGHT
    return _SIZES.get(kind, _OTHER_SIZE)


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
    if node.effect is not None and node.effect.measured is not None:
        said.append(f"effect {signed(node.effect.measured)}: the metric without it, less with it")
    for does, listed in outcome_sides(node.outcome):
        said.append(f"{does} {'  '.join(visible(token.text) for token in listed)}")
    return said


def rank_level(rank: int, d_vocab: int) -> float:
    """A target's rank on a scale from 0 (best) to 1 (worst), logarithmic."""
    return math.log(rank) / math.log(max(d_vocab, 2))


def _node(
    index: Index, node: Node, box: Box, drawn: Selection, steps: dict[str, str], most: float
) -> Element:
    flow, row = index.flow, NODES[node.id.kind]
    logit = index.direct_logit(node.id)
    level = None if logit is None else signed_level(logit / index.largest["written"])
    return {
        "data": {
            **({} if level is None else {"logit": round(level, 4)}),
            **steps,
            **(_case(index, node, drawn, most, box.width) if node.id.kind in PARTS else {}),
            "id": str(node.id),
            "kind": str(node.id.kind),
            "family": str(row.role),
            "label": label(index, node),
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


def _case(index: Index, node: Node, drawn: Selection, most: float, width: float) -> dict[str, Any]:
    """How strong a part is, as its bar in percent of its own width, and its place among all.

    The strongest part's bar reaches from corner to corner.
    """
    size = find_strength(index, node.id, drawn.by) or 0.0
    bar = max(_LEAST_BAR, (width - 2 * BAR_INSET) * min(1.0, abs(size) / most)) if size else 0.0
    placed = drawn.places.get(node.id)
    return {
        "bar": f"{100 * bar / width:.1f}%",
        "sign": "minus" if size < 0 else "plus",
        **({} if placed is None else {"place": placed}),
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

    A thread is as wide as what it carries.
    """
    measures: dict[str, list[float]] = {
        "carried": [line.carried for line in lines],
        "norm": [line.norm or 0.0 for line in lines],
        "share": [abs(line.share or 0.0) for line in lines],
        "logit": [abs(line.direct_logit or 0.0) for line in lines],
    }
    widest = {name: find_widest(index, name) for name in measures}
    return [
        {
            f"w_{name}": edge_width(sizes[row] / widest[name], is_thread=line.is_thread)
            for name, sizes in measures.items()
        }
        for row, line in enumerate(lines)
    ]


def _edge(line: Line, plan: placement.Plan, widths: dict[str, float]) -> Element:
    source, target = plan.boxes[line.source], plan.boxes[line.target]
    data: dict[str, Any] = {
        "id": line.id,
        "source": str(line.source),
        "target": str(line.target),
        "kind": str(line.kind),
        "sign": "minus" if line.flow < 0 else "plus",
        "carried": line.carried,
        **widths,
        "way": _way(source, target),
    }
    if line.ledger is not None:
        data["ledger"] = str(line.ledger)
    if line.is_thread:
        data["stream"] = 1
    if data["way"] == "curve":
        data["weights"], data["distances"] = control_points(
            target.left - source.right, target.y - source.y
        )
    return {"data": data}


def _way(source: Box, target: Box) -> str:
    if abs(source.x - target.x) < 0.5:
        return "down"
    is_level = abs(source.y - target.y) <= 0.5 or target.left - source.right < 0.5
    return "level" if is_level else "curve"


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

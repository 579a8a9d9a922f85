"""What stands around the nodes: bands and folds of layers, titles of rows, brackets of messages."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from visit.graph.flow import FlowGraph, Token
from visit.graph.selection import THREADED, Selection
from visit.text import visible
from visit.web.flow import placement
from visit.web.flow.placement import Box

Element = dict[str, Any]

MESSAGE_WIDTH, MESSAGE_REACH = 24.0, 18.0
"""Of the bracket beside a message's rows: how wide it is, and how far it goes past them."""


def frame(flow: FlowGraph, plan: placement.Plan, drawn: Selection) -> list[Element]:
    """The elements behind and around what is drawn."""
    return [*_bands(plan, drawn), *_row_titles(flow, plan), *_messages(flow, plan)]


def _bands(plan: placement.Plan, drawn: Selection) -> list[Element]:
    """The box behind each drawn layer and each fold, under its title; a tap folds and unfolds."""
    made = []
    filled = {node.id.layer for node in drawn.nodes if node.id.kind not in THREADED}
    for shade, (layer, box) in enumerate(plan.bands.items()):
        made.append(_back(f"band{layer}", box, frame="band", shade=shade % 2))
        idle = {} if layer in filled else {"first": layer, "last": layer}
        made.append(_title(f"column{layer}", f"L{layer}", box, frame="column", **idle))
    for (first, last), box in plan.folds.items():
        made.append(_back(f"fold{first}", box, frame="fold", first=first, last=last))
        said = placement.name_run(first, last)
        made.append(_title(f"folded{first}", said, box, frame="folded"))
    return made


def _back(name: str, box: Box, **data: Any) -> Element:
    return _label(name, "", box, w=box.width, h=box.height, **data)


def _title(name: str, text: str, box: Box, **data: Any) -> Element:
    above = Box(box.x, box.y - box.height / 2 - 12, max(box.width, 30.0), 18.0)
    return _label(name, text, above, **data)


def _row_titles(flow: FlowGraph, plan: placement.Plan) -> list[Element]:
    """Each row's token, and between two rows how many positions are folded."""
    marks = [
        _label(f"gap{first}", f"⋯ {last - first + 1}", box, frame="gap")
        for (first, last), box in plan.gaps.items()
    ]
    return marks + [
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
        box = Box(
            first.left - 6 - MESSAGE_WIDTH / 2,
            (first.y + last.y) / 2,
            MESSAGE_WIDTH,
            last.y - first.y + 2 * MESSAGE_REACH,
        )
        role = flow.tokens[positions[0]].role or ""
        made.append(_label(f"message{positions[0]}", visible(role), box, frame="message"))
    return made


def _label(name: str, text: str, box: Box, **data: Any) -> Element:
    return {
        "data": {"id": name, "label": text, "w": box.width, "h": box.height, **data},
        "position": {"x": round(box.x, 1), "y": round(box.y, 1)},
        "grabbable": False,
        "selectable": False,
    }

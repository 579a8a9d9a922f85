"""The sizes and strokes of everything that is drawn: letters, borders, dashes, edges.

One table for the screen (``flow.stylesheet``) and for print (``exports.svg``). A node looks as
``NODE`` says, but for what its family says otherwise (``FAMILIES``), then its kind (``KINDS``),
then whether it is open (``OPEN``). Sizes are pixels of the drawing before it is zoomed. Colours are
``theme``'s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from visit.graph.kinds import SHAPES
from visit.web.theme import MONO, SANS


@dataclass(frozen=True, slots=True)
class Mark:
    """How nodes, or the frame around them, are drawn.

    Attributes:
        shape: One of Cytoscape's.
        font: The label's family.
        size: Of its letters.
        weight: Of its letters.
        room: How wide a label may be before it is cut; without end when ``None``.
        border: How wide the border is.
        dashed: Whether the border is dashed.
        inked: The family whose border's colour is the fill; else the fill is its own family's.
        turned: Whether the label is written from the bottom up.
    """

    shape: str
    font: str
    size: int
    weight: int
    border: float
    room: int | None = None
    dashed: bool = False
    inked: str | None = None
    turned: bool = False


class Change(TypedDict, total=False):
    """What differs from the mark before; names are ``Mark``'s."""

    shape: str
    font: str
    size: int
    weight: int
    border: float
    room: int
    dashed: bool
    inked: str
    turned: bool


NODE = Mark(shape="rectangle", font=SANS, size=12, weight=400, border=1.2, room=84)
SMALLEST = 12
"""The size of the smallest letters, which must stay legible when the drawing is zoomed."""
FAMILIES: dict[str, Change] = {
    "token": Change(font=MONO, room=78),
    "residual": Change(inked="residual", border=0.0),
    "rest": Change(dashed=True),
}
KINDS: dict[str, Change] = {
    "output": Change(size=18, weight=700, room=140, border=2.0),
}
OPEN = Change(border=2.6)
"""A block whose parts are drawn."""

FRAME = Mark(shape="rectangle", font=SANS, size=12, weight=400, border=0.0)
FRAMES: dict[str, Change] = {
    "band": Change(shape="round-rectangle"),
    "fold": Change(shape="round-rectangle", border=1.0, dashed=True),
    "column": Change(size=13, weight=600),
    "folded": Change(),
    "row": Change(font=MONO, size=15, weight=600, room=84),
    "gap": Change(),
    "message": Change(shape="round-rectangle", size=14, border=1.0, turned=True),
}
TRACED_WEIGHT = 700
"""Of the title of the traced position's row."""

WIDEST_THREAD = 13.0
"""How wide a thread is that carries all."""
LINE = 1.15
"""How far apart the lines of a label are, of its letters' size."""
BAR, BAR_INSET = 4.0, 7.0
"""How high a part's bar is, along the lower edge of its node, and how far from its corners."""
THIN, THICK = 0.7, 4.0
"""The widths of an edge that carries next to nothing and of one that carries much."""
PALE, STRONG = 0.32, 0.9
"""How opaque they are."""
EDGE_DASH = (5, 3)
"""Of what adds against the whole: so much drawn, so much left out."""
BORDER_DASH = (4, 2)
"""Cytoscape's own, of a border that is dashed; it can be given no other."""
HALO: dict[str, tuple[float, int]] = {"group": (0.35, 6), "pinned": (0.25, 5)}
"""Round a node of a group and round one that is pinned: how opaque, and how far it reaches."""


def choose_mark(data: Mapping[str, Any]) -> Mark:
    """How an element is drawn that has these ``data``: a node, or a part of the frame."""
    if "frame" in data:
        mark = replace(FRAME, **FRAMES[data["frame"]])
        return replace(mark, weight=TRACED_WEIGHT) if data.get("traced") else mark
    family, kind = data["family"], data["kind"]
    mark = replace(NODE, shape=SHAPES[family])
    for change in (FAMILIES.get(family), KINDS.get(kind), OPEN if data.get("open") else None):
        mark = replace(mark, **(change or {}))
    return mark


def edge_width(part: float, *, is_thread: bool = False) -> float:
    """How wide an edge or a thread of a part of the widest is."""
    part = min(1.0, part)
    return round(THIN + (WIDEST_THREAD * part if is_thread else 5.3 * math.sqrt(part)), 2)


def edge_opacity(width: float) -> float:
    """How opaque an edge of a width is."""
    level = min(max((width - THIN) / (THICK - THIN), 0.0), 1.0)
    return PALE + (STRONG - PALE) * level

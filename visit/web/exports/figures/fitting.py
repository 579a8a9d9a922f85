"""How a drawing is fitted to paper: its scale, and the frames that it is shown in.

The drawing is scaled to the paper's width while its letters have the size that was chosen for the
paper. Where that makes letters large for their boxes, everything stands farther apart down the
page; where it would leave no room for labels, the drawing is broken between layers, and its strips
stand below each other, as the systems of a score do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from visit.text import n_columns, shorten
from visit.web.exports.figures.sheet import MONO_LETTER, Sheet
from visit.web.flow.frame import Element
from visit.web.marks import BAR, LINE, NODE, choose_mark

MARGIN = 6.0
"""Round the drawing, in its own pixels."""
MOST_ENLARGED = 1.3
"""How much larger beside the drawing letters may be than on the screen, before it is broken."""
LONGEST_ROW = 14
"""Columns of a row's title."""

TITLES = frozenset({"column", "folded"})
"""The parts of the frame that stand above the layers."""
BESIDE = frozenset({"row", "gap"})
"""Those that stand left of the drawing, in a gutter of their own."""
View = tuple[float, float, float, float]
"""What is seen of a drawing: left, top, right and bottom, in its pixels."""
Places = dict[str, tuple[dict[str, float], dict[str, Any]]]
"""By an element's id: its place and its data."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How a drawing is fitted to paper.

    Attributes:
        unit: A pixel of the drawing, in points.
        letters: How much larger letters are beside the drawing than on the screen.
        down: How much farther apart things stand down the page.
        gutter: Room for the rows' titles, in points.
    """

    unit: float
    letters: float
    down: float
    gutter: float


def choose_scale(sheet: Sheet, elements: Sequence[Element], view: View | None) -> Scale:
    """Fit the drawing into the sheet's width, its letters as large as they are to be.

    A narrow drawing is not made larger than on the screen beside its letters. A wide one is made
    smaller only as far as its labels can still be read, and is broken into strips.
    """
    letter = sheet.paper.font_pt / NODE.size  # a pixel of the screen's letters, in points
    rows = [e["data"] for e in elements if e["data"].get("frame") in BESIDE]
    columns = max((n_columns(shorten(data["label"], LONGEST_ROW)) for data in rows), default=0)
    size = max((choose_mark(data).size for data in rows), default=0)
    gutter = (columns + 1) * size * MONO_LETTER * letter
    left, _, right, _ = _frame_of(elements, view, 1.0)
    room = sheet.width - gutter
    unit = min(letter, room / (right - left))
    if view is None:
        ends = [left, *_list_breaks(elements), right]
        widest = max(after - before for before, after in pairwise(ends))
        unit = max(unit, min(letter / MOST_ENLARGED, room / widest))
    letters = letter / unit
    boxes = [e["data"] for e in elements if e["data"].get("label") and "family" in e["data"]]
    needed = (_measure_label(data, letters) / data["h"] for data in boxes)
    down = max(1.0, *needed) if letters > 1 else 1.0
    return Scale(unit, letters, down, gutter)


def list_strips(
    elements: Sequence[Element], view: View | None, width: float, scale: Scale
) -> Iterator[View]:
    """The frames that a drawing is shown in: all of it, or as many layers as fit beside each other.

    Args:
        elements: What is drawn.
        view: The one frame, where it was chosen.
        width: What a frame and its rows' titles may take, in points.
        scale: How the drawing is fitted.
    """
    left, top, right, bottom = _frame_of(elements, view, scale.down)
    room = (width - scale.gutter) / scale.unit
    if view is None:
        ends = [*_list_breaks(elements), right]
        for end, following in pairwise(ends):
            if following - left > room * (1 + 1e-9):
                yield left, top, end, bottom
                left = end
    yield left, top, right, bottom


def _list_breaks(elements: Sequence[Element]) -> list[float]:
    """Where a drawing can be broken: between two layers, in the middle of the gap."""
    backs = [e for e in elements if e["data"].get("frame") in ("band", "fold")]
    sides = sorted(
        (e["position"]["x"] - e["data"]["w"] / 2, e["position"]["x"] + e["data"]["w"] / 2)
        for e in backs
    )
    return [(end + start) / 2 for (_, end), (start, _) in pairwise(sides)]


def _measure_label(data: Mapping[str, Any], letters: float) -> float:
    """How high a node must be for the lines of its label, and its bar, in the drawing's pixels."""
    lines: int = data["label"].count("\n") + 1
    return lines * LINE * choose_mark(data).size * letters + (BAR if "bar" in data else 0.0)


def stretch(element: Element, down: float) -> Element:
    """An element with its place and height farther down."""
    if "position" not in element:
        return element
    at, data = element["position"], element["data"]
    return {
        **element,
        "position": {"x": at["x"], "y": at["y"] * down},
        "data": {**data, "h": data["h"] * down},
    }


def hold_at(element: Element, y: float) -> Element:
    """An element, at a height."""
    return {**element, "position": {**element["position"], "y": y}}


def _frame_of(elements: Sequence[Element], view: View | None, down: float) -> View:
    """What a drawing takes beside its rows' titles: its left, top, right and bottom."""
    placed = [e for e in elements if "position" in e and e["data"].get("frame") not in BESIDE]
    xs = [e["position"]["x"] + way * e["data"]["w"] / 2 for e in placed for way in (-1, 1)]
    ys = [e["position"]["y"] + way * e["data"]["h"] / 2 for e in placed for way in (-1, 1)]
    left, right = min(xs, default=0.0) - MARGIN, max(xs, default=1.0) + MARGIN
    top, bottom = min(ys, default=0.0) - MARGIN, max(ys, default=1.0) + MARGIN
    if view is None:
        return left, top, right, bottom
    left, right = max(left, view[0]), min(right, view[2])
    top, bottom = max(top, view[1] * down), min(bottom, view[3] * down)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def is_seen(element: Element, places: Places, frame: View) -> bool:
    """Whether any of an element is inside a frame; a row's title stands beside it."""
    data = element["data"]
    ends = [data["id"]] if "position" in element else [data["source"], data["target"]]
    boxes = [places[end] for end in ends if end in places]
    if not boxes:
        return False
    left, top, right, bottom = frame
    reach = [(at["x"], at["y"], box["w"] / 2, box["h"] / 2) for at, box in boxes]
    if data.get("frame") in BESIDE:
        return top < reach[0][1] < bottom
    across = (
        max(x + w for x, _, w, _ in reach) > left and min(x - w for x, _, w, _ in reach) < right
    )
    down = max(y + h for _, y, _, h in reach) > top and min(y - h for _, y, _, h in reach) < bottom
    return bool(across and down)

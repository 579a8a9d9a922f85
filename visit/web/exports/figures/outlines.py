"""The shapes of nodes as SVG draws them, the same as Cytoscape draws on the screen.

Cytoscape names a shape; its corners and curves here are those of Cytoscape 3.28.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as Xml

Style = dict[str, str | int | float]
"""Attributes of an element by name, with ``_`` for ``-``."""

_LARGEST_CORNER = 8.0
_CUT = 8.0


def outline(
    parent: Xml.Element,
    shape: str | None,
    at: Mapping[str, float],
    size: Mapping[str, Any],
    **style: str | int | float,
) -> Xml.Element:
    """Add a shape to an image.

    Args:
        parent: What it is added to.
        shape: One of Cytoscape's that the graph uses.
        at: Its middle, ``x`` and ``y``.
        size: Its width ``w`` and height ``h``.
        style: Its fill and stroke, with ``_`` for ``-``.

    Raises:
        ValueError: the shape is not one that can be drawn.
    """
    x, y, w, h = at["x"], at["y"], size["w"], size["h"]
    if shape == "ellipse":
        return add(parent, "ellipse", cx=x, cy=y, rx=w / 2, ry=h / 2, **style)
    if shape in ("rectangle", "round-rectangle"):
        corner = 0.0 if shape == "rectangle" else min(w / 4, h / 4, _LARGEST_CORNER)
        return add(parent, "rect", x=x - w / 2, y=y - h / 2, width=w, height=h, rx=corner, **style)
    if shape == "cut-rectangle":
        return add(parent, "polygon", points=_cut_corners(x, y, w, h), **style)
    if shape == "round-tag":
        round_: Style = {"stroke_linejoin": "round"}
        return add(parent, "polygon", points=_tag(x, y, w, h), **round_, **style)
    if shape == "barrel":
        return add(parent, "path", d=_barrel(x, y, w, h), **style)
    raise ValueError(f"there is no outline for the shape {shape!r}")


def add(parent: Xml.Element, tag: str, **attributes: str | int | float) -> Xml.Element:
    """Add an element to an image; a ``_`` in an attribute's name is written ``-``."""
    said = {
        name.replace("_", "-"): value if isinstance(value, str) else f"{value:.6g}"
        for name, value in attributes.items()
    }
    return Xml.SubElement(parent, tag, said)


def _cut_corners(x: float, y: float, width: float, height: float) -> str:
    w, h = width / 2, height / 2
    corners = [(_CUT - w, -h), (w - _CUT, -h), (w, _CUT - h), (w, h - _CUT), (w - _CUT, h),
               (_CUT - w, h), (-w, h - _CUT), (-w, _CUT - h)]  # fmt: skip
    return _points(x, y, corners)


def _tag(x: float, y: float, width: float, height: float) -> str:
    """A label's shape, that comes to a point on the right."""
    w, h = width / 2, height / 2
    return _points(x, y, [(-w, -h), (w / 4, -h), (w, 0.0), (w / 4, h), (-w, h)])


def _points(x: float, y: float, corners: list[tuple[float, float]]) -> str:
    return " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)


def _barrel(x: float, y: float, width: float, height: float) -> str:
    """Straight in the middle of each side, and bent towards the corners."""
    left, right, top, bottom = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    across, down = min(100.0, 0.25 * width), min(15.0, 0.05 * height)
    bend = 0.05 * width
    return (
        f"M{left:.1f} {top + down:.1f}V{bottom - down:.1f}"
        f"Q{left + bend:.1f} {bottom:.1f} {left + across:.1f} {bottom:.1f}H{right - across:.1f}"
        f"Q{right - bend:.1f} {bottom:.1f} {right:.1f} {bottom - down:.1f}V{top + down:.1f}"
        f"Q{right - bend:.1f} {top:.1f} {right - across:.1f} {top:.1f}H{left + across:.1f}"
        f"Q{left + bend:.1f} {top:.1f} {left:.1f} {top + down:.1f}Z"
    )

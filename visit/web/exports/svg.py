"""What is drawn, as a picture for print: SVG made of the elements that the browser draws.

Colours and shapes are the stylesheet's. Tokens are text nodes, escaped by the XML writer, so one
can hold anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree as Xml

from visit.graph.flow import FlowGraph, NodeId
from visit.graph.index import Index
from visit.web.flow.elements import Element, draw
from visit.web.flow.stylesheet import (
    FONT,
    MONO,
    SHAPES,
    THICK,
    THIN,
    Hue,
    Look,
    Theme,
    mixed,
    themed,
)

MARGIN = 24.0
_CORNER = 6.0
_LETTER = {MONO: 0.6, FONT: 0.55}
"""How wide a letter is beside its font's size, on average."""


def svg_from_flow(flow: FlowGraph, opened: Sequence[NodeId] = (), look: Look | None = None) -> str:
    """The picture of a graph with these blocks open and its reader's notes.

    Args:
        flow: The graph.
        opened: The blocks that are open in it.
        look: Its colours and widths, and what it hides; as by default when left out.
    """
    return svg_from_elements(draw(Index(flow), opened, notes=flow.notes)[1], look)


def svg_from_elements(made: Iterable[Element], look: Look | None = None) -> str:
    """The picture of bands, titles, nodes and edges, at the places they have on the screen.

    Args:
        made: The elements.
        look: Its colours and widths, and what it hides; as by default when left out.
    """
    look = look or Look()
    theme = themed(look.theme, look.palette)
    elements = [e for e in made if e["data"].get("family") not in look.hidden]
    places = {e["data"]["id"]: (e["position"], e["data"]) for e in elements if "position" in e}
    lefts = [at["x"] - data["w"] / 2 for at, data in places.values()] or [0.0]
    rights = [at["x"] + data["w"] / 2 for at, data in places.values()] or [0.0]
    tops = [at["y"] - data["h"] / 2 for at, data in places.values()] or [0.0]
    bottoms = [at["y"] + data["h"] / 2 for at, data in places.values()] or [0.0]
    x, y = min(lefts) - MARGIN, min(tops) - MARGIN
    width, height = max(rights) + MARGIN - x, max(bottoms) + MARGIN - y
    root = Xml.Element(
        "svg",
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"{x:.1f} {y:.1f} {width:.1f} {height:.1f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
    )
    _add(root, "rect", x=x, y=y, width=width, height=height, fill=theme.families["token"].fill)
    for element in elements:
        if element["data"].get("frame"):
            _frame(root, element, theme)
    for element in elements:
        if "source" in element["data"] and _is_shown(element, places, look.level):
            _edge(root, element, places, theme, look.width)
    for element in elements:
        if "family" in element["data"]:
            _node(root, element, theme, look.colouring)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _is_shown(edge: Element, places: dict[str, Any], level: float) -> bool:
    data = edge["data"]
    if data["source"] not in places or data["target"] not in places:
        return False
    return bool(data.get("stream")) or data["carried"] >= level


def _frame(root: Xml.Element, element: Element, theme: Theme) -> None:
    data, at = element["data"], element["position"]
    if data["frame"] == "band":
        fill = theme.band_shade if data["shade"] else theme.band
        _add(root, "rect", **_rectangle(at, data), rx=_CORNER, fill=fill)
        return
    if data["frame"] == "message":
        _message(root, data, at, theme)
        return
    is_row = data["frame"] == "row"
    ink = theme.faint if data.get("template") else theme.ink
    _write(
        root,
        data["label"],
        at["x"],
        at["y"],
        size=16.0 if is_row else 15.0,
        font=MONO if is_row else FONT,
        colour=theme.picked if data.get("traced") else ink if is_row else theme.faint,
        width=data["w"],
        **({"font_style": "italic"} if data.get("special") else {}),
    )


def _message(root: Xml.Element, data: dict[str, Any], at: dict[str, float], theme: Theme) -> None:
    """The bracket beside a message's rows, with its role from the bottom up."""
    x, y = at["x"], at["y"]
    _add(
        root,
        "rect",
        **_rectangle(at, data),
        rx=_CORNER,
        fill=theme.band_shade,
        stroke=theme.other,
    )
    turned = {"transform": f"rotate(-90 {x:.1f} {y:.1f})"}
    _write(root, data["label"], x, y, 16.0, FONT, theme.ink, data["h"], **turned)


def _node(root: Xml.Element, element: Element, theme: Theme, colouring: str) -> None:
    data, at = element["data"], element["position"]
    hue = _hue(data, theme, colouring)
    group = _add(root, "g", id=data["id"])
    Xml.SubElement(group, "title").text = data["tip"]
    style: dict[str, str | float] = {"fill": hue.fill, "stroke": hue.border, "stroke_width": 1.3}
    if data["family"] == "rest":
        style["stroke_dasharray"] = "4 2"
    shape = SHAPES[data["family"]]
    if data["kind"] == "resid_mid":
        shape, style["fill"] = "ellipse", theme.families["residual"].border
    if shape == "ellipse":
        _add(group, "ellipse", cx=at["x"], cy=at["y"], rx=data["w"] / 2, ry=data["h"] / 2, **style)
    elif shape == "cut-rectangle":
        _add(group, "polygon", points=_cut_corners(at["x"], at["y"], data["w"], data["h"]), **style)
    else:
        corner = 0.0 if shape == "rectangle" else _CORNER
        _add(group, "rect", **_rectangle(at, data), rx=corner, **style)
    font = MONO if data["family"] == "token" else FONT
    size = 12.0 if data["family"] == "rest" else 14.0
    _write(group, data["label"], at["x"], at["y"], size, font, hue.text, data["w"] - 6)


def _hue(data: dict[str, Any], theme: Theme, colouring: str) -> Hue:
    hue = theme.families[data["family"]]
    if colouring == "kind":
        return hue
    if colouring not in data:
        return Hue(theme.band_shade, hue.border, theme.faint)
    return Hue(mixed(theme, colouring, data[colouring]), hue.border, theme.ink)


def _edge(
    root: Xml.Element,
    element: Element,
    places: dict[str, tuple[dict[str, float], dict[str, Any]]],
    theme: Theme,
    measure: str,
) -> None:
    """An S-curve between two sides, or straight down."""
    data = element["data"]
    (start, source), (end, target) = places[data["source"]], places[data["target"]]
    if data["way"] == "down":
        path = f"M{start['x']:.1f} {start['y']:.1f}L{end['x']:.1f} {end['y']:.1f}"
    else:
        x1, x2 = start["x"] + source["w"] / 2, end["x"] - target["w"] / 2
        y1, y2, middle = start["y"], end["y"], (x1 + x2) / 2
        path = f"M{x1:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    is_minus = data["kind"] == "adds" and data["sign"] == "minus"
    width = data[f"w_{measure}"]
    opacity = min(0.9, 0.32 + 0.58 * (width - THIN) / (THICK - THIN))
    colour = theme.other
    if data.get("stream"):
        colour, opacity, is_minus = theme.stream, 0.9, False
    elif data["kind"] == "adds":
        colour = theme.minus if is_minus else theme.plus
    dash = {"stroke_dasharray": "5 3"} if is_minus else {}
    _add(
        root,
        "path",
        d=path,
        fill="none",
        stroke=colour,
        stroke_width=width,
        opacity=opacity,
        **dash,
    )


def _write(
    parent: Xml.Element,
    text: str,
    x: float,
    y: float,
    size: float,
    font: str,
    colour: str,
    width: float,
    **more: str,
) -> None:
    if not text:
        return
    letters = max(1, int(width / (size * _LETTER[font])))
    said = text if len(text) <= letters else text[: letters - 1] + "…"
    place: dict[str, str | float] = {"x": x, "y": y, "dy": "0.35em", "text_anchor": "middle"}
    _add(parent, "text", **place, **more, font_family=font, font_size=size, fill=colour).text = said


def _rectangle(at: dict[str, float], data: dict[str, Any]) -> dict[str, float]:
    w, h = data["w"], data["h"]
    return {"x": at["x"] - w / 2, "y": at["y"] - h / 2, "width": w, "height": h}


def _cut_corners(x: float, y: float, width: float, height: float) -> str:
    w, h, cut = width / 2, height / 2, min(8.0, height / 3)
    corners = [(cut - w, -h), (w - cut, -h), (w, cut - h), (w, h - cut), (w - cut, h),
               (cut - w, h), (-w, h - cut), (-w, cut - h)]  # fmt: skip
    return " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)


def _add(parent: Xml.Element, tag: str, **attributes: str | float) -> Xml.Element:
    said = {
        name.replace("_", "-"): value if isinstance(value, str) else f"{value:.6g}"
        for name, value in attributes.items()
    }
    return Xml.SubElement(parent, tag, said)

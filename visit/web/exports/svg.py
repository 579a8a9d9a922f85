"""What is drawn, as an image for print: SVG made of the elements that the browser draws.

Colours, sizes and strokes are from the screen's own tables (``theme``, ``marks``). Tokens are text
nodes, escaped by the XML writer, so one can hold anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree as Xml

from visit.graph.flow import FlowGraph, NodeId
from visit.graph.index import Index
from visit.text import shorten
from visit.web.colours import colour_at
from visit.web.exports.outlines import Style, add, outline
from visit.web.flow.elements import draw
from visit.web.flow.frame import Element
from visit.web.look import Look
from visit.web.marks import (
    BAR,
    BORDER_DASH,
    EDGE_DASH,
    HALO,
    LINE,
    STRONG,
    Mark,
    choose_mark,
    edge_opacity,
)
from visit.web.theme import CLEAR, GROUPS, MONO, Hue, Theme, choose_theme

MARGIN = 24.0
_MONO_LETTER, _SANS_LETTER = 0.6, 0.55
"""How wide a letter is beside its font's size, on average."""


def svg_from_flow(flow: FlowGraph, opened: Sequence[NodeId] = (), look: Look | None = None) -> str:
    """The image of a graph with these blocks open and its reader's notes.

    Args:
        flow: The graph.
        opened: The blocks that are open in it.
        look: Its colours and widths, and what it hides; as by default when left out.
    """
    return svg_from_elements(draw(Index(flow), opened, look, notes=flow.notes)[1], look)


def svg_from_elements(made: Iterable[Element], look: Look | None = None) -> str:
    """The image of bands, titles, nodes and edges, at the places they have on the screen.

    Args:
        made: The elements.
        look: Its colours and widths, and what it hides; as by default when left out.
    """
    look = look or Look()
    theme = choose_theme(look.theme, look.palette)
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
    add(root, "rect", x=x, y=y, width=width, height=height, fill=theme.pane)
    for element in elements:
        if element["data"].get("frame"):
            _frame(root, element, theme)
    edges = [e for e in elements if "source" in e["data"] and _is_shown(e, places)]
    for element in sorted(edges, key=lambda edge: "stream" not in edge["data"]):  # it lies below
        _edge(root, element, places, theme, look.width)
    nodes = [element for element in elements if "family" in element["data"]]
    for element in nodes:
        _halo(root, element, theme)
    for element in nodes:
        _node(root, element, theme, look.colouring)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _is_shown(edge: Element, places: dict[str, Any]) -> bool:
    return edge["data"]["source"] in places and edge["data"]["target"] in places


def _frame(root: Xml.Element, element: Element, theme: Theme) -> None:
    """A layer's band, a column's or row's title, or the bracket beside a message's rows."""
    data, at, mark = element["data"], element["position"], choose_mark(element["data"])
    kind, ink = data["frame"], theme.faint
    if kind in ("band", "fold", "message"):
        fill = theme.band if kind == "band" and not data["shade"] else theme.band_shade
        fill = CLEAR if kind == "fold" else fill
        outline(root, mark.shape, at, data, fill=fill, **_border(mark, theme.other))
    if kind == "message" or (kind == "row" and not data.get("template")):
        ink = theme.ink
    if data.get("traced"):
        ink = theme.picked
    _write(root, data["label"], at, mark, ink, is_italic=bool(data.get("special")))


def _node(root: Xml.Element, element: Element, theme: Theme, colouring: str) -> None:
    data, at, mark = element["data"], element["position"], choose_mark(element["data"])
    hue = _hue(data, mark, theme, colouring)
    group = add(root, "g", id=data["id"])
    Xml.SubElement(group, "title").text = data["tip"]
    outline(group, mark.shape, at, data, fill=hue.fill, **_border(mark, hue.border))
    if "bar" in data:
        _bar(group, data, at, theme)
    _write(group, data["label"], at, mark, hue.text)


def _bar(parent: Xml.Element, data: dict[str, Any], at: dict[str, float], theme: Theme) -> None:
    """How strong a part is, along its lower edge; the colour has the sign."""
    add(
        parent,
        "rect",
        x=at["x"] - data["w"] / 2,
        y=at["y"] + data["h"] / 2 - BAR,
        width=data["w"] * float(data["bar"].removesuffix("%")) / 100,
        height=BAR,
        fill=theme.minus if data["sign"] == "minus" else theme.plus,
    )


def _halo(root: Xml.Element, element: Element, theme: Theme) -> None:
    """What lies under a node of a group, or under one that is pinned."""
    data, at = element["data"], element["position"]
    number = data.get("group", -1)
    if number < 0 and not data.get("pinned"):
        return
    opacity, reach = HALO["pinned" if number < 0 else "group"]
    colour = theme.picked if number < 0 else GROUPS[number]
    wider = {"w": data["w"] + 2 * reach, "h": data["h"] + 2 * reach}
    outline(root, "round-rectangle", at, wider, fill=colour, opacity=opacity)


def _border(mark: Mark, colour: str) -> Style:
    if not mark.border:
        return {}
    border: Style = {"stroke": colour, "stroke_width": mark.border}
    return border | ({"stroke_dasharray": _dash(BORDER_DASH)} if mark.dashed else {})


def _hue(data: dict[str, Any], mark: Mark, theme: Theme, colouring: str) -> Hue:
    hue = theme.families[data["family"]]
    if colouring == "kind":
        fill = theme.families[mark.inked].border if mark.inked else hue.fill
        return Hue(fill, hue.border, hue.text)
    if colouring not in data:
        return Hue(theme.band_shade, hue.border, theme.faint)
    return Hue(colour_at(theme.scale(colouring), data[colouring]), hue.border, theme.ink)


def _edge(
    root: Xml.Element,
    element: Element,
    places: dict[str, tuple[dict[str, float], dict[str, Any]]],
    theme: Theme,
    measure: str,
) -> None:
    """Straight down, straight across, or an S-curve between two sides."""
    data = element["data"]
    (start, source), (end, target) = places[data["source"]], places[data["target"]]
    x1, x2, y1, y2 = start["x"], end["x"], start["y"], end["y"]
    if data["way"] != "down":
        x1, x2 = x1 + source["w"] / 2, x2 - target["w"] / 2
    path = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    if data["way"] == "curve":
        middle = (x1 + x2) / 2
        path = f"M{x1:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    width = data[f"w_{measure}"]
    colour, opacity, dash = theme.other, edge_opacity(width), False
    if data["sign"] == "minus":
        colour, dash = theme.minus, not data.get("stream")
    elif data.get("stream"):
        colour, opacity = theme.stream, STRONG
    elif data["kind"] == "adds":
        colour = theme.plus
    style: Style = {"stroke": colour, "stroke_width": width, "opacity": opacity}
    if dash:
        style["stroke_dasharray"] = _dash(EDGE_DASH)
    add(root, "path", d=path, fill="none", **style)


def _write(
    parent: Xml.Element,
    text: str,
    at: dict[str, float],
    mark: Mark,
    colour: str,
    *,
    is_italic: bool = False,
) -> None:
    """A label in the middle of its place, cut to the room it has."""
    if not text:
        return
    style: Style = {"font_family": mark.font, "font_size": mark.size, "fill": colour}
    if mark.weight != 400:
        style["font_weight"] = mark.weight
    if is_italic:
        style["font_style"] = "italic"
    if mark.turned:
        style["transform"] = f"rotate(-90 {at['x']:.1f} {at['y']:.1f})"
    lines = text.split("\n")
    for number, line in enumerate(lines):
        y = at["y"] + (number - (len(lines) - 1) / 2) * LINE * mark.size
        place: Style = {"x": at["x"], "y": y, "dy": "0.35em", "text_anchor": "middle"}
        add(parent, "text", **place, **style).text = fit(line, mark)


def fit(text: str, mark: Mark) -> str:
    """A label, cut to the room that it has."""
    if mark.room is None:
        return text
    letter = mark.size * (_MONO_LETTER if mark.font == MONO else _SANS_LETTER)
    return shorten(text, max(1, int(mark.room / letter)))


def _dash(lengths: tuple[int, int]) -> str:
    return " ".join(map(str, lengths))

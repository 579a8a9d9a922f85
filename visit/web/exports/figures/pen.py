"""Draws the graph's elements into an image, as the screen's tables (``theme``, ``marks``) say.

Tokens are text nodes, escaped by the XML writer, so one can hold anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree as Xml

from visit.text import n_columns, shorten
from visit.web.colours import colour_at
from visit.web.exports.figures.fitting import LONGEST_ROW, Places, Scale
from visit.web.exports.figures.outlines import Style, add, outline
from visit.web.exports.figures.sheet import MONO_LETTER, SANS_LETTER
from visit.web.flow.frame import Element
from visit.web.look import Look
from visit.web.marks import (
    BAR,
    BAR_INSET,
    BORDER_DASH,
    EDGE_DASH,
    HALO,
    LINE,
    STRONG,
    Mark,
    choose_mark,
    edge_opacity,
)
from visit.web.theme import CLEAR, GROUPS, MONO, Hue, Theme


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws elements into an image, in a look."""

    root: Xml.Element
    theme: Theme
    look: Look
    scale: Scale

    def frame(self, element: Element) -> None:
        """A layer's band, its title, or the bracket beside a message's rows."""
        data, at, mark = element["data"], element["position"], choose_mark(element["data"])
        kind, ink, label = data["frame"], self.theme.faint, data["label"]
        if kind in ("band", "fold", "message"):
            is_plain = kind == "band" and not data.get("shade")
            fill = self.theme.band if is_plain else self.theme.band_shade
            fill = CLEAR if kind == "fold" else fill
            outline(self.root, mark.shape, at, data, fill=fill, **_border(mark, self.theme.other))
        if kind == "message":
            ink = self.theme.ink
        self._write(self.root, label, at, mark, ink)

    def row(self, root: Xml.Element, element: Element) -> None:
        """A row's title, in the gutter left of the drawing."""
        data, mark = element["data"], choose_mark(element["data"])
        is_faint = data.get("template") or data["frame"] == "gap"
        ink = self.theme.faint if is_faint else self.theme.ink
        style: Style = {"text_anchor": "end"}
        if data.get("special"):
            style["font_style"] = "italic"
        at = {"x": -0.5 * mark.size * self.scale.letters, "y": element["position"]["y"]}
        label = shorten(data["label"], LONGEST_ROW)
        mark = replace(mark, room=None)
        self._write(root, label, at, mark, self.theme.picked if data.get("traced") else ink, style)

    def node(self, element: Element) -> None:
        """A node with its label, and its tip as its title."""
        data, at, mark = element["data"], element["position"], choose_mark(element["data"])
        hue = _hue(data, mark, self.theme, self.look.colouring)
        group = add(self.root, "g", id=data["id"])
        Xml.SubElement(group, "title").text = data.get("tip", "")
        outline(group, mark.shape, at, data, fill=hue.fill, **_border(mark, hue.border))
        if "bar" in data:
            self._bar(group, data, at)
            at = {"x": at["x"], "y": at["y"] - BAR / 2}
        self._write(group, data["label"], at, mark, hue.text)

    def _bar(self, parent: Xml.Element, data: dict[str, Any], at: dict[str, float]) -> None:
        """How strong a part is, along its lower edge; the colour has the sign."""
        add(
            parent,
            "rect",
            x=at["x"] - data["w"] / 2 + BAR_INSET,
            y=at["y"] + data["h"] / 2 - BAR,
            width=data["w"] * float(data["bar"].removesuffix("%")) / 100,
            height=BAR,
            fill=self.theme.minus if data["sign"] == "minus" else self.theme.plus,
        )

    def halo(self, element: Element) -> None:
        """What lies under a node of a group, or under one that is pinned."""
        data, at = element["data"], element["position"]
        number = data.get("group", -1)
        if number < 0 and not data.get("pinned"):
            return
        opacity, reach = HALO["pinned" if number < 0 else "group"]
        colour = self.theme.picked if number < 0 else GROUPS[number]
        wider = {"w": data["w"] + 2 * reach, "h": data["h"] + 2 * reach}
        outline(self.root, "round-rectangle", at, wider, fill=colour, opacity=opacity)

    def edge(self, element: Element, places: Places) -> None:
        """Straight down, straight across, or an S-curve between two sides."""
        data, theme = element["data"], self.theme
        (start, source), (end, target) = places[data["source"]], places[data["target"]]
        x1, x2, y1, y2 = start["x"], end["x"], start["y"], end["y"]
        if data["way"] != "down":
            x1, x2 = x1 + source["w"] / 2, x2 - target["w"] / 2
        path = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
        if data["way"] == "curve":
            middle = (x1 + x2) / 2
            curve = f"C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
            path = f"M{x1:.1f} {y1:.1f}{curve}"
        width = data[f"w_{self.look.width}"]
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
        add(self.root, "path", d=path, fill="none", **style)

    def _write(
        self,
        parent: Xml.Element,
        text: str,
        at: dict[str, float],
        mark: Mark,
        colour: str,
        more: Style | None = None,
    ) -> None:
        """A label in the middle of its place, cut to the room it has."""
        style: Style = {"font_family": mark.font, "fill": colour, "text_anchor": "middle"}
        style["font_size"] = mark.size * self.scale.letters
        if mark.weight != 400:
            style["font_weight"] = mark.weight
        if mark.turned:
            style["transform"] = f"rotate(-90 {at['x']:.1f} {at['y']:.1f})"
        lines = [fit(line, mark, self.scale.letters) for line in text.split("\n")]
        for number, line in enumerate(lines):
            if line:
                y = (
                    at["y"]
                    + (number - (len(lines) - 1) / 2) * LINE * mark.size * self.scale.letters
                )
                place: Style = {"x": at["x"], "y": y, "dy": "0.35em"}
                add(parent, "text", **(place | style | (more or {}))).text = line


def fit(text: str, mark: Mark, letters: float = 1.0) -> str:
    """A label, cut to the room that it has; nothing where no letter of it would be left.

    Args:
        text: The label.
        mark: Its room and font.
        letters: How much larger its letters are than the mark says.
    """
    if mark.room is None:
        return text
    letter = mark.size * letters * (MONO_LETTER if mark.font == MONO else SANS_LETTER)
    columns = int(mark.room / letter)
    return text if n_columns(text) <= columns else shorten(text, columns) if columns > 1 else ""


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


def _dash(lengths: tuple[int, int]) -> str:
    return " ".join(map(str, lengths))

"""What the marks of a flow graph mean, for its figure: only those that are drawn, with numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as Xml

from visit.graph.flows import find_strongest
from visit.graph.index import Index
from visit.graph.kinds import SHAPES
from visit.graph.selection import Selection
from visit.web.colours import colour_at
from visit.web.exports.figures.outlines import Style, add, outline
from visit.web.exports.figures.sheet import Entry
from visit.web.flow.frame import Element
from visit.web.flow.widths import find_widest, say_width
from visit.web.look import COLOURINGS, FAMILY_WORDS, WIDTHS, Look
from visit.web.marks import BAR, BORDER_DASH, EDGE_DASH, FAMILIES, NODE, edge_width
from visit.web.theme import Theme, choose_theme
from visit.web.words import signed

_SWATCH, _STROKE = (32.0, 20.0), 32.0
_RAMP, _STEPS = 60.0, 12
_PARTS = (0.04, 0.25, 1.0)
"""The parts of the widest edge whose widths are shown."""


def list_entries(
    index: Index, drawn: Selection, made: Iterable[Element], look: Look, letters: float = 1.0
) -> Iterator[Entry]:
    """The legend of a drawing: kinds, the bars' scale, signs, the widths' scale, the colours'.

    Args:
        index: The graph.
        drawn: What is drawn of it.
        made: Its elements.
        look: Their colours and widths, and what is hidden.
        letters: How much larger the legend's letters are, beside the drawing, than on the screen:
            its strokes are as wide as the drawing's.
    """
    theme = choose_theme(look.theme, look.palette)
    data = [element["data"] for element in made]
    families = {one["family"] for one in data if "family" in one} - look.hidden
    for family, words in FAMILY_WORDS.items():
        if families & {family, *(("memory-key",) if family == "mlp" else ())}:
            yield Entry(words, (_swatch(family, theme),), _SWATCH[0])
    edges = [one for one in data if "source" in one]
    if drawn.places:
        most = find_strongest(index, drawn)
        words = f"bar: a part's {drawn.by}, 0 to"
        yield Entry(words, (_bar(theme.plus),), _STROKE, f"{most:.3g}")
        yield Entry("against it", (_bar(theme.minus),), _STROKE)
    stroke = 2.0 / letters
    for sign, words in (("plus", "flow for the target"), ("minus", "flow against it")):
        if any(one["kind"] == "adds" and one["sign"] == sign for one in edges):
            dash = EDGE_DASH if sign == "minus" else None
            yield Entry(words, (_stroke(getattr(theme, sign), stroke, dash),), _STROKE)
    yield from _widths(index, look, theme, letters)
    if any(one.get("stream") for one in edges):
        width = edge_width(0.5, is_thread=True) / letters
        half = 0.5 * find_widest(index, look.width)
        words = f"residual stream: {say_width(half, look.width)}"
        yield Entry(words, (_stroke(theme.stream, width),), _STROKE)
    if look.colouring != "kind":
        yield _ramp(index, look, theme)


def _swatch(family: str, theme: Theme) -> Xml.Element:
    hue, (width, height), change = theme.families[family], _SWATCH, FAMILIES.get(family, {})
    style: Style = {"fill": hue.fill, "stroke": hue.border, "stroke_width": NODE.border}
    if "inked" in change:
        style, width = {"fill": hue.border}, height / 2
        height = width
    if change.get("dashed"):
        style["stroke_dasharray"] = " ".join(map(str, BORDER_DASH))
    at, size = {"x": width / 2, "y": 0.0}, {"w": width, "h": height}
    return outline(Xml.Element("g"), SHAPES[family], at, size, **style)


def _bar(colour: str) -> Xml.Element:
    """The bar of the strongest part."""
    return add(Xml.Element("g"), "rect", x=0, y=-BAR / 2, width=_STROKE, height=BAR, fill=colour)


def _stroke(colour: str, width: float, dash: tuple[int, int] | None = None) -> Xml.Element:
    place: Style = {"x1": 0, "x2": _STROKE, "y1": 0, "y2": 0}
    style: Style = {"stroke": colour, "stroke_width": width}
    if dash:
        style["stroke_dasharray"] = " ".join(map(str, dash))
    return add(Xml.Element("g"), "line", **place, **style)


def _widths(index: Index, look: Look, theme: Theme, letters: float) -> Iterator[Entry]:
    """The scale of the edges' widths: what three of them say."""
    for number, part in enumerate(_PARTS):
        said = say_width(part * find_widest(index, look.width), look.width)
        words = f"{WIDTHS[look.width]}: {said}" if number == 0 else said
        yield Entry(words, (_stroke(theme.plus, edge_width(part) / letters),), _STROKE)


def _ramp(index: Index, look: Look, theme: Theme) -> Entry:
    """The scale of the nodes' colours, with what its ends say."""
    scale, wide = theme.scale(look.colouring), _RAMP / _STEPS
    marks = []
    for step in range(_STEPS):
        place: Style = {"x": step * wide, "y": -7, "width": 1.02 * wide, "height": 14}
        colour = colour_at(scale, step / (_STEPS - 1))
        marks.append(add(Xml.Element("g"), "rect", **place, fill=colour))
    low, high = _ends(index, look.colouring)
    return Entry(f"{COLOURINGS[look.colouring]}: {low}", tuple(marks), _RAMP, high)


def _ends(index: Index, measure: str) -> tuple[str, str]:
    d_vocab = index.flow.model.d_vocab
    if measure == "rank":
        return "1", f"{d_vocab:,}"
    if measure == "entropy":
        return "0", f"{math.log2(max(d_vocab, 2)):.1f} bits"
    largest = index.largest["written"]
    return signed(-largest), signed(largest)

"""A figure on paper: its title and what it is of above, the drawing, its legend below.

The image is drawn in points and its size is said in millimetres, so that letters have their size on
paper. What the browser draws (Plotly's figures) is put into an empty frame by assets/figure.js.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree as Xml

from visit.graph.flow import FlowGraph
from visit.text import n_columns, one_line, shorten, visible
from visit.web.exports.figures.outlines import Style, add
from visit.web.exports.figures.paper import POINTS_PER_MM, Paper
from visit.web.marks import NODE
from visit.web.theme import MONO, SANS, Theme
from visit.web.words import metric_words, model_title, percent, signed

FIGURE = "figure"
"""The id of the frame that the browser fills."""
SANS_LETTER, MONO_LETTER = 0.55, 0.6
"""How wide a letter is beside its font's size, on average."""
_LINE = 1.4
"""From a line of text to the next, in letters' sizes."""
_TITLE = 1.25
"""A title's letters beside the others."""
_PROMPT_LINES = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a legend says.

    Attributes:
        words: What it means.
        marks: How it looks: SVG elements in the pixels of the screen, from the entry's left and
            its middle line.
        room: How wide the marks are, in those pixels.
        after: What is said after the marks, where ``words`` stand before them.
    """

    words: str
    marks: tuple[Xml.Element, ...] = ()
    room: float = 0.0
    after: str = ""


@dataclass(slots=True)
class Sheet:
    """A figure that is being made, from the top down.

    Attributes:
        paper: Its sizes.
        theme: Its colours.
    """

    paper: Paper
    theme: Theme
    _root: Xml.Element = field(init=False)
    _y: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._root = Xml.Element("svg", xmlns="http://www.w3.org/2000/svg")
        add(self._root, "rect", width="100%", height="100%", fill=self.theme.pane)

    @property
    def width(self) -> float:
        """What can be drawn on, in points."""
        return self.paper.width_pt - 2 * self._edge

    @property
    def _edge(self) -> float:
        return self.paper.font_pt * 0.75

    def write_head(self, flow: FlowGraph, title: str = "") -> None:
        """The title, the prompt, the model, the target and the metric.

        Args:
            flow: What the figure is of.
            title: What it shows, where the paper has no title of its own.
        """
        said = one_line(self.paper.title) or title or f"What leads to {visible(flow.target.text)}"
        self._y += self._edge
        size = self.paper.font_pt * _TITLE
        for line in self._wrap(said, size, SANS_LETTER, 2):
            self._write_line(line, size, self.theme.ink, SANS, font_weight=600)
        prompt = f"“{one_line(flow.request.prompt)}”"
        size = self.paper.font_pt
        for line in self._wrap(prompt, size, MONO_LETTER, _PROMPT_LINES):
            self._write_line(line, size, self.theme.ink, MONO)
        for line in self._wrap(describe(flow), size, SANS_LETTER, 4):
            self._write_line(line, size, self.theme.soft, SANS)
        self._y += self._edge

    def place_drawing(
        self,
        frame: tuple[float, float, float, float],
        gutter: float,
        unit: float,
        *,
        is_last: bool = True,
    ) -> tuple[Xml.Element, Xml.Element]:
        """Room for a drawing: its rows' titles, and the drawing itself, clipped to its frame.

        Args:
            frame: Left, top, right and bottom of what is drawn, in the drawing's pixels.
            gutter: Room for the titles on the left, in points.
            unit: A pixel of the drawing, in points.
            is_last: Whether nothing stands right below it.

        Returns:
            Where the titles go, left of 0, and where the drawing goes; both in its pixels.
        """
        left, top, right, bottom = frame
        width, height = (right - left) * unit, (bottom - top) * unit
        titles = self._place(self._edge, gutter, height, (-gutter / unit, top, gutter / unit))
        drawing = self._place(self._edge + gutter, width, height, (left, top, right - left))
        self._y += height + (self._edge if is_last else 0.0)
        return titles, drawing

    def _place(
        self, x: float, width: float, height: float, seen: tuple[float, float, float]
    ) -> Xml.Element:
        left, top, across = seen
        down = across * height / width if width else 0.0
        box: Style = {"x": x, "y": self._y, "width": width, "height": height}
        return add(
            self._root, "svg", viewBox=f"{left:.2f} {top:.2f} {across:.2f} {down:.2f}", **box
        )

    def place_figure(self, width: float, height: float) -> None:
        """An empty frame for a figure of the browser's: as wide as the sheet.

        Args:
            width: The figure's, in its pixels.
            height: Likewise.
        """
        down = self.width * height / width
        box: Style = {"x": self._edge, "y": self._y, "width": self.width, "height": down}
        add(self._root, "svg", id=FIGURE, viewBox=f"0 0 {width:g} {height:g}", **box)
        self._y += down + self._edge

    def write_note(self, text: str) -> None:
        """A remark below what is drawn, broken at spaces."""
        size = self.paper.font_pt
        for line in self._wrap(text, size, SANS_LETTER, 3):
            self._write_line(line, size, self.theme.soft, SANS)

    def write_legend(self, entries: Iterable[Entry]) -> None:
        """What the marks mean, beside each other as far as there is room."""
        size = self.paper.font_pt
        unit = size / NODE.size
        x, line = 0.0, size * _LINE * 1.15
        self._y += line / 2
        for entry in entries:
            words = n_columns(entry.words) * SANS_LETTER * size
            after = n_columns(entry.after) * SANS_LETTER * size
            gap = 0.45 * size
            room = entry.room * unit
            width = words + room + (gap if room else 0) + (after + gap if entry.after else 0)
            if x and x + width > self.width:
                x, self._y = 0.0, self._y + line
            at = self._edge + x
            if entry.after:
                self._say(entry.words, at)
                at += words + gap
            if entry.marks:
                where = f"translate({at:.2f} {self._y:.2f}) scale({unit:.4f})"
                add(self._root, "g", transform=where).extend(entry.marks)
                at += room + gap
            self._say(entry.after or entry.words, at)
            x += width + 1.6 * size
        self._y += line / 2 + self._edge

    def _say(self, text: str, x: float) -> None:
        style: Style = {"font_family": SANS, "font_size": self.paper.font_pt}
        place: Style = {"x": x, "y": self._y, "dy": "0.35em", "fill": self.theme.ink}
        add(self._root, "text", **place, **style).text = text

    def finish(self) -> str:
        """The image's text; its size is known now."""
        height = self._y + self._edge
        width = self.paper.width_pt
        self._root.set("width", f"{self.paper.width_mm:g}mm")
        self._root.set("height", f"{height / POINTS_PER_MM:.2f}mm")
        self._root.set("viewBox", f"0 0 {width:.2f} {height:.2f}")
        return Xml.tostring(self._root, encoding="unicode", xml_declaration=True) + "\n"

    def _write_line(
        self, text: str, size: float, colour: str, font: str, **more: str | int | float
    ) -> None:
        self._y += size * _LINE
        place: Style = {"x": self._edge, "y": self._y - 0.3 * size, "font_size": size}
        add(self._root, "text", **place, fill=colour, font_family=font, **more).text = text

    def _wrap(self, text: str, size: float, letter: float, most: int) -> Iterator[str]:
        """Lines of a text, broken at spaces; what does not fit into as many is cut."""
        columns = max(8, int(self.width / (size * letter)))
        rest = text
        for number in range(most):
            if not rest:
                return
            if n_columns(rest) <= columns or number == most - 1:
                yield shorten(rest, columns)
                return
            line = shorten(rest, columns + 1)[:-1]
            at = line.rfind(" ")
            at = at if at > 0 else len(line)
            yield rest[:at]
            rest = rest[at:].lstrip(" ")


def describe(flow: FlowGraph) -> str:
    """What a figure is of: the model, the target with its probability, the metric."""
    target = flow.target
    said = [
        f"Model {model_title(flow.model.name)}",
        f"target {visible(target.text)}, {percent(target.prob)}, rank {target.rank:,}",
        *([f"versus {visible(flow.versus.text)}"] if flow.versus is not None else []),
        f"metric: {metric_words(flow)}, {signed(flow.metric.value)}",
    ]
    return " · ".join(said)

"""What is drawn, as a figure for print: SVG made of the elements that the browser draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from visit.engine.progress import Progress, silent
from visit.graph.flow import FlowGraph, NodeId
from visit.graph.index import Index
from visit.web.exports.figures.fitting import (
    BESIDE,
    TITLES,
    Places,
    Scale,
    View,
    choose_scale,
    hold_at,
    is_seen,
    list_strips,
    stretch,
)
from visit.web.exports.figures.legend import list_entries
from visit.web.exports.figures.paper import WIDEST_MM, Paper
from visit.web.exports.figures.pen import Pen
from visit.web.exports.figures.sheet import Sheet
from visit.web.flow.elements import draw
from visit.web.flow.frame import Element
from visit.web.look import Look
from visit.web.theme import choose_theme


def svg_from_flow(
    flow: FlowGraph,
    opened: Sequence[NodeId] = (),
    look: Look | None = None,
    tell: Progress = silent,
    *,
    paper: Paper | None = None,
    view: View | None = None,
) -> str:
    """The figure of a graph with these blocks open and its reader's notes.

    Args:
        flow: The graph.
        opened: The blocks that are open in it.
        look: Its colours and widths, and what it hides; as by default when left out.
        tell: Told how far it is.
        paper: What it is for: its width, its letters, its title; as by default when left out.
        view: What is shown of the drawing; all of it when left out.
    """
    tell("drawing", 0.0)
    look, paper = look or Look(), paper or Paper()
    index = Index(flow)
    drawn, made = draw(index, opened, look, notes=flow.notes)
    theme = choose_theme(look.theme, look.palette)
    sheet = Sheet(paper, theme)
    sheet.write_head(flow)
    letters = draw_elements(sheet, made, look, view)
    sheet.write_legend(list_entries(index, drawn, made, look, letters))
    return sheet.finish()


def svg_from_elements(
    made: Iterable[Element], look: Look | None = None, paper: Paper | None = None
) -> str:
    """A drawing alone, without what a figure says above and below it.

    Args:
        made: Its elements.
        look: Their colours and widths, and what is hidden; as by default when left out.
        paper: What it is for; wide enough for any drawing when left out.
    """
    look = look or Look()
    sheet = Sheet(paper or Paper(width_mm=WIDEST_MM), choose_theme(look.theme, look.palette))
    draw_elements(sheet, made, look)
    return sheet.finish()


def draw_elements(
    sheet: Sheet, made: Iterable[Element], look: Look, view: View | None = None
) -> float:
    """Bands, titles, nodes and edges on a sheet, at the places they have on the screen.

    Args:
        sheet: Where they are drawn, below what is there.
        made: The elements.
        look: Their colours and widths, and what is hidden.
        view: What is shown of them; all when left out.

    Returns:
        How much larger its letters are, beside the drawing, than on the screen.
    """
    elements = [e for e in made if e["data"].get("family") not in look.hidden]
    scale = choose_scale(sheet, elements, view)
    elements = [stretch(element, scale.down) for element in elements]
    for frame in list_strips(elements, view, sheet.width, scale):
        _draw_strip(sheet, elements, look, frame, scale, is_whole=view is None)
    return scale.letters


def _draw_strip(
    sheet: Sheet,
    elements: Sequence[Element],
    look: Look,
    frame: View,
    scale: Scale,
    *,
    is_whole: bool,
) -> None:
    """What is seen of the drawing in a frame, with the titles of its rows."""
    theme = choose_theme(look.theme, look.palette)
    if not is_whole:  # the layers' titles stay in sight, as on the screen
        left, _, right, _ = frame
        titles = [e for e in elements if e["data"].get("frame") in TITLES]
        above = max((e["data"]["h"] for e in titles), default=0.0)
        strip = left, 0.0, right, above
        _, root = sheet.place_drawing(strip, scale.gutter, scale.unit, is_last=False)
        for element in titles:
            Pen(root, theme, look, scale).frame(hold_at(element, above / 2))
        elements = [e for e in elements if e["data"].get("frame") not in TITLES]
    titles_root, root = sheet.place_drawing(frame, scale.gutter, scale.unit)
    pen = Pen(root, theme, look, scale)
    places = {e["data"]["id"]: (e["position"], e["data"]) for e in elements if "position" in e}
    seen = [e for e in elements if is_seen(e, places, frame)]
    for element in seen:
        if element["data"].get("frame") in BESIDE:
            pen.row(titles_root, element)
        elif element["data"].get("frame"):
            pen.frame(element)
    edges = [e for e in seen if "source" in e["data"] and _is_shown(e, places)]
    for element in sorted(edges, key=lambda edge: "stream" not in edge["data"]):  # it lies below
        pen.edge(element, places)
    nodes = [element for element in seen if "family" in element["data"]]
    if is_whole:  # a node stands in one strip alone
        nodes = [node for node in nodes if frame[0] <= node["position"]["x"] < frame[2]]
    for element in nodes:
        pen.halo(element)
    for element in nodes:
        pen.node(element)


def _is_shown(edge: Element, places: Places) -> bool:
    return edge["data"]["source"] in places and edge["data"]["target"] in places

"""What is on the screen, as a figure for print: the flow, or what Plotly draws.

The server draws the flow, and of a Plotly figure all but the figure itself: that is made anew for
the paper, in its width and its theme, and assets/export.js has Plotly draw it into the sheet. So a
figure of either kind has the same head and sizes, and PNG is the same image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from visit.graph.index import Index
from visit.web import ids
from visit.web.exports.figures.fitting import View as Frame
from visit.web.exports.figures.paper import HIGHEST_DPI, LOWEST_DPI, Paper, check_between
from visit.web.exports.figures.sheet import Sheet
from visit.web.exports.svg import svg_from_flow
from visit.web.look import Look
from visit.web.plots.callbacks import FIGURES, Drawn, layer_shown
from visit.web.plots.plotly import LETTERS, Figure
from visit.web.state.graphs import Graphs
from visit.web.state.jobs import Jobs
from visit.web.state.view import View
from visit.web.theme import choose_theme
from visit.web.words import file_name

FLOW, ZOOMED = "flow", "view"
"""The whole flow, and what of it is on the screen."""
LEAST_PIXELS = 320
"""Of a figure of Plotly's, across: with less there is no room for its labels."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A figure as a page asks for it.

    Attributes:
        what: What it shows: ``FLOW``, ``ZOOMED``, or the id of a figure of Plotly's.
        paper: Its sizes.
        look: The flow's, and the theme.
        frame: What is seen of the flow on the screen.
        dpi: A PNG's dots per inch; ``None`` for SVG.
    """

    what: str
    paper: Paper
    look: Look
    frame: Frame | None
    dpi: int | None

    @classmethod
    def parse(cls, asked: Mapping[str, Any]) -> Wanted:
        """As the browser sent it.

        Raises:
            ValueError: it asks for what no figure can be.
        """
        sizes = asked.get("paper") or {}
        what = str(asked.get("what") or FLOW)
        if what not in (FLOW, ZOOMED, *FIGURES):
            raise ValueError(f"there is no figure of {what[:40]!r}")
        dpi = None
        if asked.get("kept") == "png":
            dpi = int(sizes.get("dpi") or 300)
            check_between("a resolution", dpi, LOWEST_DPI, HIGHEST_DPI, "dots per inch")
        return cls(what, Paper.parse(sizes), Look.parse(asked["look"]), _frame(asked), dpi)


def _frame(asked: Mapping[str, Any]) -> Frame | None:
    frame = asked.get("frame")
    if asked.get("what") != ZOOMED or frame is None:
        return None
    left, top, right, bottom = map(float, frame)
    if not (right - left > 1 and bottom - top > 1 and max(map(abs, (left, top, right))) < 1e7):
        raise ValueError("the part of the drawing that is seen has no size")
    return left, top, right, bottom


async def print_screen(
    wanted: Wanted,
    index: Index,
    view: View,
    graphs: Graphs,
    jobs: Jobs,
    shown: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """A figure, for assets/export.js to finish and save.

    Args:
        wanted: What figure.
        index: The graph, with every opened block in it.
        view: What is open in it and noted.
        graphs: Where Plotly's figures have their data.
        jobs: Where it is drawn.
        shown: What the figures on the screen show, by their ids.

    Returns:
        The ``svg`` with an empty frame for ``figure``, where that is Plotly's; its ``name``
        without the ending, and ``dpi``.
    """
    flow = replace(index.flow, notes=view.notes)
    if wanted.what in (FLOW, ZOOMED):
        svg = await jobs.file(
            lambda: svg_from_flow(
                flow, view.opened, wanted.look, paper=wanted.paper, view=wanted.frame
            )
        )
        return _finished(wanted, index, svg, None, "")
    theme = choose_theme(wanted.look.theme, wanted.look.palette)
    sheet = Sheet(wanted.paper, theme)
    width = max(LEAST_PIXELS, round(sheet.width * LETTERS / wanted.paper.font_pt))
    drawn = Drawn(theme, width, round(width * 0.5))
    figure = await FIGURES[wanted.what](graphs, jobs, view, index, shown, drawn)
    layout = figure["layout"]
    layout |= {"autosize": False, "width": width, "height": layout.get("height") or drawn.height}
    layer = layer_shown(index, shown)
    if wanted.what == ids.LENS:
        _name_columns(layout)
        sheet.write_head(flow, "What every residual says")
    else:
        sheet.write_head(flow, f"Layer {layer} at {flow.shown[flow.position]}")
    sheet.place_figure(width, layout["height"])
    more = f"layer {layer}" if wanted.what == ids.SANKEY else wanted.what
    return _finished(wanted, index, sheet.finish(), figure, more)


def _name_columns(layout: dict[str, Any]) -> None:
    """The lens grid's heading, which the page lays over the figure so that it stays in sight."""
    names = layout["meta"]["columns"]
    ticks = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": names}
    layout["xaxis"] |= {"showticklabels": True, "side": "top", **ticks}


def _finished(
    wanted: Wanted, index: Index, svg: str, figure: Figure | None, more: str
) -> dict[str, Any]:
    name = file_name(index.flow.request.prompt, index.flow.model.name, more)
    return {"svg": svg, "figure": figure, "name": name, "dpi": wanted.dpi}

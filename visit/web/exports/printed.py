"""What is on the screen, as a figure for print: the flow, or one of ``figures.subjects``.

The server draws the flow, and of all else the sheet around it: the figure itself is made anew for
the paper, in its width and its theme, and assets/export.js has Plotly draw it into the sheet. So
every figure has the same head and sizes, and PNG is the same image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from visit.graph.index import Index
from visit.web.exports.figures.fitting import View as Frame
from visit.web.exports.figures.paper import HIGHEST_DPI, LOWEST_DPI, Paper, check_between
from visit.web.exports.figures.sheet import Sheet
from visit.web.exports.figures.subjects import FLOW, SUBJECTS, ZOOMED
from visit.web.exports.svg import svg_from_flow
from visit.web.look import Look
from visit.web.plots.plotly import LETTERS, Figure
from visit.web.plots.scene import Drawn, Scene
from visit.web.theme import choose_theme
from visit.web.words import file_name

LEAST_PIXELS = 320
"""Of a figure of Plotly's, across: with less there is no room for its labels."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A figure as a page asks for it.

    Attributes:
        what: What it shows: ``FLOW``, ``ZOOMED``, or one of ``SUBJECTS``.
        shown: What the page shows of that.
        paper: Its sizes.
        look: The flow's, and the theme.
        frame: What is seen of the flow on the screen.
        dpi: A PNG's dots per inch; ``None`` for SVG.
    """

    what: str
    shown: Mapping[str, Any]
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
        if what not in (FLOW, ZOOMED, *SUBJECTS):
            raise ValueError(f"there is no figure of {what[:40]!r}")
        dpi = None
        if asked.get("kept") == "png":
            dpi = int(sizes.get("dpi") or 300)
            check_between("a resolution", dpi, LOWEST_DPI, HIGHEST_DPI, "dots per inch")
        shown = asked.get("shown") or {}
        paper, look = Paper.parse(sizes), Look.parse(asked["look"])
        return cls(what, shown, paper, look, _frame(asked), dpi)


def _frame(asked: Mapping[str, Any]) -> Frame | None:
    frame = asked.get("frame")
    if asked.get("what") != ZOOMED or frame is None:
        return None
    left, top, right, bottom = map(float, frame)
    if not (right - left > 1 and bottom - top > 1 and max(map(abs, (left, top, right))) < 1e7):
        raise ValueError("the part of the drawing that is seen has no size")
    return left, top, right, bottom


async def print_screen(wanted: Wanted, scene: Scene) -> dict[str, Any]:
    """A figure, for assets/export.js to finish and save.

    Args:
        wanted: What figure.
        scene: What it is drawn of.

    Returns:
        The ``svg`` with an empty frame for ``figure``, where that is Plotly's; its ``name``
        without the ending, and ``dpi``.

    Raises:
        VisitError: what it shows is not known.
    """
    index, view = scene.index, scene.view
    flow = replace(index.flow, notes=view.notes)
    if wanted.what in (FLOW, ZOOMED):
        svg = await scene.jobs.file(
            lambda: svg_from_flow(
                flow, view.opened, wanted.look, paper=wanted.paper, view=wanted.frame
            )
        )
        return _finished(wanted, index, svg, None, "")
    theme = choose_theme(wanted.look.theme, wanted.look.palette)
    sheet = Sheet(wanted.paper, theme)
    width = max(LEAST_PIXELS, round(sheet.width * LETTERS / wanted.paper.font_pt))
    drawn = Drawn(theme, width, round(width * 0.5))
    picture = await SUBJECTS[wanted.what].draw(scene, wanted.shown, drawn)
    layout = picture.figure["layout"]
    layout |= {"autosize": False, "width": width, "height": layout.get("height") or drawn.height}
    sheet.write_head(flow, picture.title)
    sheet.place_figure(width, layout["height"])
    sheet.write_legend(picture.legend)
    for note in picture.notes:
        sheet.write_note(note)
    return _finished(wanted, index, sheet.finish(), picture.figure, picture.more)


def _finished(
    wanted: Wanted, index: Index, svg: str, figure: Figure | None, more: str
) -> dict[str, Any]:
    name = file_name(index.flow.request.prompt, index.flow.model.name, more)
    return {"svg": svg, "figure": figure, "name": name, "dpi": wanted.dpi}

"""The dialog that asks what a figure shows, its title and sizes; assets/export.js works it."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.web.exports.figures.paper import (
    HIGHEST_DPI,
    LARGEST_PT,
    LONGEST_TITLE,
    LOWEST_DPI,
    NARROWEST_MM,
    SMALLEST_PT,
    Paper,
)
from visit.web.exports.figures.subjects import FLOW, SUBJECTS, ZOOMED
from visit.web.parts import aria, choice, data, field

_WORDS = {
    ZOOMED: "the flow as it is zoomed",
    FLOW: "the whole flow",
    **{name: subject.words for name, subject in SUBJECTS.items()},
}
"""What of the screen a figure can show; the dialog offers what is there."""
DPI = 300
_WIDEST_MM = 600


def dialog() -> Component:
    """The dialog, closed."""
    paper = Paper()
    return html.Dialog(
        [
            html.H2("Figure for a paper", id="figure-title"),
            choice("What it shows", "figure-what", _WORDS),
            choice("Colours", "figure-theme", {"light": "light", "dark": "dark"}),
            _field(
                "Title",
                "figure-title-said",
                "text",
                placeholder="as it is",
                maxlength=LONGEST_TITLE,
            ),
            html.Div(
                [
                    _number("Width, mm", "figure-width", paper.width_mm, NARROWEST_MM, _WIDEST_MM),
                    _number(
                        "Letters, pt", "figure-letters", paper.font_pt, SMALLEST_PT, LARGEST_PT
                    ),
                    _number("PNG, dots per inch", "figure-dpi", DPI, LOWEST_DPI, HIGHEST_DPI),
                ],
                className="figure-sizes",
            ),
            html.P(
                "In most journals a page is 180 mm wide and a column 85 mm. A wide flow is broken "
                "into strips, so that its labels keep their size.",
                className="hint",
            ),
            html.Div(
                [
                    html.Button("Cancel", className="quiet", **data(figure="")),
                    html.Button("Save PNG", **data(figure="png")),
                    html.Button("Save SVG", **data(figure="svg")),
                ],
                className="figure-buttons",
            ),
        ],
        id="figure-dialog",
        className="figure-dialog",
        **aria(labelledby="figure-title"),
    )


def _number(words: str, name: str, value: float, low: float, high: float) -> Component:
    return _field(
        words, name, "number", value=f"{value:g}", min=f"{low:g}", max=f"{high:g}", step="any"
    )


def _field(words: str, name: str, kind: str, **more: Any) -> Component:
    said = {key: str(value) for key, value in more.items()}
    return html.Label(
        [html.Span(words), field(id=name, type=kind, **said)], className="figure-field"
    )

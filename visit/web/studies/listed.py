"""What stands around a plot: the key of its lines, and its numbers as a table and as files."""

from __future__ import annotations

from typing import Any

from visit.formats.explored import csv_from_table
from visit.formats.study_report import json_from_figure
from visit.graph.explored.answer import Cell
from visit.graph.studied.figure import Figure, FigureKind, Report
from visit.text import counted, several
from visit.web.studies.elements import element, file_link
from visit.web.studies.figures import COLOURS, DASHES, SYMBOLS, say_value, visible_name
from visit.web.trees import Tree, svg
from visit.web.words import file_name

MOST_ROWS = 1000
"""Of a table; the files have them all."""
_INTERVALS = {
    FigureKind.LINES: "Bands are 95 % bootstrap intervals over",
    FigureKind.BARS: "Whiskers are 95 % bootstrap intervals over",
    FigureKind.MAP: "Intervals are in the table, and where the pointer is.",
}
_STROKES = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3"}
_MARKS = {
    "circle": "M16 3a4 4 0 1 0 .01 0z",
    "diamond": "M16 2l5 5-5 5-5-5z",
    "square": "M12.5 3.5h7v7h-7z",
    "triangle-up": "M16 2l4.5 8.5h-9z",
    "cross": "M14.5 2.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    "x": "M12.5 5l2-2 1.5 1.5 1.5-1.5 2 2-1.5 1.5 1.5 1.5-2 2-1.5-1.5-1.5 1.5-2-2 1.5-1.5z",
}


def list_keys(figure: Figure) -> list[Tree]:
    """Which line or colour of bars is which; of a map, and of one line alone, nothing."""
    if figure.kind is FigureKind.MAP or len(figure.lines) < 2:
        return []
    keys = [
        element("li", _mark(at, figure.kind), element("span", visible_name(line.name)))
        for at, line in enumerate(figure.lines)
    ]
    return [element("ul", *keys, class_="keys", aria_label="Key")]


def _mark(at: int, kind: FigureKind) -> Tree:
    colour = f"var(--{COLOURS[at % len(COLOURS)]})"
    frame: dict[str, str | float | int | None] = {
        "viewBox": "0 0 32 14",
        "width": 32,
        "height": 14,
        "aria-hidden": "true",
    }
    drawn: Any
    if kind is FigureKind.BARS:
        box = {"x": 9, "y": 1, "width": 14, "height": 12, "rx": 2}
        drawn = [svg("rect", box)]
        made: Any = svg("svg", frame, drawn)
        drawn[0]["attributes"]["style"] = f"fill: {colour}; fill-opacity: 0.45; stroke: {colour}"
        return _styled(made)
    stroke = _STROKES[DASHES[at % len(DASHES)]]
    line, mark = (
        svg("path", {"d": "M0 7h32"}),
        svg("path", {"d": _MARKS[SYMBOLS[at % len(SYMBOLS)]]}),
    )
    line["attributes"]["style"] = (
        f"stroke: {colour}; stroke-width: 2.2; stroke-dasharray: {stroke or 'none'}"
    )
    mark["attributes"]["style"] = f"fill: {colour}"
    return _styled(svg("svg", frame, [line, mark]))


def _styled(tree: Any) -> Tree:
    made: Tree = tree
    return made


def list_numbers(report: Report, figure: Figure) -> list[Tree]:
    """Over how many prompts a figure is, its numbers as a table that opens, and its files."""
    table = figure.table()
    name = f"{file_name(report.study, report.model.name)}-{figure.name}"
    files = element(
        "span",
        file_link("CSV", f"{name}.csv", csv_from_table(table)),
        file_link("JSON", f"{name}.json", json_from_figure(figure)),
        class_="files",
    )
    shown = table.rows[:MOST_ROWS]
    texts = [any(isinstance(row[at], str) for row in shown) for at in range(len(table.columns))]
    head = [
        element("th", column, scope="col", class_="" if is_text else "number")
        for column, is_text in zip(table.columns, texts, strict=True)
    ]
    rows = [element("tr", *map(_cell, row)) for row in shown]
    listed = element("table", element("thead", element("tr", *head)), element("tbody", *rows))
    more = len(table.rows) - len(shown)
    said = f"Numbers ({counted(len(table.rows), 'row')})"
    frame = element(
        "div",
        listed,
        class_="rows",
        tabindex="0",
        role="region",
        aria_label=f"Numbers of {figure.title}",
    )
    rest = (
        [element("p", f"{counted(more, 'row')} more in the files.", class_="hint")] if more else []
    )
    has_intervals = any(line.low for line in figure.lines)
    below = f"n = {counted(figure.n, figure.of)}."
    if has_intervals:
        of_what = "" if figure.kind is FigureKind.MAP else f" {several(figure.of)}."
        below += f" {_INTERVALS[figure.kind]}{of_what}"
    return [
        element("div", element("span", below, class_="hint"), files, class_="below"),
        element("details", element("summary", said), frame, *rest),
    ]


def _cell(cell: Cell) -> Tree:
    if isinstance(cell, str):
        return element("td", visible_name(cell))
    said = str(cell) if isinstance(cell, int) else say_value(cell)
    return element("td", said, class_="number")

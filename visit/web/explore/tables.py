"""An answer's tables on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.formats.explored import text_from_cell
from visit.graph.explored.answer import Cell, Explored, Table
from visit.text import counted
from visit.web.parts import data, span

MOST_ROWS = 30
"""Of a table; the file has them all."""


def list_tables(answer: Explored) -> list[Component]:
    """Every table with its first rows; a row that is of a node leads to it."""
    return [_table(table) for table in answer.tables() if table.rows]


def _table(table: Table) -> Component:
    shown = table.rows[:MOST_ROWS]
    heading: list[Any] = [table.name]
    if len(shown) < len(table.rows):
        said = f" the first {len(shown)} of {counted(len(table.rows), 'row')}; the CSV has all"
        heading.append(span([said], "hint"))
    nodes = table.nodes or (None,) * len(table.rows)
    texts = {c for c in range(len(table.columns)) if any(isinstance(r[c], str) for r in shown)}
    head = [
        html.Th(name, scope="col", className="" if column in texts else "number")
        for column, name in enumerate(table.columns)
    ]
    rows = [_row(row, node) for row, node in zip(shown, nodes, strict=False)]
    return html.Div(
        [
            html.H3(heading),
            html.Table([html.Thead(html.Tr(head)), html.Tbody(rows)], className="explore-table"),
        ],
        className="explore-rows",
    )


def _row(row: Sequence[Cell], node: str | None) -> Component:
    cells = [_cell(cell) for cell in row]
    if node is not None:
        lead = html.Button(text_from_cell(row[0]), className="go", title=node, **data(node=node))
        cells[0] = html.Th(lead, scope="row")
    return html.Tr(cells)


def _cell(cell: Cell) -> Component:
    said = text_from_cell(cell)
    if isinstance(cell, str):
        return html.Td(html.Span(said, className="token", title=repr(cell)))
    return html.Td(said, className="number")

"""What an explorable found, as text: a document, tables for a spreadsheet, and a summary."""

from __future__ import annotations

import csv
import io
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from visit.formats.document import compact_json, json_from_record
from visit.formats.explained import data_from_asked, data_from_prompt
from visit.formats.fields import drop_absent
from visit.graph.explored.answer import Cell, Explored, Table
from visit.graph.ids import NodeId
from visit.text import align, counted, join_neighbours, one_line, shorten, visible

_LONGEST_PROMPT = 300
_LONGEST_CELL = 60
_COMMON = frozenset(field.name for field in fields(Explored))


def json_from_explored(explored: Explored, created: str | None = None) -> str:
    """The answer as a ``visit.NAME/1`` document, keys sorted; equal answers, equal text.

    Its fields are the answer's own, by their names.

    Args:
        explored: The answer.
        created: An ISO time, or ``None`` in a document that must be reproducible.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    own = {
        field.name: _plain(getattr(explored, field.name))
        for field in fields(explored)
        if field.name not in _COMMON
    }
    record = drop_absent(
        schema=f"visit.{explored.name}/1",
        visit_version=explored.visit_version,
        created=created,
        **data_from_asked(explored),
        tokens=data_from_prompt(explored.tokens),
        **own,
    )
    return json_from_record(record)


def _plain(value: Any) -> Any:
    """A value of an answer as JSON has it; what is ``None`` is left out of records."""
    if isinstance(value, NodeId):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if is_dataclass(value):
        return drop_absent(**{f.name: _plain(getattr(value, f.name)) for f in fields(value)})
    return value


def csv_from_explored(explored: Explored) -> dict[str, str]:
    """Its tables as CSV (RFC 4180, UTF-8), a header line first, what is not known empty.

    A text is written as a JSON string, quotes and all, as ``visit export --to csv`` writes tokens.
    """
    return {f"{table.name}.csv": csv_from_table(table) for table in explored.tables()}


def csv_from_table(table: Table) -> str:
    """One table as CSV, in the same way."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([*table.columns, *(["node"] if table.nodes else [])])
    for number, row in enumerate(table.rows):
        cells = [compact_json(cell) if isinstance(cell, str) else cell for cell in row]
        writer.writerow([*cells, *([table.nodes[number]] if table.nodes else [])])
    return file.getvalue()


def text_from_explored(explored: Explored, count: int = 20) -> str:
    """The summary, ending in a line end: what was found in words, then the tables' first rows.

    Args:
        explored: The answer.
        count: How many rows of a table are listed.
    """
    prompt = one_line(join_neighbours([token.text for token in explored.tokens]))
    blocks = [[shorten(prompt, _LONGEST_PROMPT), *(f" {said}" for said in explored.findings())]]
    blocks += [lines_of(table, count) for table in explored.tables() if table.rows]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def lines_of(table: Table, count: int) -> list[str]:
    """A table's name and its first rows as lines of text."""
    shown = table.rows[:count]
    heading = table.name
    if len(shown) < len(table.rows):
        heading += f" (the first {len(shown)} of {counted(len(table.rows), 'row')})"
    numeric = {
        column
        for column in range(len(table.columns))
        if not any(isinstance(row[column], str) for row in shown)
    }
    rows = [table.columns, *(tuple(map(text_from_cell, row)) for row in shown)]
    # Two spaces in front, as every table of a summary has them.
    lines = align([("  ", *row) for row in rows], {column + 1 for column in numeric})
    return [heading, *lines]


def text_from_cell(cell: Cell) -> str:
    """A number in four digits, a text made visible, nothing as a dash."""
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return shorten(visible(cell), _LONGEST_CELL)
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return str(cell)

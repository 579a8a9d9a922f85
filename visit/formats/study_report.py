"""What a study found as a ``visit.study-report/1`` document, and its figures as CSV."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from visit.errors import DocumentError
from visit.formats.document import json_from_record
from visit.formats.explored import csv_from_table
from visit.formats.fields import drop_absent, keep_known, record_from_json
from visit.formats.schema import STUDY_REPORT, check_shape
from visit.graph.flow import ModelInfo
from visit.graph.studied.figure import Figure, FigureKind, Line, Report

_PLAIN = ("study", "version", "title", "summary", "visit_version", "prompts", "n", "n_failed",
          "n_left", "command")  # fmt: skip
_OF_FIGURE = ("name", "title", "says", "x_title", "y_title", "n", "expected")


def json_from_report(report: Report, created: str | None = None) -> str:
    """The document as JSON text, keys sorted, a figure a line; equal reports, equal text.

    Args:
        report: What was found.
        created: An ISO time, or ``None`` in a document that must be reproducible.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    record = drop_absent(
        schema=STUDY_REPORT,
        created=created,
        **{name: getattr(report, name) for name in _PLAIN},
        model=drop_absent(**asdict(report.model)),
        options=dict(report.options),
        figures=[data_from_figure(figure) for figure in report.figures],
    )
    return json_from_record(record)


def json_from_figure(figure: Figure) -> str:
    """One figure as JSON text, its fields as the document has them.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    return json_from_record(data_from_figure(figure), by_line=("lines",))


def data_from_figure(figure: Figure) -> dict[str, Any]:
    """A figure as plain dictionaries and lists."""
    return {
        **{name: getattr(figure, name) for name in _OF_FIGURE},
        **({"of": figure.of} if figure.of != "prompt" else {}),
        "kind": figure.kind.value,
        "x": list(figure.x),
        "lines": [
            {
                "name": line.name,
                "n": line.n,
                "mean": list(line.mean),
                "low": list(line.low),
                "high": list(line.high),
            }
            for line in figure.lines
        ],
    }


def report_from_json(text: str) -> Report:
    """Read JSON text back; the inverse of ``json_from_report``.

    Raises:
        DocumentError: the text is not JSON, or not a study's report; the text names the first place
            where it is not.
    """
    record = check_shape(record_from_json(text.removeprefix("\ufeff")), (STUDY_REPORT,))
    return Report(
        **{name: record[name] for name in _PLAIN},
        model=ModelInfo(**keep_known(ModelInfo, record["model"])),
        options=record["options"],
        figures=tuple(
            _figure_from_data(one, f"figures[{at}]") for at, one in enumerate(record["figures"])
        ),
    )


def _figure_from_data(data: dict[str, Any], where: str) -> Figure:
    lines = tuple(
        Line(
            one["name"],
            mean=_numbers(one["mean"]),
            low=_numbers(one["low"]),
            high=_numbers(one["high"]),
            n=one["n"],
        )
        for one in data["lines"]
    )
    try:
        return Figure(
            **{name: data[name] for name in _OF_FIGURE},
            kind=FigureKind(data["kind"]),
            x=tuple(data["x"]),
            lines=lines,
            of=data.get("of", "prompt"),
        )
    except ValueError as error:
        raise DocumentError(f"{where}: {error}; give a value for each x") from None


def _numbers(values: list[float | None]) -> tuple[float | None, ...]:
    return tuple(None if value is None else float(value) for value in values)


def csv_from_report(report: Report) -> dict[str, str]:
    """Its figures as CSV (RFC 4180, UTF-8), by the files' names; what is not known is empty."""
    return {f"{figure.name}.csv": csv_from_table(figure.table()) for figure in report.figures}

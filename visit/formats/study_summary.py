"""What a study found as text for a terminal: the sentences first, then the figures' numbers."""

from __future__ import annotations

from visit.formats.explored import lines_of
from visit.graph.studied.figure import Figure, Report
from visit.text import counted, one_line, shorten

_LONGEST = 600


def text_from_report(report: Report, count: int = 20) -> str:
    """The summary, ending in a line end.

    Args:
        report: What was found.
        count: How many rows of a figure's numbers are listed.
    """
    heading = [
        one_line(report.title or report.study),
        f" {say_who(report)}",
        f" {say_counts(report)}",
        f" again: {one_line(report.command)}",
    ]
    blocks = [heading, *(_lines_of_figure(figure, count) for figure in report.figures)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def say_who(report: Report) -> str:
    """The model, what was read, and what measured, in a line."""
    model = report.model
    return (
        f"{one_line(model.name)}, {model.n_layers} layers × {model.n_heads} heads; "
        f"{one_line(report.prompts)}; study {report.study} {report.version}, "
        f"visit {report.visit_version}"
    )


def say_counts(report: Report) -> str:
    """How many prompts were measured, and how many not."""
    said = [f"{counted(report.n, 'prompt')} measured"]
    if report.n_failed:
        said.append(f"{report.n_failed} could not be")
    if report.n_left:
        said.append(f"{report.n_left} left")
    return ", ".join(said)


def _lines_of_figure(figure: Figure, count: int) -> list[str]:
    said = [one_line(figure.title), f" {shorten(one_line(figure.says), _LONGEST)}"]
    if figure.expected:
        who, what = figure.finding
        said.append(f" {one_line(who)} found {shorten(one_line(what), _LONGEST)}")
    return [*said, *lines_of(figure.table(), count)]

"""A study's figures as numbers: what is drawn, listed and said of them comes from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from visit.graph.explored.answer import Cell, Table
from visit.graph.flow import ModelInfo
from visit.text import several

_LONGEST_WHO = 40
"""Letters of whoever found something, such as Sun et al. (2024)."""


class FigureKind(StrEnum):
    """How a figure is drawn."""

    LINES = "lines"
    BARS = "bars"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a figure, one colour of its bars, or one row of a map.

    Attributes:
        name: What it is of.
        mean: A value for each x; ``None`` where there is none.
        low: Where the 95 % interval of each begins; empty where no interval is told.
        high: Where it ends.
        n: How many prompts it is over, or the most of any x.
    """

    name: str
    mean: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    n: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a report.

    Attributes:
        name: What tells it from the report's others, fit for a file's name.
        title: What it shows.
        says: The sentence that the data support, with its numbers.
        kind: How it is drawn.
        x_title: What x is.
        y_title: What the values are, with their unit; of a map, what its colour is.
        x: Where the values stand: numbers, or names.
        lines: A value for each x; of a map, its rows from above.
        n: How many prompts it is over.
        expected: What the paper found, or "X found …" of another; empty where nobody did.
        of: What ``n`` counts, and intervals are over: a prompt, unless it is something else.
    """

    name: str
    title: str
    says: str
    kind: FigureKind
    x_title: str
    y_title: str
    x: tuple[float | str, ...]
    lines: tuple[Line, ...]
    n: int
    expected: str = ""
    of: str = "prompt"

    def __post_init__(self) -> None:
        """Refuse lines of other lengths.

        Raises:
            ValueError: one has not a value for each x.
        """
        for line in self.lines:
            if any(len(part) != len(self.x) for part in (line.mean, line.low, line.high) if part):
                raise ValueError(f"figure {self.name}: {line.name} has not {len(self.x)} values")

    @property
    def finding(self) -> tuple[str, str]:
        """Who found something before, and what: of ``expected``, the paper unless it names who."""
        who, found, what = self.expected.strip().partition(" found ")
        if not found or len(who) > _LONGEST_WHO:
            return "The paper", self.expected.strip()
        return who[:1].upper() + who[1:], what

    def table(self) -> Table:
        """Its numbers: a row for each x of each line, with the interval where there is one."""
        rows: list[tuple[Cell, ...]] = []
        for line in self.lines:
            nothing = (None,) * len(self.x)
            ends = zip(line.low or nothing, line.high or nothing, strict=True)
            for x, mean, (low, high) in zip(self.x, line.mean, ends, strict=True):
                rows.append((line.name, x, mean, low, high, line.n))
        columns = (
            "line",
            self.x_title,
            self.y_title,
            "low (95 %)",
            "high (95 %)",
            several(self.of),
        )
        return Table(self.name, columns, tuple(rows))


@dataclass(frozen=True, slots=True)
class Report:
    """What a study found of one model.

    Attributes:
        study: The study's name.
        version: Of the study: rows of another are not mixed with these.
        title: What it is about.
        summary: What it asks, in a sentence or two.
        visit_version: What measured.
        model: What was measured.
        prompts: What was read, as whoever ran it named it.
        n: How many prompts were measured.
        n_failed: How many could not be.
        n_left: How many are not yet.
        options: What was chosen, by name.
        command: What does it again.
        figures: What matters most first.
    """

    study: str
    version: int
    title: str
    summary: str
    visit_version: str
    model: ModelInfo
    prompts: str
    n: int
    n_failed: int
    n_left: int
    options: Mapping[str, str | int | float | bool]
    command: str
    figures: tuple[Figure, ...]

"""What every explorable's answer has: what was asked, and its numbers as tables."""

# Annotations are types here, not texts: subclasses in other modules inherit them.
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from visit.graph.flow import ModelInfo, Token
from visit.graph.request import Request

Cell: TypeAlias = str | int | float | None
"""What stands in a table; ``None`` where nothing is known or applies."""


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers by name, as a file or a screen lists them.

    Attributes:
        name: What tells it from the answer's others, fit for a file's name.
        columns: What each column holds, with its unit where it has one.
        rows: A cell a column; what matters most comes first.
        nodes: Of each row, the id of the graph's node that it is of, where it is of one; empty
            where no row is.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    nodes: tuple[str | None, ...] = ()

    def __post_init__(self) -> None:
        """Refuse rows of other lengths than the heading.

        Raises:
            ValueError: one has; or there are ids for some rows alone.
        """
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.name}: a row has other columns than {self.columns}")
        if self.nodes and len(self.nodes) != len(self.rows):
            raise ValueError(f"table {self.name}: {len(self.nodes)} nodes, {len(self.rows)} rows")


@dataclass(frozen=True)
class Explored:
    """An answer to a question of ``visit.engine.exploring``.

    Attributes:
        name: The explorable, as the command line and documents call it.
        visit_version: What answered.
        request: What was asked.
        model: Who answered.
        tokens: The prompt.
    """

    name: ClassVar[str]

    visit_version: str
    request: Request
    model: ModelInfo
    tokens: tuple[Token, ...]

    def tables(self) -> Sequence[Table]:
        """Its numbers, the table that matters most first."""
        raise NotImplementedError

    def findings(self) -> Sequence[str]:
        """What it shows on this prompt, a sentence each, with the numbers that say so."""
        raise NotImplementedError


def name_depth(depth: int) -> str:
    """What a depth of the residual stream is called: 0 is the embedding, 1 what layer 0 leaves."""
    return "embedding" if depth == 0 else f"layer {depth - 1}"

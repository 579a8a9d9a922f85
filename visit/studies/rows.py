"""All rows of a study, as its report reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visit.graph.flow import ModelInfo
from visit.graph.studied.columns import Array, Column

Prepared = Mapping[str, Any]
"""What a study finds out once, before the first row: plain data, kept in the manifest."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What was measured, by column.

    Attributes:
        model: Of what.
        options: The study's, as it ran.
        prepared: What it found out before.
        columns: What each column is, by its name.
        values: By column, ``[prompt, *axes]``; texts where it has no axes.
        ids: The prompts' ids, in order.
        texts: The prompts.
        targets: The answers that they named; empty where none is.
        n_failed: How many other prompts could not be measured.
    """

    model: ModelInfo
    options: Mapping[str, str | int | float | bool]
    prepared: Prepared
    columns: Mapping[str, Column]
    values: Mapping[str, Array]
    ids: Array
    texts: Array
    targets: Array
    n_failed: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> Array:
        return self.values[name]

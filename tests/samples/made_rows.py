"""Rows of a study that nobody measured, for reports whose numbers a test works out itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sample_study import sample_model

from visit.graph.studied.columns import Array, Column
from visit.graph.studied.figure import Figure
from visit.studies.rows import Rows
from visit.studies.study import Study


def made_rows(
    values: Mapping[str, Array],
    *,
    options: Mapping[str, Any] = {},
    prepared: Mapping[str, Any] = {},
) -> Rows:
    """Rows with these columns."""
    n = len(next(iter(values.values())))
    columns = {name: Column(name, name) for name in values}
    texts, targets = np.full(n, "a prompt", object), np.full(n, "", object)
    return Rows(sample_model(), options, prepared, columns, values, np.arange(n), texts, targets)


def figures_of(study: Study, rows: Rows) -> dict[str, Figure]:
    """The report's figures by name; no sentence says ``nan`` or ``None``."""
    figures = study.report(rows)
    found = {one.name: one for one in figures}
    assert len(found) == len(figures)
    for one in figures:
        assert "nan" not in one.says and "None" not in one.says, one.says
        assert one.says.endswith(".") and one.n > 0
    return found


def percent(value: float, digits: int = 1) -> str:
    """A part of 1 as a sentence has it, without its interval."""
    return f"{100 * value:.{digits}f}".replace("-", "−") + " %"

"""Measurements over many prompts: rows in Parquet, and a report with intervals."""

from visit.graph.studied.columns import Column, Surveyed, Unmeasured, columns_of
from visit.graph.studied.figure import Figure, FigureKind, Line, Report
from visit.studies.study import Prompt, Study

__all__ = [
    "Column",
    "Figure",
    "FigureKind",
    "Line",
    "Prompt",
    "Report",
    "Study",
    "Surveyed",
    "Unmeasured",
    "columns_of",
]

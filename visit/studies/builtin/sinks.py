"""Attention that rests on a token, and coordinates out of all proportion, by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from visit.engine.surveys import Survey, SurveySinks
from visit.graph.explored.answer import name_depth
from visit.graph.studied.figure import Figure
from visit.studies.builtin.of_survey import SurveyStudy
from visit.studies.drawing import line, lines_figure, number_in_words, share_in_words
from visit.studies.rows import Rows

_SHARE = (0.0, 1.0)
_SINK = 0.3
_MASSIVE, _TIMES_MEDIAN = 100.0, 1000.0


class Sinks(SurveyStudy):
    """Attention that rests on a token, and massive activations."""

    name: ClassVar[str] = "sinks"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "Sinks and massive activations"
    summary: ClassVar[str] = (
        "How many heads rest on one token (mean attention above 0.3, Gu et al. 2024), on which, "
        "and how far the largest coordinate of the residual stands out (Sun et al. 2024)."
    )
    asks: ClassVar[type[Survey]] = SurveySinks

    def report(self, rows: Rows) -> Sequence[Figure]:
        """Heads that rest by layer, massive coordinates and norms by depth."""
        return [_heads(rows), _massive(rows), _norms(rows)]


def _heads(rows: Rows) -> Figure:
    rests = rows["on_strongest"] > _SINK
    on_first = rests & (rows["sink"] == 0)
    lines = [
        line("rest on the first token", on_first.mean(-1), within=_SHARE),
        line("rest on another token", (rests & ~on_first).mean(-1), within=_SHARE),
        line("mean attention on the first token", rows["on_first"].mean(-1), within=_SHARE),
    ]
    overall = line("all", on_first.mean((1, 2))[:, None], within=_SHARE)
    says = f"{share_in_words(overall, 0)} of all heads rest on the first token."
    return lines_figure(
        "heads", "Heads that rest on one token", says, lines, x_title="layer",
        y_title="part of heads", n=len(rows),
        expected="most heads of trained models, after the first layers (Gu et al. 2024)",
    )  # fmt: skip


def _depths(rows: Rows) -> list[str]:
    return ["embedding", *map(str, range(rows["largest"].shape[1] - 1))]


def _massive(rows: Rows) -> Figure:
    times, is_first = rows["times_median"], rows["where"] == 0
    is_massive = (rows["largest"] > _MASSIVE) & (times >= _TIMES_MEDIAN)
    lines = [
        line("massive by Sun's rule", is_massive.astype(float), within=_SHARE),
        line("at the first position", is_first.astype(float), within=_SHARE),
    ]
    ratio = line("times", np.log10(np.maximum(times, 1e-9)))
    at = max(range(len(ratio.mean)), key=lambda depth: ratio.mean[depth] or 0.0)
    says = (
        f"The largest coordinate is some {10 ** (ratio.mean[at] or 0.0):,.0f} times the median at "
        f"{name_depth(at)}, where it stands out most, and massive by Sun's rule on "
        f"{share_in_words(lines[0], at)} of prompts."
    )
    return lines_figure(
        "massive", "Coordinates out of all proportion", says, lines, x_title="layer",
        y_title="part of prompts", n=len(rows), x=_depths(rows),
    )  # fmt: skip


def _norms(rows: Rows) -> Figure:
    lines = [
        line("first position", np.log10(rows["norm_first"])),
        line("the others", np.log10(rows["norm_others"])),
    ]
    gap = line("gap", np.log10(rows["norm_first"]) - np.log10(rows["norm_others"]))
    at = max(range(len(gap.mean)), key=lambda depth: gap.mean[depth] or 0.0)
    says = (
        f"The first position's norm is {number_in_words(gap, at)} decades above the others' at "
        f"{name_depth(at)}, where they are farthest apart."
    )
    return lines_figure(
        "norms", "Norms by depth", says, lines, x_title="layer", y_title="log10 of the norm",
        n=len(rows), x=_depths(rows),
    )  # fmt: skip

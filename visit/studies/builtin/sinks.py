"""Attention that rests on a token, and coordinates out of all proportion, by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visit.engine.surveys import SurveySinks
from visit.graph.explored.answer import name_depth
from visit.graph.studied.figure import Figure, Line
from visit.studies.builtin.of_survey import SurveyStudy
from visit.studies.drawing import depth_names, highest, line, lines_figure, share_in_words
from visit.studies.rows import Rows

_SHARE = (0.0, 1.0)
_SINK = 0.3
_MASSIVE, _TIMES_MEDIAN = 100.0, 1000.0


class Sinks(SurveyStudy):
    """Attention that rests on a token, and massive activations."""

    name = "sinks"
    version = 1
    title = "Sinks and massive activations"
    summary = (
        "How many heads rest on one token (mean attention above 0.3, Gu et al. 2024), on which, "
        "and how far the largest coordinate of the residual stands out (Sun et al. 2024)."
    )
    asks = SurveySinks

    def report(self, rows: Rows) -> Sequence[Figure]:
        """Heads that rest by layer, large and massive coordinates and norms by depth."""
        return [_heads(rows), _times(rows), _massive(rows), _norms(rows)]


def _heads(rows: Rows) -> Figure:
    on_first = rows["on_first"] > _SINK
    elsewhere = (rows["on_strongest"] > _SINK) & ~on_first
    lines = [
        line("rest on the first token", on_first.mean(-1), within=_SHARE),
        line("rest on a later token alone", elsewhere.mean(-1), within=_SHARE),
        line("mean attention on the first token", rows["on_first"].mean(-1), within=_SHARE),
    ]
    both = np.stack([on_first.mean((1, 2)), elsewhere.mean((1, 2))], axis=1)
    overall = line("all", both, within=_SHARE)
    says = (
        f"{share_in_words(overall, 0)} of all heads rest on the first token, "
        f"{share_in_words(overall, 1)} on a later one alone, which in short prompts few positions "
        "read."
    )
    return lines_figure(
        "heads", "Heads that rest on one token", says, lines, x_title="layer",
        y_title="part of heads", n=len(rows),
        expected="Gu et al. (2024) found that most heads of trained models do, after the "
        "first layers",
    )  # fmt: skip


def _massive(rows: Rows) -> Figure:
    times, is_first = rows["times_median"], rows["where"] == 0
    is_massive = (rows["largest"] > _MASSIVE) & (times >= _TIMES_MEDIAN)
    lines = [
        line("the largest is massive", is_massive.astype(float), within=_SHARE),
        line("the largest is at the first position", is_first.astype(float), within=_SHARE),
    ]
    at = highest(lines[0])
    says = (
        f"The largest coordinate is massive (above {_MASSIVE:.0f} and {_TIMES_MEDIAN:,.0f} times "
        f"the median) on {share_in_words(lines[0], at)} of prompts at "
    )
    says += f"{name_depth(at)}, where most are." if lines[0].mean[at] else "every depth."
    return lines_figure(
        "massive", "Massive activations", says, lines, x_title="layer",
        y_title="part of prompts", n=len(rows), x=depth_names(rows["largest"].shape[1]),
        expected="Sun et al. (2024) found them in large models, from an early layer on, at the "
        "first position among others",
    )  # fmt: skip


def _times(rows: Rows) -> Figure:
    """How many times the median the largest coordinate is, as a logarithm."""
    times = np.where(rows["times_median"] > 0, rows["times_median"], np.nan)
    found = line("times the median", np.log10(times))
    at = highest(found)
    says = (
        f"The largest coordinate is {_times_in_words(found, at)} times the median at "
        f"{name_depth(at)}, where it stands out most."
    )
    return lines_figure(
        "times-median", "Coordinates out of all proportion", says, [found], x_title="layer",
        y_title="log10 of times the median", n=len(rows), x=depth_names(rows["largest"].shape[1]),
    )  # fmt: skip


def _times_in_words(one: Line, at: int) -> str:
    """What a logarithm is of, with its interval: ``60 (58 to 62)``."""
    if one.mean[at] is None:
        return "unknown"
    said = [_digits(10**value) for part in (one.mean, one.low, one.high)
            for value in [part[at] if part else None] if value is not None]  # fmt: skip
    return f"{said[0]} ({said[1]} to {said[2]})" if len(said) == 3 else said[0]


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def _norms(rows: Rows) -> Figure:
    lines = [
        line("first position", np.log10(rows["norm_first"])),
        line("the others", np.log10(rows["norm_others"])),
    ]
    gap = line("gap", np.log10(rows["norm_first"]) - np.log10(rows["norm_others"]))
    at = highest(gap)
    says = (
        f"The first position's norm is {_times_in_words(gap, at)} times the others' at "
        f"{name_depth(at)}, where it stands out most."
    )
    return lines_figure(
        "norms", "Norms by depth", says, lines, x_title="layer", y_title="log10 of the norm",
        n=len(rows), x=depth_names(rows["largest"].shape[1]),
    )  # fmt: skip

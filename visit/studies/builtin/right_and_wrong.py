"""The right answer through the layers, of prompts that are answered rightly and wrongly."""

from __future__ import annotations

from collections.abc import Sequence

from visit.engine.surveys import SurveyDepths
from visit.graph.explored.answer import name_depth
from visit.graph.studied.columns import Array
from visit.graph.studied.figure import Figure, Line
from visit.studies.builtin.of_survey import SurveyStudy
from visit.studies.drawing import depth_names, line, lines_figure, number_in_words, share_in_words
from visit.studies.rows import Rows

_SHARE = (0.0, 1.0)


class RightAndWrong(SurveyStudy):
    """The right answer through the layers."""

    name = "right-and-wrong"
    version = 1
    title = "Right and wrong answers through the layers"
    summary = (
        "The probability and the rank, by the lens at the last position of every depth, of the "
        "right answer's first token and of what the model says in the end, for prompts that are "
        "answered rightly and wrongly."
    )
    needs_targets = True
    asks = SurveyDepths

    def report(self, rows: Rows) -> Sequence[Figure]:
        """The model's answer, the right answer, its rank, and entropy."""
        return [_answer(rows), _target(rows), _rank(rows), _entropy(rows)]


def _split(rows: Rows, values: Array) -> tuple[Array, Array]:
    is_right = rows["is_right"].astype(bool)
    return values[is_right], values[~is_right]


def _counts(rows: Rows) -> str:
    n_right = int(rows["is_right"].sum())
    return f"{n_right:,} of {len(rows):,} prompts are answered rightly"


def _lines(rows: Rows, values: Array, within: tuple[float, float] | None = _SHARE) -> list[Line]:
    names = ("answered rightly", "answered wrongly")
    pairs = zip(names, _split(rows, values), strict=True)
    return [line(name, part, within=within) for name, part in pairs if len(part)]


def _rises(one: Line) -> str:
    """Where a line first passes half of what it ends at."""
    last = one.mean[-1] or 0.0
    at = next((at for at, mean in enumerate(one.mean) if (mean or 0.0) >= last / 2), 0)
    return name_depth(at)


def _depths(rows: Rows) -> list[str]:
    return depth_names(rows["entropy"].shape[1])


def _answer(rows: Rows) -> Figure:
    lines = _lines(rows, rows["answer_prob"])
    said = "; ".join(
        f"when {one.name}, it passes half of its last probability, {share_in_words(one, -1)}, "
        f"after {_rises(one)}"
        for one in lines
    )
    return lines_figure(
        "answer", "What the model says in the end, through the layers",
        f"{_counts(rows)}. What the model says in the end: {said}.",
        lines, x_title="layer", y_title="probability of the model's answer", n=len(rows),
        x=_depths(rows), expected="that right answers rise in the middle layers, and wrong ones "
        "come early and stay moderate (figure 14)",
    )  # fmt: skip


def _target(rows: Rows) -> Figure:
    lines = _lines(rows, rows["target_prob"])
    said = ", and ".join(f"{share_in_words(one, -1)} when {one.name}" for one in lines)
    return lines_figure(
        "right-answer", "The right answer through the layers",
        f"{_counts(rows)}. In the end the right answer's probability is {said}.", lines,
        x_title="layer", y_title="probability of the right answer", n=len(rows), x=_depths(rows),
    )  # fmt: skip


def _rank(rows: Rows) -> Figure:
    lines = _lines(rows, rows["target_rank"] <= 10)
    said = "; ".join(
        f"{share_in_words(one, -1)} of prompts {one.name}, and half of that is passed after "
        f"{_rises(one)}"
        for one in lines
    )
    return lines_figure(
        "rank", "The right answer among the first ten tokens",
        f"In the end it is there on {said}.", lines, x_title="layer",
        y_title="part of prompts with rank 10 or better", n=len(rows), x=_depths(rows),
    )  # fmt: skip


def _entropy(rows: Rows) -> Figure:
    lines = _lines(rows, rows["entropy"], within=None)
    said = ", and ".join(f"{number_in_words(one, -1)} bits when {one.name}" for one in lines)
    return lines_figure(
        "entropy", "How undecided the residual is", f"In the end its entropy is {said}.", lines,
        x_title="layer", y_title="entropy (bits)", n=len(rows), x=_depths(rows),
    )  # fmt: skip

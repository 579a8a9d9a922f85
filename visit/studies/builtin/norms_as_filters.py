"""What norms push down and up: VISIT's second finding."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np

from visit.engine.surveys import SurveyNorms
from visit.graph.studied.columns import Array
from visit.graph.studied.figure import Figure, Line
from visit.graph.studied.function_words import WordClass
from visit.graph.studied.intervals import mean_interval
from visit.studies.builtin.of_survey import SurveyStudy
from visit.studies.drawing import (
    bars_figure,
    line,
    line_from_interval,
    lines_figure,
    number_in_words,
    share_in_words,
)
from visit.studies.rows import Rows

_CHANGE = (-1.0, 1.0)
_KINDS = ("ln1", "ln2")
_NOTICEABLE = 0.001
"""A change of probability below which, up or down, nothing is said to be lost."""


class NormsAsFilters(SurveyStudy):
    """What norms push down and up."""

    name = "norms-as-filters"
    version = 1
    title = "Norms as filters"
    summary = (
        "What is read, at the last position, before and after every norm: which words lose and "
        "gain probability, and whether the target's rank is kept; and the same of random vectors "
        "of equal norm."
    )
    asks = SurveyNorms

    def report(self, rows: Rows) -> Sequence[Figure]:
        """Words by class, the words themselves, ranks, entropy, frequency."""
        return [
            _classes(rows), _by_layer(rows), _words(rows, 0), _words(rows, 1), _ranks(rows),
            _through(rows, "entropy", "Entropy across norms", "change of entropy (bits)"),
            _through(rows, "frequency", "Frequent words across norms",
                     "change of the mean frequency's logarithm"),
        ]  # fmt: skip


def _by_kind(values: Array, kind: str) -> Array:
    """The layers' ln1 or ln2, ``[prompt, layer, …]``; the final norm is left out."""
    return values[:, :-1][:, _KINDS.index(kind) :: 2]


def _kinds(rows: Rows) -> list[str]:
    """The kinds of norm that the model's layers have."""
    return [kind for kind in _KINDS if np.isfinite(_by_kind(rows["entropy_after"], kind)).any()]


def _classes(rows: Rows) -> Figure:
    change = rows["after"] - rows["before"]
    control = rows["control_after"] - rows["control_before"]
    lines: list[Line] = []
    for kind in _kinds(rows):
        lines += [
            line(f"{kind}", _mean_known(_by_kind(change, kind)), within=_CHANGE),
            line(f"{kind}, random vectors", _mean_known(_by_kind(control, kind)), within=_CHANGE),
        ]
    lines.append(line("final norm", change[:, -1], within=_CHANGE))
    says = " ".join(_classes_in_words(*lines[at : at + 2]) for at in range(0, len(lines) - 1, 2))
    return bars_figure(
        "classes", "Which words lose and gain across norms", says, lines, x_title="kind of word",
        y_title="change of probability", n=len(rows), x=[one.value for one in WordClass],
        expected="that function words lose and content words gain (section 5.2, appendix E)",
    )  # fmt: skip


def _classes_in_words(own: Line, control: Line) -> str:
    function, content = (list(WordClass).index(one) for one in (WordClass.FUNCTION,
                                                                WordClass.CONTENT))  # fmt: skip
    return (
        f"Across {own.name} the probability on function words changes by "
        f"{_points(own, function)} and on content words by {_points(own, content)}, over all "
        f"layers; of random vectors of the same norm by {_points(control, function)} and "
        f"{_points(control, content)}."
    )


def _points(one: Line, at: int) -> str:
    """A change of a probability in percentage points, with its interval."""
    return share_in_words(one, at).replace(" %", " points")


def _mean_known(values: Array) -> Array:
    """The mean over the layers that have the norm, ``[prompt, layer, class]``."""
    has = np.isfinite(values).all((0, 2))
    mean: Array = values[:, has].mean(1)
    return mean


def _by_layer(rows: Rows) -> Figure:
    at = list(WordClass).index(WordClass.FUNCTION)
    change = (rows["after"] - rows["before"])[..., at]
    control = (rows["control_after"] - rows["control_before"])[..., at]
    lines = []
    for kind in _kinds(rows):
        lines.append(line(kind, _by_kind(change, kind), within=_CHANGE))
        lines.append(line(f"{kind}, random vectors", _by_kind(control, kind), within=_CHANGE))
    said = "; ".join(_losing_in_words(one) for one in lines[::2])
    says = (
        f"Function words lose {100 * _NOTICEABLE:.1f} points or more, and the whole interval with "
        f"them, {said}."
    )
    return lines_figure(
        "function-words", "Function words across norms, by layer", says, lines, x_title="layer",
        y_title="change of probability on function words", n=len(rows),
    )  # fmt: skip


def _losing_in_words(one: Line) -> str:
    surely = [high is not None and high <= -_NOTICEABLE for high in one.high]
    least = min(range(len(one.mean)), key=lambda at: one.mean[at] or 0.0)
    return (
        f"across {one.name} in {sum(surely)} of {len(one.mean)} layers, layer {least} being lowest "
        f"with {_points(one, least)}"
    )


def _words(rows: Rows, end: int) -> Figure:
    """The tokens that are most often among the first three that lose (0) or gain (1)."""
    counts: Counter[str] = Counter()
    prompts: list[dict[str, None]] = []
    for said in rows["words"]:
        # In the order that they are met, so that those that are as frequent always stand alike.
        own = dict.fromkeys(one for norm in json.loads(said) for one in norm[end])
        prompts.append(own)
        counts.update(own.keys())
    listed = [text for text, _ in counts.most_common(15)]
    there = np.array([[text in own for text in listed] for own in prompts], float)
    does, who = (("lose", "losers"), ("gain", "gainers"))[end]
    found = line_from_interval("part of prompts", mean_interval(there, within=(0.0, 1.0)))
    first = ", ".join(
        f"{text!r} on {share_in_words(found, at)}" for at, text in enumerate(listed[:3])
    )
    says = f"Among the three tokens that {does} most at some norm: {first} of prompts."
    return bars_figure(
        who, f"Which tokens {does} most", says, [found], x_title="token",
        y_title="part of prompts", n=len(rows), x=listed,
    )  # fmt: skip


def _ranks(rows: Rows) -> Figure:
    before, after = rows["rank_before"], rows["rank_after"]
    kept = np.where(np.isfinite(before), after <= before, np.nan)
    lines = [line(kind, _by_kind(kept, kind), within=(0.0, 1.0)) for kind in _kinds(rows)]
    often = [sum((mean or 0.0) > 0.5 for mean in one.mean) for one in lines]
    said = " and ".join(
        f"{n} of {len(one.mean)} layers across {one.name}"
        for n, one in zip(often, lines, strict=True)
    )
    says = f"The target's rank is kept or better on most prompts in {said}."
    return lines_figure(
        "ranks", "Whether the target's rank is kept", says, lines, x_title="layer",
        y_title="part of prompts, kept or better", n=len(rows),
        expected="it kept or better, on two prompts, in 23 to 24 of the 24 layers of GPT-2 medium, "
        "3 to 6 of 12 of small, 19 to 21 of 48 of XL",
    )  # fmt: skip


def _through(rows: Rows, name: str, title: str, y_title: str) -> Figure:
    change = rows[f"{name}_after"] - rows[f"{name}_before"]
    lines = [line(kind, _by_kind(change, kind)) for kind in _kinds(rows)]
    said = "; ".join(f"across {one.name}, {_largest(one)}" for one in lines)
    says = f"The largest change of the mean: {said}."
    return lines_figure(
        name, title, says, lines, x_title="layer", y_title=y_title, n=len(rows)
    )  # fmt: skip


def _largest(one: Line) -> str:
    at = max(range(len(one.mean)), key=lambda at: abs(one.mean[at] or 0.0))
    return f"{number_in_words(one, at)} in layer {at}"

"""What each head's pattern is known by, over many prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from visit.engine.surveys import SurveyPatterns
from visit.graph.explored.heads import KINDS
from visit.graph.studied.figure import Figure
from visit.graph.studied.intervals import mean_interval
from visit.studies.builtin.of_survey import SurveyStudy
from visit.studies.drawing import line_from_interval, map_figure, share_in_words
from visit.studies.rows import Rows

_SHARE = (0.0, 1.0)
_NAMED = 3
_TITLES = {
    "previous": "Heads that look at the previous token",
    "duplicate": "Heads that look at earlier copies of the token",
    "induction": "Induction heads: what followed earlier copies",
    "sink": "Heads that rest on the first token",
}


class HeadScores(SurveyStudy):
    """What each head's pattern is known by."""

    name = "head-scores"
    version = 1
    title = "Head scores"
    summary = (
        "The part of each head's attention that goes to the previous token, to earlier copies of "
        "the token, to what followed those (induction), and to the first token (sink)."
    )
    asks = SurveyPatterns

    def report(self, rows: Rows) -> Sequence[Figure]:
        """A map of heads a kind."""
        return [
            _map(rows, at, kind)
            for at, kind in enumerate(KINDS)
            if np.isfinite(rows["score"][:, at]).any()
        ]


def _map(rows: Rows, at: int, kind: str) -> Figure:
    scores = rows["score"][:, at]
    n_heads = scores.shape[2]
    flat = scores.reshape(len(rows), -1)
    found = line_from_interval(kind, mean_interval(flat, within=_SHARE))
    order = sorted(range(flat.shape[1]), key=lambda head: -(found.mean[head] or 0.0))
    named = ", ".join(
        f"{head // n_heads}.{head % n_heads} with {share_in_words(found, head)}"
        for head in order[:_NAMED]
    )
    n_known = int(np.isfinite(flat).any(1).sum())
    says = f"Strongest (layer.head): {named} of its attention"
    says += (
        f", over the {n_known:,} prompts that have such a token." if n_known < len(rows) else "."
    )
    return map_figure(
        kind, _TITLES[kind], says,
        scores.transpose(0, 2, 1), [f"head {head}" for head in range(n_heads)],
        x_title="layer", y_title="part of attention", n=n_known, within=_SHARE,
    )  # fmt: skip

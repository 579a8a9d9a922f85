"""Whether what parts write foretells what removing them does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from visit.engine.options import option
from visit.engine.progress import Progress, part_of, silent
from visit.engine.protocol import Engine
from visit.engine.questions import Measure
from visit.errors import RequestError
from visit.graph.effect import WAYS_OF_PREDICTING, Effect, Flag, agreement_of
from visit.graph.effect import Agreement as AgreementOfParts
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.graph.studied.columns import Array, Column, Surveyed, Unmeasured
from visit.graph.studied.figure import Figure
from visit.studies.drawing import bars_figure, line, share_in_words
from visit.studies.rows import Prepared, Rows
from visit.studies.study import Prompt, Study

_SORTS = {"heads": NodeKind.HEAD, "MLPs": NodeKind.MLP}
_NAMES = {"direct": "direct logit", "flow": "flow", "estimate": "estimate (AtP)"}


@dataclass(frozen=True)
class Agreement(Study):
    """Measured effects against the three ways to predict them.

    Attributes:
        how: What is done to each part, as ``visit ablate --how`` has it.
    """

    name = "agreement"
    version = 1
    title = "Predicted and measured effects"
    summary = (
        "Every head and MLP at the last position is taken away and the rest run again: how far "
        "direct logit, flow and a first-order estimate foretell the effect on the metric, and how "
        "often the model repairs it."
    )

    how: str = option("zero", "How", "what is done to each part", letter="HOW")

    def measure(
        self,
        engine: Engine,
        prompts: Sequence[Prompt],
        prepared: Prepared,
        progress: Progress = silent,
    ) -> Surveyed:
        """Pearson, Spearman and equal signs of each way, by sort of part; and what is flagged."""
        rows: list[dict[str, Array]] = []
        places, failed = list[int](), list[Unmeasured]()
        for place, one in enumerate(prompts):
            tell = part_of(progress, place / len(prompts), (place + 1) / len(prompts))
            try:
                question = Measure(Request(one.text), ("heads", "mlp"), how=self.how)
                found = engine.ask(question, tell)
            except RequestError as problem:
                failed.append(Unmeasured(place, str(problem)))
                continue
            rows.append(_row(found.effects, found.base.prob))
            places.append(place)
        if not rows:
            return Surveyed((), {}, (), tuple(failed))
        values = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return Surveyed(_COLUMNS, values, tuple(places), tuple(failed))

    def report(self, rows: Rows) -> Sequence[Figure]:
        """A figure for each sort of part, and one for what is flagged."""
        return [*(_agreement(rows, at, sort) for at, sort in enumerate(_SORTS)), _flagged(rows)]


_AXES = ("sort", "way")
_COLUMNS = (
    Column("pearson", "correlation of predicted and measured effects", _AXES),
    Column("spearman", "their rank correlation", _AXES),
    Column("sign", "part of the noticeable effects whose sign is as predicted", _AXES),
    Column("n", "how many parts were measured", ("sort",)),
    Column("repaired", "part of the parts whose effect is mostly made up for", ("sort",)),
    Column("reversed", "part of the parts whose effect has the other sign", ("sort",)),
    Column("prob", "probability of what is explained"),
)


def _row(effects: Sequence[Effect], prob: float) -> dict[str, Array]:
    found: dict[str, list[list[float]]] = {"pearson": [], "spearman": [], "sign": []}
    flags: dict[str, list[float]] = {"n": [], "repaired": [], "reversed": []}
    for kind in _SORTS.values():
        own = [one for one in effects if one.sites[0].kind is kind]
        agreement = agreement_of(own)
        for name, rows in found.items():
            rows.append([_number(agreement, way, name) for way in WAYS_OF_PREDICTING])
        n = max(1, len(own))
        flags["n"].append(len(own))
        flags["repaired"].append(sum(one.flag is Flag.REPAIRED for one in own) / n)
        flags["reversed"].append(sum(one.flag is Flag.REVERSED for one in own) / n)
    return {
        **{name: np.array(rows, np.float32) for name, rows in found.items()},
        **{name: np.array(row, np.float32) for name, row in flags.items()},
        "prob": np.array(prob, np.float32),
    }


def _number(agreement: Mapping[str, AgreementOfParts], way: str, name: str) -> float:
    value = getattr(agreement[way], name) if way in agreement else None
    return float("nan") if value is None else value


def _agreement(rows: Rows, at: int, sort: str) -> Figure:
    ways = [_NAMES[way] for way in WAYS_OF_PREDICTING]
    lines = [
        line("Pearson", rows["pearson"][:, at], within=(-1.0, 1.0)),
        line("Spearman", rows["spearman"][:, at], within=(-1.0, 1.0)),
        line("equal signs", rows["sign"][:, at], within=(0.0, 1.0)),
    ]
    said = ", ".join(
        f"{share_in_words(lines[2], place)} by {way}" for place, way in enumerate(ways)
    )
    says = f"The sign of the effect of {sort} that have a noticeable one is foretold for {said}."
    return bars_figure(
        f"agreement-{sort.lower()}", f"What foretells the effect of {sort}", says, lines,
        x_title="way to predict", y_title="agreement with measured effects", n=len(rows), x=ways,
    )  # fmt: skip


def _flagged(rows: Rows) -> Figure:
    lines = [
        line("repaired", rows["repaired"], within=(0.0, 1.0)),
        line("reversed", rows["reversed"], within=(0.0, 1.0)),
    ]
    says = (
        f"{share_in_words(lines[0], 0)} of heads are repaired (less than a quarter of the direct "
        f"effect is left) and {share_in_words(lines[1], 0)} reversed (it has the "
        "other sign); of MLPs "
        f"{share_in_words(lines[0], 1)} and {share_in_words(lines[1], 1)}."
    )
    return bars_figure(
        "flagged", "How often the model makes up for a part", says, lines, x_title="sort of part",
        y_title="part of all heads, of all MLPs", n=len(rows), x=list(_SORTS),
    )  # fmt: skip

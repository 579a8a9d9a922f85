"""A study of any question: some fields of its answer, over many prompts.

The question ``Explain`` with the fields ``target.prob,target.rank`` measures these two of every
prompt's graph. A field is a path of names and numbers (``predictions.0.prob``) that ends in a
number, a truth or a text, or in a list of numbers of the same length for every prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from visit.engine.options import option
from visit.engine.progress import Progress, part_of, silent
from visit.engine.protocol import Engine
from visit.engine.question_data import kinds_of_question
from visit.engine.questions import Question
from visit.engine.surveys import Survey
from visit.errors import RequestError
from visit.graph.request import Request
from visit.graph.studied.columns import Array, Column, Surveyed, Unmeasured
from visit.graph.studied.figure import Figure
from visit.studies.drawing import bars_figure, line, lines_figure, number_in_words
from visit.studies.rows import Prepared, Rows
from visit.studies.study import Prompt, Study

_TRIED = 8
"""Prompts that are asked at most to see whether an answer has the fields."""


@dataclass(frozen=True)
class OfQuestion(Study):
    """A question asked of every prompt, with its own defaults.

    Attributes:
        question: The question's type, by its name.
        fields: What is taken of each answer, separated by commas.
    """

    name = "question"
    version = 1
    title = "A question over many prompts"
    summary = "Some fields of a question's answer, of every prompt."

    question: str = option("Explain", "Question", "the question's type", letter="TYPE")
    fields: str = option(
        "target.prob", "Fields", "what is taken of each answer, separated by commas", letter="PATHS"
    )

    def __post_init__(self) -> None:
        """Refuse a question that cannot be asked of a prompt alone.

        Raises:
            RequestError: there is none of that name, or it needs more than a prompt; or no field.
        """
        kind = kinds_of_question().get(self.question)
        if kind is None:
            known = ", ".join(sorted(askable()))
            raise RequestError(f"there is no question {self.question!r}; give one of {known}")
        if self.question not in askable():
            needed = ", ".join(_needed(kind))
            raise RequestError(
                f"the question {self.question} needs more than a prompt ({needed}); give one of "
                f"{', '.join(sorted(askable()))}, or write a study of your own"
            )
        if not self._paths:
            raise RequestError("no field is given; give at least one, like target.prob")

    @property
    def _paths(self) -> list[str]:
        return [one.strip() for one in self.fields.split(",") if one.strip()]

    def prepare(
        self, engine: Engine, prompts: Sequence[Prompt], progress: Progress = silent
    ) -> Prepared:
        """Nothing; but a field that the first answer lacks is said before all are measured.

        Raises:
            RequestError: there is no such field, or it is nothing that a column holds.
        """
        for one in prompts[:_TRIED]:
            try:
                answer = self._ask(engine, one, progress)
            except RequestError:
                continue  # the fault of that prompt
            for path in self._paths:
                value_at(answer, path)
            break
        return {}

    def _ask(self, engine: Engine, prompt: Prompt, progress: Progress) -> object:
        kind = kinds_of_question()[self.question]
        return engine.ask(kind(Request(prompt.text, target=prompt.target or None)), progress)

    def measure(
        self,
        engine: Engine,
        prompts: Sequence[Prompt],
        prepared: Prepared,
        progress: Progress = silent,
    ) -> Surveyed:
        """The fields of each prompt's answer."""
        rows = list[list[Any]]()
        places, failed = list[int](), list[Unmeasured]()
        for place, one in enumerate(prompts):
            tell = part_of(progress, place / len(prompts), (place + 1) / len(prompts))
            try:
                answer = self._ask(engine, one, tell)
                rows.append([value_at(answer, path) for path in self._paths])
                places.append(place)
            except RequestError as problem:
                failed.append(Unmeasured(place, str(problem)))
        if not rows:
            return Surveyed((), {}, (), tuple(failed))
        values = {
            path: _column(path, [row[at] for row in rows]) for at, path in enumerate(self._paths)
        }
        columns = tuple(
            Column(path, f"{path} of the answer", ("place",) * (values[path].ndim - 1))
            for path in values
        )
        return Surveyed(columns, values, tuple(places), tuple(failed))

    def report(self, rows: Rows) -> Sequence[Figure]:
        """The mean of every number, and of every list by place."""
        numbers = {
            name: values.astype(float)
            for name, values in rows.values.items()
            if values.dtype.kind in "biuf"
        }
        plain = {name: values for name, values in numbers.items() if values.ndim == 1}
        figures = [
            lines_figure(
                name.replace(".", "-"), name, f"The mean of {name}, by place.",
                [line(name, values)], x_title="place", y_title=name, n=len(rows),
            )
            for name, values in numbers.items()
            if values.ndim == 2
        ]  # fmt: skip
        for name, values in plain.items():
            mean = line(name, values[:, None])
            figures.append(
                bars_figure(
                    name.replace(".", "-"), name, f"The mean is {number_in_words(mean, 0, 4)}.",
                    [mean], x_title="field", y_title=name, n=len(rows), x=[name],
                )
            )  # fmt: skip
        return figures


def askable() -> Mapping[str, type[Question[Any]]]:
    """The questions that need nothing but a prompt, by name; surveys ask of many already."""
    return {
        name: kind
        for name, kind in kinds_of_question().items()
        if not _needed(kind) and not issubclass(kind, Survey)
    }


def _needed(kind: type[Question[Any]]) -> list[str]:
    return [
        one.name
        for one in fields(kind)
        if one.name != "request" and one.default is MISSING and one.default_factory is MISSING
    ]


def value_at(answer: object, path: str) -> Any:
    """What stands at a path of an answer.

    Raises:
        RequestError: nothing does, or it is neither a number, a truth, a text nor a list of such.
    """
    value: Any = answer
    for step in path.split("."):
        try:
            if isinstance(value, Mapping):
                value = value[step]
            elif isinstance(value, Sequence) and not isinstance(value, str):
                value = value[int(step)]
            elif step.startswith("_"):
                raise AttributeError(step)
            else:
                value = getattr(value, step)
        except (AttributeError, KeyError, IndexError, ValueError):
            raise RequestError(
                f"the answer has no {path!r}: there is no {step!r} in a {type(value).__name__}; "
                f"it has {_offered(value)}"
            ) from None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Sequence) and all(isinstance(one, int | float) for one in value):
        return [float(one) for one in value]
    raise RequestError(
        f"{path!r} is a {type(value).__name__}; give a number, a text or a list of numbers; it has "
        f"{_offered(value)}"
    )


def _offered(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"0 to {len(value) - 1}" if value else "nothing"
    names = [name for name in dir(value) if not name.startswith("_")]
    return ", ".join(names) or "nothing"


def _column(path: str, found: Sequence[Any]) -> Array:
    if any(isinstance(one, str) for one in found):
        return np.array(["" if one is None else str(one) for one in found], dtype=object)
    lists = [one for one in found if isinstance(one, list)]
    if lists and len({len(one) for one in lists}) > 1:
        raise RequestError(f"{path} has other lengths for other prompts; give one of its places")
    width = len(lists[0]) if lists else 0
    nothing = [float("nan")] * width if lists else float("nan")
    return np.array([nothing if one is None else one for one in found], dtype=float)

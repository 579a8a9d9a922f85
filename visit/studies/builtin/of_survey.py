"""A study that asks one survey of its prompts: its columns and its options are the survey's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from visit.engine.options import Option, options_of
from visit.engine.progress import Progress, silent
from visit.engine.protocol import Engine
from visit.engine.surveys import Survey
from visit.graph.fields import plain_from_value
from visit.graph.studied.columns import Surveyed
from visit.studies.rows import Prepared
from visit.studies.study import Prompt, Study


class SurveyStudy(Study):
    """A study that asks one survey.

    Attributes:
        asks: Which.
    """

    asks: ClassVar[type[Survey]]

    def __init__(self, **chosen: Any) -> None:
        """Choose some of the survey's options; the others are as by default."""
        self._chosen = chosen

    @classmethod
    def choices(cls) -> tuple[Option, ...]:
        """What can be chosen of the survey."""
        return options_of(cls.asks)

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        """What was chosen, and the rest as it is by default."""
        question = self.asks.of((), **self._chosen)
        return {one.name: plain_from_value(getattr(question, one.name)) for one in self.choices()}

    def measure(
        self,
        engine: Engine,
        prompts: Sequence[Prompt],
        prepared: Prepared,
        progress: Progress = silent,
    ) -> Surveyed:
        """The survey's columns."""
        return ask(engine, self.asks, prompts, progress, **self._chosen)


def ask(
    engine: Engine,
    survey: type[Survey],
    prompts: Sequence[Prompt],
    progress: Progress = silent,
    **named: Any,
) -> Surveyed:
    """The answer to a survey of some prompts."""
    texts, targets = [one.text for one in prompts], [one.target for one in prompts]
    return engine.ask(survey.of(texts, targets, **named), progress)

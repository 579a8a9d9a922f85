"""What a study is: what it measures of prompts, and which figures it makes of all of them.

A study of one's own is a Python file with a subclass of ``Study``::

    from visit.engine.questions import Explain
    from visit.graph.request import Request
    from visit.studies import Study, columns_of
    from visit.studies.drawing import bars_figure, line, share_in_words

    class Confidence(Study):
        '''How sure the model is of its next token.'''

        name, version = "confidence", 1
        title = "Confidence"

        def measure(self, engine, prompts, prepared, progress):
            flows = [engine.ask(Explain(Request(one.text, effects=False))) for one in prompts]
            return columns_of(confidence=[flow.target.prob for flow in flows])

        def report(self, rows):
            mean = line("mean", rows["confidence"][:, None], within=(0, 1))
            says = f"The likeliest token has {share_in_words(mean, 0)}."
            return [bars_figure("confidence", "Confidence", says, [mean], x=["likeliest token"],
                                x_title="", y_title="probability", n=len(rows))]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import ClassVar

from visit.engine.options import Option, options_of
from visit.engine.progress import Progress, silent
from visit.engine.protocol import Engine
from visit.graph.fields import plain_from_value
from visit.graph.studied.columns import Surveyed
from visit.graph.studied.figure import Figure
from visit.studies.rows import Prepared, Rows


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt of a study.

    Attributes:
        id: Its place among all prompts of the study, from 0; a row is known by it.
        line: Where it stands in its file, from 1.
        text: What the model reads.
        target: Its right answer, or the token to explain; empty where none is named.
    """

    id: int
    line: int
    text: str
    target: str = ""


class Study(ABC):
    """One measurement over many prompts.

    Attributes:
        name: As the command line and the manifest call it.
        version: Of what is measured: rows of two versions are never mixed.
        title: What it is about.
        summary: What it asks, in a sentence or two.
        needs_targets: Whether every prompt must name its right answer.
        options: What was chosen, by name, in full; the manifest holds it.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    title: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    needs_targets: ClassVar[bool] = False

    @classmethod
    def choices(cls) -> tuple[Option, ...]:
        """What can be chosen: the fields made with ``option``, of a study that is a dataclass."""
        return options_of(cls) if is_dataclass(cls) else ()

    @property
    def options(self) -> Mapping[str, str | int | float | bool]:
        """What was chosen, and the rest as it is by default."""
        return {one.name: plain_from_value(getattr(self, one.name)) for one in self.choices()}

    def prepare(
        self, engine: Engine, prompts: Sequence[Prompt], progress: Progress = silent
    ) -> Prepared:
        """What is found out once, from all prompts of the study, before any row is measured."""
        return {}

    @abstractmethod
    def measure(
        self,
        engine: Engine,
        prompts: Sequence[Prompt],
        prepared: Prepared,
        progress: Progress = silent,
    ) -> Surveyed:
        """The numbers of some prompts; a prompt that cannot be measured is said, not raised.

        Args:
            engine: What answers questions; in a worker, a ``visit.Session``.
            prompts: Some of the study's.
            prepared: What ``prepare`` found.
            progress: Told the part that is done; what it raises ends the work.
        """

    @abstractmethod
    def report(self, rows: Rows) -> Sequence[Figure]:
        """The figures, the one that matters most first."""

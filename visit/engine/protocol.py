"""Who answers questions: an engine, in this process or elsewhere.

``visit.session.Session`` is the local one. A caller never sees a tensor, so any other engine (a
remote one, or one made for a test) can take its place.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from visit.engine.progress import Progress
from visit.engine.questions import Answer, Question


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model the engine can serve, as its picker shows it.

    Attributes:
        name: As a request names it.
        note: What stands beside the name.
        chat: Whether it has a chat template; ``None`` where that is not known, as before it is
            loaded. Likewise ``bos``, a BOS token.
    """

    name: str
    note: str
    chat: bool | None = None
    bos: bool | None = None


@runtime_checkable
class Engine(Protocol):
    """Answers questions. All methods may be called from any thread."""

    def models(self) -> tuple[ModelChoice, ...]:
        """The models to choose from, the resident one first."""
        ...

    def ask(self, question: Question[Answer], progress: Progress | None = None) -> Answer:
        """The answer to a question, of the type that the question names.

        Args:
            question: What is asked.
            progress: Told how far the answer is. What it raises ends the work.

        Raises:
            VisitError: the question cannot be answered; the text says why.
        """
        ...

    def submit(
        self, question: Question[Answer], progress: Progress | None = None, *, asker: object = None
    ) -> Future[Answer]:
        """The answer to come: as ``ask``, without a thread that waits for it.

        To cancel the future takes the question back: it leaves the line, or its work ends.

        Args:
            question: What is asked.
            progress: As in ``ask``; called from other threads, with the context of this call.
            asker: Who asks, such as a page. All askers have their turns, and each a limit.

        Raises:
            RequestError: too many questions wait already.
            VisitError: the question cannot be answered, as is known at once.
        """
        ...


@runtime_checkable
class Warming(Protocol):
    """An engine that cannot answer from the start, such as one that still fetches its model."""

    def ready(self) -> bool:
        """Whether a question would be answered by now."""
        ...

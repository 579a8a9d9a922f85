"""What the web app talks to: an engine that answers requests in plain types.

``visit.session.Session`` is the local one. The app never sees a tensor, so another engine (a
remote one, or one made for a test) serves as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from visit.graph.flow import FlowGraph, Node
from visit.graph.request import Request

Progress = Callable[[str, float], None]
"""Called with a stage in words and how far the whole is, 0 to 1; raise ``Cancelled`` to stop."""


def silent(stage: str, part: float) -> None:
    """The ``Progress`` that tells nobody."""


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
    """Answers requests. Every method may be called from any thread."""

    def models(self) -> tuple[ModelChoice, ...]:
        """The models that need no download, the resident one first."""
        ...

    def explain(self, request: Request, progress: Progress | None = None) -> FlowGraph:
        """Run the model once and take the forward pass apart.

        Raises:
            VisitError: the request cannot be served; the text says why.
        """
        ...

    def open(self, layer: int, position: int, request: Request | None = None) -> FlowGraph:
        """One block of an explained request, opened at one position.

        Args:
            layer: The block.
            position: The position.
            request: The request it belongs to; the last one explained when left out.

        Raises:
            VisitError: the layer or the position does not exist, or nothing was explained yet.
        """
        ...

    def lens(self, request: Request, positions: Sequence[int]) -> tuple[Node, ...]:
        """What every residual of some positions says: the embedding, then each layer's resid_post.

        Args:
            request: The request whose prompt and target they are read for.
            positions: Counted from the start of the prompt.

        Returns:
            A node for every position and depth, whether or not it is on the route.

        Raises:
            VisitError: a position does not exist, or the request cannot be served.
        """
        ...

    def pattern(self, layer: int, head: int, request: Request) -> tuple[tuple[float, ...], ...]:
        """One head's attention: a row for each reader, a column for each source; rows add to 1.

        Raises:
            VisitError: the layer or the head does not exist, or the request cannot be served.
        """
        ...


@runtime_checkable
class Warming(Protocol):
    """An engine that cannot answer from the start, such as one that still fetches its model."""

    def ready(self) -> bool:
        """Whether a request would be answered by now."""
        ...

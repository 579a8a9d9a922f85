"""How a reader wants the graph to look: how much of it, in which colours and widths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from visit.graph.ids import NodeId
from visit.graph.limits import MOST_KEPT
from visit.graph.parts import By
from visit.web.theme import PALETTES, SAFE, THEMES

COLOURINGS = {
    "kind": "kind",
    "rank": "target's rank",
    "entropy": "entropy",
    "logit": "direct logit",
    "difference": "difference to the other pass",
}
WIDTHS = {
    "carried": "part it carries",
    "norm": "norm",
    "share": "share",
    "logit": "direct logit",
}
FAMILY_WORDS = {
    "token": "token",
    "residual": "residual",
    "attention": "attention",
    "query": "query, key",
    "neuron": "neuron",
    "mlp": "MLP, memory",
    "rest": "rest, bias",
}
"""What the legend calls the families of nodes; memories' keys are with the MLP's."""


@dataclass(frozen=True, slots=True)
class Room:
    """How large the canvas is on the screen, in pixels."""

    width: float = 900.0
    height: float = 500.0


@dataclass(frozen=True, slots=True)
class Look:
    """What is drawn of a graph beside what is opened, and what colours and widths say.

    Attributes:
        theme: ``light`` or ``dark``.
        palette: One of ``PALETTES``.
        colouring: What a node's fill says: one of ``COLOURINGS``.
        width: What an edge's width says: one of ``WIDTHS``.
        hidden: The families of nodes that are hidden.
        count: How many of the strongest parts are drawn; as many as are legible when left out.
        by: What they are the strongest by; by flow as long as nothing is measured.
        kept: What is drawn whatever its strength.
        unfolded: The layers that are drawn though nothing of them is.
        room: The canvas.
    """

    theme: str = "light"
    palette: str = SAFE
    colouring: str = "kind"
    width: str = "carried"
    hidden: frozenset[str] = frozenset()
    count: int | None = None
    by: By = By.FLOW
    kept: frozenset[NodeId] = frozenset()
    unfolded: frozenset[int] = frozenset()
    room: Room = Room()

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Look:
        """As the browser sent it; what is not known is as by default."""
        hidden = data.get("hidden")
        return cls(
            theme=_one_of(THEMES, data.get("theme"), "light"),
            palette=_one_of(PALETTES, data.get("palette"), SAFE),
            colouring=_one_of(COLOURINGS, data.get("colouring"), "kind"),
            width=_one_of(WIDTHS, data.get("width"), "carried"),
            hidden=frozenset(map(str, hidden)) if isinstance(hidden, list) else frozenset(),
            count=next(iter(_numbers(data.get("parts"))), None),
            by=By(_one_of(tuple(By), data.get("by"), By.FLOW)),
            kept=frozenset(_ids(data.get("kept"))),
            unfolded=frozenset(_numbers(data.get("unfolded"))),
            room=_room(data.get("room")),
        )


def _numbers(said: Any) -> list[int]:
    """Whole numbers with a space between two."""
    words = said.split()[:MOST_KEPT] if isinstance(said, str) else []
    return [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 7]


def _ids(said: Any) -> Iterator[NodeId]:
    """Ids with a space between two; what is none is passed over."""
    for word in said.split()[:MOST_KEPT] if isinstance(said, str) else []:
        try:
            yield NodeId.parse(word)
        except ValueError:
            continue


def _room(said: Any) -> Room:
    if not (isinstance(said, list) and len(said) == 2):
        return Room()
    width, height = (min(max(float(s), 320.0), 4000.0) if _is_number(s) else 0.0 for s in said)
    return Room(width, height) if width and height else Room()


def _is_number(said: Any) -> bool:
    return isinstance(said, int | float) and math.isfinite(said)


def _one_of(known: Iterable[str], said: Any, default: str) -> str:
    return said if said in known else default

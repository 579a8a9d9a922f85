"""How a reader wants the graph to look: theme, palette, and what fills and widths say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from visit.web.theme import PALETTES, SAFE, THEMES

COLOURINGS = {
    "kind": "kind",
    "rank": "target's rank",
    "entropy": "entropy",
    "logit": "direct logit",
    "difference": "difference to the plain pass",
}
WIDTHS = {
    "carried": "part it carries",
    "norm": "norm",
    "share": "share",
    "logit": "direct logit",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What a drawing's colours and widths say.

    Attributes:
        theme: ``light`` or ``dark``.
        palette: One of ``PALETTES``.
        colouring: What a node's fill says: one of ``COLOURINGS``.
        width: What an edge's width says: one of ``WIDTHS``.
        level: Edges that carry less are hidden.
        hidden: The families of nodes that are hidden.
    """

    theme: str = "light"
    palette: str = SAFE
    colouring: str = "kind"
    width: str = "carried"
    level: float = 0.0
    hidden: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Look:
        """As the browser sent it; what is not known is as by default."""
        hidden = data.get("hidden")
        level = data.get("level")
        return cls(
            theme=_one_of(THEMES, data.get("theme"), "light"),
            palette=_one_of(PALETTES, data.get("palette"), SAFE),
            colouring=_one_of(COLOURINGS, data.get("colouring"), "kind"),
            width=_one_of(WIDTHS, data.get("width"), "carried"),
            level=float(level) if isinstance(level, int | float) else 0.0,
            hidden=frozenset(map(str, hidden)) if isinstance(hidden, list) else frozenset(),
        )


def _one_of(known: Iterable[str], said: Any, default: str) -> str:
    return said if said in known else default

"""The inspector's tabs, and what one may need that the document does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from visit.graph.flow import Node, NodeId


class Tab(StrEnum):
    """One side of a node; a panel shows one at a time."""

    WORDS = "words"
    LEDGER = "ledger"
    ATTENTION = "attention"
    PATH = "path"
    WHERE = "where"


TAB_WORDS = {
    Tab.WORDS: ("Words", "What it says in the model's vocabulary"),
    Tab.LEDGER: ("Ledger", "What adds up to it, and what it adds to"),
    Tab.ATTENTION: ("Attention", "Which tokens are read, and what is taken from them"),
    Tab.PATH: ("Path", "The strongest way through it, from the tokens to the output"),
    Tab.WHERE: ("Where", "At which depth the target is found"),
}


@dataclass(frozen=True, slots=True)
class Beside:
    """What an engine adds to the document for one tab; nothing, in the viewer.

    Attributes:
        pattern: The attention of the node's head, as ``Engine.pattern`` answers.
        lens: What the residuals at the node's position say, as ``Engine.lens`` answers.
    """

    pattern: tuple[tuple[float, ...], ...] | None = None
    lens: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class PatternOf:
    """One head's attention is wanted: what to ask ``Engine.pattern``."""

    layer: int
    head: int


@dataclass(frozen=True, slots=True)
class LensOf:
    """The residuals of some positions are wanted: what to ask ``Engine.lens``."""

    positions: tuple[int, ...]


def wants(tab: Tab, node_id: NodeId) -> PatternOf | LensOf | None:
    """What a tab needs of an engine to show a node in full; ``None`` where the document is enough.

    A tab can be shown without it too, and then says what the document knows.
    """
    if tab is Tab.ATTENTION and node_id.layer is not None and node_id.head is not None:
        return PatternOf(node_id.layer, node_id.head)
    if tab is Tab.WHERE:
        return LensOf((node_id.position,))
    return None

"""What a page shows beside its graph, a row a piece: the stores and the address follow from it.

A new piece of state is a row here and whatever uses it. The page carries the table as JSON, before
any script runs, and ``assets/app.js`` holds the state by it: each piece as ``visit.state.NAME``,
changed by ``visit.set``. ``assets/address.js`` reads and writes its part of the address. The view
(``state.view``), which says what graph is shown, is no row: the server makes it, and undo goes
through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from visit.web import ids


class Writing(StrEnum):
    """How the address says a piece; ``assets/address.js`` has the two ways of each."""

    TEXT = "text"
    WORDS = "words"
    """A set of words, a space between two."""
    PANE = "pane"
    """A pane's name, and the layer or the explorable that it shows."""
    FIELDS = "fields"
    """Texts by name, written as an address writes its own."""


class Store(StrEnum):
    """Who holds a piece."""

    NONE = "none"
    """The page's scripts alone; it goes with the page."""
    PAGE = "page"
    """A ``dcc.Store`` as well, from which the server's callbacks have it."""
    LOCAL = "local"
    """The page's scripts, and the browser's local storage for the next page."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a page's state.

    Attributes:
        name: What the scripts call it; its store's id, where it has one.
        default: What it is where nothing else is said, as JSON has it.
        key: The address's word for it; ``None`` keeps it out of links.
        writing: How the address says it.
        store: Who holds it.
        told: Whether the server puts it into its store, too.
        kept: Whether the browser keeps it for each prompt and model, beside the reader's notes
            (``assets/kept.js``).
    """

    name: str
    default: Any = None
    key: str | None = None
    writing: Writing = Writing.TEXT
    store: Store = Store.NONE
    told: bool = False
    kept: bool = False


TABLE = (
    Piece(ids.PICKED, key="pick", store=Store.PAGE),
    Piece(ids.TAB, default="words", key="tab", store=Store.PAGE),
    Piece(ids.PANE, default={"name": "flow"}, key="pane", writing=Writing.PANE, store=Store.PAGE),
    Piece("overview", default="parts", key="over"),
    Piece("rankedBy", default="effect", key="rank"),
    Piece("colouring", default="kind", key="colour", store=Store.LOCAL),
    Piece("width", default="carried", key="width", store=Store.LOCAL),
    Piece("palette", default="safe", store=Store.LOCAL),
    Piece(ids.PARTS, key="parts", store=Store.PAGE),
    Piece(ids.CHOSEN_BY, default="flow", key="drawn", store=Store.PAGE),
    Piece(ids.KEPT, key="keep", store=Store.PAGE),
    Piece(ids.UNFOLDED, key="unfold", store=Store.PAGE),
    Piece(ids.ROOM, store=Store.PAGE),
    Piece("hidden", default=(), key="hide", writing=Writing.WORDS),
    Piece("viewport", key="at"),
    Piece("theme", store=Store.LOCAL),
    Piece("dockOpen", store=Store.LOCAL),
    Piece("dockMeasure", default="rank", store=Store.LOCAL),
    Piece("dockWhole", default=False, store=Store.LOCAL),
    Piece(ids.FORM, default={"bos": None, "chat": False}, store=Store.PAGE, told=True),
    Piece(ids.SETTINGS, default={}, store=Store.PAGE, told=True),
    Piece(ids.POSITION, store=Store.PAGE, told=True),
    Piece(ids.CHOSEN, store=Store.PAGE, told=True),
    Piece("collected", default=(), key="off", writing=Writing.WORDS, kept=True),
    Piece(ids.HOW, default="zero", key="how", store=Store.PAGE),
    Piece(ids.SECOND, key="second", store=Store.PAGE),
    Piece(ids.SITE, store=Store.PAGE),
    Piece(ids.PREDICTED, default="flow", key="by", store=Store.PAGE),
    Piece(ids.CONTINUED, key="on", store=Store.PAGE, told=True),
    Piece(ids.EXPLORED_BY, default={}, key="with", writing=Writing.FIELDS, store=Store.PAGE),
)
"""In the order in which the address says them."""
STORES = tuple(piece.name for piece in TABLE if piece.store is Store.PAGE)
"""The ids of the stores that hold a piece each."""
TOLD = tuple(piece.name for piece in TABLE if piece.told)
"""Those of them that the server writes."""


PLACE = "state-table"
"""The id of the element in which a page carries the table."""


def data_from_table(table: Sequence[Piece] = TABLE) -> list[dict[str, Any]]:
    """The table as the page carries it."""
    return [asdict(piece) for piece in table]

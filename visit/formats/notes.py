"""A reader's notes as ``graph.annotations``, and back: inverse pairs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from visit.errors import DocumentError
from visit.graph.flow import NodeId, Note

_FIELDS = ("name", "text", "group", "pinned")


def data_from_notes(notes: Iterable[Note]) -> dict[str, Any]:
    """A reader's notes as ``graph.annotations``, one a node; the inverse of ``notes_from_data``."""
    return {
        "nodes": {
            str(note.node): {
                field: value
                for field in _FIELDS
                if (value := getattr(note, field)) not in (None, False)
            }
            for note in notes
        }
    }


def notes_from_data(data: dict[str, Any]) -> tuple[Note, ...]:
    """Read notes back, in the order of their nodes' ids; an empty one is none.

    A note may stand beside a node that the document does not hold, such as one of a block that
    was opened when it was made.

    Args:
        data: ``graph.annotations``, known to have its shape.

    Raises:
        DocumentError: one is beside something that is no node id, or spelled as none is.
    """
    notes = []
    for name, said in sorted(data.get("nodes", {}).items()):
        try:
            node_id = NodeId.parse(name)
        except ValueError as error:
            raise DocumentError(f"graph.annotations.nodes: {error}") from None
        if str(node_id) != name:  # or two spellings could be of one node
            raise DocumentError(
                f"graph.annotations.nodes: {name!r} is spelled otherwise, {str(node_id)!r}"
            )
        note = Note(node_id, **{field: said[field] for field in _FIELDS if field in said})
        if note != Note(node_id):
            notes.append(note)
    return tuple(notes)

"""What a reader's notes do wherever their nodes are shown.

A name stands in the place of the node's label; a group has a number, by which it gets a colour; and
what was written is said after what the node says itself. ``assets/offline/notes.js`` does the same
in a page that has no server.
"""

from __future__ import annotations

from collections.abc import Iterable

from visit.graph.flow import Note


def number_groups(notes: Iterable[Note]) -> dict[str, int]:
    """Number the groups by the order of their names, from 0."""
    names = sorted({note.group for note in notes if note.group})
    return {name: number for number, name in enumerate(names)}


def lines_of(note: Note) -> list[str]:
    """What a note says, a line each: its name, its text, its group."""
    group = note.group and f"group: {note.group}"
    return [line for line in (note.name, note.text, group) if line]

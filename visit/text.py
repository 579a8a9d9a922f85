"""How tokens are shown where a raw one would be invisible, or do harm.

A vocabulary holds spaces, line ends, terminal escapes and right-to-left marks. Shown unchanged,
they break a table or control the terminal.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import wcwidth

_SHOWN = {" ": "·", "\n": "↵", "\r": "␍", "\t": "⇥", "\u00a0": "⍽"}


def visible(text: str) -> str:
    r"""A token as one line of visible characters: ``·`` for a space, ``\x1b`` for an escape.

    The empty text shows as ``∅``. It is for reading, not for reading back.
    """
    if not text:
        return "∅"
    return "".join(_visible_character(character) for character in text)


def one_line(text: str) -> str:
    """Text as one line that leaves its spaces alone, for a prompt or a name."""
    return "".join(" " if character == " " else visible(character) for character in text)


def escape(character: str) -> str:
    r"""Spell a character as Python would write it: ``\x1b``, ``\u202e``."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def n_columns(text: str) -> int:
    """How many terminal columns the text takes: wide characters two, combining ones none."""
    return wcwidth.width(text, control_codes="ignore")


def pad(text: str, width: int) -> str:
    """Fill a text with spaces up to a width in terminal columns."""
    return text + " " * (width - n_columns(text))


def shorten(text: str, width: int) -> str:
    """Cut a text, with an ellipsis, so that it takes at most a width in terminal columns.

    What is one character to a reader, such as a letter with its accent, stays whole. In no width
    at all there is room for nothing.
    """
    if n_columns(text) <= width:
        return text
    if width < 1:
        return ""
    # A character's width can depend on those around it, so each try measures from the start.
    ends = list(accumulate(map(len, wcwidth.iter_graphemes(text)), initial=0))
    n_kept = bisect_right(ends, width, key=lambda end: n_columns(text[:end] + "…"))
    return text[: ends[n_kept - 1]] + "…"


def align(rows: Sequence[tuple[str, ...]], numeric: set[int]) -> list[str]:
    """Lay out rows as lines of equal columns, two spaces apart, numbers flush right."""
    widths = [max(map(n_columns, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if index in numeric else pad(cell, width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(" " + "  ".join(cells).rstrip())
    return lines


def duration(seconds: float) -> str:
    """A time as people say it: ``4.2 s``, ``12 min``, ``3.5 h``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def size(n_bytes: int) -> str:
    """A size as people say it: ``980 B``, ``3.7 MB``."""
    value, units = float(n_bytes), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.3g} {units[0]}"


def _visible_character(character: str) -> str:
    if character in _SHOWN:
        return _SHOWN[character]
    # Printable leaves out controls, marks of direction, lone surrogates and every odd space.
    return character if character.isprintable() else escape(character)

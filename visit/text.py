r"""How tokens are shown where a raw one would be invisible, or do harm.

A vocabulary holds spaces, line ends, terminal escapes and right-to-left marks. Shown unchanged,
they break a table or control the terminal. It also holds lone bytes, which a token's text has as
``\xe6``: the character that they are of shows only beside the tokens around them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import wcwidth

_EMPTY = "∅"
_MARKS = {" ": "·", "\n": "↵", "\r": "␍", "\t": "⇥", "\u00a0": "⍽"}
# Printable to Python, and yet nothing to see: fillers, joiners, inherent vowels and selectors.
# Source: Default_Ignorable_Code_Point of Unicode 16, and what is blank by its name.
_UNSEEN = (
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2800, 0x2D7F, 0x3164),
    *(*range(0xFE00, 0xFE10), 0xFFA0, 0x1107F, 0x16FE4, 0x1D159, *range(0xE0100, 0xE01F0)),
)
_BYTE = re.compile(r"\\x([89a-f][0-9a-f])")


def escape(character: str) -> str:
    r"""Spell a character as Python reads it: ``\x1b``, ``\u202e``.

    From 128 on, ``\xe6`` is a byte, and the letter ``\u00e6``.
    """
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_SHOWN = str.maketrans(
    {mark: escape(mark) for mark in _MARKS.values()}
    | _MARKS
    | {chr(code): escape(chr(code)) for code in _UNSEEN}
)
_UNMARKED = str.maketrans({mark: text for text, mark in _MARKS.items()})
_LEFT_IN_LINE = {ord(mark) for mark in (" ", *_MARKS.values())}
_SHOWN_IN_LINE = {code: text for code, text in _SHOWN.items() if code not in _LEFT_IN_LINE}
_LETTERS_A_COLUMN = 64
"""How many letters are looked at for each column; what is one to a reader has ten, seldom more."""


def visible(text: str) -> str:
    r"""A token as one line of visible characters: ``·`` for a space, ``\x1b`` for an escape.

    The empty text shows as ``∅``. What looks like such a mark itself is escaped: ``\u00b7``. It is
    for reading, not for reading back.
    """
    if text in ("", _EMPTY):
        return escape(text) if text else _EMPTY
    return _escape_unprintable(text.translate(_SHOWN))


def visible_neighbours(texts: Sequence[str]) -> tuple[str, ...]:
    r"""Tokens that follow each other, each as ``visible`` shows it, or as what it is a piece of.

    Where bytes of neighbours make a character, each of them is shown as that character and marked
    as one piece of several: ``日 1/3``, ``日 2/3``, ``日 3/3`` for ``\xe6``, ``\x97``, ``\xa5``. A
    token with the end of one character and the start of the next is shown as both. The mark's
    space tells it from text, whose spaces are shown as ``·``.
    """
    if not any(map(_BYTE.search, texts)):
        return tuple(map(visible, texts))
    shown = [""] * len(texts)
    goes_on = [False] * len(texts)  # into the next token, with a character of both
    for character in _characters(texts):
        for token in range(character.first, character.last + 1):
            shown[token] += visible(character.text)
        for token in range(character.first, character.last):
            goes_on[token] = True
    run: list[int] = []
    for token, goes in enumerate(goes_on):
        run.append(token)
        if goes:
            continue
        if len(run) > 1:
            for number, piece in enumerate(run, start=1):
                shown[piece] += f" {number}/{len(run)}"
        run = []
    return tuple(
        shown[token] if _BYTE.search(text) else visible(text) for token, text in enumerate(texts)
    )


def join_neighbours(texts: Sequence[str]) -> str:
    r"""What tokens say that stand one after another; a byte of no character stays ``\xe6``."""
    return "".join(character.text for character in _characters(texts))


def unmark(text: str) -> str:
    """A text with the marks that ``visible`` writes turned back into what they stand for."""
    return text.translate(_UNMARKED)


def one_line(text: str) -> str:
    """Text as one line that leaves its spaces alone, for a prompt or a name."""
    return _escape_unprintable(text.translate(_SHOWN_IN_LINE))


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
    # What stands beyond has no room, and measuring some scripts takes the square of their length.
    near = text[: _LETTERS_A_COLUMN * (max(width, 0) + 1)]
    if len(near) == len(text) and n_columns(text) <= width:
        return text
    if width < 1:
        return ""
    # A character's width can depend on those around it, so each try measures from the start.
    ends = list(accumulate(map(len, wcwidth.iter_graphemes(near)), initial=0))
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


def counted(number: int, what: str) -> str:
    """How many of a thing, in words: ``1 prompt``, ``2 prompts``."""
    return f"{number} {what}" if number == 1 else f"{number} {several(what)}"


def several(what: str) -> str:
    """A noun's plural: ``prompts``, ``memories``, ``keys``."""
    ends_in_y = what.endswith("y") and what[-2:-1] not in tuple("aeiou")
    return f"{what[:-1]}ies" if ends_in_y else f"{what}s"


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


def _escape_unprintable(text: str) -> str:
    """Printable leaves out controls, marks of direction, lone surrogates and every odd space."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else escape(c) for c in text)


@dataclass(frozen=True, slots=True)
class _Character:
    """What stands in tokens: a character of several, a text of one, or a byte of no character.

    ``first`` and ``last`` are the tokens with a part of it.
    """

    text: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Unit:
    """A text of a token, or a byte of it that may be of a character of several tokens."""

    text: str
    token: int
    byte: int | None = None


def _characters(texts: Sequence[str]) -> Iterator[_Character]:
    """What tokens say one after another, in pieces that are cut at every byte."""
    units = [unit for token, text in enumerate(texts) for unit in _units(text, token)]
    at = 0
    while at < len(units):
        whole = _whole(units[at : at + 4])
        yield whole or _Character(units[at].text, units[at].token, units[at].token)
        at += 1 if whole is None else len(whole.text.encode())


def _units(text: str, token: int) -> Iterator[_Unit]:
    """A token's lone bytes, and the texts between them."""
    at = 0
    for found in _BYTE.finditer(text):
        if at < found.start():
            yield _Unit(text[at : found.start()], token)
        yield _Unit(found[0], token, int(found[1], 16))
        at = found.end()
    if at < len(text):
        yield _Unit(text[at:], token)


def _whole(units: Sequence[_Unit]) -> _Character | None:
    """The character that units begin with as bytes of several tokens; one token's it spells."""
    for n_bytes in range(2, 5):
        taken = [unit.byte for unit in units[:n_bytes] if unit.byte is not None]
        first, last = units[0].token, units[min(n_bytes, len(units)) - 1].token
        if len(taken) < n_bytes:
            return None
        try:
            text = bytes(taken).decode()
        except UnicodeDecodeError:
            continue
        return _Character(text, first, last) if first < last else None
    return None


def percent(part: float) -> str:
    """A probability or another part of 1, with as many digits as can be read."""
    value = 100 * part
    if value >= 99.95:
        return f"{value:.0f} %" if part >= 1 else "> 99.9 %"
    if value >= 0.1:
        return f"{value:.1f} %"
    return "0 %" if value == 0 else "< 0.1 %"

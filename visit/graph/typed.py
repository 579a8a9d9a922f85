r"""A token as it is typed: exactly its text, with a backslash before what no key writes.

``\n``, ``\r`` and ``\t`` are controls, ``\u200b`` and ``\U0001f469`` characters, ``\xe6`` a byte,
``\\`` a backslash, and ``\#123`` alone is the token with that id. Any other backslash is itself.
"""

from __future__ import annotations

import re

from visit.text import one_line

_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(
    r"(?P<bytes>(?:\\x[0-9a-fA-F]{2})+)"
    r"|\\u(?P<short>[0-9a-fA-F]{4})|\\U(?P<long>[0-9a-fA-F]{8})|\\(?P<letter>[nrt\\])"
)
_ID = re.compile(r"\\#([0-9]+)", re.ASCII)
_BYTES = re.compile(r"(\\x[89a-f][0-9a-f])")
_SPELLED = {text: f"\\{letter}" for letter, text in _CONTROLS.items()} | {
    "\\": "\\\\",
    "\u00a0": "\\u00a0",
}


def token_from_typed(typed: str) -> str | int:
    r"""A token's text as documents have it, its lone bytes like ``\xe6``, or its id, as typed."""
    named = _ID.fullmatch(typed)
    return int(named[1]) if named else _ESCAPE.sub(_read, typed)


def typed_from_token(token: str | int) -> str:
    """How a text or an id is typed; the inverse of ``token_from_typed``."""
    if isinstance(token, int):
        return f"\\#{token}"
    bytes_and_others = _BYTES.split(token)
    return "".join(
        piece if _BYTES.fullmatch(piece) else "".join(_SPELLED.get(c) or one_line(c) for c in piece)
        for piece in bytes_and_others
    )


def quote_typed(text: str) -> str:
    """A token's text in a message, as it is typed, between quotes."""
    return f"'{typed_from_token(text)}'"


def _read(escape: re.Match[str]) -> str:
    if escape["bytes"]:
        raw = bytes.fromhex(escape["bytes"].replace("\\x", ""))
        return raw.decode("utf-8", "backslashreplace")
    if escape["letter"]:
        return _CONTROLS.get(escape["letter"], "\\")
    code = int(escape["short"] or escape["long"], 16)
    is_character = code <= 0x10FFFF and not 0xD800 <= code < 0xE000
    return chr(code) if is_character else escape[0]

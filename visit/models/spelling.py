"""The text that one entry of a vocabulary stands for.

Vocabularies spell text in their own ways: GPT-2's with a letter for every byte, SentencePiece's
with ``▁`` for a space and ``<0xE6>`` for a lone byte, WordPiece's as it is. Which one it is, the
tokenizer's own decoder says; what that does to a single piece is done here, byte for byte, where
the decoder itself would put a replacement mark for a fragment and drop a leading space.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

Spelling = Callable[[str], str]
"""From a vocabulary's piece to its text; a byte that is no character is written ``\\xe6``."""

_WORD_START = "▁"
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def spelling_of(backend: Any) -> Spelling:
    """How a tokenizer spells.

    Args:
        backend: Its ``tokenizers.Tokenizer``; ``None`` for one in Python alone, which is taken for
            SentencePiece's.
    """
    if backend is None:
        return _sentencepiece({_WORD_START: " "}, with_bytes=True)
    decoders = [] if backend.decoder is None else list(_steps(json.loads(_state(backend.decoder))))
    kinds = {step["type"] for step in decoders}
    if "ByteLevel" in kinds:
        return byte_level
    spaces = dict(filter(None, map(_find_replaced, decoders)))
    return _sentencepiece(spaces, with_bytes="ByteFallback" in kinds)


def is_byte(piece: str) -> bool:
    """Whether a piece looks like SentencePiece's for one byte."""
    return _BYTE.fullmatch(piece) is not None


def _state(decoder: Any) -> str:
    """A decoder as ``tokenizer.json`` has it; the Rust object exposes it only to pickle."""
    return bytes(decoder.__getstate__()).decode("utf-8")


def _steps(decoder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if decoder["type"] != "Sequence":
        yield decoder
        return
    for step in decoder["decoders"]:
        yield from _steps(step)


def _find_replaced(step: dict[str, Any]) -> tuple[str, str] | None:
    """What a decoder writes something else for, wherever it stands."""
    if step["type"] == "Metaspace":
        return str(step.get("replacement", _WORD_START)), " "
    if step["type"] == "Replace" and "String" in step["pattern"]:
        return str(step["pattern"]["String"]), str(step["content"])
    return None


def _sentencepiece(replaced: dict[str, str], *, with_bytes: bool) -> Spelling:
    def spell(piece: str) -> str:
        byte = _BYTE.fullmatch(piece) if with_bytes else None
        if byte is not None:
            return _text(bytes.fromhex(byte[1]))
        for written, meant in replaced.items():
            piece = piece.replace(written, meant)
        return piece

    return spell


def byte_level(piece: str) -> str:
    """The text of a byte-level vocabulary's piece."""
    try:
        raw = piece.translate(_bytes_of_letters()).encode("latin-1")
    except UnicodeEncodeError:
        return piece  # no piece of bytes: the decoder takes it as it is, too
    return _text(raw)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")


@cache
def _bytes_of_letters() -> dict[int, int]:
    """The byte behind each letter of a byte-level vocabulary, for ``str.translate``.

    Printable Latin-1 bytes stand for themselves, the others for the letters from U+0100 on.

    Source: Radford et al. 2019 (GPT-2), ``bytes_to_unicode``.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = sorted(set(range(256)) - printable)
    # A letter that stands for no byte maps outside the range of bytes.
    stray = dict.fromkeys(others, 0x100)
    return stray | {0x100 + offset: byte for offset, byte in enumerate(others)}

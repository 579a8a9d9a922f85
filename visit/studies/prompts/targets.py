"""How the right answer to a prompt is written, so that its first token is the one that comes."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNSPACED: Final = frozenset(
    {"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "YI"}
)
"""The scripts that write no spaces between words, as the names of their letters begin."""
_OPENING: Final = frozenset({"Ps", "Pi", "Sc"})
"""Categories of what stands right before a word: brackets, quotes, signs of money."""
_JOINING: Final = frozenset({"Pd", "Pc"})
"""Categories of what joins two words: hyphens and dashes, underscores."""


def spaced_target(prompt: str, target: str) -> str:
    """The answer with the space that stands before it in running text.

    To most tokenizers "Antarctica" and " Antarctica" are different tokens, and files of prompts
    hardly ever have the space. One is put before an answer that starts with a letter or a digit,
    unless the prompt ends in white space, in what joins two words (a hyphen, a slash) or in what
    stands right before one (an opening bracket or quote, a sign of money), and unless the answer's
    script writes none between words. An answer that starts with anything else is left as it is: a
    space, a full stop, an apostrophe.
    """
    if not target[:1].isalnum() or _is_open(prompt):
        return target
    script = unicodedata.name(target[0], "").partition(" ")[0]
    return target if script in _UNSPACED else f" {target}"


def _is_open(prompt: str) -> bool:
    """Whether a word follows the prompt without a space."""
    last, before = prompt[-1:], prompt[-2:-1]
    if not last or last.isspace():
        return True
    is_glued = bool(before) and not before.isspace()
    kind = unicodedata.category(last)
    if kind in _JOINING or last in "/\\":
        return is_glued
    if last in "\"'`":  # straight quotes open after a space or a bracket
        return not is_glued or unicodedata.category(before) in _OPENING
    return kind in _OPENING or last in "#@¿¡"

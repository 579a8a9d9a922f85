"""Tokens as they are: prompts to ids, and each id to the very text it stands for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING

from visit.errors import RequestError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_WORD_START = "▁"  # what SentencePiece writes for a space


class Tokens:
    """A model's tokens. ``text`` is the one function that spells them, spaces and bytes and all."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, d_vocab: int) -> None:
        self._tokenizer = tokenizer
        self._d_vocab = d_vocab
        self._special = {
            id_: str(added) for id_, added in getattr(tokenizer, "added_tokens_decoder", {}).items()
        }
        decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
        self._is_byte_level = "ByteLevel" in repr(decoder)
        self._texts: dict[int, str] = {}

    def ids(self, prompt: str) -> tuple[int, ...]:
        """The prompt's token ids, with whatever the tokenizer adds by itself (a BOS, say).

        Raises:
            RequestError: the model has no embedding for one of them.
        """
        ids = tuple(self._tokenizer(prompt)["input_ids"])
        self._check_known(ids)
        return ids

    def text(self, id_: int) -> str:
        r"""The text a token stands for: leading space kept, lone bytes written like ``\xe6``."""
        if id_ not in self._texts:
            self._texts[id_] = self._spell(id_)
        return self._texts[id_]

    def single(self, text: str, role: str) -> int:
        """The id of the one token that the text is.

        Args:
            text: The text, leading space and all.
            role: What the token is asked for as, for the message: ``target``, say.

        Raises:
            RequestError: the text is no token or several; the message offers the nearest.
        """
        ids = self._by_text.get(text)
        if ids is not None:
            return ids
        pieces = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(pieces) == 1:
            self._check_known(pieces)
            return int(pieces[0])
        split = " + ".join(repr(self.text(piece)) for piece in pieces) or "nothing"
        near = self._nearest(text)
        offer = f", such as {' or '.join(map(repr, near))}" if near else ""
        raise RequestError(
            f"{role} {text!r} is {len(pieces)} tokens ({split}); give a single token{offer}"
        )

    def _check_known(self, ids: Sequence[int]) -> None:
        """Refuse tokens that the tokenizer has and the model has not."""
        beyond = next((id_ for id_ in ids if id_ >= self._d_vocab), None)
        if beyond is not None:
            raise RequestError(
                f"token {self.text(beyond)!r} has id {beyond}, but the model knows ids 0 to "
                f"{self._d_vocab - 1}: its tokenizer is of a larger model; leave the token out"
            )

    def _nearest(self, text: str) -> list[str]:
        """Tokens like the text, best first: with a space before it, then alike in spelling."""
        spaced = [f" {text}"] if f" {text}" in self._by_text else []
        alike = difflib.get_close_matches(f" {text.strip()}", self._by_text, n=3, cutoff=0.6)
        return list(dict.fromkeys([*spaced, *alike]))[:3]

    @cached_property
    def _by_text(self) -> dict[str, int]:
        n_tokens = min(len(self._tokenizer), self._d_vocab)
        texts = {self.text(id_): id_ for id_ in reversed(range(n_tokens))}
        return {text: id_ for text, id_ in texts.items() if text}

    def _spell(self, id_: int) -> str:
        if id_ in self._special:
            return self._special[id_]
        if id_ >= len(self._tokenizer):
            return f"<unused {id_}>"  # the unembedding is padded beyond the vocabulary
        piece = str(self._tokenizer.convert_ids_to_tokens(id_))
        if self._is_byte_level:
            raw = bytes(_byte_of_letter()[letter] for letter in piece)
            return raw.decode("utf-8", errors="backslashreplace")
        if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
            return bytes([int(piece[3:5], 16)]).decode("utf-8", errors="backslashreplace")
        return piece.replace(_WORD_START, " ")


@cache
def _byte_of_letter() -> dict[str, int]:
    """The byte behind each letter of a byte-level vocabulary.

    Printable Latin-1 bytes stand for themselves, the others for the letters from U+0100 on.

    Source: Radford et al. 2019 (GPT-2), ``bytes_to_unicode``.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + offset): byte for offset, byte in enumerate(others)
    }

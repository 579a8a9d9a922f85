"""Tokens as they are: prompts to ids, and each id to the very text it stands for."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from visit.errors import RequestError
from visit.graph.chat import messages_from_prompt
from visit.graph.flow import Token
from visit.graph.request import Request
from visit.graph.typed import quote_typed, typed_from_token
from visit.models.prompts import Piece, pieces_of_chat, pieces_of_text
from visit.models.spelling import byte_level, is_byte, spelling_of
from visit.text import shorten, unmark

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


_N_LISTED, _LONGEST_ASKED = 8, 40


class Tokens:
    """A model's tokens. ``text`` is the one function that spells them, spaces and bytes and all."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, d_vocab: int) -> None:
        self._tokenizer = tokenizer
        self._d_vocab = d_vocab
        backend = getattr(tokenizer, "backend_tokenizer", None)
        self._spelling = spelling_of(backend)
        # transformers' annotation claims that every id has a piece.
        self._piece: Any = getattr(backend, "id_to_token", tokenizer.convert_ids_to_tokens)
        self._added = dict(getattr(tokenizer, "added_tokens_decoder", {}))
        self._special = {id_ for id_, added in self._added.items() if added.special}
        self._special.update(tokenizer.all_special_ids)
        self._texts = _Texts(self._spell)
        # Asked of the same request again and again: for its trace, its graph, another target.
        self._read = lru_cache(maxsize=4)(self._read)  # type: ignore[method-assign]

    @property
    def has_bos(self) -> bool:
        """Whether there is a BOS token to begin with."""
        return self._tokenizer.bos_token_id is not None

    def begins_with_bos(self, ids: Sequence[int]) -> bool:
        """Whether the first token is the BOS."""
        return self.has_bos and bool(ids) and ids[0] == self._tokenizer.bos_token_id

    @property
    def has_chat(self) -> bool:
        """Whether there is a chat template."""
        return bool(self._tokenizer.chat_template)

    @cached_property
    def sha256(self) -> str:
        """Of the vocabulary: two tokenizers with the same one spell every id alike."""
        decoder = getattr(getattr(self._tokenizer, "backend_tokenizer", None), "decoder", None)
        words = json.dumps([sorted(self._tokenizer.get_vocab().items()), repr(decoder)])
        return hashlib.sha256(words.encode()).hexdigest()

    def read(self, request: Request) -> tuple[Token, ...]:
        """The tokens that the model reads for a request, in order.

        Raises:
            RequestError: it asks for a BOS or a chat template that the model has not, or for a
                chat that the template does not take; or the tokenizer makes a token of it that
                the model has no embedding for, or it names one by id.
        """
        return self._read(request.prompt, request.bos, request.chat, request.prompt_ids)

    def _read(
        self, prompt: str, bos: bool | None, chat: bool, ids: tuple[int, ...] | None
    ) -> tuple[Token, ...]:
        roles: list[str] = []
        if ids is not None:
            for index, id_ in enumerate(ids):
                self._check_named(id_, f"prompt_ids[{index}]")
            pieces = tuple(map(Piece, ids))
        elif chat:
            messages = messages_from_prompt(prompt)
            pieces = pieces_of_chat(self._tokenizer, messages, bos)
            roles = [message.role for message in messages]
        else:
            pieces = pieces_of_text(self._tokenizer, prompt, bos)
        self._check_known([piece.id for piece in pieces])
        return tuple(
            Token(
                position,
                piece.id,
                self.text(piece.id),
                piece.id in self._special,
                piece.message,
                None if piece.message is None else roles[piece.message],
            )
            for position, piece in enumerate(pieces)
        )

    def continued(self, request: Request, text: str) -> tuple[int, ...]:
        """The tokens of a text that stands after a request's prompt.

        They are those that the tokenizer makes of prompt and text together, where it leaves the
        prompt's as they are; else, and where the prompt is a chat or ids, those of the text alone.

        Raises:
            RequestError: the tokenizer makes a token of it that the model has no embedding for.
        """
        if not text:
            return ()
        before = [token.id for token in self.read(request)]
        if request.prompt_ids is None and not request.chat:
            pieces = pieces_of_text(self._tokenizer, request.prompt + text, request.bos)
            whole = [piece.id for piece in pieces]
            if whole[: len(before)] == before:
                self._check_known(whole)
                return tuple(whole[len(before) :])
        made = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = tuple(int(id_) for id_ in made)
        self._check_known(ids)
        return ids

    def offsets(self, text: str, n_tokens: int) -> list[tuple[int, int]]:
        """Where in a text each token stands that the model reads of it.

        Args:
            text: The prompt.
            n_tokens: How many the model reads: those that are put before the text stand nowhere.

        Raises:
            RequestError: the tokenizer does not know.
        """
        if not self._tokenizer.is_fast:
            raise RequestError(
                "this model's tokenizer does not say where in a text its tokens stand; give "
                "prompts of equal length without a template"
            )
        read = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        found = [(int(start), int(stop)) for start, stop in read["offset_mapping"]]
        return [(0, 0)] * (n_tokens - len(found)) + found[max(0, len(found) - n_tokens) :]

    def text(self, id_: int) -> str:
        r"""The text a token stands for: leading space kept, lone bytes written like ``\xe6``."""
        return self._texts[id_]

    def texts(self, ids: Iterable[int]) -> list[str]:
        """The texts that tokens stand for, each as ``text`` has it."""
        return [self._texts[id_] for id_ in ids]

    def single(self, text: str, role: str) -> int:
        """The id of the one token that the text is.

        Of several that stand for the same text it is the one the tokenizer itself makes of it.

        Args:
            text: The text, leading space and all.
            role: What the token is asked for as, for the message: ``target``, say.

        Raises:
            RequestError: the text is no token or several; the message lists these, each with its
                id as it is typed, and offers the nearest.
        """
        pieces = [int(id_) for id_ in self._tokenizer(text, add_special_tokens=False)["input_ids"]]
        if len(pieces) == 1 and self.text(pieces[0]) == text:
            self._check_known(pieces)
            return pieces[0]
        id_ = self._by_text.get(text)
        if id_ is not None:
            return id_
        listed = [f"{quote_typed(self.text(piece))} {typed_from_token(piece)}" for piece in pieces]
        if len(listed) > _N_LISTED:
            listed[_N_LISTED:] = [f"{len(listed) - _N_LISTED} more"]
        split = " + ".join(listed) or "nothing"
        count = f"{len(pieces)} tokens" if len(pieces) != 1 else "another token"
        offers = [*map(quote_typed, self._nearest(text)), *map(typed_from_token, pieces[:1])]
        offer = f", such as {' or '.join(offers)}" if offers else ""
        asked = quote_typed(shorten(text, _LONGEST_ASKED))
        raise RequestError(f"{role} {asked} is {count} ({split}); give a single token{offer}")

    def named(self, token: str | int, role: str) -> int:
        """The id of a token that is named by its text or its id.

        Raises:
            RequestError: the model has no such token.
        """
        if isinstance(token, str):
            return self.single(token, role)
        self._check_named(token, role)
        return token

    def target_id(self, request: Request) -> int | None:
        """The token that a request asks to be explained; ``None`` for the model's own top token.

        Raises:
            RequestError: the model has no such token.
        """
        return self._find_named(request.target_id, request.target, "target")

    def versus_id(self, request: Request) -> int | None:
        """The token that a request compares its target with; ``None`` for none.

        Raises:
            RequestError: the model has no such token.
        """
        return self._find_named(request.versus_id, request.versus, "versus")

    def spell_out(self, request: Request) -> Request:
        """The request with a text for whatever it names by id alone: the same question, to read."""
        prompt, target, versus = request.prompt, request.target, request.versus
        if request.prompt_ids is not None:
            prompt = prompt or self._decode(request.prompt_ids)
        if request.target_id is not None and target is None:
            target = self.text(request.target_id)
        if request.versus_id is not None and versus is None:
            versus = self.text(request.versus_id)
        return replace(request, prompt=prompt, target=target, versus=versus)

    def _find_named(self, id_: int | None, text: str | None, role: str) -> int | None:
        """A token by its id where there is one, or else by its text."""
        if id_ is not None:
            self._check_named(id_, f"{role}_id")
            return id_
        return None if text is None else self.single(text, role)

    def _decode(self, ids: Sequence[int]) -> str:
        return str(
            self._tokenizer.decode(
                list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def _check_named(self, id_: int, where: str) -> None:
        """Refuse an id that the model has no token for."""
        if id_ >= self._d_vocab:
            raise RequestError(
                f"{where} is {id_}; the model knows ids 0 to {self._d_vocab - 1}; give one of them"
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
        """Tokens like the text, best first: with a space before it, or for a mark; then alike."""
        spaced = [near for near in (f" {text}", unmark(text)) if near in self._by_text]
        alike = difflib.get_close_matches(f" {text.strip()}", self._by_text, n=3, cutoff=0.6)
        return list(dict.fromkeys([*spaced, *filter(str.strip, alike)]))[:3]

    @cached_property
    def _by_text(self) -> dict[str, int]:
        """The token of each text; if several have one text, a letter's wins over a byte's."""
        vocabulary = self._tokenizer.get_vocab().items()
        pieces = {id_: piece for piece, id_ in vocabulary if id_ < self._d_vocab}
        order = sorted(pieces, key=lambda id_: (is_byte(pieces[id_]), id_), reverse=True)
        texts = {self.text(id_): id_ for id_ in order}
        return {text: id_ for text, id_ in texts.items() if text}

    def _spell(self, id_: int) -> str:
        added = self._added.get(id_)
        # A special token is what it says; so is any that was added where pieces are bytes.
        if added is not None and (added.special or self._spelling is byte_level):
            return str(added)
        piece = self._piece(id_)
        if piece is None:
            return f"<unused {id_}>"  # the unembedding is padded beyond the vocabulary
        return self._spelling(piece)


class _Texts(dict[int, str]):
    """The text of each token, spelled when it is first asked for."""

    def __init__(self, spell: Callable[[int], str]) -> None:
        super().__init__()
        self._spell = spell

    def __missing__(self, id_: int) -> str:
        text = self[id_] = self._spell(id_)
        return text

"""From what is asked to the ids the model reads: BOS, chat templates, and each token's message.

A chat goes through the tokenizer's own ``apply_chat_template``; the model's answer is begun, or a
last assistant message continued. Which tokens are a message's content is found exactly: the chat
is rendered once more with the content between two marks, and where that, less the marks, is the
same text, the marks say where the content stands in it. If the template rewrites or
omits a message, the texts differ and no token is marked as belonging to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from visit.errors import RequestError
from visit.graph.chat import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PRIVATE_USE = range(0xF0000, 0xFFFFE)


@dataclass(frozen=True, slots=True)
class Piece:
    """A token that the model reads, and the message whose content it is of, if it is of one."""

    id: int
    message: int | None = None


def pieces_of_text(
    tokenizer: PreTrainedTokenizerBase, text: str, bos: bool | None
) -> tuple[Piece, ...]:
    """The tokens of a text, with whatever the tokenizer puts before it by itself.

    A BOS that the text writes out is not doubled. What the tokenizer would put after the text, an
    end mark such as ``[SEP]`` or ``</s>``, is left off: what is explained is what follows the text.
    A mark that the text writes out stays.

    Args:
        tokenizer: The model's.
        text: The text.
        bos: Whether a BOS comes first; ``None`` for what the tokenizer does.

    Raises:
        RequestError: a BOS is asked for and the model has none, or none is and the text has one.
    """
    bare, whole = _bare_and_whole(tokenizer, text)
    ids = whole if whole == bare else _without_end(tokenizer, whole)
    written = _n_leading(tokenizer, bare)
    if written and bos is False:
        raise RequestError(
            f"the prompt begins with {tokenizer.bos_token!r} itself; take it out, or the request "
            "for no BOS back"
        )
    if written:
        ids = ids[_n_leading(tokenizer, ids) - written :]
    return tuple(map(Piece, _with_bos(tokenizer, ids, bos)))


def pieces_of_chat(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], bos: bool | None
) -> tuple[Piece, ...]:
    """The tokens of a chat as the model's template writes it.

    A token that content shares with the template, or with other content, counts as the first
    message's that it has a character of.

    Args:
        tokenizer: The model's.
        messages: What is said; the last one is continued if it is the assistant's.
        bos: Whether a BOS comes first; ``None`` for what the template does.

    Raises:
        RequestError: the model has no chat template, it refuses the messages, or the tokenizer
            cannot say where in a text a token stands.
    """
    if not tokenizer.chat_template:
        raise RequestError("this model has no chat template; give the prompt as text, not as chat")
    if not tokenizer.is_fast:
        raise RequestError(
            "this model's tokenizer does not say where in a text its tokens stand, so messages "
            "cannot be told apart; give the whole text as the template has it, not as chat"
        )
    rendered = _render(tokenizer, messages)
    owners: list[int | None] = [None] * len(rendered)
    for number in range(len(messages)):
        for start, stop in _content(tokenizer, messages, number, rendered):
            owners[start:stop] = [number] * (stop - start)
    read = tokenizer(rendered, add_special_tokens=False, return_offsets_mapping=True)
    pieces, end = [], 0
    for id_, (start, stop) in zip(read["input_ids"], read["offset_mapping"], strict=True):
        # Some tokenizers trim spaces off what they say; those belong to the token after them.
        own = (owner for owner in owners[min(start, end) : stop] if owner is not None)
        pieces.append(Piece(id_, next(own, None)))
        end = max(end, stop)
    kept = _with_bos(tokenizer, [piece.id for piece in pieces], bos)
    added = len(kept) - len(pieces)
    return (*map(Piece, kept[: max(added, 0)]), *pieces[max(-added, 0) :])


def _with_bos(tokenizer: PreTrainedTokenizerBase, ids: list[int], bos: bool | None) -> list[int]:
    """The ids with one BOS before them, none, or as they are."""
    n_leading = _n_leading(tokenizer, ids)
    if bos is False:
        return ids[n_leading:]
    if bos is None or n_leading:
        return ids
    if tokenizer.bos_token_id is None:
        raise RequestError(
            "this model has no BOS token; leave it to the tokenizer, or ask for none"
        )
    return [tokenizer.bos_token_id, *ids]


def _without_end(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[int]:
    """The ids of a text without those that the tokenizer puts after any text."""
    bare, whole = _bare_and_whole(tokenizer, "a")
    starts = (n for n in range(len(whole)) if whole[n : n + len(bare)] == bare)
    after = whole[next(starts, len(whole)) + len(bare) :]
    return ids[: len(ids) - len(after)] if after and ids[-len(after) :] == after else ids


def _bare_and_whole(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[list[int], list[int]]:
    """The ids of a text alone, and with what the tokenizer puts around any text."""
    bare, whole = (
        list(tokenizer(text, add_special_tokens=added)["input_ids"]) for added in (False, True)
    )
    return bare, whole


def _n_leading(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> int:
    """How many BOS tokens come first."""
    return next((n for n, id_ in enumerate(ids) if id_ != tokenizer.bos_token_id), len(ids))


def _render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> str:
    """The chat as the template writes it, up to where the model goes on."""
    from jinja2 import TemplateError

    continued = messages[-1].role == "assistant"
    said = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text = tokenizer.apply_chat_template(
            said,
            tokenize=False,
            add_generation_prompt=not continued,
            continue_final_message=continued,
        )
    except (TemplateError, ValueError, TypeError, LookupError, AttributeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RequestError(
            f"the model's chat template does not take these messages: {reason}"
        ) from error
    return str(text)


def _content(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], number: int, rendered: str
) -> list[tuple[int, int]]:
    """Where a message's content stands in the rendered text: its starts and stops."""
    begin, end = _marks(rendered)
    for marked in _mark(messages[number].content, begin, end):
        said = [*messages]
        said[number] = replace(said[number], content=marked)
        try:
            text = _render(tokenizer, said)
        except RequestError:
            continue
        if text.replace(begin, "").replace(end, "") == rendered:
            return _between(text, begin, end)
    return []


def _marks(rendered: str) -> tuple[str, str]:
    """Two characters that do not occur in the rendered chat."""
    unused = (chr(code) for code in _PRIVATE_USE if chr(code) not in rendered)
    return next(unused), next(unused)


def _mark(content: str, begin: str, end: str) -> Iterator[str]:
    """The content with marks round all of it, and inside the spaces that a template may trim."""
    bare = content.strip()
    if not bare:
        yield f"{begin}{content}{end}"
        return
    before, _, after = content.partition(bare)
    starts = dict.fromkeys([f"{begin}{before}", f"{before}{begin}"])
    stops = dict.fromkeys([f"{after}{end}", f"{end}{after}"])
    for start, stop in product(starts, stops):
        yield f"{start}{bare}{stop}"


def _between(text: str, begin: str, end: str) -> list[tuple[int, int]]:
    """The places between marks in the text less its marks; none where they are not in pairs."""
    found = [
        (mark.start() - n, mark[0]) for n, mark in enumerate(re.finditer(f"[{begin}{end}]", text))
    ]
    places, marks = [place for place, _ in found], [mark for _, mark in found]
    if marks != [begin, end] * (len(marks) // 2):
        return []
    return list(zip(places[::2], places[1::2], strict=True))

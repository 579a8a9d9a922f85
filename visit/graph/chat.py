"""A chat as it is typed: several messages as a JSON list, or plain text for one user message."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from visit.errors import RequestError

_FORM = 'give [{"role": "user", "content": "..."}, ...], or plain text for one user message'
_LIST = re.compile(r"\s*\[\s*\{")
_FIELDS = ("role", "content")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; what a role may be is for the model's template to say."""

    role: str
    content: str


def messages_from_prompt(prompt: str) -> tuple[Message, ...]:
    """The messages that a chat's prompt stands for.

    A prompt that begins with ``[{`` is a JSON list of ``{"role": …, "content": …}``; any other is
    what one user says, whatever it holds.

    Raises:
        RequestError: the list cannot be read, a message of it is not one, or the last one is an
            assistant's with nothing in it to continue.
    """
    if _LIST.match(prompt) is None:
        return (Message("user", prompt),)
    try:
        listed = json.loads(prompt)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the chat is no JSON list of messages ({error}); {_FORM}") from None
    messages = tuple(_message(number, data) for number, data in enumerate(listed))
    if messages[-1] == Message("assistant", ""):
        raise RequestError(
            "the last message is the assistant's and empty; say how it begins, or leave it out"
        )
    return messages


def _message(number: int, data: object) -> Message:
    if not isinstance(data, dict):
        raise RequestError(f"message {number} of the chat is not in braces; {_FORM}")
    for name in _FIELDS:
        if name not in data:
            raise RequestError(f"message {number} of the chat has no {name!r}; {_FORM}")
        if not isinstance(data[name], str):
            raise RequestError(f"the {name!r} of message {number} is no text; give it in quotes")
        if _SURROGATE.search(data[name]):
            raise RequestError(f"the {name!r} of message {number} has half a surrogate pair in it")
    others = [name for name in data if name not in _FIELDS]
    if others:
        raise RequestError(
            f"message {number} of the chat has {others[0]!r}; give 'role' and 'content' alone"
        )
    if not data["role"]:
        raise RequestError(f"the 'role' of message {number} is empty; give user, say")
    return Message(data["role"], data["content"])

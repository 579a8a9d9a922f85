"""A chat as it is typed: several messages as JSON, or plain text for one user message."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from visit.errors import RequestError

_FORM = 'give [{"role": "user", "content": "..."}, ...], or plain text for one user message'
_BEGINS_A_CHAT = re.compile(r'\s*(?:\[\s*\{|\{\s*"messages")')
_BEGINS_JSON = re.compile(r"\s*[\[{]")
_FIELDS = ("role", "content")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; what a role may be is for the model's template to say."""

    role: str
    content: str


def messages_from_prompt(prompt: str) -> tuple[Message, ...]:
    """The messages that a chat's prompt stands for.

    A prompt that is a JSON list or object is read as messages: ``[{"role": …, "content": …}, …]``,
    or that list as ``{"messages": …}``. A content is a text, or a list of parts
    ``{"type": "text", "text": …}``, which are put together as they are. Any other prompt is what
    one user says, unless it begins like messages.

    Raises:
        RequestError: the JSON cannot be read or is no list of messages, a message of it is not one,
            or the last one is an assistant's with nothing in it to continue.
    """
    text = prompt.removeprefix("\ufeff")  # the mark that some editors begin a file with
    if _BEGINS_JSON.match(text) is None:
        return (Message("user", prompt),)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        if _BEGINS_A_CHAT.match(text) is None:
            return (Message("user", prompt),)
        raise RequestError(f"the chat is no JSON list of messages ({error}); {_FORM}") from None
    messages = tuple(_message(number, said) for number, said in enumerate(_list(data)))
    if messages[-1] == Message("assistant", ""):
        raise RequestError(
            "the last message is the assistant's and empty; say how it begins, or leave it out"
        )
    return messages


def _list(data: Any) -> list[Any]:
    """The messages of a chat's JSON, which is a list or an object."""
    if isinstance(data, dict):
        if "messages" not in data:
            raise RequestError(
                f"the chat is JSON in braces without 'messages'; {_FORM}; JSON that a user says is "
                "the content of a message"
            )
        others = [name for name in data if name != "messages"]
        if others:
            raise RequestError(
                f"the chat has {others[0]!r} beside 'messages'; give 'messages' alone"
            )
        data = data["messages"]
        if not isinstance(data, list):
            raise RequestError(f"the chat's 'messages' is no list; {_FORM}")
    if not data:
        raise RequestError(f"the chat is an empty list; {_FORM}")
    return list(data)


def _message(number: int, data: object) -> Message:
    if not isinstance(data, dict):
        raise RequestError(f"message {number} of the chat is not in braces; {_FORM}")
    for name in _FIELDS:
        if name not in data:
            raise RequestError(f"message {number} of the chat has no {name!r}; {_FORM}")
    others = [name for name in data if name not in _FIELDS]
    if others:
        raise RequestError(
            f"message {number} of the chat has {others[0]!r}; give 'role' and 'content' alone"
        )
    role, content = data["role"], data["content"]
    if isinstance(content, list):
        content = "".join(_part(number, index, part) for index, part in enumerate(content))
    for name, text in (("role", role), ("content", content)):
        if not isinstance(text, str):
            raise RequestError(f"the {name!r} of message {number} is no text; give it in quotes")
        if _SURROGATE.search(text):
            raise RequestError(f"the {name!r} of message {number} has half a surrogate pair in it")
    if not role:
        raise RequestError(f"the 'role' of message {number} is empty; give user, say")
    return Message(role, content)


def _part(number: int, index: int, part: object) -> str:
    """The text of one of the parts that a content is given in."""
    place = f"part {index} of the 'content' of message {number}"
    if not isinstance(part, dict) or "type" not in part:
        raise RequestError(f'{place} names no type; give {{"type": "text", "text": "..."}}')
    if part["type"] != "text":
        raise RequestError(f"{place} is of type {part['type']!r}; give parts of type 'text' alone")
    others = [name for name in part if name not in ("type", "text")]
    if others:
        raise RequestError(f"{place} has {others[0]!r}; give 'type' and 'text' alone")
    if not isinstance(part.get("text"), str):
        raise RequestError(f"{place} has no text; give 'text' in quotes")
    return str(part["text"])

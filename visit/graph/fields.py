"""What a field may hold, said by its annotation alone: checked, and written as JSON and as text.

Neither msgspec nor cattrs fits: msgspec's errors say neither what was given nor what to do, and it
refuses ``10.0``, which JSON Schema accepts as an integer; cattrs turns ``1.5`` into 1.
"""

from __future__ import annotations

import math
import re
import reprlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from numbers import Real
from types import UnionType
from typing import Annotated, Any, NoReturn, Union, get_args, get_origin, get_type_hints

from visit.errors import RequestError

_WHOLE_NUMBER = re.compile(r"-?\d{1,18}")
_TRUTH = {"true": True, "false": False}
_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that a field takes, with how a message says so."""

    words: str
    least: float
    most: float = math.inf


@cache
def hints_of(type_: type) -> dict[str, Any]:
    """The annotations of a dataclass's fields, in order, with what ``Annotated`` adds to them."""
    return get_type_hints(type_, include_extras=True)


def fields_marked(type_: type, mark: object) -> frozenset[str]:
    """The names of the fields whose annotation bears a mark."""
    return frozenset(n for n, hint in hints_of(type_).items() if mark in get_args(hint)[1:])


def type_of(hint: Any) -> type:
    """The type of a field's values, other than ``None``, without what ``Annotated`` adds."""
    if get_origin(hint) is Annotated:
        return type_of(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return type_of(_without_none(hint))
    found: type = hint
    return found


def value_from_given(name: str, hint: Any, given: object) -> Any:
    """What was given, as a field of this type holds it.

    A whole number is one however it is written, ``10`` or ``10.0``, and a list is a tuple.

    Args:
        name: The field's, for the message.
        hint: Its annotation.
        given: From Python or from JSON.

    Raises:
        RequestError: the field takes no such thing; the text says what it takes.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        value = value_from_given(name, inner[0], given)
        for range_ in inner[1:]:
            if isinstance(range_, Range) and not range_.least <= value <= range_.most:
                _refuse(name, value, range_.words)
        return value
    if origin in (Union, UnionType):
        return None if given is None else value_from_given(name, _without_none(hint), given)
    if origin is tuple:
        if not isinstance(given, (list, tuple)):
            _refuse(name, given, "a list like [1, 2, 3]")
        return tuple(value_from_given(f"{name}[{n}]", inner[0], one) for n, one in enumerate(given))
    if issubclass(hint, StrEnum):
        return _member(name, hint, given)
    value = _number(hint, given) if hint in (int, float) else given
    if isinstance(value, hint):
        return value
    _refuse(name, given, _WORDS[hint])


def value_from_text(name: str, hint: Any, text: str) -> Any:
    """What a text says, as a field of this type holds it; the inverse of ``text_from_value``.

    Raises:
        RequestError: it says nothing that the field takes.
    """
    return value_from_given(name, hint, _plain_from_text(hint, text))


def text_from_value(value: Any) -> str:
    """A field's value, other than ``None``, in a few letters: ``true``, ``0.5``, ``1,2,3``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(text_from_value, value))
    return str(value)


def plain_from_value(value: Any) -> Any:
    """A field's value as JSON has it."""
    if isinstance(value, StrEnum):
        return value.value
    return [plain_from_value(one) for one in value] if isinstance(value, tuple) else value


def _member(name: str, enum: type[StrEnum], given: Any) -> StrEnum:
    try:
        return enum(given)
    except ValueError:
        *others, last = (member.value for member in enum)
        _refuse(name, given, f"{', '.join(others)} or {last}")


def _number(type_: type[int] | type[float], given: Any) -> int | float | None:
    """A number as the type has it; ``None`` of what is none, true and false among it."""
    is_number = isinstance(given, Real) and not isinstance(given, bool)
    if not is_number:
        return None
    try:
        number = type_(given)
    except (OverflowError, ValueError):  # of infinity and of nan as whole numbers, and of 10**400
        return None
    return number if type_ is float or number == given else None


def _plain_from_text(hint: Any, text: str) -> object:
    """What a text says to a type; the text itself where it says nothing, for the message."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _plain_from_text(inner[0], text)
    if origin in (Union, UnionType):
        return _plain_from_text(_without_none(hint), text)
    if origin is tuple:
        return [_plain_from_text(inner[0], piece) for piece in text.split(",")] if text else []
    if hint is bool:
        return _TRUTH.get(text, text)
    if hint is int:
        return int(text) if _WHOLE_NUMBER.fullmatch(text.strip()) else text
    if hint is float:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _without_none(hint: Any) -> Any:
    """``X`` of ``X | None``."""
    return next(one for one in get_args(hint) if one is not type(None))


def _refuse(name: str, given: object, allowed: str) -> NoReturn:
    raise RequestError(f"{name} is {reprlib.repr(given)}; give {allowed}")

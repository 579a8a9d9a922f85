"""What the records of every document have in common: absent fields, and JSON's numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

from visit.errors import DocumentError


def record_from_json(text: str) -> Any:
    """JSON text read as it is, whatever it holds.

    Raises:
        DocumentError: the text is not JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"not JSON, or cut short: {error}") from None


def drop_absent(**record: Any) -> dict[str, Any]:
    """A record without the fields that are ``None``."""
    return {name: value for name, value in record.items() if value is not None}


def keep_known(type_: type, data: dict[str, Any]) -> dict[str, Any]:
    """The fields that a dataclass has, with JSON's ``1`` and ``1.0`` told apart as it wants."""
    convert = _converters(type_)
    return {name: convert[name](value) for name, value in data.items() if name in convert}


@cache
def _converters(type_: type) -> dict[str, Callable[[Any], Any]]:
    by_annotation: dict[str, Callable[[Any], Any]] = {
        "int": int,
        "int | None": int,
        "float": float,
        "float | None": float,
    }
    return {field.name: by_annotation.get(str(field.type), _same) for field in fields(type_)}


def _same(value: Any) -> Any:
    return value


def read_number(data: dict[str, Any], name: str) -> float | None:
    """A field's number, or ``None`` where it is absent."""
    return float(data[name]) if name in data else None

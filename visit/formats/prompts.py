"""Files of prompts, or of values for a template: text, JSON Lines, CSV and Parquet.

What is wrong with one line leaves that line out; what is wrong with the file is an error.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visit.errors import RequestError
from visit.graph.consensus import LeftOut

PROMPT, TARGET = "prompt", "target"
"""The columns of a file: the prompt where there is no template, and the token to explain."""
_Record = tuple[int, Mapping[str, Any] | str]
"""A line's number, and its fields or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class PromptRow:
    """What one line of a file says.

    Attributes:
        line: Its number, from 1.
        values: What stands in the template's slots; without a template, the prompt.
        target: The token to explain; empty where none is named.
    """

    line: int
    values: tuple[str, ...]
    target: str = ""


def read_prompts(
    path: str | Path, names: Sequence[str] = (PROMPT,)
) -> tuple[list[PromptRow], list[LeftOut]]:
    """The prompts of a file, and the lines that say none.

    Args:
        path: ``.jsonl`` or ``.ndjson``, ``.csv`` or ``.tsv``, ``.parquet``; any other but a
            document (``.json``, ``.html``) is text with one prompt, or one value, a line.
        names: The columns to read: a template's slots, or the prompt itself.

    Raises:
        RequestError: the file cannot be read, lacks a column or has it twice, or says nothing.
    """
    names = tuple(dict.fromkeys(names))
    rows, left_out = _sort_out(_records(Path(path), names), names)
    if not rows and not left_out:
        raise RequestError(f"{path} holds no prompt; give a file with one a line")
    return rows, left_out


def prompts_from_text(
    text: str, names: Sequence[str] = (PROMPT,)
) -> tuple[list[PromptRow], list[LeftOut]]:
    """The prompts of a text with one a line, and the lines that say none; empty lines say nothing.

    Args:
        text: What was typed.
        names: A template's slots, or the prompt itself. Of several, a line has a value each, with
            commas between as in CSV, or with tabs as a table's cells are copied.
    """
    names = tuple(dict.fromkeys(names))
    lines = enumerate(text.replace("\r\n", "\n").split("\n"), start=1)
    return _sort_out(((n, _fields(line, names)) for n, line in lines if line.strip()), names)


def _fields(line: str, names: Sequence[str]) -> Mapping[str, Any] | str:
    """What a line says of each slot, or what is wrong with it."""
    if len(names) == 1:
        return {names[0]: line}
    delimiter = "\t" if "\t" in line else ","
    try:
        (values,) = csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True)
    except csv.Error as error:
        return f"it is not CSV: {error}"
    if len(values) != len(names):
        return (
            f"it has {len(values)} value{'s' * (len(values) != 1)} and the template "
            f"{len(names)} slots ({', '.join(names)}); put commas between"
        )
    return dict(zip(names, values, strict=True))


def _sort_out(
    records: Iterable[_Record], names: Sequence[str]
) -> tuple[list[PromptRow], list[LeftOut]]:
    rows, left_out = list[PromptRow](), list[LeftOut]()
    for line, said in records:
        row = _row(line, said, names) if not isinstance(said, str) else said
        if isinstance(row, str):
            left_out.append(LeftOut(line, row))
        else:
            rows.append(row)
    return rows, left_out


def repeat_values(row: PromptRow, read: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """A row's values, once for every slot, where a template names one of them again."""
    by_name = dict(zip(dict.fromkeys(read), row.values, strict=True))
    return tuple(by_name[name] for name in names)


def _row(line: int, said: Mapping[str, Any], names: Sequence[str]) -> PromptRow | str:
    """What a line says, or what is wrong with it."""
    for name in names:
        value = said.get(name)
        if value is None:
            return f"it has no {name}; give one"
        if not isinstance(value, str):
            return f"its {name} is {value!r}; give text"
        if not value:
            return f"its {name} is empty; give text"
    target = said.get(TARGET) or ""
    if not isinstance(target, str):
        return f"its {TARGET} is {target!r}; give text"
    return PromptRow(line, tuple(said[name] for name in names), target)


def _records(path: Path, names: Sequence[str]) -> Iterator[_Record]:
    match path.suffix.lower():
        case ".parquet":
            return _from_parquet(path)
        case ".csv" | ".tsv" as ending:
            return _from_table(path, _read_lines(path), names, "\t" if ending == ".tsv" else ",")
        case ".jsonl" | ".ndjson":
            return _from_json(_read_lines(path))
        case ".json" | ".html" | ".htm":
            raise RequestError(
                f"{path} is one document, not a prompt or a value a line; give .txt, .jsonl, .csv "
                "or .parquet"
            )
    if len(names) > 1:
        raise RequestError(
            f"{path} is text, but the template has {len(names)} slots; give CSV, JSON Lines or "
            f"Parquet with the columns {', '.join(names)}"
        )
    lines = enumerate(_read_lines(path), start=1)
    return ((n, {names[0]: text}) for n, text in lines if text.strip())


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: not UTF-8 at byte {error.start}; save it in UTF-8") from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise RequestError(f"{path} cannot be read: {reason}") from None
    return text.split("\n") if "\r" not in text else text.replace("\r\n", "\n").split("\n")


def _from_json(lines: Iterable[str]) -> Iterator[_Record]:
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            said = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield number, f"it is not JSON: {error}"
            continue
        is_object = isinstance(said, dict)
        yield number, said if is_object else "it is no JSON object; give one with its fields"


def _from_table(
    path: Path, lines: Sequence[str], names: Sequence[str], delimiter: str
) -> Iterator[_Record]:
    reader = csv.DictReader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    try:
        columns = reader.fieldnames or ()
        missing = [name for name in names if name not in columns]
        if missing:
            raise RequestError(f"{path} has no column {missing[0]!r}; it has {', '.join(columns)}")
        twice = [name for name in (*names, TARGET) if list(columns).count(name) > 1]
        if twice:
            raise RequestError(
                f"{path} has the column {twice[0]!r} more than once; give each column a name of "
                "its own"
            )
        for said in reader:
            if None in said:
                yield reader.line_num, "it has more fields than the first line has names"
            else:
                yield reader.line_num, said
    except csv.Error as error:
        yield reader.line_num, f"it is not CSV: {error}"


def _from_parquet(path: Path) -> Iterator[_Record]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise RequestError(
            f"{path} is Parquet, which pyarrow reads; pip install pyarrow, or give CSV or JSONL"
        ) from None
    try:
        table = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        raise RequestError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    return iter(list(enumerate(table.to_pylist(), start=1)))

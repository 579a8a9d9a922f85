"""Files of prompts, or of values for a template: a row each, and the lines that say none.

What is wrong with one line leaves that line out; what is wrong with the file is an error.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visit.errors import RequestError
from visit.formats.prompt_files import Record, records_of_file
from visit.graph.consensus import LeftOut

PROMPT, TARGET = "prompt", "target"
"""The columns of a file: the prompt where there is no template, and the token to explain."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class PromptRow:
    """What one line of a file says.

    Attributes:
        line: Its number, from 1; of a JSON list or of Parquet, its place.
        values: What stands in the template's slots; without a template, the prompt.
        target: The token to explain; empty where none is named.
    """

    line: int
    values: tuple[str, ...]
    target: str = ""


def read_prompts(
    path: str | Path, names: Sequence[str] = (PROMPT,), target: str | None = None
) -> tuple[list[PromptRow], list[LeftOut]]:
    """The prompts of a file, and the lines that say none.

    Args:
        path: ``.jsonl`` or ``.ndjson``, ``.json`` with a list of objects or texts, ``.csv`` or
            ``.tsv``, ``.parquet``; any other but ``.html`` is text with one prompt, or one value,
            a line.
        names: The columns to read: a template's slots, or the prompt itself.
        target: The column with the token to explain; ``None`` for ``target``, where there is one.

    Raises:
        RequestError: the file cannot be read, lacks a column or has it twice, or says nothing.
    """
    names = tuple(dict.fromkeys(names))
    wanted = names if target is None else (*names, target)
    optional = (TARGET,) if target is None else ()
    records = records_of_file(Path(path), names, wanted, optional)
    rows, left_out = _sort_out(records, names, target or TARGET)
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
    records: Iterable[Record], names: Sequence[str], target: str = TARGET
) -> tuple[list[PromptRow], list[LeftOut]]:
    rows, left_out = list[PromptRow](), list[LeftOut]()
    for line, said in records:
        row = _row(line, said, names, target) if not isinstance(said, str) else said
        if isinstance(row, str):
            left_out.append(LeftOut(line, row))
        else:
            rows.append(row)
    return rows, left_out


def repeat_values(row: PromptRow, read: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """A row's values, once for every slot, where a template names one of them again."""
    by_name = dict(zip(dict.fromkeys(read), row.values, strict=True))
    return tuple(by_name[name] for name in names)


def _row(line: int, said: Mapping[str, Any], names: Sequence[str], target: str) -> PromptRow | str:
    """What a line says, or what is wrong with it."""
    for name in names:
        value = said.get(name)
        if value is None:
            return f"it has no {name}; give one"
        if value == "":
            return f"its {name} is empty; give text"
        if reason := _not_text(name, value):
            return reason
    answer = "" if said.get(target) is None else said[target]
    return _not_text(target, answer) or PromptRow(line, tuple(said[n] for n in names), answer)


def _not_text(name: str, value: object) -> str:
    """What is wrong with a field that is no text; nothing of one that is."""
    if not isinstance(value, str):
        return f"its {name} is {value!r}; give text"
    if found := _SURROGATE.search(value):
        return f"its {name} has half a surrogate pair, {found[0]!a}; give text that UTF-8 can hold"
    return ""

"""What the lines of a file say, field by field: text, JSON, JSON Lines, CSV and Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from visit.errors import RequestError

Record: TypeAlias = tuple[int, Mapping[str, Any] | str]
"""A line's number, and its fields or what is wrong with it."""
ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
"""Of the files that have columns."""


def has_columns(path: Path) -> bool:
    """Whether a file's columns have names; text has none."""
    return path.suffix.lower() in ENDINGS


def records_of_file(
    path: Path, names: Sequence[str], wanted: Sequence[str], optional: Sequence[str]
) -> Iterable[Record]:
    """What each line says; lines that say nothing are passed over.

    Args:
        path: The file; its ending says what it is.
        names: What is on a line; of text, the one column there is.
        wanted: All columns that the file must have.
        optional: More that are read where it has them.

    Raises:
        RequestError: the file cannot be read, or lacks a column or has it twice.
    """
    match path.suffix.lower():
        case ".parquet":
            return _from_parquet(path, wanted, optional)
        case ".csv" | ".tsv" as ending:
            delimiter = "\t" if ending == ".tsv" else ","
            return _from_table(path, _read_lines(path), wanted, optional, delimiter)
        case ".jsonl" | ".ndjson":
            return _with_columns(path, list(_from_lines(_read_lines(path))), wanted)
        case ".json":
            return _with_columns(path, list(_from_list(path, names)), wanted)
        case ".html" | ".htm":
            raise _one_document(path)
    if len(wanted) > 1:
        wants = (
            f"the template has {len(names)} slots"
            if len(names) > 1
            else f"the column {wanted[-1]!r} is asked for"
        )
        raise RequestError(
            f"{path} is text, but {wants}; give CSV, JSON Lines or Parquet with the columns "
            f"{', '.join(wanted)}"
        )
    lines = enumerate(_read_lines(path), start=1)
    return ((n, {names[0]: text}) for n, text in lines if text.strip())


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: not UTF-8 at byte {error.start}; save it in UTF-8") from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise RequestError(f"{path} cannot be read: {reason}") from None


def _read_lines(path: Path) -> list[str]:
    text = _read_text(path)
    return text.split("\n") if "\r" not in text else text.replace("\r\n", "\n").split("\n")


def _one_document(path: Path) -> RequestError:
    return RequestError(
        f"{path} is one document, not a prompt or a value a line; give .txt, .jsonl, .csv, "
        ".parquet, or .json with a list"
    )


def _check_columns(
    path: Path, columns: Sequence[str], wanted: Sequence[str], optional: Sequence[str] = ()
) -> None:
    missing = [name for name in wanted if name not in columns]
    if missing:
        listed = ", ".join(columns) or "none"
        raise RequestError(f"{path} has no column {missing[0]!r}; it has {listed}")
    twice = [name for name in (*wanted, *optional) if list(columns).count(name) > 1]
    if twice:
        raise RequestError(
            f"{path} has the column {twice[0]!r} more than once; give each column a name of its own"
        )


def _with_columns(path: Path, records: Sequence[Record], wanted: Sequence[str]) -> Sequence[Record]:
    """The records, once it is sure that each column is in one of them at least."""
    objects = [said for _, said in records if not isinstance(said, str)]
    if objects:
        _check_columns(path, list(dict.fromkeys(name for one in objects for name in one)), wanted)
    return records


def _from_lines(lines: Iterable[str]) -> Iterator[Record]:
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


def _from_list(path: Path, names: Sequence[str]) -> Iterator[Record]:
    """What each member of a JSON list says; a text says the only column."""
    try:
        listed = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise RequestError(
            f"{path} is not JSON: {error}; if each of its lines is, name it .jsonl"
        ) from None
    if not isinstance(listed, list):
        raise _one_document(path)
    for place, said in enumerate(listed, start=1):
        if isinstance(said, dict):
            yield place, said
        elif not isinstance(said, str):
            yield place, "it is no JSON object and no text; give one of them"
        elif len(names) > 1:
            yield place, f"it is one text; give an object with {', '.join(names)}"
        else:
            yield place, {names[0]: said}


def _from_table(
    path: Path, lines: Sequence[str], wanted: Sequence[str], optional: Sequence[str], delimiter: str
) -> Iterator[Record]:
    reader = csv.DictReader((f"{line}\n" for line in lines), delimiter=delimiter, strict=True)
    try:
        columns = reader.fieldnames or ()
    except csv.Error as error:
        raise RequestError(f"{path} is not CSV: line 1: {error}; mend its first line") from None
    _check_columns(path, columns, wanted, optional)
    while True:
        try:
            said = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # which the outer reader's own count leaves out
            yield reader.reader.line_num, f"it is not CSV: {error}"
            continue
        if None in said:
            yield reader.line_num, "it has more fields than the first line has names"
        else:
            yield reader.line_num, said


def _from_parquet(path: Path, wanted: Sequence[str], optional: Sequence[str]) -> Iterable[Record]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise RequestError(
            f"{path} is Parquet, which pyarrow reads; pip install pyarrow, or give CSV or JSONL"
        ) from None
    try:
        dataset = parquet.ParquetDataset(path)
        columns = list(dataset.schema.names)
        _check_columns(path, columns, wanted, optional)
        table = dataset.read([name for name in columns if name in (*wanted, *optional)])
    except (OSError, ArrowException) as error:
        raise RequestError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    return list(enumerate(table.to_pylist(), start=1))

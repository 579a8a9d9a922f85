"""One chunk's rows as a Parquet file, and back; with them, the prompts that could not be measured.

A prompt is a row. ``id``, ``line``, ``prompt`` and ``target`` stand first; then each column. A
number or a text is plain; a value with axes is a list of fixed size, its last axis fastest, and its
shape stands in the field's metadata beside what it is. The prompts that failed stand in the file's
own metadata: so a chunk is there with both, or not at all, and nothing can come between the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from visit.errors import RequestError
from visit.graph.studied.columns import Array, Surveyed
from visit.studies.manifest import Layout, layout_from_record
from visit.studies.study import Prompt

FIRST_COLUMNS = ("id", "line", "prompt", "target")
TEXT = "text"
_KEY = b"visit"


@dataclass(frozen=True, slots=True)
class Failure:
    """A prompt of a study that could not be measured.

    Attributes:
        id: Its place among all prompts of the study.
        line: Where it stands in its file.
        prompt: Its text.
        target: Its right answer, where it names one.
        reason: Why, in one line.
    """

    id: int
    line: int
    prompt: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Shard:
    """What a shard's file holds.

    Attributes:
        ids: The prompts', in order.
        texts: The prompts.
        targets: Their right answers.
        layouts: How the values lie; none where no prompt could be measured.
        values: By column, ``[prompt, *axes]``.
        failures: The chunk's other prompts.
    """

    ids: Array
    texts: Array
    targets: Array
    layouts: tuple[Layout, ...]
    values: dict[str, Array]
    failures: tuple[Failure, ...]


def layouts_of(surveyed: Surveyed) -> tuple[Layout, ...]:
    """How the values of a survey lie in a file; of no rows nothing is known.

    Raises:
        ValueError: a column bears the name of one that every shard has.
    """
    if not surveyed.places:
        return ()
    taken = [one.name for one in surveyed.columns if one.name in FIRST_COLUMNS]
    if taken:
        raise ValueError(f"a column is called {taken[0]!r}, as one of every study is")
    return tuple(
        Layout(one, _dtype(surveyed.values[one.name]), surveyed.values[one.name].shape[1:])
        for one in surveyed.columns
    )


def bytes_from_surveyed(surveyed: Surveyed, prompts: Sequence[Prompt]) -> bytes:
    """A chunk as the bytes of its file.

    Args:
        surveyed: What was measured of it.
        prompts: Those of the chunk; the survey's places are among them.
    """
    import pyarrow as pa
    from pyarrow import parquet

    measured = [prompts[place] for place in surveyed.places]
    arrays = [
        pa.array([one.id for one in measured], pa.int64()),
        pa.array([one.line for one in measured], pa.int64()),
        _texts(one.text for one in measured),
        _texts(one.target for one in measured),
    ]
    plain = zip(FIRST_COLUMNS, arrays, strict=True)
    fields = [pa.field(name, array.type, nullable=False) for name, array in plain]
    for layout in layouts_of(surveyed):
        array = _array(layout, surveyed.values[layout.column.name])
        says = {"visit": json.dumps({**asdict(layout.column), "dtype": layout.dtype,
                                     "shape": layout.shape})}  # fmt: skip
        fields.append(pa.field(layout.column.name, array.type, nullable=False, metadata=says))
        arrays.append(array)
    failed = [_failed(prompts[one.place], one.reason) for one in surveyed.failed]
    schema = pa.schema(fields, {_KEY: json.dumps([asdict(one) for one in failed])})
    sink = pa.BufferOutputStream()
    parquet.write_table(
        pa.table(arrays, schema=schema), sink, compression="zstd", use_dictionary=False
    )
    return bytes(sink.getvalue())


def read_shard(path: Path) -> Shard:
    """What a shard's file holds.

    Raises:
        RequestError: it is damaged, or no shard.
    """
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            table = file.read(use_threads=False)
        schema = table.schema
        layouts = tuple(
            _layout(field.metadata[_KEY]) for field in schema if field.name not in FIRST_COLUMNS
        )
        return Shard(
            _numbers(table["id"]),
            _objects(table["prompt"]),
            _objects(table["target"]),
            layouts if len(table) else (),
            {one.column.name: _values(one, table[one.column.name]) for one in layouts},
            _failures(schema.metadata),
        )
    except (OSError, ArrowException, LookupError, ValueError, TypeError) as error:
        raise damaged(path, error) from None


def read_failures_of(path: Path) -> tuple[int, tuple[Failure, ...]]:
    """How many rows a shard has, and which prompts have none; the rows themselves are not read.

    Raises:
        RequestError: it is damaged, or no shard.
    """
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            return file.metadata.num_rows, _failures(file.schema_arrow.metadata)
    except (OSError, ArrowException, LookupError, ValueError, TypeError) as error:
        raise damaged(path, error) from None


def bytes_from_failures(failures: Sequence[Failure]) -> bytes:
    """Failures as a Parquet file, a row each."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        "id": pa.array([one.id for one in failures], pa.int64()),
        "line": pa.array([one.line for one in failures], pa.int64()),
        "prompt": _texts(one.prompt for one in failures),
        "target": _texts(one.target for one in failures),
        "reason": _texts(one.reason for one in failures),
    }
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink, compression="zstd")
    return bytes(sink.getvalue())


def damaged(path: Path, error: Exception) -> RequestError:
    """What is said of a shard that cannot be read."""
    said = " ".join(str(error).split())
    return RequestError(
        f"{path} is damaged ({said}); remove it and run the study again, which measures what is "
        "missing"
    )


def _failed(prompt: Prompt, reason: str) -> Failure:
    return Failure(prompt.id, prompt.line, prompt.text, prompt.target, reason)


def _failures(metadata: dict[bytes, bytes]) -> tuple[Failure, ...]:
    return tuple(Failure(**record) for record in json.loads(metadata[_KEY]))


@lru_cache(maxsize=256)
def _layout(said: bytes) -> Layout:
    """What a field's metadata says, which is the same in every shard of a study."""
    return layout_from_record(json.loads(said))


def _dtype(values: Array) -> str:
    return TEXT if values.dtype.kind in "OUT" else values.dtype.name


def _array(layout: Layout, values: Array) -> Any:
    import pyarrow as pa

    if layout.dtype == TEXT:
        return _texts(values.tolist())
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    if not layout.shape:
        return flat
    item = pa.field("item", flat.type, nullable=False)
    return pa.FixedSizeListArray.from_arrays(flat, type=pa.list_(item, prod(layout.shape)))


def _values(layout: Layout, column: Any) -> Array:
    """A column as it was measured; its numbers are not copied."""
    if layout.dtype == TEXT:
        return _objects(column)
    if not layout.shape:
        return _numbers(column)
    whole = column.combine_chunks()
    item = prod(layout.shape)
    some = whole.values.slice(whole.offset * item, len(whole) * item)  # nothing in it is missing
    flat: Array = some.to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), *layout.shape)


def _numbers(column: Any) -> Array:
    numbers: Array = column.to_numpy()
    return numbers


def _objects(column: Any) -> Array:
    texts: Array = np.empty(len(column), dtype=object)
    texts[:] = column.to_pylist()
    return texts


def _texts(texts: Iterable[str]) -> Any:
    """Texts as Arrow has them; a lone surrogate, which no UTF-8 has, as its escape."""
    import pyarrow as pa

    given = [str(text) for text in texts]
    try:
        return pa.array(given, pa.string())
    except UnicodeEncodeError:
        return pa.array([t.encode("utf-8", "backslashreplace").decode() for t in given])

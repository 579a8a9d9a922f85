"""A flow graph as a ``visit.flow/2`` document: JSON text, a file, and for networkx.

The document is what ``networkx.node_link_graph(document, edges="edges")`` reads; docs/document.md
says what every field means, and ``records`` is the plain data in between.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from visit.errors import DocumentError
from visit.formats.embedded import json_from_html
from visit.formats.fields import record_from_json
from visit.formats.files import write_whole
from visit.formats.records import data_from_flow, flow_from_data
from visit.formats.schema import place_from_path
from visit.graph.flow import FlowGraph

if TYPE_CHECKING:
    import networkx

_SURROGATE = re.compile("[\ud800-\udfff]")
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


def json_from_flow(flow: FlowGraph) -> str:
    """The document as JSON text, keys sorted, one node or edge a line; equal graphs, equal text.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    return json_from_record(data_from_flow(flow))


def json_from_record(data: dict[str, Any], by_line: Collection[str] | None = None) -> str:
    """A document's records as JSON text, keys sorted, each item of its lists a line.

    Args:
        data: The records.
        by_line: The lists that are written so, the others on one line; all of them if left out.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    lists = set(data if by_line is None else by_line)
    try:
        parts = [
            f'"{name}":{_json_from_part(value, by_line=name in lists)}'
            for name, value in sorted(data.items())
        ]
    except ValueError:
        place, value = next(_not_finite(data, []))
        raise DocumentError(
            f"{place_from_path(place)} is {value}, which JSON cannot hold; "
            "run it again with --dtype float32 or float64"
        ) from None
    return "{" + ",\n".join(parts) + "}\n"


def _json_from_part(part: Any, *, by_line: bool) -> str:
    if by_line and isinstance(part, list):
        return "[\n" + ",\n".join(map(compact_json, part)) + "\n]"
    return compact_json(part)


def compact_json(value: Any) -> str:
    """Any JSON value on one line, keys sorted, in text that UTF-8 can always hold.

    Raises:
        ValueError: a number is not finite.
    """
    # A lone surrogate is no UTF-8, but JSON may spell it.
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", _ENCODER.encode(value))


def _not_finite(data: Any, path: list[str | int]) -> Iterator[tuple[list[str | int], float]]:
    if isinstance(data, float) and not math.isfinite(data):
        yield path, data
    elif isinstance(data, dict):
        for name in sorted(data):
            yield from _not_finite(data[name], [*path, name])
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _not_finite(value, [*path, index])


def flow_from_json(text: str) -> FlowGraph:
    """Read JSON text back; the inverse of ``json_from_flow``.

    A byte order mark, which some editors put first, is passed over.

    Raises:
        DocumentError: the text is not JSON, or not a flow document.
    """
    return flow_from_data(record_from_json(text.removeprefix("\ufeff")))


def flow_from_html(page: str) -> FlowGraph:
    """Read the document that an HTML page of ours holds.

    Raises:
        DocumentError: the page holds none, or not a flow document.
    """
    return flow_from_json(json_from_html(page))


def flow_from_text(text: str) -> FlowGraph:
    """Read a document from a file's text, whether it is JSON or an HTML page that holds it.

    Raises:
        DocumentError: it is neither.
    """
    return flow_from_json(json_from_text(text))


def json_from_text(text: str, most_bytes: int | None = None) -> str:
    """The document's JSON in a file's text: what an HTML page holds, or the text as it is.

    Args:
        text: The file's.
        most_bytes: What a page holds may not be longer; without end when left out.

    Raises:
        DocumentError: it is a page that holds none, or one that is damaged or too long.
    """
    is_page = text.lstrip("\ufeff \t\r\n").startswith("<")
    return json_from_html(text, most_bytes) if is_page else text


def write_flow(flow: FlowGraph, path: str | Path) -> None:
    """Write the document to a file, whole or not at all.

    Raises:
        OutputError: the path cannot be written.
        DocumentError: a number is not finite.
    """
    write_whole(path, json_from_flow(flow))


def read_flow(path: str | Path) -> FlowGraph:
    """Read a document from a file: JSON, or an HTML page that holds it.

    Raises:
        DocumentError: there is no such file, or it is not a flow document.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DocumentError(f"{path} cannot be read: {reason}") from None
    try:
        return flow_from_text(text)
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from None


def networkx_from_flow(flow: FlowGraph) -> networkx.MultiDiGraph[str]:
    """The flow graph for networkx, by the ids, keys and fields of the document."""
    import networkx

    graph = networkx.node_link_graph(data_from_flow(flow), edges="edges")
    return cast("networkx.MultiDiGraph[str]", graph)

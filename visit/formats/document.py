"""A flow graph as a ``visit.flow/1`` document, and back: inverse pairs, through real JSON.

The document is what ``networkx.node_link_graph(document, edges="edges")`` reads; docs/document.md
says what every field means. Reading checks the shape (``formats.schema``), then what a schema
cannot say: ids are unique and agree with their fields, and every edge joins two nodes that exist.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from visit.errors import DocumentError, RequestError
from visit.formats.embedded import json_from_html
from visit.formats.files import write_whole
from visit.formats.schema import NAME, checked, place_from_path
from visit.graph.flow import (
    Audit,
    Edge,
    EdgeKind,
    FlowGraph,
    Ledger,
    ModelInfo,
    Node,
    NodeId,
    NodeKind,
    Note,
    Prediction,
    Reading,
    Target,
    TargetReading,
    Token,
    TokenProbability,
)
from visit.graph.request import Request, data_from_request, request_from_data

if TYPE_CHECKING:
    import networkx

_MEASURES = ("norm", "share", "direct_logit", "proximity", "attention", "activation")
_HAS_SOURCE = {NodeKind.KEY, NodeKind.VALUE}
_SURROGATE = re.compile("[\ud800-\udfff]")
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)


# ---------------------------------------------------------------- flow graph -> document


def data_from_flow(flow: FlowGraph) -> dict[str, Any]:
    """The document as plain dictionaries and lists; fields that do not apply are absent."""
    return {
        "schema": NAME,
        "directed": True,
        "multigraph": True,
        "graph": _present(
            visit_version=flow.visit_version,
            created=flow.created,
            request=data_from_request(flow.request),
            model=_present(**asdict(flow.model)),
            tokens=[_data_from_token(token) for token in flow.tokens],
            target=asdict(flow.target),
            predictions=[asdict(prediction) for prediction in flow.predictions],
            audit=asdict(flow.audit),
            versus=None if flow.versus is None else asdict(flow.versus),
            annotations=data_from_notes(flow.notes) if flow.notes else None,
        ),
        "nodes": [_data_from_node(node) for node in flow.nodes],
        "edges": [_data_from_edge(edge) for edge in flow.edges],
    }


def _data_from_token(token: Token) -> dict[str, Any]:
    return _present(**{**asdict(token), "special": token.special or None})


def data_from_notes(notes: Iterable[Note]) -> dict[str, Any]:
    """A reader's notes as ``graph.annotations``, one a node; the inverse of ``notes_from_data``."""
    return {
        "nodes": {
            str(note.node): _present(
                name=note.name, text=note.text, group=note.group, pinned=note.pinned or None
            )
            for note in notes
        }
    }


def _data_from_node(node: Node) -> dict[str, Any]:
    place, reading = node.id, node.reading
    return _present(
        id=str(place),
        kind=place.kind.value,
        layer=place.layer,
        position=place.position,
        head=place.head,
        index=place.index,
        source=place.position if place.kind in _HAS_SOURCE else None,
        label=node.label,
        norm=reading.norm,
        entropy=reading.entropy,
        activation=node.activation,
        attention=node.attention,
        top=_data_from_tokens(reading.top),
        bottom=_data_from_tokens(reading.bottom),
        target={
            "prob": reading.target.prob,
            "rank": reading.target.rank,
            "logit": reading.target.logit,
        },
    )


def _data_from_tokens(tokens: tuple[TokenProbability, ...]) -> list[dict[str, Any]]:
    # Written out because dataclasses.asdict would take most of the time of a whole document.
    return [{"id": token.id, "text": token.text, "prob": token.prob} for token in tokens]


def _data_from_edge(edge: Edge) -> dict[str, Any]:
    return _present(
        source=str(edge.source),
        target=str(edge.target),
        key=edge.key,
        kind=edge.kind.value,
        ledger=None if edge.ledger is None else edge.ledger.value,
        **{measure: getattr(edge, measure) for measure in _MEASURES},
    )


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


# ---------------------------------------------------------------- document -> flow graph


def flow_from_data(data: object) -> FlowGraph:
    """Check a document and read it back; the inverse of ``data_from_flow``.

    Fields that this version does not know are passed over.

    Raises:
        DocumentError: the document is not one; the text names the first place where it is not.
    """
    data = checked(data)
    graph = data["graph"]
    tokens = tuple(Token(**_known(Token, token)) for token in graph["tokens"])
    model = ModelInfo(**_known(ModelInfo, graph["model"]))
    nodes = tuple(_nodes_from_data(data["nodes"], model, len(tokens)))
    flow = FlowGraph(
        visit_version=graph["visit_version"],
        created=graph.get("created"),
        request=_request_from_data(graph["request"]),
        model=model,
        tokens=tokens,
        target=Target(**_known(Target, graph["target"])),
        predictions=tuple(Prediction(**_known(Prediction, p)) for p in graph["predictions"]),
        audit=Audit(**_known(Audit, graph["audit"])),
        nodes=nodes,
        edges=tuple(_edges_from_data(data["edges"], {str(node.id): node.id for node in nodes})),
        versus=Target(**_known(Target, graph["versus"])) if "versus" in graph else None,
        notes=notes_from_data(graph.get("annotations", {})),
    )
    _check_prompt(flow)
    return flow


def notes_from_data(data: dict[str, Any]) -> tuple[Note, ...]:
    """Read notes back, in the order of their nodes' ids; an empty one is none.

    A note may stand beside a node that the document does not hold, such as one of a block that
    was opened when it was made.

    Args:
        data: ``graph.annotations``, known to have its shape.

    Raises:
        DocumentError: one is beside something that is no node id, or spelled as none is.
    """
    notes = []
    for name, said in sorted(data.get("nodes", {}).items()):
        try:
            node_id = NodeId.parse(name)
        except ValueError as error:
            raise DocumentError(f"graph.annotations.nodes: {error}") from None
        if str(node_id) != name:  # or two spellings could be of one node
            raise DocumentError(
                f"graph.annotations.nodes: {name!r} is spelled otherwise, {str(node_id)!r}"
            )
        note = Note(**_known(Note, {**said, "node": node_id}))
        if note != Note(node_id):
            notes.append(note)
    return tuple(notes)


def _request_from_data(data: dict[str, Any]) -> Request:
    try:
        return request_from_data(data)
    except RequestError as error:
        raise DocumentError(f"graph.request: {error}") from None


def _nodes_from_data(
    records: list[dict[str, Any]], model: ModelInfo, n_tokens: int
) -> Iterator[Node]:
    seen: set[str] = set()
    for index, data in enumerate(records):
        if data["id"] in seen:
            raise DocumentError(f"nodes[{index}].id: {data['id']!r} is the id of another node")
        seen.add(data["id"])
        node = _node_from_data(data, f"nodes[{index}]")
        place = node.id
        _check_below(place.position, n_tokens, f"nodes[{index}].position", "tokens")
        _check_below(place.layer, model.n_layers, f"nodes[{index}].layer", "layers")
        _check_below(place.head, model.n_heads, f"nodes[{index}].head", "heads")
        yield node


def _node_from_data(data: dict[str, Any], where: str) -> Node:
    try:
        place = NodeId.parse(data["id"])
    except ValueError as error:
        raise DocumentError(f"{where}.id: {error}") from None
    reading = Reading(
        top=_tokens_from_data(data["top"]),
        bottom=_tokens_from_data(data["bottom"]),
        target=TargetReading(**_known(TargetReading, data["target"])),
        entropy=float(data["entropy"]),
        norm=float(data["norm"]),
    )
    node = Node(place, reading, _measure(data, "activation"), _measure(data, "attention"))
    expected = {
        "id": str(place),
        "kind": place.kind.value,
        "layer": place.layer,
        "position": place.position,
        "head": place.head,
        "index": place.index,
        "source": place.position if place.kind in _HAS_SOURCE else None,
        "label": node.label,
    }
    for name, value in expected.items():
        if data.get(name) != value:
            said = "absent" if name not in data else repr(data[name])
            wanted = "absent" if value is None else repr(value)
            raise DocumentError(f"{where}.{name} is {said}; in {place} it must be {wanted}")
    return node


def _tokens_from_data(records: list[dict[str, Any]]) -> tuple[TokenProbability, ...]:
    return tuple(TokenProbability(int(t["id"]), t["text"], float(t["prob"])) for t in records)


def _edges_from_data(records: list[dict[str, Any]], ids: dict[str, NodeId]) -> Iterator[Edge]:
    seen: set[tuple[str, str, str]] = set()
    for index, data in enumerate(records):
        where = f"edges[{index}]"
        for end in ("source", "target"):
            if data[end] not in ids:
                raise DocumentError(f"{where}.{end}: there is no node {data[end]!r}")
        kind = EdgeKind(data["kind"])
        ledger = Ledger(data["ledger"]) if "ledger" in data else None
        if (kind is EdgeKind.ADDS) != (ledger is not None):
            raise DocumentError(f"{where}.ledger: an adds edge names its ledger, and no other does")
        edge = Edge(
            ids[data["source"]],
            ids[data["target"]],
            kind,
            ledger,
            *(_measure(data, measure) for measure in _MEASURES),
        )
        if data["key"] != edge.key:
            raise DocumentError(f"{where}.key is {data['key']!r}; its kind makes it {edge.key!r}")
        triple = (data["source"], data["target"], edge.key)
        if triple in seen:
            raise DocumentError(f"{where}: {' '.join(triple)} is there already")
        seen.add(triple)
        yield edge


def _check_prompt(flow: FlowGraph) -> None:
    for index, token in enumerate(flow.tokens):
        if token.position != index:
            raise DocumentError(
                f"graph.tokens[{index}].position is {token.position}; tokens stand in order, from 0"
            )
    position, n_tokens = flow.request.position, len(flow.tokens)
    if position is not None and not -n_tokens <= position < n_tokens:
        raise DocumentError(
            f"graph.request.position is {position}; the prompt has {n_tokens} tokens"
        )
    if flow.versus is not None and flow.versus.id == flow.target.id:
        raise DocumentError(
            f"graph.versus.id is {flow.versus.id}, the target's own; they must be two tokens"
        )
    for index, prediction in enumerate(flow.predictions):
        for name, named in (("target", flow.target), ("versus", flow.versus)):
            if named and prediction.id == named.id and prediction.text != named.text:
                raise DocumentError(
                    f"graph.predictions[{index}].text is {prediction.text!r}, "
                    f"but graph.{name} has it {named.text!r}"
                )


def _check_below(value: int | None, limit: int, where: str, things: str) -> None:
    if value is not None and value >= limit:
        raise DocumentError(f"{where} is {value}; the document has {limit} {things}, from 0")


def _known(type_: type, data: dict[str, Any]) -> dict[str, Any]:
    """The fields that a dataclass has, with JSON's ``1`` and ``1.0`` told apart as it wants."""
    convert = _converters(type_)
    return {name: convert[name](value) for name, value in data.items() if name in convert}


@cache
def _converters(type_: type) -> dict[str, Callable[[Any], Any]]:
    by_annotation: dict[str, Callable[[Any], Any]] = {
        "int": int,
        "int | None": int,
        "float": float,
    }
    return {field.name: by_annotation.get(str(field.type), _same) for field in fields(type_)}


def _same(value: Any) -> Any:
    return value


def _measure(data: dict[str, Any], name: str) -> float | None:
    return float(data[name]) if name in data else None


# ---------------------------------------------------------------- JSON, files, networkx


def json_from_flow(flow: FlowGraph) -> str:
    """The document as JSON text, keys sorted, one node or edge a line; equal graphs, equal text.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    data = data_from_flow(flow)
    try:
        parts = [f'"{name}":{_lines_from_part(data[name])}' for name in sorted(data)]
    except ValueError:
        place, value = next(_not_finite(data, []))
        raise DocumentError(
            f"{place_from_path(place)} is {value}, which JSON cannot hold; "
            "trace again with --dtype float32 or float64"
        ) from None
    return "{" + ",\n".join(parts) + "}\n"


def _lines_from_part(part: Any) -> str:
    if isinstance(part, list):
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

    Raises:
        DocumentError: the text is not JSON, or not a flow document.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"not JSON, or cut short: {error}") from None
    return flow_from_data(data)


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
    return (
        flow_from_html(text)
        if text.lstrip("\ufeff \t\r\n").startswith("<")
        else flow_from_json(text)
    )


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

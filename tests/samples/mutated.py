"""Documents that were changed at random, and all that the app and the command line do with one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from visit.errors import DocumentError, VisitError
from visit.formats.document import flow_from_json, json_from_flow
from visit.formats.drawable import check_drawable
from visit.formats.registry import FORMATS
from visit.formats.summary import text_from_flow
from visit.graph.flow import FlowGraph, NodeId
from visit.graph.index import Index
from visit.graph.selection import can_open
from visit.web import inspector
from visit.web.exports.downloads import download
from visit.web.flow import elements
from visit.web.plots.lens_grid import MEASURES, lens_figure, nodes_in_document
from visit.web.sankey.diagram import sankey_figure
from visit.web.screen.graph_panels import build_counts, build_graph_panels
from visit.web.state.view import View
from visit.web.theme import choose_theme
from visit.web.trees import trees

Document = dict[str, Any]
LONG = "x" * 100_000
ODD = (
    None, True, -1, 0, 1, 7, 10**9, 10**18, 10**400, 0.5, -0.0, 1e-320, 1e308, -1e308, "", " ",
    LONG, "\ud800", "\x00", "\u202e", "L0.attn@7", "L999999999.mlp@3", "all", [], {}, [[]],
    {"id": 0}, [0] * 10_000,
)  # fmt: skip
"""Values that a field may be given."""


def mutations(documents: list[Document], seed: int, count: int) -> Iterator[Document]:
    """Some documents with one to four changes each: the same for the same seed."""
    for number in range(count):
        chosen = random.Random(f"{seed} {number}")
        document = json.loads(json.dumps(chosen.choice(documents)))
        for _ in range(chosen.choice((1, 1, 1, 2, 4))):
            chosen.choice(CHANGES)(document, chosen)
        yield document


def _places(value: Any, chosen: random.Random) -> tuple[Any, Any] | None:
    """A container somewhere in a document and a key of it, the deeper the less often."""
    while True:
        if not isinstance(value, dict | list) or not value:
            return None
        key = (
            chosen.choice(list(value)) if isinstance(value, dict) else chosen.randrange(len(value))
        )
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or chosen.random() < 0.15:
            return value, key
        value = inner


def _put_odd(document: Document, chosen: random.Random) -> None:
    if place := _places(document, chosen):
        place[0][place[1]] = chosen.choice(ODD)


def _remove(document: Document, chosen: random.Random) -> None:
    if place := _places(document, chosen):
        del place[0][place[1]]


def _copy_over(document: Document, chosen: random.Random) -> None:
    """One part of the document in the place of another."""
    one, other = _places(document, chosen), _places(document, chosen)
    if one and other:
        one[0][one[1]] = json.loads(json.dumps(other[0][other[1]]))


def _put_odd_in_model(document: Document, chosen: random.Random) -> None:
    if model := _object(document, "graph", "model"):
        model[chosen.choice(list(model))] = chosen.choice(ODD)


def _put_odd_in_request(document: Document, chosen: random.Random) -> None:
    if request := _object(document, "graph", "request"):
        request[chosen.choice(list(request))] = chosen.choice(ODD)


def _put_odd_in_every(document: Document, chosen: random.Random) -> None:
    """One field of every edge, or of every node's reading, as odd as any."""
    items = _records(document, chosen.choice(("nodes", "edges")))
    value = chosen.choice(ODD)
    if items and items[0]:
        field = chosen.choice(list(items[0]))
        for item in items:
            if field in item and field not in ("id", "source", "target", "kind", "key", "ledger"):
                item[field] = value


def _drop_nodes(document: Document, chosen: random.Random) -> None:
    """Some nodes and every edge of theirs, so that no end is missing."""
    nodes = _records(document, "nodes")
    part = chosen.choice((0.02, 0.2, 0.7, 1.0))
    kept = [node for node in nodes if chosen.random() > part] or nodes[:1]
    names = {str(node.get("id")) for node in kept}
    document["nodes"] = kept
    document["edges"] = [
        edge
        for edge in _records(document, "edges")
        if {str(edge.get("source")), str(edge.get("target"))} <= names
    ]


def _drop_a_kind(document: Document, chosen: random.Random) -> None:
    nodes = _records(document, "nodes")
    if not nodes:
        return
    kind = chosen.choice(nodes).get("kind")
    gone = {str(node.get("id")) for node in nodes if node.get("kind") == kind}
    document["nodes"] = [node for node in nodes if node.get("kind") != kind] or nodes[:1]
    document["edges"] = [
        edge
        for edge in _records(document, "edges")
        if not {str(edge.get("source")), str(edge.get("target"))} & gone
    ]


def _drop_edges(document: Document, chosen: random.Random) -> None:
    part = chosen.choice((0.1, 0.5, 1.0))
    edges = _records(document, "edges")
    document["edges"] = [edge for edge in edges if chosen.random() > part]


def _turn_edges(document: Document, chosen: random.Random) -> None:
    """Edges that run backwards, or from anywhere to anywhere."""
    nodes, edges = _records(document, "nodes"), _records(document, "edges")
    for edge in edges:
        if chosen.random() < 0.3 and nodes:
            if chosen.random() < 0.5:
                edge["source"], edge["target"] = edge.get("target"), edge.get("source")
            else:
                edge["target"] = chosen.choice(nodes).get("id")


def _say_long_words(document: Document, chosen: random.Random) -> None:
    """A text of 100,000 letters wherever a token says one."""
    for token in _records(_object(document, "graph"), "tokens"):
        if chosen.random() < 0.5:
            token["text"] = LONG
    for node in _records(document, "nodes")[:40]:
        top = node.get("top")
        if isinstance(top, list) and top and isinstance(top[0], dict):
            top[0]["text"] = node["label"] = LONG
        for token in _records(_object(node, "outcome"), "promotes"):
            token["text"] = LONG


def _say_many_notes(document: Document, chosen: random.Random) -> None:
    nodes = [str(node.get("id")) for node in _records(document, "nodes")]
    graph = _object(document, "graph")
    if graph:
        said = {
            "name": chosen.choice(("a", LONG[:5_000])),
            "group": "g",
            "pinned": True,
            "text": "b",
        }
        graph["annotations"] = {"nodes": {name: dict(said) for name in nodes}}


def _object(document: Document, *names: str) -> dict[str, Any]:
    """A part that is an object, by its way; an empty one where there is none left."""
    part: Any = document
    for name in names:
        part = part.get(name) if isinstance(part, dict) else None
    return part if isinstance(part, dict) else {}


def _records(document: Document, name: str) -> list[dict[str, Any]]:
    listed = document.get(name)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


CHANGES: tuple[Callable[[Document, random.Random], None], ...] = (
    _put_odd, _put_odd, _remove, _copy_over, _put_odd_in_model, _put_odd_in_model,
    _put_odd_in_request, _put_odd_in_every, _drop_nodes, _drop_nodes, _drop_a_kind, _drop_edges,
    _turn_edges, _say_long_words, _say_many_notes,
)  # fmt: skip


def use(document: Document, chosen: random.Random) -> str | None:
    """Read a document and do with it all that the app and the command line would.

    Returns:
        Why it was refused; ``None`` of one that was read, drawn and written.
    """
    try:
        flow = flow_from_json(json.dumps(document))
    except DocumentError as problem:
        return str(problem)
    text_from_flow(flow)
    for row in FORMATS.values():
        if row.write is not None:
            row.write(flow)
    try:
        check_drawable(flow)
    except DocumentError as problem:
        return str(problem)
    _look(flow, chosen)
    return None


def _look(flow: FlowGraph, chosen: random.Random) -> None:
    index, theme = Index(flow), choose_theme("light")
    build_graph_panels(index, clickable=False)
    build_counts(index)
    openable = [node_id for node_id in index.nodes if can_open(index, node_id)]
    opened: list[NodeId] = []
    for count in (0, 1, len(openable)):
        opened = chosen.sample(openable, count) if count <= len(openable) else openable
        elements.draw(index, opened, notes=flow.notes)
    view = View("k", flow.request, tuple(opened[:50]), flow.notes, fixed=True)
    for name in ("html", "svg") if chosen.random() < 0.02 else ("svg",):
        download(FORMATS[name], index, view)
    View.parse(json.loads(json.dumps(view.data())))
    trees(inspector.about(index, flow.notes))
    for node in chosen.sample(flow.nodes, min(2, len(flow.nodes))):
        for tab in inspector.Tab:
            trees(inspector.node_panel(index, node, tab))
    measure = chosen.choice(MEASURES)
    lens_figure(nodes_in_document(flow), flow, measure=measure, theme=theme)
    for layer in {0, flow.model.n_layers - 1}:
        with suppress(VisitError):  # a layer that the document does not hold opened
            sankey_figure(index, layer, theme, neurons=chosen.random() < 0.5)


def samples(*flows: FlowGraph) -> list[Document]:
    """Documents to change."""
    return [json.loads(json_from_flow(flow)) for flow in flows]

"""A flow graph as plain dictionaries and lists, as a document has it: inverse pairs.

Reading checks the shape (``formats.schema``), then what a schema cannot say: ids are unique and
agree with their fields, and every edge joins two nodes that exist (``formats.checks``).
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from visit.errors import DocumentError, RequestError
from visit.formats.checks import check_agreement, check_ledger, check_place, check_prompt
from visit.formats.earlier import update
from visit.formats.effect_records import (
    agreement_from_data,
    data_from_agreement,
    data_from_effect,
    effect_from_data,
)
from visit.formats.explained import (
    data_from_explained,
    data_from_tokens,
    explained_from_data,
    node_from_text,
    tokens_from_data,
)
from visit.formats.fields import drop_absent, keep_known, read_number
from visit.formats.node_link import restored
from visit.formats.notes import data_from_notes, notes_from_data
from visit.formats.schema import NAME, check_shape
from visit.graph.effect import Effect
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
    Outcome,
    Prediction,
    Reading,
    TargetReading,
    TokenFlow,
)
from visit.graph.interventions import Intervention, Site
from visit.graph.request import Request

_MEASURES = (
    "norm",
    "share",
    "direct_logit",
    "proximity",
    "attention",
    "activation",
    "absolute_share",
    "absolute_flow",
    "flow",
)
_HAS_SOURCE = {NodeKind.KEY, NodeKind.VALUE}


# ---------------------------------------------------------------- flow graph -> document


def data_from_flow(flow: FlowGraph) -> dict[str, Any]:
    """The document as plain dictionaries and lists; fields that do not apply are absent."""
    return {
        "schema": NAME,
        "directed": True,
        "multigraph": True,
        "graph": drop_absent(
            visit_version=flow.visit_version,
            created=flow.created,
            **data_from_explained(flow),
            predictions=[asdict(prediction) for prediction in flow.predictions],
            audit=drop_absent(**asdict(flow.audit)),
            annotations=data_from_notes(flow.notes) if flow.notes else None,
            agreement=None if flow.agreement is None else data_from_agreement(flow.agreement),
            interventions=_data_from_interventions(flow.request) or None,
        ),
        "nodes": [_data_from_node(node) for node in flow.nodes],
        "edges": [_data_from_edge(edge) for edge in flow.edges],
    }


def _data_from_interventions(request: Request) -> list[dict[str, str]]:
    """What was done to the pass; read back from the request, which says the same."""
    changes = map(Intervention.parse, request.interventions)
    return [{"site": str(one.site), "how": str(one.how)} for one in changes]


def _data_from_node(node: Node) -> dict[str, Any]:
    reading = node.reading
    return drop_absent(
        **_derived_fields(node),
        norm=reading.norm,
        entropy=reading.entropy,
        activation=node.activation,
        top=data_from_tokens(reading.top),
        bottom=data_from_tokens(reading.bottom),
        target={
            "prob": reading.target.prob,
            "rank": reading.target.rank,
            "logit": reading.target.logit,
        },
        flow=node.flow,
        outcome=None if node.outcome is None else data_from_outcome(node.outcome),
        effect=None if node.effect is None else data_from_effect(node.effect),
    )


def data_from_outcome(outcome: Outcome) -> dict[str, Any]:
    """An outcome's tokens, at either end."""
    return {
        name: [{"id": token.id, "text": token.text, "flow": token.flow} for token in tokens]
        for name, tokens in (("promotes", outcome.promotes), ("suppresses", outcome.suppresses))
    }


def _derived_fields(node: Node) -> dict[str, Any]:
    """What follows from a node's id and reading, and stands beside them for those who only read."""
    place = node.id
    return {
        "id": str(place),
        "kind": place.kind.value,
        "layer": place.layer,
        "position": place.position,
        "head": place.head,
        "index": place.index,
        "source": place.position if place.kind in _HAS_SOURCE else None,
        "label": node.label,
    }


def _data_from_edge(edge: Edge) -> dict[str, Any]:
    return drop_absent(
        source=str(edge.source),
        target=str(edge.target),
        key=edge.key,
        kind=edge.kind.value,
        ledger=None if edge.ledger is None else edge.ledger.value,
        **{measure: getattr(edge, measure) for measure in _MEASURES},
    )


# ---------------------------------------------------------------- document -> flow graph


def flow_from_data(data: object) -> FlowGraph:
    """Check a document and read it back; the inverse of ``data_from_flow``.

    Fields that this version does not know are passed over.

    Raises:
        DocumentError: the document is not one; the text names the first place where it is not.
    """
    data = update(check_shape(restored(data)))
    graph = data["graph"]
    explained = explained_from_data(graph, "graph.")
    nodes = tuple(_nodes_from_data(data["nodes"], explained["model"], len(explained["tokens"])))
    flow = FlowGraph(
        visit_version=graph["visit_version"],
        created=graph.get("created"),
        **explained,
        predictions=tuple(Prediction(**keep_known(Prediction, p)) for p in graph["predictions"]),
        audit=_audit_from_data(graph["audit"]),
        nodes=nodes,
        edges=tuple(_edges_from_data(data["edges"], {str(node.id): node.id for node in nodes})),
        notes=notes_from_data(graph.get("annotations", {})),
        agreement=agreement_from_data(graph["agreement"]) if "agreement" in graph else None,
    )
    check_prompt(flow)
    return flow


def _audit_from_data(data: dict[str, Any]) -> Audit:
    return Audit(float(data["residual"]), float(data["logit"]), read_number(data, "flow"))


def _nodes_from_data(
    records: list[dict[str, Any]], model: ModelInfo, n_tokens: int
) -> Iterator[Node]:
    seen: set[str] = set()
    for index, data in enumerate(records):
        if data["id"] in seen:
            raise DocumentError(
                f"nodes[{index}].id: {reprlib.repr(data['id'])} is the id of another node"
            )
        seen.add(data["id"])
        node = _node_from_data(data, f"nodes[{index}]")
        check_place(node.id, model, n_tokens, f"nodes[{index}]")
        yield node


def _node_from_data(data: dict[str, Any], where: str) -> Node:
    place = node_from_text(data["id"], f"{where}.id")
    reading = Reading(
        top=tokens_from_data(data["top"]),
        bottom=tokens_from_data(data["bottom"]),
        target=TargetReading(**keep_known(TargetReading, data["target"])),
        entropy=float(data["entropy"]),
        norm=float(data["norm"]),
    )
    node = Node(
        place,
        reading,
        activation=read_number(data, "activation"),
        flow=read_number(data, "flow"),
        outcome=outcome_from_data(data["outcome"]) if "outcome" in data else None,
        effect=_effect_from_data(data["effect"], place, where) if "effect" in data else None,
    )
    check_agreement(data, _derived_fields(node), where, str(place))
    return node


def _effect_from_data(data: dict[str, Any], place: NodeId, where: str) -> Effect:
    try:
        return effect_from_data(data, (Site.from_node(place),))
    except RequestError as error:
        raise DocumentError(f"{where}.effect: {error}") from None


def outcome_from_data(data: dict[str, Any]) -> Outcome:
    """Read an outcome back."""
    promotes, suppresses = (
        tuple(TokenFlow(int(t["id"]), t["text"], float(t["flow"])) for t in data[name])
        for name in ("promotes", "suppresses")
    )
    return Outcome(promotes, suppresses)


def _edges_from_data(records: list[dict[str, Any]], ids: dict[str, NodeId]) -> Iterator[Edge]:
    seen: set[tuple[str, str, str]] = set()
    for index, data in enumerate(records):
        where = f"edges[{index}]"
        for end in ("source", "target"):
            if data[end] not in ids:
                raise DocumentError(f"{where}.{end}: there is no node {reprlib.repr(data[end])}")
        edge = Edge(
            ids[data["source"]],
            ids[data["target"]],
            EdgeKind(data["kind"]),
            Ledger(data["ledger"]) if "ledger" in data else None,
            *(read_number(data, measure) for measure in _MEASURES),
        )
        check_ledger(edge, where)
        if data["key"] != edge.key:
            raise DocumentError(
                f"{where}.key is {reprlib.repr(data['key'])}; its kind makes it {edge.key!r}"
            )
        triple = (data["source"], data["target"], edge.key)
        if triple in seen:
            raise DocumentError(f"{where}: {' '.join(triple)} is there already")
        seen.add(triple)
        yield edge

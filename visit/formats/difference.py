"""What differs between two flow graphs as a ``visit.difference/1`` document: inverse pairs.

``networkx.node_link_graph(document, edges="edges")`` reads it, as it reads a flow document.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from visit.errors import DocumentError
from visit.formats.document import json_from_record
from visit.formats.explained import data_from_explained, explained_from_data, node_from_text
from visit.formats.fields import drop_absent, keep_known, record_from_json
from visit.formats.schema import DIFFERENCE, check_shape
from visit.graph.alignment import AlignedBy, Alignment, Column
from visit.graph.compare import (
    Compared,
    Difference,
    EdgeDifference,
    Measures,
    NodeDifference,
    Side,
)
from visit.graph.flow import EdgeKind, Ledger


def json_from_difference(difference: Difference, created: str | None = None) -> str:
    """The document as JSON text, keys sorted, one node or edge a line; equal ones, equal text.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    return json_from_record(data_from_difference(difference, created))


def difference_from_json(text: str) -> Difference:
    """Read JSON text back; the inverse of ``json_from_difference``.

    Raises:
        DocumentError: the text is not JSON, or not a difference document.
    """
    return difference_from_data(record_from_json(text))


def data_from_difference(difference: Difference, created: str | None = None) -> dict[str, Any]:
    """The document as plain dictionaries and lists; fields that do not apply are absent.

    Args:
        difference: What was compared.
        created: An ISO time, or ``None`` in a document that must be reproducible.
    """
    return {
        "schema": DIFFERENCE,
        "directed": True,
        "multigraph": True,
        "graph": drop_absent(
            visit_version=difference.visit_version,
            created=created,
            first=data_from_explained(difference.first),
            second=data_from_explained(difference.second),
            aligned_by=difference.alignment.by.value,
            columns=[drop_absent(**asdict(one)) for one in difference.alignment.columns],
        ),
        "nodes": [_data_from_node(node) for node in difference.nodes],
        "edges": [_data_from_edge(edge) for edge in difference.edges],
    }


def _data_from_node(node: NodeDifference) -> dict[str, Any]:
    place = node.id
    return drop_absent(
        id=str(place),
        kind=place.kind.value,
        layer=place.layer,
        position=place.position,
        head=place.head,
        index=place.index,
        **_data_from_compared(node),
    )


def _data_from_edge(edge: EdgeDifference) -> dict[str, Any]:
    return drop_absent(
        source=str(edge.source),
        target=str(edge.target),
        key=edge.key,
        kind=edge.kind.value,
        ledger=None if edge.ledger is None else edge.ledger.value,
        **_data_from_compared(edge),
    )


def _data_from_compared(one: Compared) -> dict[str, Any]:
    return {
        "held": one.held.value,
        "alike": None if one.alike else False,
        "first": None if one.first is None else drop_absent(**asdict(one.first)),
        "second": None if one.second is None else drop_absent(**asdict(one.second)),
        "difference": one.differences or None,
    }


def difference_from_data(data: object) -> Difference:
    """Check a document and read it back; the inverse of ``data_from_difference``.

    Differences, and which graphs hold what, follow from the two sides and are worked out again.

    Raises:
        DocumentError: the document is not one; the text names the first place where it is not.
    """
    record = check_shape(data, (DIFFERENCE,))
    graph = record["graph"]
    columns = tuple(Column(one.get("first"), one.get("second")) for one in graph["columns"])
    for at, one in enumerate(record["nodes"]):
        if one["position"] >= len(columns):
            raise DocumentError(
                f"nodes[{at}].position is {one['position']}; the comparison has {len(columns)} "
                "columns, from 0"
            )
    return Difference(
        visit_version=graph["visit_version"],
        first=Side(**explained_from_data(graph["first"], "graph.first.")),
        second=Side(**explained_from_data(graph["second"], "graph.second.")),
        alignment=Alignment(AlignedBy(graph["aligned_by"]), columns),
        nodes=tuple(
            NodeDifference(
                *_pair(one, f"nodes[{at}]"),
                node_from_text(one["id"], f"nodes[{at}].id"),
                alike=one.get("alike", True),
            )
            for at, one in enumerate(record["nodes"])
        ),
        edges=tuple(
            EdgeDifference(
                *_pair(one, f"edges[{at}]"),
                node_from_text(one["source"], f"edges[{at}].source"),
                node_from_text(one["target"], f"edges[{at}].target"),
                EdgeKind(one["kind"]),
                Ledger(one["ledger"]) if "ledger" in one else None,
                alike=one.get("alike", True),
            )
            for at, one in enumerate(record["edges"])
        ),
    )


def _pair(data: dict[str, Any], where: str) -> tuple[Measures | None, Measures | None]:
    first, second = (
        Measures(**keep_known(Measures, data[side])) if side in data else None
        for side in ("first", "second")
    )
    if first is None and second is None:
        raise DocumentError(f"{where} is of neither graph; give first, second or both")
    return first, second

"""What holds over many prompts as a ``visit.consensus/1`` document: inverse pairs.

``networkx.node_link_graph(document, edges="edges")`` reads it, as it reads a flow document.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from visit.errors import DocumentError
from visit.formats.document import json_from_record
from visit.formats.explained import (
    asked_from_data,
    data_from_asked,
    node_from_text,
    target_from_data,
)
from visit.formats.fields import drop_absent, keep_known, record_from_json
from visit.formats.schema import CONSENSUS, check_shape
from visit.graph.consensus import (
    MEASURES,
    Consensus,
    EdgeConsensus,
    LeftOut,
    PartConsensus,
    PromptResult,
)
from visit.graph.flow import Edge, EdgeKind, Ledger, MetricKind
from visit.graph.slots import Slot
from visit.graph.spread import LEVEL, Spread


def json_from_consensus(consensus: Consensus, created: str | None = None) -> str:
    """The document as JSON text, keys sorted, one node or edge a line; equal ones, equal text.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    return json_from_record(data_from_consensus(consensus, created))


def consensus_from_json(text: str) -> Consensus:
    """Read JSON text back; the inverse of ``json_from_consensus``.

    Raises:
        DocumentError: the text is not JSON, or not a consensus document.
    """
    return consensus_from_data(record_from_json(text))


def data_from_consensus(consensus: Consensus, created: str | None = None) -> dict[str, Any]:
    """The document as plain dictionaries and lists; fields that do not apply are absent.

    Args:
        consensus: What holds over the prompts.
        created: An ISO time, or ``None`` in a document that must be reproducible.
    """
    return {
        "schema": CONSENSUS,
        "directed": True,
        "multigraph": True,
        "graph": drop_absent(
            visit_version=consensus.visit_version,
            created=created,
            **data_from_asked(consensus),
            metric=consensus.kind.value,
            template=consensus.template or None,
            slots=[drop_absent(**asdict(slot)) for slot in consensus.slots],
            traced=consensus.traced,
            strongest=consensus.strongest,
            level=LEVEL,
            prompts=[asdict(one) for one in consensus.prompts],
            left_out=[asdict(one) for one in consensus.left_out],
        ),
        "nodes": [_data_from_node(node) for node in consensus.nodes],
        "edges": [_data_from_edge(edge) for edge in consensus.edges],
    }


def _data_from_node(node: PartConsensus) -> dict[str, Any]:
    place = node.id
    spreads = ((name, getattr(node, name)) for name in MEASURES)
    return drop_absent(
        id=str(place),
        kind=place.kind.value,
        layer=place.layer,
        position=place.position,
        head=place.head,
        **{name: None if one is None else _data_from_spread(one) for name, one in spreads},
    )


def _data_from_edge(edge: EdgeConsensus) -> dict[str, Any]:
    # An edge that adds is a line of one of two ledgers, which its key says as in a flow document.
    is_head = edge.source.head is not None
    ledger = Ledger.HEADS if is_head else Ledger.RESIDUAL
    adds = edge.kind is EdgeKind.ADDS
    return {
        "source": str(edge.source),
        "target": str(edge.target),
        "key": Edge(edge.source, edge.target, edge.kind, ledger if adds else None).key,
        "kind": edge.kind.value,
        "flow": _data_from_spread(edge.flow),
    }


def _data_from_spread(spread: Spread) -> dict[str, Any]:
    return drop_absent(**asdict(spread))


def consensus_from_data(data: object) -> Consensus:
    """Check a document and read it back; the inverse of ``data_from_consensus``.

    Raises:
        DocumentError: the document is not one; the text names the first place where it is not.
    """
    record = check_shape(data, (CONSENSUS,))
    graph = record["graph"]
    n_slots = len(graph["slots"])
    for at, one in enumerate(record["nodes"]):
        if one["position"] >= n_slots:
            raise DocumentError(
                f"nodes[{at}].position is {one['position']}; the document has {n_slots} slots, "
                "from 0"
            )
    return Consensus(
        visit_version=graph["visit_version"],
        **asked_from_data(graph, "graph."),
        kind=MetricKind(graph["metric"]),
        template=graph.get("template", ""),
        slots=tuple(Slot(one["name"], one.get("before"), one["n"]) for one in graph["slots"]),
        traced=graph["traced"],
        strongest=graph["strongest"],
        prompts=tuple(
            PromptResult(
                one["line"],
                one["prompt"],
                target_from_data(one["target"]),
                float(one["metric"]),
            )
            for one in graph["prompts"]
        ),
        left_out=tuple(LeftOut(one["line"], one["reason"]) for one in graph["left_out"]),
        nodes=tuple(
            PartConsensus(
                node_from_text(one["id"], f"nodes[{at}].id"),
                **{name: _spread_from_data(one[name]) for name in MEASURES if name in one},
            )
            for at, one in enumerate(record["nodes"])
        ),
        edges=tuple(
            EdgeConsensus(
                node_from_text(one["source"], f"edges[{at}].source"),
                node_from_text(one["target"], f"edges[{at}].target"),
                EdgeKind(one["kind"]),
                _spread_from_data(one["flow"]),
            )
            for at, one in enumerate(record["edges"])
        ),
    )


def _spread_from_data(data: dict[str, Any]) -> Spread:
    return Spread(**keep_known(Spread, data))

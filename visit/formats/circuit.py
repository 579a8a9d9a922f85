"""Circuits as a ``visit.circuit/1`` document: inverse pairs, and JSON text."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from visit.errors import RequestError
from visit.formats.document import json_from_record
from visit.formats.effect_records import data_from_reference, reference_from_data
from visit.formats.explained import (
    data_from_explained,
    explained_from_data,
    node_from_text,
    site_from_text,
)
from visit.formats.fields import drop_absent, keep_known, read_number, record_from_json
from visit.formats.schema import CIRCUIT, check_shape
from visit.graph.circuit import Circuit, CircuitEdge, CircuitPart, Point, Score
from visit.graph.effects import Base
from visit.graph.flow import NodeId
from visit.graph.interventions import Site

_LISTS = ("curve", "parts", "edges")


def json_from_circuit(circuit: Circuit, created: str | None = None) -> str:
    """The document as JSON text, keys sorted, one part a line; equal answers, equal text.

    Raises:
        DocumentError: a number is not finite, which JSON cannot say.
    """
    return json_from_record(data_from_circuit(circuit, created), by_line=_LISTS)


def circuit_from_json(text: str) -> Circuit:
    """Read JSON text back; the inverse of ``json_from_circuit``.

    Raises:
        DocumentError: the text is not JSON, or not a circuit document.
    """
    return circuit_from_data(record_from_json(text))


def data_from_circuit(circuit: Circuit, created: str | None = None) -> dict[str, Any]:
    """The document as plain dictionaries and lists; fields that do not apply are absent.

    Args:
        circuit: What was found.
        created: An ISO time, or ``None`` in a document that must be reproducible.
    """
    reference = circuit.reference
    return drop_absent(
        schema=CIRCUIT,
        visit_version=circuit.visit_version,
        created=created,
        **data_from_explained(circuit),
        how=circuit.how,
        by=circuit.by.value,
        reference=None if reference is None else data_from_reference(reference),
        base=asdict(circuit.base),
        none=circuit.none,
        chosen=asdict(circuit.chosen),
        complement=asdict(circuit.complement),
        curve=[asdict(point) for point in circuit.curve],
        parts=[_data_from_part(part) for part in circuit.parts],
        edges=[
            {"source": str(edge.source), "target": str(edge.target), "flow": edge.flow}
            for edge in circuit.edges
        ],
    )


def _data_from_part(part: CircuitPart) -> dict[str, Any]:
    return drop_absent(
        site=str(part.site),
        score=part.score,
        kept=part.kept,
        change=part.change,
        backup=part.backup,
        state="idle" if part.is_idle else "missed" if part.is_missed else None,
    )


def circuit_from_data(data: object) -> Circuit:
    """Check a document and read it back; the inverse of ``data_from_circuit``.

    A part's state follows from its numbers and is worked out again.

    Raises:
        DocumentError: the document is not one; the text names the first place where it is not.
    """
    record = check_shape(data, (CIRCUIT,))
    reference = record.get("reference")
    return Circuit(
        visit_version=record["visit_version"],
        **explained_from_data(record),
        how=record["how"],
        by=Score(record["by"]),
        base=Base(**keep_known(Base, record["base"])),
        none=float(record["none"]),
        chosen=_point(record["chosen"]),
        complement=_point(record["complement"]),
        curve=tuple(map(_point, record["curve"])),
        parts=tuple(_part(one, f"parts[{n}]") for n, one in enumerate(record["parts"])),
        edges=tuple(_edge(one, f"edges[{n}]") for n, one in enumerate(record["edges"])),
        reference=None if reference is None else reference_from_data(reference),
    )


def _point(data: dict[str, Any]) -> Point:
    return Point(int(data["size"]), float(data["metric"]), float(data["faithfulness"]))


def _part(data: dict[str, Any], where: str) -> CircuitPart:
    return CircuitPart(
        site=site_from_text(data["site"], where),
        score=float(data["score"]),
        kept=data["kept"],
        change=read_number(data, "change"),
        backup=read_number(data, "backup"),
    )


def _edge(data: dict[str, Any], where: str) -> CircuitEdge:
    target: Site | NodeId
    try:
        target = Site.parse(data["target"])
    except RequestError:  # the output is no site
        target = node_from_text(data["target"], f"{where}.target")
    return CircuitEdge(site_from_text(data["source"], where), target, float(data["flow"]))

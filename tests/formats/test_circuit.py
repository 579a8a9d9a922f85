"""``visit.circuit/1``: what is written reads back, and what is none is refused in one line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from sample import make_flow

from visit.errors import DocumentError
from visit.formats.circuit import circuit_from_json, data_from_circuit, json_from_circuit
from visit.formats.circuit_summary import text_from_circuit
from visit.graph.circuit import Circuit, CircuitEdge, CircuitPart, Point, Score
from visit.graph.effects import Base, Reference
from visit.graph.flow import MetricInfo, MetricKind, NodeId, Target, Token
from visit.graph.interventions import Site
from visit.graph.request import Request


def site(text: str) -> Site:
    return Site.parse(text)


CIRCUIT = Circuit(
    visit_version="1",
    request=Request("A b"),
    model=make_flow().model,
    tokens=(Token(0, 4, "A"), Token(1, 5, "\x1b b")),
    target=Target(7, " c", 3.0, 0.5, 1),
    metric=MetricInfo(MetricKind.CHOICE, 5.0),
    how="patch",
    by=Score.FLOW,
    base=Base(3.0, -0.7, 0.5, 1, 5.0),
    none=-1.0,
    chosen=Point(2, 5.3, 1.05),
    complement=Point(2, 0.2, 0.2),
    curve=(Point(0, -1.0, 0.0), Point(1, 2.0, 0.5), Point(2, 5.3, 1.05), Point(4, 5.0, 1.0)),
    parts=(
        CircuitPart(site("L1.head0@1"), -2.0, True, -0.6),
        CircuitPart(site("L0.mlp@*"), 1.0, True, 0.001),
        CircuitPart(site("L0.head1@1"), -0.5, False, 0.3, 0.25),
        CircuitPart(site("L2.memory4.value@0"), 0.1, False),
    ),
    edges=(
        CircuitEdge(site("L1.head0@1"), NodeId.parse("output@1"), 2.0),
        CircuitEdge(site("L0.mlp@*"), site("L1.head0@1"), -0.4),
    ),
    reference=Reference("the reference prompt", ("A d",), metric=-2.0),
)


def test_a_circuit_survives_its_document():
    text = json_from_circuit(CIRCUIT, "2026-01-01T00:00:00+00:00")
    assert circuit_from_json(text) == CIRCUIT
    assert json.loads(text)["created"] == "2026-01-01T00:00:00+00:00"
    assert json_from_circuit(CIRCUIT) == json_from_circuit(circuit_from_json(text))
    bare = replace(CIRCUIT, reference=None, edges=(), versus=CIRCUIT.target)
    assert circuit_from_json(json_from_circuit(bare)) == bare


def test_the_document_says_which_parts_are_idle_and_missed():
    states = [part.get("state") for part in data_from_circuit(CIRCUIT)["parts"]]
    assert states == [None, "idle", "missed", None]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": "visit.circuit/9"}, "this visit reads 'visit.circuit/1'"),
        ({"curve": []}, "curve: [] has less than 2 items"),
        ({"by": "luck"}, 'by: "luck" is not one of'),
        ({"none": None}, "none: null is not of type"),
        ({"parts": [{"site": "L1.ln1@1", "score": 1.0, "kept": True}]}, "ln1 cannot be changed"),
        (
            {"edges": [{"source": "L1.head0@1", "target": "nowhere@1", "flow": 1}]},
            "edges[0].target",
        ),
    ],
)
def test_what_is_no_circuit_document_is_refused_in_one_line(change: dict[str, Any], said: str):
    with pytest.raises(DocumentError, match=re.escape(said)) as refused:
        circuit_from_json(json.dumps({**data_from_circuit(CIRCUIT), **change}))
    assert "\n" not in str(refused.value)


def test_a_number_that_is_not_finite_cannot_be_written():
    with pytest.raises(DocumentError, match=r"none is nan, which JSON cannot hold"):
        json_from_circuit(replace(CIRCUIT, none=float("nan")))


def test_the_summary_marks_the_chosen_size_and_names_what_is_missed():
    text = text_from_circuit(CIRCUIT, count=1)
    assert "2 of 4 parts kept, all others patched: faithfulness 1.05" in text
    assert re.search(r"→ +2 +1\.05 +\+5\.300", text)
    assert "(the 1 strongest of 2)" in text
    assert re.search(r"L0\.head1@1 +-0\.500 +\+0\.30 +\+0\.25  missed", text)
    assert re.search(r"L1\.head0@1 +→ +output@1 +\+2\.000", text)
    assert "\x1b" not in text

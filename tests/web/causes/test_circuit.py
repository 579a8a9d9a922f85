"""The circuit of the pane: what the page asks, its curve, and the parts that it lists."""

from __future__ import annotations

from typing import Any

import pytest
from sample import make_flow

from visit.engine.questions import FindCircuit
from visit.errors import RequestError
from visit.graph.circuit import Circuit, CircuitPart, Point, Score
from visit.graph.effects import Base, Reference
from visit.graph.interventions import Site
from visit.graph.request import Request
from visit.web.causes.circuit import ask_circuit, circuit_figure, list_parts, say_circuit
from visit.web.theme import LIGHT
from visit.web.trees import trees

FLOW = make_flow()
LAST = FLOW.position


def part(name: str, score: float, kept: bool, *more: float) -> CircuitPart:
    return CircuitPart(Site.parse(f"{name}@{LAST}"), score, kept, *more)


CHOSEN = Point(2, 5.3, 1.05)


def circuit(chosen: Point = CHOSEN) -> Circuit:
    return Circuit(
        visit_version="1",
        request=FLOW.request,
        model=FLOW.model,
        tokens=FLOW.tokens,
        target=FLOW.target,
        metric=FLOW.metric,
        how="patch",
        by=Score.FLOW,
        base=Base(3.0, -0.7, 0.5, 1, 5.0),
        none=-1.0,
        chosen=chosen,
        complement=Point(2, 0.2, 0.2),
        curve=(Point(0, -1.0, 0.0), Point(2, 5.3, 1.05), Point(6, 5.0, 0.9), Point(8, 5.0, 1.0)),
        parts=(
            part("L1.head0", -2.0, True, -0.6),
            part("L0.mlp", 1.0, True, 0.001),
            part("L0.head1", -0.5, False, 0.3, 0.25),
            part("L0.head2", -0.4, False, -0.1, 0.02),
        ),
        reference=Reference("the reference prompt", ("A d",)),
    )


def texts(made: list[Any]) -> str:
    def walk(tree: Any) -> str:
        if isinstance(tree, str):
            return tree
        return " ".join(map(walk, tree.get("children", [])))

    return " ".join(map(walk, trees(made)))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, {"parts": ("heads",)}),
        ({"keep": 3, "by": "flow"}, {"parts": ("heads",), "keep": 3, "by": Score.FLOW}),
        ({"second": "b a"}, {"parts": ("heads",), "reference": ("b a",)}),
        (
            {"sites": [f"L1.mlp@{LAST}", f"L0.head2@{LAST} zero"], "keep": 3},
            {"parts": ("heads", "mlp"), "sites": (f"L1.mlp@{LAST}", f"L0.head2@{LAST}")},
        ),
        ({"by": "luck"}, {"parts": ("heads",)}),
    ],
)
def test_the_page_asks_of_all_heads_and_of_the_sorts_that_are_kept(
    asked: dict[str, Any], wanted: dict[str, Any]
):
    changed = Request("a b", interventions=("L0.mlp@1 zero",))
    assert ask_circuit(FLOW, changed, asked) == FindCircuit(Request("a b"), checks=60, **wanted)


def test_where_something_is_kept_elsewhere_all_of_its_sort_is_in_question():
    asked = ask_circuit(FLOW, Request("a b"), {"sites": ["L1.mlp@0", "L0.memory4.value@1"]})
    sites = [f"L{layer}.mlp@0" for layer in range(FLOW.model.n_layers)]
    assert asked.parts == ("heads", *sites, "L0.memory4.value@1")


def test_an_attention_cannot_be_kept_beside_its_heads():
    with pytest.raises(RequestError, match="an attention is all of its heads"):
        ask_circuit(FLOW, Request("a b"), {"sites": ["L1.attn@1"]})


def test_every_point_of_the_curve_knows_its_size_and_the_chosen_one_stands_out():
    line, own = circuit_figure(circuit(), LIGHT)["data"]
    assert line["customdata"] == [0, 2, 6, 8]
    assert line["y"] == [0.0, 1.05, 0.9, 1.0]
    assert (own["x"], own["y"], own["customdata"]) == ([1.0], [1.05], [2])
    between = circuit_figure(circuit(Point(4, 5.0, 1.0)), LIGHT)["data"][1]
    assert between["x"] == [1.5]


def test_what_is_said_has_the_numbers_and_where_values_come_from():
    said = texts(say_circuit(circuit()))
    assert "2 of 4" in said and "1.05" in said and "0.20" in said
    assert "set to its value at the same position of the reference prompt" in said


def test_kept_missed_and_backup_parts_go_to_their_nodes():
    kept, missed, backups = trees(list_parts(circuit(), FLOW))

    def nodes(tree: Any) -> list[str]:
        if isinstance(tree, str):
            return []
        own = tree["attributes"].get("data-node")
        return ([own] if own else []) + [
            id_ for one in tree.get("children", []) for id_ in nodes(one)
        ]

    assert nodes(kept) == [f"L1.head0@{LAST}", f"L0.mlp@{LAST}"]
    assert nodes(missed) == [f"L0.head1@{LAST}"]
    assert nodes(backups) == [f"L0.head1@{LAST}", f"L0.head2@{LAST}"]
    assert f"'data-keep-drawn': 'L1.head0@{LAST} L0.mlp@{LAST}'" in str(kept)
    assert "is-idle" in str(kept)

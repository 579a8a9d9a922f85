"""What a threshold hides: the slider, the images and the number "unexplained" by one rule."""

from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import pytest
from sample import make_flow, with_flow

from visit.graph.flow import NodeId, NodeKind, Request
from visit.graph.flows import levels, unexplained
from visit.graph.index import Index
from visit.graph.kinds import BIASES, RESIDUALS
from visit.graph.request import RouteBy
from visit.graph.selection import select
from visit.web.exports.svg import svg_from_elements
from visit.web.flow.elements import choose, draw
from visit.web.look import Look
from visit.web.screen.graph_panels import build_graph_panels

INDEX = Index(make_flow())
BY_FLOW = Index(with_flow(make_flow()))
LONG = Index(make_flow(Request(" ".join(["word"] * 24)), n_layers=12, opened=()))
"""So long that the budget leaves out lines."""


def shown_edges(made: list[dict], level: float) -> list[dict]:
    """The edges that assets/graph.js leaves shown: it compares these two fields of the elements."""
    edges = [element["data"] for element in made if "source" in element["data"]]
    return [edge for edge in edges if not (edge["hides"] and edge["carried"] < level)]


def explained_by(index: Index, edges: list[dict]) -> float:
    """The part of the output that comes from tokens and biases through edges, by their own data."""
    into: dict[str, list[dict]] = {}
    for edge in edges:
        into.setdefault(edge["target"], []).append(edge)

    @cache
    def part_of(name: str) -> float:
        node_id = NodeId.parse(name)
        if node_id.kind is NodeKind.EMBED:
            return 1.0
        through = sum(edge["carried"] * part_of(edge["source"]) for edge in into.get(name, ()))
        from_biases = sum(
            index.carried[edge.source, edge.target, edge.key]
            for edge in index.into[node_id]
            if edge.key == "adds:positions" and edge.source.kind in BIASES
        )
        whole = index.entering(node_id)
        return min(1.0, (through + from_biases) / whole) if whole else 0.0

    return part_of(f"output@{index.flow.position}")


@pytest.mark.parametrize("opened", [(), ("L1.attn@7", "L1.head1@7"), ("L1.mlp@7",)])
def test_the_picture_for_print_shows_what_the_slider_leaves_at_every_step(opened):
    drawn, made = draw(INDEX, [NodeId.parse(text) for text in opened])
    for level in levels():
        svg = svg_from_elements(made, Look(level=level))
        paths = ElementTree.fromstring(svg).findall("{http://www.w3.org/2000/svg}path")
        shown = [line.id for line in drawn.lines if not line.is_hidden(level)]
        assert len(paths) == len(shown)
        assert [edge["id"] for edge in shown_edges(made, level)] == shown


@pytest.mark.parametrize("index", [INDEX, BY_FLOW], ids=["share", "flow"])
def test_unexplained_is_what_the_shown_edges_do_not_explain_at_every_step(index: Index):
    """Rule 1: attention's, MLPs' and readings' edges were hidden, and counted as if they were not.

    Before, ``unexplained`` took only the edges between positions for hidden.
    """
    route, made = draw(index)
    said = unexplained(index, route.lines, levels())
    for level, part in zip(levels(), said, strict=True):
        assert part == pytest.approx(1 - explained_by(index, shown_edges(made, level)), abs=1e-12)
    assert said[0] == pytest.approx(index.unexplained)
    assert said == sorted(said)


def test_by_flow_an_edge_carries_the_size_of_its_flow():
    """As a part of the absolute flow; what only steers carries what it steers."""
    assert BY_FLOW.by_flow and not INDEX.by_flow
    assert 0 < BY_FLOW.unexplained < 1
    for edge in BY_FLOW.flow.edges:
        carried = BY_FLOW.carried[edge.source, edge.target, edge.key]
        if edge.flow is not None:
            assert carried == pytest.approx(min(abs(edge.flow) / 20.0, 1.0))
        else:
            assert carried == BY_FLOW.carries[edge.target]
    for node in BY_FLOW.flow.nodes:
        if node.flow is not None:
            assert BY_FLOW.carries[node.id] == pytest.approx(min(abs(node.flow) / 20.0, 1.0))
    share = replace(BY_FLOW.flow.request, route=RouteBy.SHARE)
    drawn_by_share = Index(replace(BY_FLOW.flow, request=share))
    assert drawn_by_share.carried == INDEX.carried


def test_an_attention_whose_edge_into_the_residual_is_hidden_explains_nothing():
    """Rule 1, in the smallest case: nothing but the residual stream is left."""
    route = select(INDEX)
    stream = [line for line in route.lines if not line.hides]
    assert {line.source.kind for line in stream} <= RESIDUALS
    above_all = max(line.carried for line in route.lines if line.carried < 1) + 1e-9
    (part,) = unexplained(INDEX, route.lines, [above_all])
    last = [line for line in route.lines if not line.is_hidden(above_all)]
    assert all(not line.hides or line.carried == 1 for line in last)
    assert part > INDEX.unexplained


def test_what_the_budget_leaves_out_is_unexplained_too():
    route = choose(LONG)
    assert route.left_out
    everything = select(LONG, budget=100_000)
    (left,), (whole,) = (unexplained(LONG, s.lines, [0.0]) for s in (route, everything))
    assert left > whole == pytest.approx(LONG.unexplained)
    around = build_graph_panels(LONG, clickable=False)
    assert around["unexplained"][0] == pytest.approx(left, abs=1e-4)


def test_the_budget_leaves_out_nothing_that_a_threshold_could_not_hide():
    kept = {line.id for line in choose(LONG).lines}
    drawn = {node.id for node in choose(LONG).nodes}
    for line in select(LONG, budget=100_000).lines:
        if line.id not in kept and {line.source, line.target} <= drawn:
            assert line.hides

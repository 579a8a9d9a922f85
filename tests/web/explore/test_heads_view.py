"""How heads are drawn: their scores, and beside them layers or the parts of the card's pairs."""

from __future__ import annotations

import pytest

from visit.engine.exploring import ReadHeads
from visit.graph.explored.heads import Heads
from visit.graph.request import Request
from visit.session import Session
from visit.web.explore.view import Shown
from visit.web.explore.views.heads import draw_heads
from visit.web.theme import DARK, LIGHT


@pytest.fixture(scope="module")
def heads() -> Heads:
    return Session.load("mini").ask(ReadHeads(Request("The capital of Japan is"), "L3.head1"))


def test_beside_the_scores_stand_layers_unless_parts_are_chosen(heads: Heads):
    drawn = draw_heads(Shown(heads, {}, LIGHT, 700))
    assert [trace["type"] for trace in drawn["data"]] == ["heatmap", "heatmap"]
    drawn = draw_heads(Shown(heads, {"compositions": "parts"}, DARK, 700))
    _, bars, marks = drawn["data"]
    parts = heads.card.parts[: len(bars["x"])]
    assert bars["x"] == [one.amount for one in parts]
    assert marks["x"] == [one.cosine for one in parts]
    assert bars["customdata"] == [heads.node(*heads.other_head(one)) for one in parts]


@pytest.mark.parametrize("width", [620, 1040])
def test_the_names_of_parts_stand_between_the_scores_and_the_bars(heads: Heads, width: int):
    layout = draw_heads(Shown(heads, {"compositions": "parts"}, LIGHT, width))["layout"]
    room = width - layout["margin"]["l"] - layout["margin"]["r"]
    between = (layout["xaxis2"]["domain"][0] - layout["xaxis"]["domain"][1]) * room
    assert between > 6.6 * max(map(len, layout["yaxis2"]["ticktext"]))

"""Maps for print: each value is in its cell, coloured as it speaks for the target, with a scale."""

import math
from html import unescape

import pytest
from sample import make_flow

from visit.graph.index import Index
from visit.web.plots.maps import attention_figure, heads_figure, tokens_figure
from visit.web.ranking.rows import columns, with_effects
from visit.web.theme import LIGHT

COLUMNS = {
    "n_layers": 3, "n_heads": 2, "traced": 7, "next": ["·<b>Tokyo", "·Kyoto"],
    "id": ["L0.head1@7", "L2.mlp@7", "L1.head0@3", "L1.memory4.value@7"],
    "name": ["0.1", "L2 MLP", "1.0", "1.4"],
    "sort": ["heads", "MLPs", "heads", "memories"],
    "layer": [0, 2, 1, 1],
    "number": [1, None, 0, 4],
    "position": [7, 7, 3, 7],
    "tokens": [[2.0, -0.5], [0.0, 0.04], [], [-1.0, 1.0]],
    "effect": [-4.0, 1.0, 9.0, None],
    "norm": [4.0, 1.0, 9.0, 2.0],
}  # fmt: skip


def scale(figure):
    bar = figure["data"][0]["colorbar"]
    return dict(zip(map(unescape, bar["ticktext"]), bar["tickvals"], strict=True))


def test_a_part_stands_at_its_head_and_layer_and_the_mlps_below_the_heads():
    drawn = heads_figure(COLUMNS, "effect", "effect", LIGHT, 500)["data"][0]
    assert drawn["z"] == [[None, None, None], [1.0, None, None], [None, None, -0.5]]
    assert drawn["text"] == [["", "", ""], ["", "", ""], ["", "", "−"]]


def test_what_is_worse_without_a_part_is_coloured_as_for_the_target():
    figure = heads_figure(COLUMNS, "effect", "effect", LIGHT, 500)
    assert figure["data"][0]["colorscale"][-1] == [1.0, LIGHT.plus]
    assert scale(figure) == {"+4.00": -1.0, "+1.00": -0.5, "0": 0.0, "−1.00": 0.5, "−4.00": 1.0}
    assert "without the part" in figure["layout"]["annotations"][0]["text"]


def test_a_length_has_a_scale_that_begins_at_0():
    figure = heads_figure(COLUMNS, "norm", "norm", LIGHT, 500)
    assert scale(figure) == {"0": 0.0, "1": 0.5, "4": 1.0}
    assert figure["data"][0]["colorscale"][0] == [0.0, LIGHT.middle]


def test_parts_by_tokens_are_those_that_are_shown_in_their_order():
    figure = tokens_figure(COLUMNS, ["L1.memory4.value@7", "no", "L0.head1@7"], LIGHT, 500)
    drawn, layout = figure["data"][0], figure["layout"]
    assert layout["yaxis"]["ticktext"] == ["1.4", "0.1"]
    assert layout["xaxis"]["ticktext"] == ["·&lt;b&gt;Tokyo", "·Kyoto"]
    assert drawn["z"][0] == pytest.approx([-math.sqrt(0.5), math.sqrt(0.5)])
    assert drawn["text"] == [["−1.0", "+1.0"], ["+2.0", "−0.5"]]
    assert set(scale(figure)) == {"−2.00", "−0.50", "0", "+0.50", "+2.00"}


def test_attention_has_no_cell_for_what_comes_later_and_frames_the_reader():
    pattern = [[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.04, 0.96, 0.0]]
    figure = attention_figure(pattern, ["a", "b", "c"], 1, 0, LIGHT, 500)
    assert figure["data"][0]["z"] == [
        [1.0, None, None], [0.5, math.sqrt(0.75), None], [0.2, math.sqrt(0.96), 0.0],
    ]  # fmt: skip
    assert scale(figure)["25.0 %"] == 0.5
    row, column = figure["layout"]["shapes"]
    assert (row["x0"], row["x1"], row["y0"], row["y1"]) == (-0.5, 1.5, 0.5, 1.5)
    assert (column["x0"], column["x1"], column["y0"], column["y1"]) == (-0.5, 0.5, -0.5, 2.5)


@pytest.mark.parametrize(("many", "width"), [(3, 320), (48, 320), (48, 500), (200, 500)])
def test_a_map_fits_its_width_and_its_names_do_not_touch(many: int, width: int):
    pattern = [[1 / (i + 1)] * many for i in range(many)]
    figure = attention_figure(pattern, ["·Paramaribo"] * many, many - 1, None, LIGHT, width)
    layout, drawn = figure["layout"], figure["data"][0]
    across = width - layout["margin"]["l"] - layout["margin"]["r"]
    assert 0 < across <= width - layout["margin"]["l"]
    names = layout["xaxis"]["tickvals"]
    assert across / len(drawn["z"]) * (names[1] - names[0]) >= 11


def test_what_was_measured_since_is_joined_to_the_columns():
    parts = columns(Index(make_flow()))
    first, second, *_ = parts["id"]
    found = {"effect": {first: -1.5, second: None}, "estimate": {first: -1.0}, "flag": {}}
    joined = with_effects(parts, found)
    assert joined["effect"][:2] == [-1.5, parts["effect"][1]]
    assert joined["estimate"][0] == -1.0 and joined["flow"] == parts["flow"]

"""How saliency and watched tokens are drawn: colours, numbers, places, and what they lead to."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from sample import make_flow

from visit.graph.explored.saliency import Saliency, SaliencyMethod, SaliencyOf, TokenSources
from visit.graph.explored.watch import Watched, WatchedToken
from visit.graph.flow import Target, TargetReading
from visit.graph.metric import MetricKind
from visit.web.colours import contrast
from visit.web.explore.coloured_tokens import MOST_POINTED, N_SHADES, levels_of
from visit.web.explore.view import Shown
from visit.web.explore.views.saliency import SALIENCY, draw_saliency, show_tokens
from visit.web.explore.views.watch import WATCH, _keep_apart, draw_watched
from visit.web.theme import DARK, LIGHT, Theme, choose_theme
from visit.web.trees import trees

FLOW = make_flow()
TOKENS = FLOW.tokens
LAST = len(TOKENS) - 1
COMMON: dict[str, Any] = {
    "visit_version": "1", "request": FLOW.request, "model": FLOW.model, "tokens": TOKENS,
}  # fmt: skip


def sources_at(position: int) -> TokenSources:
    amounts = tuple((-1) ** at * (at + 1.0) for at in range(position + 1))
    target = Target(position, f" t{position}", 2.0, 0.25, 1)
    return TokenSources(position, target, sum(amounts) + 0.5, amounts, biases=0.5)


def saliency(first: int = LAST, method: SaliencyMethod = SaliencyMethod.FLOW) -> Saliency:
    return Saliency(
        **COMMON, method=method, of=SaliencyOf.METRIC, metric=MetricKind.CHOICE, versus=None,
        steps=None, baseline=None, targets=tuple(map(sources_at, range(first, LAST + 1))),
    )  # fmt: skip


def shown(answer: Any, theme: Theme = LIGHT, **chosen: str) -> Shown:
    return Shown(answer, chosen, theme, 800)


def chips_of(answer: Saliency, theme: Theme = LIGHT, **chosen: str) -> list[dict[str, Any]]:
    (made,) = trees(show_tokens(shown(answer, theme, **chosen)))
    strip: list[dict[str, Any]] = made["children"][0]["children"]
    return strip


def style_of(chip: dict[str, Any]) -> dict[str, str]:
    pairs = (part.split(": ") for part in chip["attributes"]["style"].split("; "))
    return dict(pairs)  # type: ignore[arg-type]


def test_a_bar_stands_for_every_source_and_for_the_biases():
    figure = draw_saliency(shown(saliency()))
    (bars,) = figure["data"]
    one = saliency().traced
    assert bars["y"] == [*one.sources, 0.5]
    assert bars["customdata"] == [*(f"embed@{at}" for at in range(LAST + 1)), None]
    colours = bars["marker"]["color"]
    assert [colour == LIGHT.plus for colour in colours[:-1]] == [a >= 0 for a in one.sources]
    assert colours[-1] == LIGHT.other and len(bars["hovertext"]) == len(bars["y"])


def test_a_token_is_coloured_by_what_it_has_and_says_the_number():
    chips = chips_of(saliency())
    assert len(chips) == LAST + 2  # with the token that comes next
    *sources, target = chips
    amounts = [chip["children"][1]["children"] for chip in sources]
    assert amounts[0] == ["+1.00"] and amounts[1] == ["−2.00"]
    assert "is-shown" in target["attributes"]["class"]
    assert sources[2]["attributes"]["data-node"] == "embed@2"
    strongest = style_of(sources[LAST])["background"]
    assert strongest in LIGHT.scale("difference")


@pytest.mark.parametrize("palette", ["safe", "visit"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_shade_can_be_read(theme: str, palette: str):
    chips = chips_of(saliency(), choose_theme(theme, palette))
    for chip in chips[:-1]:
        style = style_of(chip)
        assert contrast(style["background"], style["color"]) >= 4.5


def test_of_several_tokens_the_map_has_a_row_each_and_no_cell_after_its_position():
    figure = draw_saliency(shown(saliency(first=0)))
    (cells,) = figure["data"]
    for position, row in enumerate(cells["z"]):
        assert len(row) == LAST + 1
        assert [value is None for value in row] == [at > position for at in range(LAST + 1)]
        assert max(abs(value) for value in row[: position + 1]) == pytest.approx(1.0)
        nodes, tips = cells["customdata"][position], cells["text"][position]
        assert nodes[: position + 1] == [f"embed@{at}" for at in range(position + 1)]
        assert tips[position].startswith(f"<b>·t{position}</b> after {position}")
    assert figure["layout"]["yaxis"]["autorange"] == "reversed"


def test_pointing_at_a_token_finds_its_sources_with_it():
    chips = chips_of(saliency(first=1))
    assert [("data-levels" in chip["attributes"]) for chip in chips] == [
        place - 1 >= 1 for place in range(LAST + 2)
    ]
    told = chips[2]["attributes"]
    one = saliency(first=1).targets[0]
    assert told["data-levels"] == " ".join(map(str, levels_of(one.sources)))
    assert told["data-numbers"] == "+1.00|−2.00"


def test_colours_may_leave_the_first_token_out_of_their_measure():
    answer = saliency()
    heavy = replace(answer.traced, sources=(50.0, *answer.traced.sources[1:]))
    answer = replace(answer, targets=(heavy,))
    by_all, by_others = (
        [style_of(chip)["background"] for chip in chips_of(answer, scaled=scaled)[:-1]]
        for scaled in ("all", "all_but_first")
    )
    assert by_all[0] == by_others[0] == LIGHT.scale("difference")[2]
    assert by_all[LAST] != by_others[LAST] and by_others[LAST] in LIGHT.scale("difference")


def test_levels_are_around_the_middle():
    assert levels_of([0.0, 2.0, -2.0, 1.0]) == [8, 16, 0, 12] and N_SHADES == 17
    assert levels_of([0.0, 0.0]) == [8, 8]
    assert levels_of([9.0, 1.0, -1.0], without_first=True) == [16, 16, 0]


def test_a_very_long_text_has_no_sources_to_point_at(monkeypatch: pytest.MonkeyPatch):
    assert MOST_POINTED > 1000
    monkeypatch.setattr("visit.web.explore.coloured_tokens.MOST_POINTED", 3)
    assert all("data-levels" not in chip["attributes"] for chip in chips_of(saliency(first=0)))
    monkeypatch.setattr("visit.web.explore.views.saliency._MOST_CELLS", 2 * (LAST + 1))
    figure = draw_saliency(shown(saliency(first=0)))
    assert len(figure["data"][0]["z"]) == 2
    assert f"the last 2 of {LAST + 1} tokens" in figure["layout"]["annotations"][0]["text"]


def test_gradients_have_no_side_that_is_against():
    answer = saliency(first=0, method=SaliencyMethod.GRADIENT)
    figure = draw_saliency(shown(answer))
    assert figure["data"][0]["zmin"] == 0.0
    (made,) = trees(show_tokens(shown(answer)))
    legend = made["children"][1]["children"]
    assert legend[0]["children"] == ["none"] and legend[2]["children"] == ["most"]


def watched(n_tokens: int = 8, n_layers: int = 3) -> Watched:
    def one(number: int) -> WatchedToken:
        readings = tuple(
            TargetReading(0.1 * depth / (number + 1), 1 + 7 * number * (n_layers - depth), 1.5)
            for depth in range(n_layers + 1)
        )
        moves = tuple(0.5 * layer - number for layer in range(n_layers))
        return WatchedToken(number, f" w{number}", readings, moves, moves[::-1])

    tokens = tuple(map(one, range(n_tokens)))
    model = replace(FLOW.model, n_layers=n_layers)
    return Watched(**{**COMMON, "model": model}, position=2, watched=tokens, candidates=100)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_eight_lines_are_told_apart_by_colour_and_by_dash_or_mark(theme: Theme):
    *lines, _ = draw_watched(shown(watched(), theme))["data"]
    colours = [line["line"]["color"] for line in lines]
    assert len(set(colours)) == 8
    assert all(contrast(colour, theme.pane) >= 2.5 for colour in colours)
    looks = {(line["line"]["dash"], line["marker"]["symbol"]) for line in lines[:4]}
    assert len(looks) == 4


def test_the_rank_is_logarithmic_with_the_best_on_top():
    figure = draw_watched(shown(watched()))
    axis = figure["layout"]["yaxis"]
    assert axis["type"] == "log" and axis["range"][0] > axis["range"][1]
    first = figure["data"][0]
    assert first["y"] == [1.0] * 4 and first["x"] == [-1, 0, 1, 2]
    assert first["customdata"][:2] == ["embed@2", "L0.resid_post@2"]


@pytest.mark.parametrize(("show", "value"), [("probability", 0.3), ("logit", 1.5)])
def test_the_lines_are_of_what_is_chosen(show: str, value: float):
    figure = draw_watched(shown(watched(), show=show))
    assert figure["data"][0]["y"][-1] == pytest.approx(value)
    assert "type" not in figure["layout"]["yaxis"]


def test_the_map_below_has_a_column_each_depth_so_that_the_keyboard_finds_its_cells():
    cells = draw_watched(shown(watched(2)))["data"][-1]
    assert len(cells["z"]) == 4 and cells["x"] == [-1, 0, 1, 2]
    assert cells["customdata"][0] == [None, "L0.attn@2", "L1.attn@2", "L2.attn@2"]
    assert cells["customdata"][1][1:] == ["L0.mlp@2", "L1.mlp@2", "L2.mlp@2"]
    assert "layer 1's MLP" in cells["text"][1][2] and "·w0" in cells["text"][1][2]


def test_the_lines_names_do_not_touch():
    notes = draw_watched(shown(watched()))["layout"]["annotations"][2:]
    assert len(notes) == 8 and all(note["y"] == math.log10(1) for note in notes)
    shifts = sorted(note["yshift"] for note in notes)
    assert all(b - a >= 12 for a, b in pairwise(shifts))


def test_names_stay_beside_the_lines_however_many_end_at_the_bottom():
    assert _keep_apart([0.0, 100.0, 100.0, 100.0], 100.0) == [0.0, 74.0, 87.0, 100.0]
    assert _keep_apart([0.0, 5.0, 50.0], 100.0) == [0.0, 13.0, 50.0]


def test_what_a_mark_means_is_said():
    assert SALIENCY.says and WATCH.says

"""A report's figures for Plotly, and the page that holds them."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import pytest
from sample_report import HOSTILE, OTHER, make_report

from visit.graph.studied.figure import Figure, FigureKind, Line
from visit.web.studies.figures import axes_of, colours_of, draw, say_value
from visit.web.studies.page import html_from_reports
from visit.web.theme import DARK, LIGHT, THEMES, css_variables

REPORT = make_report()
BY_NAME = {figure.name: figure for figure in REPORT.figures}
PAGE = html_from_reports([REPORT])
PAIR = html_from_reports([REPORT, make_report(OTHER, 1)])


def figures_in(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page)
    return json.loads(found[1])


def test_a_line_has_its_values_and_a_band_that_ends_where_no_interval_is():
    figure = BY_NAME["hostile"]
    made = draw(figure, axes_of([figure]), LIGHT)
    band, first, second = made["data"]
    assert first["y"] == [0.5, None, 0.4, 0.3] and second["y"] == [0.1, 0.2, 0.3, -0.4]
    assert band["x"] == [0, 0, 0, None, 2, 3, 3, 2, 2, None]
    assert band["y"] == [0.6, 0.4, 0.6, None, 0.5, 0.4, 0.1, 0.2, 0.5, None]
    assert {first["line"]["color"], second["line"]["color"]} == {LIGHT.plus, LIGHT.minus}
    assert first["line"]["dash"] != second["line"]["dash"]  # colour is not all that tells them


def test_whiskers_go_from_the_mean_to_the_intervals_ends():
    figure = BY_NAME["ranks"]
    (trace,) = draw(figure, axes_of([figure]), LIGHT)["data"]
    line = figure.lines[0]
    assert [m + up for m, up in zip(line.mean, trace["error_y"]["array"], strict=True)] == (
        pytest.approx(line.high)
    )
    assert [m - d for m, d in zip(line.mean, trace["error_y"]["arrayminus"], strict=True)] == (
        pytest.approx(line.low)
    )
    named = draw(BY_NAME["tokens"], axes_of([BY_NAME["tokens"]]), LIGHT)
    assert {trace["orientation"] for trace in named["data"]} == {"h"}


def test_a_map_with_both_signs_has_0_in_the_middle_and_one_of_parts_begins_there():
    made = draw(BY_NAME["flow"], axes_of([BY_NAME["flow"]]), DARK)
    (trace,) = made["data"]
    assert trace["zmin"] == -trace["zmax"] and trace["z"][3][0] is None
    assert [colour for _, colour in trace["colorscale"]] == [DARK.minus, DARK.middle, DARK.plus]
    rows = tuple(Line(name, (0.1, 0.7)) for name in "ab")
    parts = Figure("a", "A", "", FigureKind.MAP, "x", "y", (0, 1), rows, 3)
    (trace,) = draw(parts, axes_of([parts]), LIGHT)["data"]
    assert trace["zmin"] == 0 and trace["zmax"] == 0.7
    assert trace["colorscale"][-1][1] == LIGHT.ramps["target"][-1]


def test_two_models_stand_on_equal_axes():
    drawn = figures_in(PAIR)
    for at in range(1, 6):
        one, other = (drawn[f"figure-{at}-{side}"]["light"] for side in (0, 1))
        if "zmin" in one["data"][0]:
            assert one["data"][0]["zmax"] == other["data"][0]["zmax"]
        else:
            assert one["layout"]["yaxis"].get("range") == other["layout"]["yaxis"].get("range")
            assert one["layout"]["margin"] == other["layout"]["margin"]
    assert PAIR.count("<h3>gpt2-medium</h3>") == 5 == PAIR.count("<h3>gpt2-xl</h3>")
    alone = replace(make_report(OTHER, 1), figures=REPORT.figures[1:])
    assert "has no such figure" in html_from_reports([REPORT, alone])


def test_a_figure_without_a_number_can_be_drawn():
    for kind in FigureKind:
        for x, mean in (((), ()), ((3,), (None,)), (("a",), (2.0,))):
            figure = Figure("a", "A", "", kind, "x", "y", x, (Line("b", mean),), 0)
            assert draw(figure, axes_of([figure]), LIGHT)["layout"]["height"] > 0


def test_colours_are_the_pages_variables_in_each_theme():
    from visit.web.studies.figures import COLOURS

    for theme in THEMES.values():
        for name, colour in zip(COLOURS, colours_of(theme), strict=True):
            assert f"--{name}:{colour};" in css_variables()
    assert say_value(-0.123456) == "−0.1235" and say_value(None) == "-"


def test_what_a_report_says_is_text_and_never_markup():
    body = re.sub(r"<script>.*?</script>", "", PAGE, flags=re.DOTALL)
    assert HOSTILE not in body and html.escape(HOSTILE, quote=False) in body
    assert "<img" not in body
    drawn = figures_in(PAGE)
    assert set(drawn["figure-1-0"]) == {"light", "dark"}
    said = json.dumps(drawn)
    assert "<img" not in said and "%{x}" not in said


def test_the_header_says_who_was_measured_how_and_how_it_is_done_again():
    for said in (
        "24 layers × 16 heads", "9c5a1d0be7f3", "known_1000.json: 200 measured, 3 failed",
        "1,006 left", "heads, version 1; visit 0.9.0", "k 50", REPORT.command, REPORT.summary,
    ):  # fmt: skip
        assert said in PAGE
    assert PAGE == html_from_reports([make_report()])
    with pytest.raises(ValueError, match="0 reports were given"):
        html_from_reports([])

"""The lens grid: cells show their residual, are readable, and never interpret a token as markup."""

import re
from dataclasses import replace

import plotly.graph_objects as go
import pytest
from hostile import OURS, hostile_flow, texts_of
from sample import FakeEngine, make_flow

from visit.graph.flow import NodeId, NodeKind
from visit.graph.request import Request
from visit.web.colours import colour_at, contrast
from visit.web.flow.elements import rank_level
from visit.web.plots.lens_grid import (
    MEASURES,
    MOST_POSITIONS,
    choose_positions,
    lens_figure,
    lens_height,
    name_left_out,
    nodes_in_document,
)
from visit.web.plots.plotly import literal
from visit.web.theme import DARK, LIGHT, THEMES, ink_on


def grid(flow=None, *, measure="prob", theme=LIGHT, nodes=None, **how):
    flow = flow or make_flow()
    if nodes is None:
        nodes = FakeEngine().lens(flow.request, range(len(flow.tokens)))
    return lens_figure(nodes, flow, measure=measure, theme=theme, **how)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("measure", MEASURES)
def test_plotly_takes_the_figure(theme, measure):
    figure = go.Figure(grid(measure=measure, theme=theme))
    assert figure.layout.height is None, "it is as high as its place on the page"
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_a_row_is_a_position_and_a_column_a_depth():
    flow = make_flow()
    heatmap = grid(flow)["data"][0]
    for position, line in zip(heatmap["y"], heatmap["customdata"], strict=True):
        ids = [NodeId.parse(text) for text in line]
        assert [i.position for i in ids] == [position] * 4
        assert [i.layer for i in ids] == [None, 0, 1, 2]
    low, high = grid(flow)["layout"]["yaxis"]["range"]
    assert low > high, "the first token is on top"


def test_a_cell_s_colour_says_its_measure():
    flow = make_flow()
    nodes = {node.id: node for node in FakeEngine().lens(flow.request, range(8))}
    for measure, level in (
        ("prob", lambda r: r.target.prob),
        ("rank", lambda r: 1 - rank_level(r.target.rank, flow.model.d_vocab)),
        ("entropy", lambda r: r.entropy / 4.459431618637297),
    ):
        heatmap = grid(flow, measure=measure)["data"][0]
        for ids, levels in zip(heatmap["customdata"], heatmap["z"], strict=True):
            for text, found in zip(ids, levels, strict=True):
                assert found == pytest.approx(level(nodes[NodeId.parse(text)].reading), abs=1e-6)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
@pytest.mark.parametrize("measure", MEASURES)
def test_every_cell_s_text_can_be_read_on_its_colour(theme, measure):
    figure = grid(make_flow(n_layers=8), measure=measure, theme=theme)
    heatmap, *texts = figure["data"]
    colours = theme.ramps["entropy" if measure == "entropy" else "target"]
    assert [colour for _, colour in heatmap["colorscale"]] == list(colours)
    seen = 0
    for trace in texts:
        for x, y in zip(trace["x"], trace["y"], strict=True):
            level = heatmap["z"][heatmap["y"].index(y)][heatmap["x"].index(x)]
            assert contrast(trace["textfont"]["color"], colour_at(colours, level)) >= 4.5
            seen += 1
    assert seen == sum(level is not None for line in heatmap["z"] for level in line)


def test_some_ink_reads_on_every_colour():
    assert (
        min(
            contrast(ink_on(f"#{g:02x}{g:02x}{g:02x}"), f"#{g:02x}{g:02x}{g:02x}")
            for g in range(256)
        )
        >= 4.5
    )
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_a_scale_s_lightness_only_rises_or_only_falls():
    """So that more can be told from less without its hue."""
    for theme in THEMES.values():
        for name in ("target", "entropy", "link"):
            steps = [contrast("#000000", colour_at(theme.ramps[name], i / 40)) for i in range(41)]
            assert steps in (sorted(steps), sorted(steps, reverse=True))
    assert DARK.ranks[1] == DARK.middle


def test_what_is_not_known_is_blank():
    flow = make_flow()
    heatmap, *texts = grid(flow, nodes=flow.nodes[:9])["data"]
    known = [cell for line in heatmap["customdata"] for cell in line if cell is not None]
    assert 0 < len(known) < 32
    assert sum(len(trace["x"]) for trace in texts) == len(known)
    blank = [
        z
        for ids, line in zip(heatmap["customdata"], heatmap["z"], strict=True)
        for cell, z in zip(ids, line, strict=True)
        if cell is None
    ]
    assert set(blank) == {None}


def test_a_document_gives_its_route_s_residuals():
    kinds = {node.id.kind for node in nodes_in_document(make_flow())}
    assert kinds == {NodeKind.EMBED, NodeKind.RESID_POST}


def test_the_traced_row_is_marked_and_told_to_the_browser():
    layout = grid(make_flow(Request("one two three", position=1)))["layout"]
    assert ["▸" in name for name in layout["yaxis"]["ticktext"]] == [False, True, False]
    assert layout["meta"]["traced"] == 1
    prompt = " ".join(["word"] * 120)
    later = make_flow(Request(prompt, position=60), n_layers=1)
    layout = grid(later)["layout"]
    assert ["▸" in name for name in layout["yaxis"]["ticktext"]].index(True) == 47
    assert layout["meta"]["traced"] == 47
    assert layout["meta"]["left_out"] == name_left_out(later) != ""


def test_every_column_has_a_name_for_the_heading():
    assert grid()["layout"]["meta"]["columns"] == ["embed", "layer 0", "layer 1", "layer 2"]
    narrow = grid(make_flow(n_layers=24), width=700)["layout"]["meta"]["columns"]
    assert narrow == ["embed", *map(str, range(24))]


@pytest.mark.parametrize("width", [400, 700, 1080])
@pytest.mark.parametrize("n_layers", [3, 12, 24])
def test_texts_fit_their_cells(width, n_layers):
    words = tuple(f"a word as long as this is {i}" for i in range(30))
    _, *texts = grid(make_flow(words=words, n_layers=n_layers), width=width)["data"]
    room = (width - 120) / (n_layers + 1)
    for trace in texts:
        size = trace["textfont"]["size"]
        for text in trace["text"]:
            assert 0.6 * size * len(re.sub("</?b>", "", text)) <= room - 4


def test_tokens_are_shown_and_never_interpreted():
    flow = hostile_flow()
    for measure in MEASURES:
        figure = grid(flow, measure=measure, nodes=nodes_in_document(flow))
        for text in texts_of(figure):
            if text in ("%{customdata}",) or text.startswith("#"):
                continue
            rest = OURS.sub("", text)
            assert "<" not in rest and ">" not in rest, text
            assert "%{" not in rest and "$" not in rest and "\u202e" not in rest
    shown = {text for trace in figure["data"][1:] for text in trace["text"]}
    assert literal("&#60;") == "&amp;#60;" and "&amp;#60;" in shown


def test_a_tip_says_the_top_five_the_target_and_the_entropy():
    flow = make_flow()
    heatmap = grid(flow)["data"][0]
    lines = heatmap["hovertext"][3][2].split("<br>")
    assert lines[0] == "<b>Residual after the block</b>, layer 1, position 3 ·Japan"
    assert len(lines) == 8
    assert lines[6].startswith("target ·Tokyo: rank ")
    assert re.fullmatch(r"entropy \d+\.\d\d bits, norm \S+", lines[7])


@pytest.mark.parametrize(
    ("n_tokens", "position", "shown", "words"),
    [
        (8, None, range(0, 8), ""),
        (48, 3, range(0, 48), ""),
        (49, None, range(1, 49), "48 of 49 positions are shown, without 0."),
        (
            120,
            60,
            range(13, 61),
            "48 of 120 positions are shown, without 0 to 12 and 61 to 119.",
        ),
        (100, 10, range(0, 11), "11 of 100 positions are shown, without 11 to 99."),
        (100, 70, range(52, 100), "48 of 100 positions are shown, without 0 to 51."),
    ],
)
def test_a_long_prompt_shows_the_positions_up_to_the_traced_or_the_last(
    n_tokens, position, shown, words
):
    flow = make_flow(Request(" ".join(["word"] * n_tokens), position=position), n_layers=1)
    assert choose_positions(flow) == shown
    assert flow.position in shown and len(shown) <= MOST_POSITIONS
    assert name_left_out(flow) == words


def test_rows_are_high_enough_for_their_letters():
    size = max(trace["textfont"]["size"] for trace in grid()["data"][1:])
    margin, gap = grid()["layout"]["margin"], grid()["data"][0]["ygap"]
    for n_positions in (1, 8, 48):
        row = (lens_height(n_positions) - margin["t"] - margin["b"]) / n_positions
        assert row - gap >= 1.2 * size


def test_early_layers_in_which_no_colour_changes_are_skipped():
    """Up to the layer before the first change, so that it can be seen to be one."""
    flow = make_flow(n_layers=9)

    def reads(node):
        changed = node.id.layer is not None and node.id.layer >= 7
        target = replace(node.reading.target, rank=1 if changed else flow.model.d_vocab)
        return replace(node, reading=replace(node.reading, target=target))

    deep = FakeEngine(lambda request: make_flow(request, n_layers=9))
    nodes = [reads(node) for node in deep.lens(flow.request, range(8))]
    part = grid(make_flow(n_layers=9), measure="rank", nodes=nodes, whole=False)
    assert part["layout"]["meta"]["columns"] == ["embed", "layer 6", "layer 7", "layer 8"]
    assert part["data"][0]["customdata"][7] == [
        "embed@7", "L6.resid_post@7", "L7.resid_post@7", "L8.resid_post@7"
    ]  # fmt: skip
    said = part["layout"]["meta"]["left_out"]
    assert said == "Layers 0 to 5, in which no colour changes, are skipped."
    whole = grid(flow, measure="rank", nodes=nodes)
    assert len(whole["layout"]["meta"]["columns"]) == 10

"""Figures for print, opened again: their sizes on paper, their letters, what is said of them."""

import itertools
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sample import make_effects, make_flow

from visit.graph.flow import NodeId
from visit.graph.index import Index
from visit.graph.parts import By
from visit.graph.request import Request
from visit.web.exports.figures.paper import POINTS_PER_MM, Paper
from visit.web.exports.figures.sheet import FIGURE, Sheet
from visit.web.exports.figures.subjects import SUBJECTS, ZOOMED
from visit.web.exports.printed import Wanted
from visit.web.exports.svg import svg_from_flow
from visit.web.flow import elements
from visit.web.look import COLOURINGS, FAMILY_WORDS, Look
from visit.web.marks import NODE, SMALLEST
from visit.web.theme import LIGHT

SVG = "{http://www.w3.org/2000/svg}"
FLOW = make_flow()
OPENED = tuple(map(NodeId.parse, ("L1.attn@7", "L1.head0@7", "L2.mlp@7")))
HOSTILE = "<script>alert(1)</script> \u202e</text><image href='javascript:alert(1)'/>"


def figure(paper: Paper | None = None, look: Look | None = None, **how) -> ElementTree.Element:
    made = svg_from_flow(how.pop("flow", FLOW), OPENED, look, paper=paper or Paper(), **how)
    return ElementTree.fromstring(made)


def said(root: ElementTree.Element) -> list[str]:
    """The texts of a figure itself, outside of its drawing."""
    return [text.text or "" for text in root.findall(f"{SVG}text")]


def strips(root: ElementTree.Element) -> list[ElementTree.Element]:
    """The frames of a drawing's strips, without those of their rows' titles."""
    return root.findall(f"{SVG}svg")[1::2]


def sizes_in_points(root: ElementTree.Element) -> list[float]:
    """The size on paper of every text of the drawing."""
    found = []
    for frame in root.findall(f"{SVG}svg"):
        unit = float(frame.get("width", 0)) / float(frame.get("viewBox", "").split()[2])
        found += [unit * float(text.get("font-size", 0)) for text in frame.iter(f"{SVG}text")]
    return found


@pytest.mark.parametrize(("width", "letters"), [(85, 6), (180, 8), (180, 5), (400, 10)])
def test_a_figure_has_the_width_and_the_letters_that_were_chosen(width: float, letters: float):
    root = figure(Paper(width, letters))
    assert root.get("width") == f"{width}mm"
    _, _, across, down = map(float, root.get("viewBox", "").split())
    assert across == pytest.approx(width * POINTS_PER_MM, abs=0.01)
    height = float(root.get("height", "").removesuffix("mm"))
    assert down == pytest.approx(height * POINTS_PER_MM, abs=0.02)
    for text in root.findall(f"{SVG}text"):
        assert float(text.get("font-size", 0)) in (letters, pytest.approx(1.25 * letters))
    assert NODE.size == SMALLEST
    assert min(sizes_in_points(root)) == pytest.approx(letters, rel=0.01)


def test_a_wide_drawing_is_broken_between_layers_and_each_node_stands_in_one_strip():
    root = figure(Paper(85, 7))
    frames = strips(root)
    assert len(frames) > 1
    ids = [g.get("id") for frame in frames for g in frame.iter(f"{SVG}g") if g.get("id")]
    drawn = {
        e["data"]["id"] for e in elements.draw(Index(FLOW), OPENED)[1] if "family" in e["data"]
    }
    assert len(ids) == len(set(ids)) and set(ids) == drawn
    for frame in frames:
        right = float(frame.get("x", 0)) + float(frame.get("width", 0))
        assert right <= 85 * POINTS_PER_MM + 0.01


def test_strips_stand_below_each_other_and_all_is_on_the_sheet():
    root = figure(Paper(85, 7))
    places = [(float(f.get("y", 0)), float(f.get("height", 0))) for f in strips(root)]
    for (y, height), (below, _) in itertools.pairwise(places):
        assert y + height <= below
    down = float(root.get("viewBox", "").split()[3])
    assert places[-1][0] + places[-1][1] < down
    assert all(float(text.get("y", 0)) < down for text in root.findall(f"{SVG}text"))


def test_a_figure_says_what_it_is_of():
    texts = said(figure())
    assert texts[0] == "What leads to ·Tokyo"
    assert texts[1] == "“The capital of Japan is the city of”"
    about = " ".join(texts[2:5])
    assert FLOW.model.name in about and "target ·Tokyo" in about and "metric: " in about
    assert said(figure(Paper(title="My own  title")))[0] == "My own  title"


def test_by_effect_the_bars_are_effects_and_the_legend_says_so():
    effects = make_effects(FLOW, ("L1.head1@7", "L2.mlp@7")).effects
    most = max(abs(one.measured) for one in effects)
    texts = said(figure(look=Look(by=By.EFFECT), flow=Index(FLOW).with_effects(effects).flow))
    at = texts.index("bar: a part's effect, 0 to")
    assert texts[at + 1] == f"{most:.3g}"
    assert "bar: a part's flow, 0 to" in said(figure(look=Look(by=By.EFFECT)))  # none is measured


def test_the_legend_has_what_is_drawn_with_its_scale_in_numbers():
    texts = said(figure())
    drawn = {e["data"].get("family") for e in elements.draw(Index(FLOW), OPENED)[1]}
    for family, words in FAMILY_WORDS.items():
        assert (words in texts) == (family in drawn)
    at = texts.index("part it carries: 4.0 %")
    assert texts[at + 1 : at + 3] == ["25.0 %", "100 %"]
    assert "residual stream: 50.0 %" in texts and "bar: a part's flow, 0 to" in texts
    hidden = figure(look=Look(hidden=frozenset({"mlp", "memory-key"})))
    assert "MLP, memory" not in said(hidden)


@pytest.mark.parametrize("colouring", [name for name in COLOURINGS if name != "kind"])
def test_a_colouring_has_its_scale_with_its_ends(colouring: str):
    d_vocab = FLOW.model.d_vocab
    texts = said(figure(look=Look(colouring=colouring)))
    at = next(n for n, text in enumerate(texts) if text.startswith(f"{COLOURINGS[colouring]}: "))
    high = {"rank": f"{d_vocab:,}", "entropy": f"{math.log2(d_vocab):.1f} bits"}
    assert texts[at + 1] == high.get(colouring, texts[at + 1])
    assert texts[at].split(": ")[1].lstrip("−") == {"rank": "1", "entropy": "0"}.get(
        colouring, texts[at + 1].lstrip("+")
    )


def test_a_figure_is_light_by_default():
    assert figure()[0].get("fill") == LIGHT.pane
    assert figure(look=Look("dark"))[0].get("fill") != LIGHT.pane


def test_what_is_zoomed_to_is_all_that_is_shown():
    made = elements.draw(Index(FLOW), OPENED)[1]
    node = next(e for e in made if e["data"]["id"] == "L1.head0@7")
    x, y = node["position"]["x"], node["position"]["y"]
    root = figure(view=(x - 150, y - 60, x + 150, y + 60))
    shown = {g.get("id") for g in root.iter(f"{SVG}g") if g.get("id")}
    assert "L1.head0@7" in shown and "embed@0" not in shown
    assert len(strips(root)) == 2  # the layers' titles, and below them what is seen
    titles = [text.text for text in strips(root)[0].iter(f"{SVG}text")]
    assert titles and all(title.startswith("L") for title in titles)


def test_a_hostile_prompt_and_title_stay_text():
    flow = make_flow(request=Request(f"{HOSTILE} a b c d e f g"))
    root = figure(Paper(title=HOSTILE), flow=flow)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "rect", "g", "title", "ellipse", "polygon", "path", "text", "line"}
    assert any("<script>" in text for text in said(root))


def test_a_long_prompt_is_broken_into_lines_and_cut():
    flow = make_flow(request=Request("word " * 200))
    texts = said(figure(Paper(85, 8), flow=flow))
    lines = [text for text in texts if "word" in text]
    assert len(lines) == 3 and lines[-1].endswith("…")


def test_a_figure_of_the_browser_s_has_an_empty_frame_as_wide_as_the_sheet():
    sheet = Sheet(Paper(100, 8), LIGHT)
    sheet.write_head(FLOW, "What every residual says")
    sheet.place_figure(600, 300)
    root = ElementTree.fromstring(sheet.finish())
    (frame,) = root.findall(f"{SVG}svg")
    assert frame.get("id") == FIGURE and len(frame) == 0
    assert frame.get("viewBox") == "0 0 600 300"
    width, height = float(frame.get("width", 0)), float(frame.get("height", 0))
    assert width == pytest.approx(sheet.width, abs=0.01)
    assert height == pytest.approx(width / 2, abs=0.01)


@pytest.mark.parametrize("size", [0, -1, 39.9, 3001, math.nan, math.inf])
def test_a_width_that_no_paper_has_is_refused(size: float):
    with pytest.raises(ValueError, match=r"the width of .* cannot be; give 40 to 3000 mm"):
        Paper(width_mm=size)


@pytest.mark.parametrize("letters", [0, 3.9, 37, math.nan])
def test_letters_of_a_size_that_cannot_be_read_are_refused(letters: float):
    with pytest.raises(ValueError, match=r"the letters of .* cannot be; give 4 to 36 pt"):
        Paper(font_pt=letters)


def asked(**more):
    paper = {"width_mm": 85, "font_pt": 7, "dpi": 600, "title": "x"}
    return {"kept": "png", "look": {}, "what": "view", "paper": paper, **more}


def test_what_a_page_asks_for_is_read():
    wanted = Wanted.parse(asked(frame=[0, 0, 100.5, 50]))
    assert (wanted.what, wanted.dpi, wanted.frame) == ("view", 600, (0, 0, 100.5, 50))
    assert wanted.paper == Paper(85, 7, "x") and wanted.look == Look()
    assert Wanted.parse(asked(kept="svg", what="flow", frame=[0, 0, 1, 1])).frame is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"what": "<script>"},
        {"frame": [0, 0, 0, 0]},
        {"frame": [0, 0, 1e9, 10]},
        {"frame": [0, 0, 10, math.nan]},
        {"paper": {"dpi": 10**9}},
        {"paper": {"width_mm": 1e9}},
    ],
)
def test_what_no_page_asks_for_is_refused(wrong):
    with pytest.raises(ValueError, match=r"cannot be|no figure|no size"):
        Wanted.parse(asked(**{"frame": [0, 0, 9, 9], **wrong}))


def test_the_page_offers_what_can_be_drawn_and_says_what_each_shows():
    script = (Path(__file__).parents[3] / "assets" / "export.js").read_text(encoding="utf-8")
    table = script[script.index("const SUBJECTS") : script.index("function showDialog")]
    assert set(re.findall(r"^    (\w+): {", table, re.M)) == {"flow", ZOOMED, *SUBJECTS}


def test_a_note_is_broken_and_stays_on_the_sheet():
    sheet = Sheet(Paper(85, 7), LIGHT)
    sheet.write_note("how far a patch goes " * 8)
    root = ElementTree.fromstring(sheet.finish())
    lines = root.findall(f"{SVG}text")
    assert len(lines) > 1
    assert float(lines[-1].get("y", 0)) < float(root.get("viewBox", "").split()[3])

"""Figures for print as a page saves them, opened again."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest
from screen import CY, Screen, wait_until

from visit.formats.document import read_flow

pytestmark = pytest.mark.browser

SVG = "{http://www.w3.org/2000/svg}"
NAME = "visit-the-capital-of-japan-is-the-city-of-mini"
POINTS_PER_MM = 72 / 25.4


def keep(screen: Screen, folder: Path, kind: str, what: str, **chosen: object) -> Path:
    """Save a figure by the dialog, with sizes as its fields have them."""
    screen.page.locator("summary", has_text="Export").click()
    screen.page.locator(f"button[data-export={kind}]").click()
    dialog = screen.page.get_by_role("dialog", name="Figure for a paper")
    dialog.locator(f"input[value={what}]").check()
    for label, value in chosen.items():
        dialog.get_by_label(label.replace("_", " "), exact=False).fill(str(value))
    with screen.page.expect_download() as download:
        dialog.get_by_role("button", name=f"Save {kind.upper()}").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def check_head(root: ElementTree.Element, letters: float) -> None:
    """The figure says what it is of, in letters of the size that was chosen."""
    head = root.findall(f"{SVG}text")
    assert [float(text.get("font-size", 0)) for text in head[:3]] == [
        pytest.approx(1.25 * letters), letters, letters,
    ]  # fmt: skip
    said = " ".join(text.text or "" for text in head)
    assert "“The capital of Japan is the city of”" in said
    assert "Model mini" in said and "target ·Tokyo" in said


def size_of_png(path: Path) -> tuple[int, int, int]:
    """Its width and height in pixels, and its dots per metre."""
    png = path.read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and png[37:41] == b"pHYs"
    width, height = struct.unpack(">II", png[16:24])
    return width, height, struct.unpack(">I", png[41:45])[0]


def check_png(svg: ElementTree.Element, png: Path, dpi: int) -> None:
    """The PNG is as large on paper as the SVG."""
    width, height, density = size_of_png(png)
    for side, pixels in (("width", width), ("height", height)):
        millimetres = float(svg.get(side, "").removesuffix("mm"))
        assert pixels == pytest.approx(millimetres / 25.4 * dpi, abs=1)
    assert density == round(dpi / 0.0254)


def test_the_flow_is_saved_whole_and_as_it_is_zoomed(open_app, tmp_path):
    screen = open_app("mini")
    screen.wait_for_graph()
    path = keep(screen, tmp_path, "svg", "flow", Width=120, Letters=7, Title="The flow to Tokyo")
    assert path.name == f"{NAME}.svg"
    whole = ElementTree.parse(path).getroot()
    assert whole.get("width") == "120mm"
    check_head(whole, 7)
    assert texts(whole)[0] == "The flow to Tokyo" and "residual stream: 50.0 %" in texts(whole)
    drawn = set(screen.ask(f"{CY}.nodes('[family]').map(n => n.id())"))
    assert {g.get("id") for g in whole.iter(f"{SVG}g") if g.get("id")} == drawn

    png = keep(screen, tmp_path, "png", "flow", Width=120, Letters=7, PNG=150)
    check_png(whole, png, 150)

    screen.ask(
        f"(() => {{ const cy = {CY}; cy.zoom(1.5); cy.center(cy.$('[kind = \"output\"]')); }})()"
    )
    zoomed = ElementTree.parse(keep(screen, tmp_path, "svg", "view")).getroot()
    shown = {g.get("id") for g in zoomed.iter(f"{SVG}g") if g.get("id")}
    assert shown and shown < drawn


@pytest.mark.parametrize(
    ("what", "named", "words"),
    [("sankey", "layer-5", "attention"), ("lens", "lens", "layer 5")],
)
def test_what_plotly_draws_is_saved_with_the_same_head_and_its_own_legend(
    open_app, tmp_path, what: str, named: str, words: str
):
    screen = open_app("mini")
    screen.wait_for_graph()
    if what == "sankey":
        screen.page.get_by_role("button", name="Sankey").click()
        wait_until(lambda: screen.ask("visit.state.pane.name") == "sankey", "the Sankey")
    elif not screen.ask("visit.dockIsOpen()"):
        screen.page.locator("button[data-dock]").click()
    path = keep(screen, tmp_path, "svg", what, Width=180, Letters=8)
    assert path.name == f"{NAME}-{named}.svg"
    root = ElementTree.parse(path).getroot()
    check_head(root, 8)
    (frame,) = root.findall(f"{SVG}svg")
    unit = float(frame.get("width", 0)) / float(frame.get("viewBox", "").split()[2])
    assert unit * 11 == pytest.approx(8, rel=0.01)  # Plotly's letters have 11 px
    said = texts(frame)
    assert words in said
    assert any("·Tokyo" in text for text in said)
    legend = "Node: rank of" if what == "sankey" else "Top token of each residual"
    assert any(legend in text for text in said)
    assert {e.tag for e in root.iter() if "script" in e.tag or "foreign" in e.tag} == set()
    check_png(root, keep(screen, tmp_path, "png", what, Width=180, Letters=8, PNG=200), 200)


SECOND = "The capital of France is the city of"
SHOWN = {
    "heads": ("heads-effect", "Heads and MLPs by effect", ["head 0", "MLP", "layer"]),
    "tokens": ("tokens", "What the strongest parts do to the next token", ["·Bangkok", "L5 MLP"]),
    "attention": ("attention-l5-head2-7", "What head 5.2 attends to", ["·Japan", "25.0 %"]),
    "agreement": ("agreement-flow", "Effects as predicted by flow", ["measured effect", "L5 MLP"]),
    "patching": ("patching", "Where another prompt", ["·Japan ⇠ ·France", "1 other"]),
}


def test_maps_and_the_scatter_are_saved_with_head_legend_and_scale(open_app, tmp_path):
    screen = open_app("mini")
    screen.wait_for_graph()
    known = "document.getElementById('rank-said')?.dataset.known"
    wait_until(lambda: screen.ask(known) == "measured", "the effects")
    for what, (named, title, words) in SHOWN.items():
        if what == "tokens":
            screen.ask("visit.set('overview', 'tokens')")
        elif what == "attention":
            screen.ask("() => { visit.pick('L5.head2@7'); visit.set('tab', 'attention'); }")
            wait_until(screen.page.locator("svg.heatmap").count, "the head's pattern")
        elif what == "agreement":
            screen.ask("text => visit.set('second', text)", SECOND)
            screen.ask("visit.setPane({ name: 'causes' })")
            for drawn in ("#agreement .scatterlayer .point", "#patching .hm"):
                wait_until(screen.page.locator(drawn).count, drawn)
        path = keep(screen, tmp_path, "svg", what, Width=120, Letters=7)
        assert path.name == f"{NAME}-{named}.svg"
        root = ElementTree.parse(path).getroot()
        check_head(root, 7)
        assert texts(root)[0].startswith(title)
        (frame,) = root.findall(f"{SVG}svg")
        unit = float(frame.get("width", 0)) / float(frame.get("viewBox", "").split()[2])
        assert unit * 11 == pytest.approx(7, rel=0.02)  # Plotly's letters have 11 px
        assert set(words) <= set(texts(frame)), texts(frame)
        if what == "agreement":
            assert {"head", "MLP", "both agree"} <= set(texts(root))
    check_png(root, keep(screen, tmp_path, "png", "patching", Width=120, Letters=7, PNG=99), 99)


def test_a_figure_is_light_however_the_page_looks(open_app, tmp_path):
    screen = open_app("mini")
    screen.wait_for_graph()
    light = keep(screen, tmp_path, "svg", "flow").read_text(encoding="utf-8")
    screen.page.get_by_role("button", name="Switch between light and dark").click()
    assert keep(screen, tmp_path, "svg", "flow").read_text(encoding="utf-8") == light


def test_a_size_that_cannot_be_is_said_in_the_dialog(open_app):
    screen = open_app("mini")
    screen.wait_for_graph()
    screen.page.locator("summary", has_text="Export").click()
    screen.page.locator("button[data-export=svg]").click()
    dialog = screen.page.get_by_role("dialog", name="Figure for a paper")
    dialog.get_by_label("Width").fill("3")
    dialog.get_by_role("button", name="Save SVG").click()
    assert dialog.is_visible()
    screen.page.keyboard.press("Escape")
    wait_until(lambda: not dialog.is_visible(), "the dialog to close")


def test_an_offline_page_says_its_size_before_and_holds_the_same_document(open_app, tmp_path):
    screen = open_app("mini")
    screen.wait_for_graph()
    screen.page.locator("summary", has_text="Export").click()
    said = screen.page.locator("#html-size").inner_text()
    with screen.page.expect_download() as download:
        screen.page.locator("button[data-export=html]").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == f"{NAME}.html"
    megabytes = float(said.removeprefix("about ").removesuffix(" MB"))
    assert path.stat().st_size / 1e6 == pytest.approx(megabytes, rel=0.3)
    screen.page.locator("summary", has_text="Export").click()
    with screen.page.expect_download() as download:
        screen.page.locator("button[data-export=json]").click()
    document = tmp_path / download.value.suggested_filename
    download.value.save_as(document)
    assert read_flow(path) == read_flow(document)

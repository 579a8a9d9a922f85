"""The page that works without a server, in a real browser without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser
from sample import make_flow
from screen import CY, Screen, wait_until

from visit.formats.document import json_from_flow, read_flow
from visit.formats.export import export
from visit.graph.flow import FlowGraph, NodeId, Note
from visit.graph.request import Request
from visit.text import one_line, visible
from visit.web.exports.notebook import frame_from_flow
from visit.web.exports.offline import html_from_flow

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)> </script> <b>fat</b> \u202ekcab"
FLOW = make_flow(n_layers=2, opened=(1,))


@pytest.fixture(scope="module")
def page_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[FlowGraph], Path]:
    """The file of a graph, written once."""
    written: dict[str, Path] = {}

    def write(flow: FlowGraph) -> Path:
        name = flow.request.prompt
        if name not in written:
            written[name] = tmp_path_factory.mktemp("offline") / "flow.html"
            export(flow, html_from_flow, written[name])
        return written[name]

    return write


@pytest.fixture
def show(browser: Browser, page_of: Callable[[FlowGraph], Path]) -> Iterator[Callable[..., Screen]]:
    """Open a graph's file without a network; at the end nothing was asked for, nothing said."""
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, offline=True, accept_downloads=True
    )
    screens = []

    def start(flow: FlowGraph = FLOW) -> Screen:
        address = page_of(flow).as_uri()
        screen = Screen(context.new_page())
        screens.append(screen)
        page = screen.page
        page.on("request", lambda r: screen.outside.append(r.url) if r.url != address else None)
        page.on("console", lambda message: screen.said.append(message.text))
        page.on("pageerror", lambda error: screen.said.append(str(error)))
        page.goto(address)
        screen.wait_for_graph()
        return screen

    yield start
    for screen in screens:
        assert screen.said == []
        assert [url for url in screen.outside if not url.startswith(("data:", "blob:"))] == []
    context.close()


def opened(screen: Screen) -> list[str]:
    return screen.ask("visit.state.view.opened")


def kept(screen: Screen, name: str, folder: Path) -> Path:
    screen.page.locator("summary", has_text="Export").click()
    with screen.page.expect_download() as download:
        screen.page.get_by_role("button", name=name).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_file_without_a_network_is_panned_opened_inspected_and_closed(show):
    screen = show()
    before = screen.ask(f"{CY}.pan()")
    box = screen.page.locator("#graph").bounding_box()
    screen.page.mouse.move(box["x"] + 30, box["y"] + 60)
    screen.page.mouse.down()
    screen.page.mouse.move(box["x"] + 90, box["y"] + 100, steps=4)
    screen.page.mouse.up()
    assert screen.ask(f"{CY}.pan()") != before

    screen.tap("L1.head2@7")
    screen.inspected("L1.head2@7")
    screen.wait_for("L1.head2.query@7")
    assert opened(screen) == ["L1.head2@7"]
    screen.page.get_by_role("button", name="Close all").click()
    wait_until(lambda: not screen.has("L1.head2.query@7"), "everything to close")
    screen.page.keyboard.press("Control+z")
    screen.wait_for("L1.head2.query@7")


def test_a_block_is_shown_alone_where_the_file_has_no_picture_of_two(show):
    screen = show()
    screen.tap("L1.head2@7")
    screen.wait_for("L1.head2.query@7")
    screen.tap("L1.mlp@7")
    screen.wait_for("L1.memory7.value@7")
    assert opened(screen) == ["L1.mlp@7"] and not screen.has("L1.head2.query@7")
    assert screen.page.get_by_text("one block at a time").is_visible()
    screen.tap("L1.mlp@7")
    wait_until(lambda: not screen.has("L1.memory7.value@7"), "the MLP to close")
    assert opened(screen) == []


def test_every_tab_of_the_inspector_works(show):
    screen = show()
    screen.tap("L1.head2@7")
    for name in ("Ledger", "Attention", "Path", "Where", "Words"):
        screen.page.get_by_role("tab", name=name).click()
        chosen = screen.page.get_by_role("tab", name=name)
        wait_until(lambda c=chosen: c.get_attribute("aria-selected") == "true", f"the tab {name}")
        assert screen.page.locator("#inspector-body").inner_text()
    screen.page.get_by_role("tab", name="Ledger").click()
    part = screen.page.locator("#inspector-body button[data-node]:visible").first
    wait_until(part.count, "the ledger")
    node = part.get_attribute("data-node")
    part.click()
    screen.inspected(node)


def test_slider_legend_and_theme_filter_and_dress_it(show):
    screen = show()
    before = screen.n_parts()
    slider = screen.page.get_by_label("Parts shown")
    slider.press("Home")
    wait_until(lambda: screen.n_parts() == 0, "every part to hide")
    slider.press("End")
    wait_until(lambda: screen.n_parts() == before, "every part to come back")
    screen.page.get_by_role("button", name="MLP, memory").click()
    wait_until(lambda: not screen.ask(f"{CY}.getElementById('L1.mlp@7').visible()"), "MLPs to go")
    before = screen.ask("document.documentElement.dataset.theme")
    screen.page.get_by_role("button", name="Switch between light and dark").click()
    assert screen.ask("document.documentElement.dataset.theme") != before


def test_what_is_searched_is_found_and_gone_to(show):
    screen = show()
    screen.page.locator("#search").fill("head L=1")
    found = screen.page.locator("#found [role=option]", has_text="Head 1")
    wait_until(found.count, "the head to be found")
    found.first.click()
    screen.inspected("L1.head1@7")
    screen.wait_for("L1.head1@7")


def test_the_document_is_taken_back_with_the_notes_made_since(show, tmp_path):
    screen = show()
    text = kept(screen, "JSON", tmp_path).read_text(encoding="utf-8")
    assert text == json_from_flow(FLOW)

    screen.tap("L1.mlp@7")
    screen.inspected("L1.mlp@7")
    screen.page.keyboard.press("p")
    screen.page.locator("#inspector .note-editor").get_by_label("Name").fill('"facts" <b>')
    screen.page.keyboard.press("Tab")
    wait_until(
        lambda: "facts" in screen.ask(f"{CY}.getElementById('L1.mlp@7').data('label')"), "it"
    )
    screen.page.keyboard.press("Escape")
    screen.page.keyboard.press("Escape")
    panel = screen.page.locator("#inspector")
    screen.page.get_by_role("tab", name="Model").click()
    wait_until(lambda: "Pinned" in panel.inner_text(), "the list of notes")
    assert '"facts" <b>' in panel.inner_text()
    note = Note(NodeId.parse("L1.mlp@7"), '"facts" <b>', pinned=True)
    path = kept(screen, "JSON", tmp_path)
    assert read_flow(path) == replace(FLOW, notes=(note,))
    assert path.read_text(encoding="utf-8") == json_from_flow(replace(FLOW, notes=(note,)))


def test_the_picture_is_kept_as_svg_and_png(show, tmp_path):
    screen = show()
    root = ElementTree.parse(kept(screen, "SVG", tmp_path)).getroot()
    assert root.tag.endswith("svg")
    assert kept(screen, "PNG", tmp_path).read_bytes().startswith(b"\x89PNG")


def test_notes_made_before_are_shown(show):
    note = Note(NodeId.parse("L1.mlp@3"), "mine", "a remark", "a group", True)
    flow = replace(
        make_flow(Request("The notes of a reader"), n_layers=2, opened=()), notes=(note,)
    )
    screen = show(flow)
    assert screen.ask(f"{CY}.getElementById('L1.mlp@3').data('label')") == "mine"
    screen.tap("L1.mlp@3")
    said = screen.inspected("L1.mlp@3")
    assert "mine" in said and "a remark" in said and "a group" in said


def test_hostile_tokens_stay_text(show):
    words = (HOSTILE, *map(str, range(40)))
    screen = show(make_flow(Request(f"{HOSTILE} is"), words=words, n_layers=1))
    screen.page.keyboard.press("ArrowRight")
    wait_until(screen.page.locator("#inspector .node-id").count, "a node")
    assert visible(HOSTILE) in screen.page.locator("#predictions").inner_text()
    assert screen.page.locator("img, b").count() == 0
    assert screen.page.title() == f"{one_line(HOSTILE)} is · visit"


def test_a_notebook_s_frame_works_though_it_may_keep_nothing(browser, tmp_path):
    page = tmp_path / "notebook.html"
    page.write_text(f"<!DOCTYPE html><body>{frame_from_flow(FLOW, 600)}", encoding="utf-8")
    context = browser.new_context(offline=True, accept_downloads=True)
    tab = context.new_page()
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(page.as_uri())
    frame = tab.frames[1]
    wait_until(lambda: frame.evaluate("window.cy?.nodes('[family]').length"), "the graph")
    frame.evaluate("visit.pick('L1.mlp@7')")
    wait_until(lambda: frame.locator(".node-id").inner_text() == "L1.mlp@7", "the node")
    with tab.expect_download() as download:
        frame.locator("summary", has_text="Export").click()
        frame.get_by_role("button", name="JSON").click()
    download.value.save_as(tmp_path / "flow.json")
    assert read_flow(tmp_path / "flow.json") == FLOW
    assert said == []
    context.close()

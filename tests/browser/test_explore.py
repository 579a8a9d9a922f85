"""The pane *Explore* in a real browser: chosen, drawn, gone from, kept, and said by its link."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from screen import Screen, wait_until

from visit.engine.explorables import EXPLORABLES
from visit.engine.exploring import ReadNorms
from visit.graph.request import Request
from visit.session import Session
from visit.web.explore.tables import MOST_ROWS

PROMPT = "The capital of Japan is the city of"
DRAWN = """of => document.documentElement.dataset.pane === 'explore'
    && !document.querySelector('.explore-view.is-waiting')
    && !document.querySelector(`.explore-of[data-of="${of}"]`).hidden
    && document.querySelectorAll('.explore-said p').length > 0
    && (document.querySelector('#explore .js-plotly-plot')?.data?.length ?? 0) > 0"""


def explore(screen: Screen, name: str) -> Screen:
    """The page, once it shows an explorable."""
    if screen.ask("document.documentElement.dataset.pane") != "explore":
        screen.page.click("button[data-pane=explore]")
    screen.page.click(f"button[data-explore={name}]")
    wait_until(lambda: screen.page.evaluate(DRAWN, name), f"{name} drawn")
    return screen


@pytest.mark.browser
@pytest.mark.parametrize("name", EXPLORABLES)
def test_each_is_drawn_with_its_findings_its_tables_and_how_far_to_trust_it(
    open_app: Callable[..., Screen], name: str
):
    screen = explore(open_app("mini"), name)
    said = screen.page.locator(".explore-said p").all_inner_texts()
    assert said and all(text.strip() for text in said)
    head = screen.page.locator(f".explore-of[data-of={name}]")
    assert EXPLORABLES[name].asks in head.inner_text()
    head.locator("summary").click()
    assert EXPLORABLES[name].trust in head.inner_text()
    assert screen.page.locator(".explore-table tbody tr").count() > 0
    address = screen.ask("new Promise(r => setTimeout(() => r(location.search), 400))")
    assert f"pane=explore+{name}" in address


@pytest.mark.browser
def test_norms_are_the_sessions_and_a_row_leads_to_its_head(open_app: Callable[..., Screen]):
    screen = explore(open_app("mini"), "norms")
    norms = Session.load("mini").ask(ReadNorms(Request(PROMPT)))
    said = screen.page.locator(".explore-said p").all_inner_texts()
    assert said == list(norms.findings())
    rows = screen.page.locator(".explore-rows").first.locator("tbody tr")
    assert rows.count() == MOST_ROWS
    node = norms.tables()[0].nodes[0]
    rows.first.locator("button").click()
    wait_until(lambda: screen.ask("visit.state.picked") == node, f"{node} picked")


@pytest.mark.browser
@pytest.mark.parametrize("kept", ["csv", "json"])
def test_its_numbers_are_kept_as_files(open_app: Callable[..., Screen], tmp_path: Path, kept: str):
    screen = explore(open_app("mini"), "norms")
    with screen.page.expect_download() as waited:
        screen.page.click(f".explore-of[data-of=norms] [data-explore-save={kept}]")
    file = tmp_path / waited.value.suggested_filename
    waited.value.save_as(file)
    if kept == "json":
        assert json.loads(file.read_text(encoding="utf-8"))["schema"] == "visit.norms/1"
    else:
        assert file.name.endswith("norms.csv.zip") and file.stat().st_size > 500

"""A study's report in a real browser, without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page
from sample_report import HOSTILE, OTHER, make_report

from visit.formats.explored import csv_from_table
from visit.formats.study_report import report_from_json
from visit.web.studies.page import html_from_reports
from visit.web.theme import DARK, LIGHT

pytestmark = pytest.mark.browser

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOUR = (
    "document.querySelector('#figure-1-0 .scatterlayer .trace:last-child .js-line').style.stroke"
)
REPORT = make_report()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("report")
    reports = {"one": [REPORT], "two": [REPORT, make_report(OTHER, 1)]}
    for name, shown in reports.items():
        (folder / f"{name}.html").write_text(html_from_reports(shown), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in reports}


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 720},
        color_scheme=getattr(request, "param", "light"),
        offline=True,
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "request",
        lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else said.append(r.url),
    )
    yield page
    assert said == []
    context.close()


def violations(page: Page) -> dict[str, list[str]]:
    page.evaluate(AXE)
    options = json.dumps({"runOnly": {"type": "tag", "values": TAGS}})
    found = page.evaluate(f"axe.run(document, {options}).then(found => found.violations)")
    return {rule["id"]: [node["html"][:160] for node in rule["nodes"]][:4] for rule in found}


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_a_report_is_drawn_in_the_readers_shade_and_in_the_other(page: Page, pages):
    page.goto(pages["one"].as_uri())
    page.locator("#figure-5-0 .main-svg").first.wait_for()
    assert page.locator(".plot .main-svg").count() >= 5
    shade = page.evaluate("document.documentElement.dataset.theme")
    channels = {
        theme: ", ".join(str(int(colours.minus[at : at + 2], 16)) for at in (1, 3, 5))
        for theme, colours in (("light", LIGHT), ("dark", DARK))
    }
    assert page.evaluate(COLOUR) == f"rgb({channels[shade]})"
    page.locator("#shade").press("Enter")
    other = page.evaluate("document.documentElement.dataset.theme")
    assert {shade, other} == {"light", "dark"}
    assert page.evaluate(COLOUR) == f"rgb({channels[other]})"
    assert violations(page) == {}
    if shade == "light":
        page.emulate_media(media="print")
        assert not page.locator("nav").is_visible() and page.locator(".says").first.is_visible()


def test_its_files_and_tables_say_what_the_report_says(page: Page, pages):
    page.goto(pages["one"].as_uri())
    for at, figure in enumerate(REPORT.figures, start=1):
        section = page.locator(f"#figure-{at}")
        assert section.locator(".says").inner_text().replace("\u00a0", " ") == " ".join(
            figure.says.split()
        )
        address = section.get_by_role("link", name="CSV").get_attribute("href")
        text = unquote(address.partition(",")[2])
        assert text == csv_from_table(figure.table())
        n_rows = section.locator("tbody tr").count()
        assert n_rows == len(figure.table().rows) == text.count("\r\n") - 1
    summary = page.locator("#figure-1 summary")
    summary.press("Enter")
    cells = page.locator("#figure-1 tbody tr").first.locator("td").all_inner_texts()
    assert cells[0] == "with W_O" and float(cells[2]) == pytest.approx(
        REPORT.figures[0].lines[0].mean[0], rel=1e-3
    )
    whole = page.get_by_role("link", name="all figures as JSON").get_attribute("href")
    assert report_from_json(unquote(whole.partition(",")[2])) == REPORT
    with page.expect_download() as download:
        page.locator("#figure-1").get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "visit-heads-gpt2-medium-heads-and-block.csv"
    assert page.locator("img").count() == 0 and HOSTILE in page.locator("h2").all_inner_texts()


def test_two_models_stand_side_by_side_or_one_above_the_other(page: Page, pages):
    page.goto(pages["two"].as_uri())
    page.locator("#figure-5-1 .main-svg").first.wait_for()
    one, other = (page.locator(f"#figure-1-{at}").bounding_box() for at in (0, 1))
    assert one["y"] == other["y"] and one["width"] == other["width"] > 500
    assert violations(page) == {}
    page.set_viewport_size({"width": 900, "height": 720})
    one, other = (page.locator(f"#figure-1-{at}").bounding_box() for at in (0, 1))
    assert one["x"] == other["x"] and other["y"] > one["y"] + one["height"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

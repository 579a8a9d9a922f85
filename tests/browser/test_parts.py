"""The panel of all parts in a real browser: ranked, filtered, measured, and gone to by a click."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from screen import Screen, wait_until

from visit.engine.questions import Measure, RankParts
from visit.graph.request import Request
from visit.session import Session
from visit.web.words import name_part, signed

PROMPT = "The capital of Japan is the city of"
DRAW = """() => {
    const start = performance.now();
    visit.set('rankedBy', visit.state.rankedBy);
    document.getElementById('rank-rows').getBoundingClientRect();
    return performance.now() - start;
}"""


def measured(screen: Screen) -> Screen:
    """The page, once it says the effects of all parts."""
    said = "document.getElementById('rank-said')?.dataset.known"
    wait_until(lambda: screen.ask(said) == "measured", "the effects of all parts")
    return screen


def column(screen: Screen, name: str) -> list[str]:
    cells = screen.page.locator(f"#rank-rows {name}")
    return [text.strip() for text in cells.all_inner_texts()]


def choose(screen: Screen, field: str, value: str) -> None:
    screen.page.select_option(f"#{field}", value)


def wait_for_order(screen: Screen, names: list[str]) -> None:
    """Until the first rows are these."""
    wait_until(lambda: column(screen, ".part-name")[: len(names)] == names, f"the order {names}")


def check_numbers(screen: Screen, session: Session, request: Request) -> None:
    """Effects and flows stand in the order and with the numbers that the session answers."""
    parts = {str(part.id): part for part in session.ask(RankParts(request)).parts}
    answer = session.ask(Measure(request, tuple(parts)))
    effects = {str(one.sites[0]): one.measured for one in answer.effects}
    first = sorted(parts, key=lambda site: -abs(effects[site]))[:5]
    wait_for_order(screen, [name_part(parts[site].id) for site in first])
    assert column(screen, ".of-effect")[:5] == [signed(effects[site]) for site in first]
    screen.page.locator("[data-rank=flow]").click()
    choose(screen, "rank-sort", "heads")
    shown = screen.page.locator("#rank-rows tr")
    heads = {str(row.get_attribute("data-node")) for row in shown.all()}
    strongest = max((s for s in parts if ".head" in s), key=lambda site: abs(parts[site].flow))
    assert strongest in heads
    row = screen.page.locator(f"#rank-rows tr[data-node='{strongest}']")
    assert row.locator(".of-flow").inner_text() == signed(parts[strongest].flow)


@pytest.mark.browser
def test_every_part_is_ranked_sorted_filtered_and_gone_to(open_app: Callable[..., Screen]):
    screen = measured(open_app("mini"))
    check_numbers(screen, Session.load("mini"), Request(PROMPT))
    assert "rank=flow" in screen.ask("new Promise(r => setTimeout(() => r(location.search), 400))")
    choose(screen, "rank-sort", "memories")
    assert all("." in name for name in column(screen, ".part-name"))
    assert set(column(screen, ".of-source")) == {""}
    choose(screen, "rank-layer", "2")
    assert {name.split(".")[0] for name in column(screen, ".part-name")} == {"2"}
    choose(screen, "rank-sort", "heads")
    choose(screen, "rank-layer", "")
    choose(screen, "rank-source", "3")
    assert set(column(screen, ".of-source")) == {"·Japan"}
    first = screen.page.locator("#rank-rows tr[data-node$='@7']").first
    node = first.get_attribute("data-node")
    first.locator("button").click()
    assert "What it does to each next token" in screen.inspected(node)
    screen.page.get_by_role("button", name="All parts").click()
    screen.page.locator("#rank-rows").wait_for()
    assert set(column(screen, ".of-source")) == {"·Japan"}  # filters outlive a look at a part


@pytest.mark.browser
def test_a_cell_of_the_map_leads_to_its_part_and_idle_tabs_are_disabled(open_app):
    screen = measured(open_app("mini"))
    model = Session.load("mini").model
    cells = screen.page.locator("#rank-map g[data-node]")
    assert cells.count() == model.n_layers * (model.n_heads + 1)
    screen.page.locator("#rank-map g[data-node='L1.mlp@7']").click()
    screen.inspected("L1.mlp@7")
    tab = screen.page.locator("#tab-attention")
    wait_until(tab.is_disabled, "the attention tab to be disabled")
    assert "Only attention" in tab.get_attribute("title")
    screen.page.keyboard.press("Escape")
    screen.page.locator("#rank-map").wait_for()


@pytest.mark.browser
def test_the_strongest_parts_stand_against_the_next_tokens(open_app):
    screen = measured(open_app("mini"))
    screen.page.get_by_role("tab", name="Tokens").click()
    ranking = Session.load("mini").ask(RankParts(Request(PROMPT)))
    heads = screen.page.locator(".token-map thead th").all_inner_texts()
    assert len(heads) == 1 + len(ranking.tokens)
    cell = screen.page.locator(".token-map tbody tr").first
    part = next(p for p in ranking.parts if str(p.id) == cell.get_attribute("data-node"))
    title = cell.locator("td").first.get_attribute("title")
    assert title.endswith(signed(part.tokens[0]))
    screen.page.get_by_role("tab", name="Adds up").click()
    assert "What adds up to it" in screen.page.locator("#over-sum").inner_text()


@pytest.mark.browser
def test_a_document_without_an_engine_lists_its_own_parts(open_app):
    screen = open_app("viewer")
    screen.page.locator("#rank-rows tr").first.wait_for()
    assert "of the graph" in screen.page.locator("#rank-said").inner_text()
    assert screen.page.locator("#rank-by option:checked").get_attribute("value") != "effect"


@pytest.mark.browser
@pytest.mark.real_model
def test_all_parts_of_a_model_of_thirty_layers_are_ranked(open_app):
    screen = measured(open_app("smollm2"))
    names = column(screen, ".part-name")
    assert names[:2] == ["L29 MLP", "L0 MLP"]
    cells = screen.page.locator("#rank-map g[data-node]").count()
    assert cells == 30 * 9 + 30
    choose(screen, "rank-source", "3")
    choose(screen, "rank-sort", "heads")
    assert "23.5" in column(screen, ".part-name")[:12]
    assert set(column(screen, ".of-source")) == {"·Japan"}
    choose(screen, "rank-source", "")
    choose(screen, "rank-sort", "")
    times = sorted(screen.ask(DRAW) for _ in range(5))
    assert times[2] < 300, times

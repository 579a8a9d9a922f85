"""What one test leaves behind on a page reaches no other."""

import pages as module
import pytest
from pages import Pages
from screen import wait_until

pytestmark = pytest.mark.browser


def test_a_page_that_was_used_is_handed_on_as_it_opened(pages: Pages):
    opened = pages.take("fake", {}, shared=True)
    screen = opened.screen
    screen.tap("L1.attn@7")
    screen.wait_for("L1.head0@7")
    screen.ask("visit.note('L1.attn@7', { name: 'mine', pinned: true })")
    wait_until(lambda: screen.ask("visit.noteOf('L1.attn@7').pinned"), "the note")
    screen.tab("Ledger")
    screen.page.get_by_role("button", name="MLP, memory").click()
    screen.page.get_by_role("button", name="Switch between light and dark").click()
    screen.page.get_by_label("Parts shown").fill("4")
    screen.page.get_by_label("Target", exact=True).fill("no such token")
    screen.page.locator("#search").fill("head")
    assert screen.as_it_is() != opened.first
    pages.give_back(opened)
    again = pages.take("fake", {}, shared=True)
    assert again is opened
    assert again.screen.as_it_is() == opened.first
    assert again.screen.ask("localStorage.length") == 0
    pages.give_back(again)


def test_a_page_that_cannot_be_put_back_is_handed_on_to_none(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    opened = pages.take("fake", {}, shared=True)
    opened.screen.ask("document.querySelector('h1').append('!')")
    pages.give_back(opened)
    assert opened.screen.page.url == "about:blank"
    other = pages.take("fake", {}, shared=True)
    assert other is not opened
    assert "!" not in other.screen.page.locator("h1").inner_text()
    monkeypatch.undo()
    pages.give_back(other)


# How many nodes are drawn at the moment that Plotly is asked for.
WATCH_FOR_PLOTLY = """() => new MutationObserver(() => {
    if (window.drawn !== undefined || !document.querySelector('script[src*="/plotly"]')) return;
    window.drawn = document.getElementById('graph')?._cyreg?.cy.nodes('[family]').length ?? 0;
}).observe(document.documentElement, { childList: true, subtree: true })"""


def test_what_draws_figures_is_loaded_after_the_first_graph(pages: Pages):
    """It is the most of all that a page loads, and nothing of it is seen at first."""
    opened = pages.take("fake", {}, shared=False)
    screen = opened.screen
    screen.page.goto(screen.address, wait_until="commit")
    screen.ask(WATCH_FOR_PLOTLY)
    wait_until(lambda: screen.ask("typeof window.Plotly?.newPlot") == "function", "Plotly")
    assert screen.ask("window.drawn") > 0
    pages.give_back(opened)


FRAMES = """() => new Promise(done => {
    let drawn = 0;
    const draw = () => { drawn += 1; requestAnimationFrame(draw); };
    requestAnimationFrame(draw);
    setTimeout(() => done(drawn), 300);
})"""


def test_a_page_that_waits_for_its_next_test_draws_nothing(pages: Pages):
    opened = pages.take("fake", {}, shared=True)
    screen = opened.screen
    assert screen.ask(FRAMES) > 0
    pages.give_back(opened)
    assert screen.ask(FRAMES) == 0
    again = pages.take("fake", {}, shared=True)
    assert again is opened
    assert screen.ask(FRAMES) > 0
    assert screen.as_it_is() == opened.first
    pages.give_back(again)


def test_a_page_that_is_opened_anew_has_nothing_of_the_one_before(pages: Pages):
    opened = pages.take("fake", {}, shared=False)
    screen = opened.screen
    screen.wait_for_graph()
    screen.ask("localStorage.setItem('left', 'behind')")
    screen.ask("history.pushState(null, '', '?left=behind')")
    screen.page.set_viewport_size({"width": 1024, "height": 640})
    pages.give_back(opened)
    other = pages.take("fake", {}, shared=False)
    assert other.screen.page is screen.page
    assert other.screen.ask("history.length") == 1
    assert "left" not in other.screen.ask("location.search")
    assert other.screen.ask("localStorage.getItem('left')") is None
    assert other.screen.ask("[innerWidth, innerHeight]") == [1440, 900]
    pages.give_back(other)

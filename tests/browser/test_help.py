"""What explains the screen, in a real browser: words, help, tour, and the canvas before a graph."""

import pytest
from screen import CY, Screen, wait_until

pytestmark = pytest.mark.browser

HELP = "document.getElementById('help-dialog').open"
FOCUS = "document.activeElement.textContent"
COVER = "document.getElementById('cover').dataset.state"


def overlap(screen: Screen, one: str, other: str) -> bool:
    return screen.ask(
        """([one, other]) => {
            const rect = (selector) => document.querySelector(selector).getBoundingClientRect();
            const [a, b] = [rect(one), rect(other)];
            return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
        }""",
        [one, other],
    )


def in_window(screen: Screen, selector: str) -> bool:
    return screen.ask(
        """selector => {
            const at = document.querySelector(selector).getBoundingClientRect();
            return at.left >= 0 && at.top >= 0
                && at.right <= innerWidth && at.bottom <= innerHeight;
        }""",
        selector,
    )


def test_a_word_says_what_it_means_when_it_is_pointed_at(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    card = screen.page.locator("#term-card")
    screen.page.locator("#toolbar [data-term=unexplained]").hover()
    wait_until(card.is_visible, "the card")
    assert "Of all flow that enters the drawn threads" in card.inner_text()
    assert in_window(screen, "#term-card")
    screen.page.keyboard.press("Escape")
    assert not card.is_visible()
    screen.page.locator("#dock-head [data-term=lens]").hover()
    wait_until(lambda: card.is_visible() and "logits = " in card.inner_text(), "the lens")
    assert in_window(screen, "#term-card")
    screen.page.mouse.move(5, 5)
    wait_until(lambda: not card.is_visible(), "the card to go")


def test_words_are_reached_by_the_keyboard_one_stop_a_panel(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    card = screen.page.locator("#term-card")
    screen.ask("visit.fill({note: ['rank', 'share'].map((term) => "
               "({tag: 'span', attributes: {'data-term': term}, children: [term]}))})")  # fmt: skip
    stops = "[...document.querySelectorAll('#note [data-term]')].map((e) => e.tabIndex)"
    assert screen.ask(stops) == [0, -1]
    screen.page.locator("#note [data-term=rank]").focus()
    wait_until(lambda: card.is_visible() and "place among" in card.inner_text(), "rank")
    screen.page.keyboard.press("ArrowRight")
    assert screen.ask(stops) == [-1, 0] and screen.ask(FOCUS) == "share"
    wait_until(lambda: card.is_visible() and "whole" in card.inner_text(), "share")
    assert screen.ask("visit.state.picked") is None  # the arrow did not walk the graph
    screen.ask("visit.fill({note: []})")


def test_the_help_opens_and_closes_by_key_button_and_backdrop(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.page.keyboard.press("?")
    wait_until(lambda: screen.ask(HELP), "the help")
    screen.page.keyboard.press("ArrowRight")
    assert screen.ask("visit.state.picked") is None
    for _ in range(8):  # the focus stays inside
        screen.page.keyboard.press("Tab")
        assert screen.ask(
            "document.activeElement === document.body"
            " || document.activeElement.closest('#help-dialog') !== null"
        )
    screen.page.keyboard.press("Escape")
    wait_until(lambda: not screen.ask(HELP), "the help to close")
    screen.page.locator("#help-button").click()
    assert "direct logit" in screen.page.locator("#help-dialog").inner_text()
    screen.page.get_by_role("button", name="Close", exact=True).click()
    assert not screen.ask(HELP)
    screen.page.locator("#help-button").click()
    screen.page.mouse.click(20, 450)
    assert not screen.ask(HELP)
    screen.page.get_by_label("Prompt", exact=True).press("?")  # typed, not asked for
    assert not screen.ask(HELP)


def test_digits_show_the_inspector_s_tabs(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.tap("L1.attn@7")
    screen.inspected("L1.attn@7")
    chosen = screen.page.locator("#inspector [role=tab][aria-selected=true]")
    for key, tab in [("2", "ledger"), ("4", "path"), ("1", "words")]:
        screen.page.keyboard.press(key)
        wait_until(lambda tab=tab: chosen.inner_text().lower() == tab, f"the tab {tab}")


@pytest.mark.parametrize("size", [(1280, 720), (1440, 900)])
def test_the_tour_goes_past_every_part_and_covers_none(open_app, size):
    screen = open_app("fake", viewport={"width": size[0], "height": size[1]})
    screen.wait_for_graph()
    screen.page.locator("#offer").get_by_text("one-minute tour").click()
    card = screen.page.locator("#tour-card")
    seen = []
    while card.is_visible():
        seen.append(card.locator("h2:visible").inner_text())
        assert not overlap(screen, "#tour-card", "#tour-outline")
        assert in_window(screen, "#tour-card") and in_window(screen, "#tour-outline")
        assert screen.ask(FOCUS) == ("Done" if len(seen) == 5 else "Next")
        screen.page.keyboard.press("Enter")
    assert len(set(seen)) == 5
    assert not screen.page.locator("#tour-outline").is_visible()


def test_the_tour_is_offered_once_beside_the_graph(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    offer = screen.page.locator("#offer")
    wait_until(offer.is_visible, "the offer")
    assert not overlap(screen, "#offer", ".graph-pane")
    offer.get_by_text("No thanks").click()
    assert not offer.is_visible()
    screen.page.reload()
    screen.wait_for_graph()
    wait_until(lambda: screen.ask(COVER) == "none", "the graph")
    assert not offer.is_visible()
    screen.page.keyboard.press("?")
    screen.page.locator("#help-dialog").get_by_text("Take the tour").click()
    card = screen.page.locator("#tour-card")
    wait_until(card.is_visible, "the tour")
    screen.page.keyboard.press("Escape")
    assert not card.is_visible() and not screen.ask(HELP)


def test_the_tour_of_the_viewer_passes_over_what_is_not_there(open_app):
    screen = open_app("viewer")
    screen.wait_for_graph()
    screen.page.locator("#offer").get_by_text("one-minute tour").click()
    card = screen.page.locator("#tour-card")
    assert "Follow the flow" in card.inner_text() and "1 of 4" in card.inner_text()


def test_before_the_first_graph_the_canvas_says_how_things_stand(open_app):
    screen = open_app("fake")
    screen.page.goto(f"{screen.address}?prompt=slow+one")
    cover = screen.page.locator("#cover")
    wait_until(lambda: "Running the model" in cover.inner_text(), "the stage in words")
    screen.page.get_by_role("button", name="Cancel").click()
    wait_until(lambda: "Nothing is traced yet" in cover.inner_text(), "the empty canvas")
    cover.get_by_text("Successor").click()
    screen.wait_for_graph()
    wait_until(lambda: screen.ask(COVER) == "none", "the cover to go")
    assert not cover.is_visible()
    screen.tap("L1.attn@2")
    screen.wait_for("L1.head0@2")


def test_a_first_trace_that_fails_says_what_to_do(open_app):
    screen = open_app("fake")
    screen.page.goto(f"{screen.address}?prompt=a&target=no+such+token")
    cover = screen.page.locator("#cover")
    wait_until(lambda: "could not be traced" in cover.inner_text(), "what to do")
    assert "not one token" in screen.page.get_by_role("alert").inner_text()
    cover.get_by_role("button", name="Start afresh").click()
    screen.wait_for_graph()
    wait_until(
        lambda: screen.ask(f"{CY}.nodes('[frame = \"row\"]').length") == 8, "the first prompt"
    )

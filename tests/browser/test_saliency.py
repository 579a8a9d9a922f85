"""Saliency and watched tokens in a real browser, as a reader of Ecco's articles would use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from screen import Screen, wait_until
from test_explore import DRAWN, explore

from visit.engine.exploring import ReadSaliency, WatchTokens
from visit.graph.explored.saliency import SaliencyMethod
from visit.graph.request import Request
from visit.session import Session

pytestmark = pytest.mark.browser

PROMPT = "The capital of Japan is the city of"
CHIPS = ".coloured-tokens .coloured"
FIGURE = "document.querySelector('#explore .js-plotly-plot')"


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


def drawn_anew(screen: Screen, name: str, act: Callable[[], Any]) -> None:
    """Do something that has the pane drawn again, and wait for it."""
    before = screen.ask(f"{FIGURE}.layout.annotations?.[0]?.text + {FIGURE}.data.length")
    act()
    wait_until(
        lambda: (
            screen.page.evaluate(DRAWN, name)
            and before
            != screen.ask(f"{FIGURE}.layout.annotations?.[0]?.text + {FIGURE}.data.length")
        ),
        "another figure",
    )


def amounts(screen: Screen) -> list[str]:
    return [text.strip() for text in screen.page.locator(f"{CHIPS} .amount").all_text_contents()]


def colours(screen: Screen) -> list[str]:
    return screen.ask(f"[...document.querySelectorAll('{CHIPS}')].map(e => e.style.background)")


def test_the_prompt_is_coloured_by_what_its_tokens_have_of_the_next(
    open_app: Callable[..., Screen], session: Session
):
    screen = explore(open_app("mini"), "saliency")
    found = session.ask(ReadSaliency(Request(PROMPT)))
    said = screen.page.locator(".explore-said p").all_inner_texts()
    assert said == list(found.findings())
    assert screen.page.locator(f"{CHIPS} .token").all_text_contents()[-1] == "·Tokyo"
    shown = amounts(screen)
    assert shown[3] == "+14.8" and shown[-1] == "" and len(shown) == 9
    bars = screen.ask(f"{FIGURE}.data[0].y")
    assert bars[:-1] == pytest.approx(found.traced.sources, abs=1e-3)
    screen.page.locator(CHIPS).nth(3).click()
    wait_until(lambda: screen.ask("visit.state.picked") == "embed@3", "the source picked")


def test_another_method_and_the_delta_of_integrated_gradients_are_shown(
    open_app: Callable[..., Screen],
):
    screen = explore(open_app("mini"), "saliency")
    choose = screen.page.locator("#explore-saliency-method")
    drawn_anew(screen, "saliency", lambda: choose.select_option("integrated_gradients"))
    said = screen.page.locator(".explore-said p").all_inner_texts()
    assert "convergence delta" in said[1] and "not to be trusted" in said[1]
    mean = screen.page.locator("#explore-saliency-baseline")
    mean.select_option("mean")
    wait_until(
        lambda: (
            "not to be trusted" not in screen.page.locator(".explore-said p").nth(1).inner_text()
        ),
        "a delta that is small",
    )
    address = screen.ask("new Promise(r => setTimeout(() => r(location.search), 400))")
    assert "integrated_gradients" in address and "mean" in address


def test_what_cannot_be_asked_is_said_in_the_pane(open_app: Callable[..., Screen]):
    screen = explore(open_app("mini"), "saliency")
    screen.page.select_option("#explore-saliency-of", "probability")
    problem = "flow adds up to the metric, not to a probability"
    wait_until(lambda: problem in screen.page.locator(".explore-said").inner_text(), "the reason")


def test_pointing_at_a_token_of_a_text_shows_where_it_comes_from(
    open_app: Callable[..., Screen], session: Session
):
    screen = explore(open_app("mini"), "saliency")
    first = screen.page.locator("#explore-saliency-first")

    def from_the_first() -> None:
        first.fill("0")
        first.press("Enter")

    drawn_anew(screen, "saliency", from_the_first)
    found = session.ask(ReadSaliency(Request(PROMPT), SaliencyMethod.FLOW, first=0))
    assert len(screen.ask(f"{FIGURE}.data[0].z")) == len(found.targets) == 8
    own, own_colours = amounts(screen), colours(screen)
    chips = screen.page.locator(CHIPS)
    chips.nth(4).hover()  # " is", after the position of " Japan"
    wait_until(lambda: amounts(screen) != own, "another token's sources")
    shown = amounts(screen)
    assert all(shown[:4]) and not any(shown[4:])
    strongest = found.targets[3].strongest[0]
    assert max(range(4), key=lambda at: abs(float(shown[at].replace("−", "-")))) == strongest
    assert colours(screen) != own_colours
    screen.page.locator(".explore-said").hover()
    wait_until(lambda: amounts(screen) == own, "the next token's sources again")
    assert colours(screen) == own_colours
    chips.nth(3).focus()
    wait_until(lambda: amounts(screen) != own, "what the keyboard is at")
    held = "document.activeElement.classList.contains('coloured')"
    screen.ask("new Promise(r => setTimeout(r, 600))")
    assert screen.ask(held) and amounts(screen) != own  # leaving the field drew nothing anew


def test_watched_tokens_are_lines_whose_measure_can_be_chosen(
    open_app: Callable[..., Screen], session: Session
):
    screen = explore(open_app("mini"), "watch")
    found = session.ask(WatchTokens(Request(PROMPT)))
    assert screen.page.locator(".explore-said p").all_inner_texts() == list(found.findings())
    ranks = screen.ask(f"{FIGURE}.data[0].y")
    assert ranks == [at.rank for at in found.watched[0].readings]
    show = screen.page.locator("#explore-watch-show")
    drawn_anew(screen, "watch", lambda: show.select_option("probability"))
    assert screen.ask(f"{FIGURE}.data[0].y")[-1] == pytest.approx(
        found.watched[0].readings[-1].prob, abs=1e-4
    )
    tokens = screen.page.locator("#explore-watch-tokens")

    def two_tokens() -> None:
        tokens.fill(" Paris\n\\#400")
        tokens.press("Control+Enter")

    drawn_anew(screen, "watch", two_tokens)
    assert screen.ask(f"{FIGURE}.data.length") == 3
    assert "·Paris" in screen.page.locator(".explore-said p").first.inner_text()


def test_the_lens_grid_leads_to_its_lines_and_a_residual_to_those_of_its_position(
    open_app: Callable[..., Screen], session: Session
):
    screen = open_app("mini")
    screen.page.click("[data-dock=toggle]")
    screen.page.click("#dock-head [data-explore=watch]")
    wait_until(lambda: screen.page.evaluate(DRAWN, "watch"), "the lines")
    grid, lines = (screen.page.locator(name).bounding_box() for name in ("#lens-sheet", "#explore"))
    assert grid["height"] > 40 and lines["y"] < grid["y"]
    screen.ask("visit.set('picked', 'L3.resid_post@3')")
    screen.inspected("L3.resid_post@3")
    screen.page.get_by_role("button", name="tokens over depth").click()
    found = list(session.ask(WatchTokens(Request(PROMPT), at=3)).findings())
    said = screen.page.locator(".explore-said p")
    wait_until(lambda: said.all_inner_texts() == found, "the position's lines")


def test_a_move_leads_to_its_part(open_app: Callable[..., Screen], session: Session):
    screen = explore(open_app("mini"), "watch")
    node = session.ask(WatchTokens(Request(PROMPT))).tables()[1].nodes[0]
    moves = screen.page.locator(".explore-rows").nth(1).locator("tbody tr")
    moves.first.locator("button").click()
    wait_until(lambda: screen.ask("visit.state.picked") == node, f"{node} picked")

"""*Continue* in a real browser: written, scrubbed, gone on from another token, read anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from screen import Screen, wait_until

from visit.engine.generating import Generate
from visit.graph.generation import Generation
from visit.graph.request import Request
from visit.session import Session
from visit.web.words import percent

pytestmark = pytest.mark.browser

REQUEST = Request("Once upon a time", layers="none")
IS_IDLE = "!document.getElementById('trace').disabled"
CHIPS = "[...document.querySelectorAll('#continuing [data-step]')]"
TRACED = f"{CHIPS}.find(c => c.classList.contains('is-traced'))?.dataset.step"
POSITION = "visit.state.view?.request.position"


CANCEL_SOON = """() => {
    const said = document.getElementById('continuing-said');
    const watch = new MutationObserver(() => {
        if (!said.textContent) return;
        watch.disconnect();
        window.cancelledAt = said.textContent;
        document.getElementById('cancel').click();
    });
    watch.observe(said, { childList: true, subtree: true, characterData: true });
}"""


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.fixture(scope="module")
def own(session: Session) -> Generation:
    return session.ask(Generate(REQUEST, 8))


@pytest.fixture
def screen(open_app: Callable[..., Screen]) -> Screen:
    """The page, once it shows the prompt."""
    screen = open_app("mini", shared=False)
    screen.wait_for_graph()
    screen.ask("text => visit.askPrompt(text)", REQUEST.prompt)
    wait_until(lambda: screen.ask("visit.state.view?.request.prompt") == REQUEST.prompt, "traced")
    return screen


def go_on(screen: Screen, count: int = 8) -> None:
    screen.page.click("#continue-menu summary")
    screen.page.fill("#continue-count", str(count))
    screen.page.click("#continue-menu [data-go-on=own]")


def texts(screen: Screen) -> list[str]:
    return screen.ask(f"{CHIPS}.map(c => c.querySelector('.continuing-token').textContent)")


def wait_for_step(screen: Screen, step: int) -> None:
    def is_there() -> bool:
        return screen.ask(POSITION) == step - 1 and screen.ask(TRACED) == str(step)

    wait_until(is_there, f"step {step}")


def shown_of(found: Generation) -> list[str]:
    return [step.text.replace(" ", "·") for step in found.steps]


def test_a_prompt_is_gone_on_with_and_every_token_is_explained(screen: Screen, own, session):
    go_on(screen)
    wait_until(lambda: texts(screen) == shown_of(own), "the continuation")
    begins = len(own.tokens)
    wait_for_step(screen, begins)  # the first new token
    assert screen.ask("document.getElementById('continuing-said').textContent") == ""

    # The arrow keys move the scrubber, and the graph with it; a click on a token does too.
    screen.page.focus("#continuing-step")
    for step in (begins + 1, begins + 2):
        screen.page.keyboard.press("ArrowRight")
        wait_for_step(screen, step)
    screen.page.click(f"#continuing [data-step='{begins + 4}']")
    wait_for_step(screen, begins + 4)
    request = screen.ask("visit.state.view.request")
    assert tuple(request["prompt_ids"]) == own.ids
    assert request["target_id"] == own.steps[4].id
    flow = session.explain(own.request_at(4))
    wait_until(
        lambda: percent(flow.target.prob) in screen.page.locator("#tokens").inner_text(), "chances"
    )

    # A link has all of it.
    address = screen.ask("new Promise(r => setTimeout(() => r(location.href), 400))")
    screen.page.goto(address)
    wait_until(lambda: screen.ask(f"window.visit ? {TRACED} : null") == str(begins + 4), "again")
    assert texts(screen) == shown_of(own)


def test_another_token_makes_a_branch_and_both_can_be_gone_back_to(screen: Screen, own, session):
    go_on(screen)
    begins = len(own.tokens)
    wait_for_step(screen, begins)
    screen.page.click(f"#continuing [data-step='{begins + 3}']")
    wait_for_step(screen, begins + 3)
    other = own.steps[3].others[1]
    screen.page.click(f"#continuing [data-others='{begins + 3}'] [data-instead='{other.id}']")
    given = (*(step.id for step in own.steps[:3]), other.id)
    branch = session.ask(Generate(REQUEST, 8, given_ids=given))
    wait_until(lambda: texts(screen) == shown_of(branch), "the branch")
    wait_for_step(screen, begins + 3)
    assert screen.ask("visit.state.view.request.target_id") == other.id
    buttons = screen.page.locator(".continuing-branch")
    wait_until(lambda: buttons.count() == 2, "two branches")
    assert buttons.nth(1).get_attribute("aria-pressed") == "true"

    buttons.nth(0).click()
    wait_until(lambda: texts(screen) == shown_of(own), "the first one")
    wait_until(lambda: screen.ask(IS_IDLE), "rest")
    screen.page.click(".continuing-drop")
    wait_until(lambda: screen.page.locator(".continuing-branch").count() == 0, "one branch alone")
    screen.ask("visit.undo()")
    wait_until(lambda: not texts(screen), "what is forgotten to be shown no longer")


def test_a_typed_continuation_is_explained(screen: Screen, session: Session):
    screen.page.click("#continue-menu summary")
    screen.page.fill("#continue-text", " there was a dog")
    screen.page.click("#continue-menu [data-go-on=given]")
    found = session.ask(Generate(REQUEST, 0, given=" there was a dog"))
    wait_until(lambda: texts(screen) == shown_of(found), "the text")
    wait_for_step(screen, len(found.tokens))
    title = screen.page.locator("#continuing [data-step]").nth(3).get_attribute("title")
    assert title == f"·dog: {percent(found.steps[3].prob)}, rank {found.steps[3].rank:,}"


def test_what_is_refused_is_said_in_one_line_and_cancel_ends_it(screen: Screen, session: Session):
    go_on(screen, 190)
    said = screen.page.locator("#problem")
    n_context = session.resident.loaded.architecture.sizes.n_context
    wait_until(lambda: f"reads {n_context} at most" in said.inner_text(), "why not")
    wait_until(lambda: screen.ask(IS_IDLE), "rest")
    screen.ask(CANCEL_SOON)
    screen.page.click("#continue-menu summary")
    screen.page.fill("#continue-temperature", "3")  # so that it does not end its text by itself
    screen.page.fill("#continue-count", "110")
    screen.page.click("#continue-menu [data-go-on=own]")
    wait_until(lambda: screen.ask("window.cancelledAt"), "a text")
    wait_until(lambda: screen.ask(IS_IDLE), "rest")
    wait_until(
        lambda: not screen.ask("document.getElementById('continuing-said').textContent"), "nothing"
    )
    assert screen.ask("visit.state.view.request.prompt") == REQUEST.prompt
    assert not texts(screen)


def test_a_graph_of_a_document_is_not_gone_on_from(screen: Screen):
    screen.ask("() => visit.showAgain({ fixed: true })")
    wait_until(lambda: screen.ask("visit.state.view.fixed"), "a document's view")
    go_on(screen)
    said = screen.page.locator("#problem")
    wait_until(lambda: "this graph came from a document" in said.inner_text(), "why not")

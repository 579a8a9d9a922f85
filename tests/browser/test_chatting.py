"""A chat in the app: asked for, shown under its roles, shared, and taken back."""

import json
from itertools import product
from urllib.parse import quote

import pytest
from screen import CY, Screen, wait_until
from test_screens import CUT, FOLDER, OUTSIDE, SIZES, violations

from visit.formats.document import read_flow

pytestmark = pytest.mark.browser

CHAT = json.dumps(
    [
        {"role": "system", "content": "The city of Tokyo"},
        {"role": "user", "content": "The capital of Japan"},
        {"role": "assistant", "content": "is the city"},
    ]
)
GROUPS = """() => [...document.querySelectorAll('#tokens .message')].map(
    group => [...group.querySelectorAll('.role, [data-position]')].map(part => part.textContent)
)"""
USER = ["user", "The", "·capital", "·of", "·Japan"]


def choose(screen: Screen, *labels: str) -> None:
    """Open the menu beside the prompt and choose in it."""
    screen.page.locator("#form-said").click()
    for label in labels:
        screen.page.get_by_role("radio", name=label).check()
    screen.page.keyboard.press("Escape")


def trace(screen: Screen) -> None:
    screen.page.get_by_role("button", name="Trace", exact=True).click()


def said(screen: Screen) -> str:
    return screen.page.locator("#form-said").inner_text().removesuffix(" ▾")


def test_a_chat_is_asked_for_shared_and_taken_back(open_app, tmp_path):
    screen = open_app("chat")
    screen.wait_for_graph()
    assert screen.ask(GROUPS) == [] and said(screen) == "Text"
    assert "chat" not in screen.ask("location.search")

    screen.page.locator("#prompt").fill("The capital of Japan")
    choose(screen, "A chat", "With a BOS")
    wait_until(lambda: said(screen) == "Chat, with BOS", "the menu to say it")
    trace(screen)
    wait_until(lambda: screen.ask(GROUPS) == [USER], "the message under its role")
    first = screen.page.locator("#tokens .chip").first
    assert first.inner_text() == "<s>"
    assert {"is-special", "is-template"} <= set(first.get_attribute("class").split())
    wait_until(lambda: "bos=true&chat=true" in screen.ask("location.search"), "the address")
    brackets = f"{CY}.nodes('[frame = \"message\"]').map(node => node.data('label'))"
    wait_until(lambda: screen.ask(brackets) == ["user"], "the bracket beside its rows")

    screen.page.locator("summary", has_text="Export").click()
    with screen.page.expect_download() as download:
        screen.page.get_by_role("button", name="JSON").click()
    path = tmp_path / "chat.json"
    download.value.save_as(path)
    flow = read_flow(path)
    assert flow.request.chat and flow.request.bos is True
    assert [token.text for token in flow.tokens if token.role == "user"] == [
        "The", " capital", " of", " Japan"
    ]  # fmt: skip

    screen.page.reload()
    wait_until(lambda: screen.ask(GROUPS) == [USER], "the same again")
    wait_until(lambda: said(screen) == "Chat, with BOS", "the menu to say it")

    choose(screen, "Plain text", "Without")
    trace(screen)
    wait_until(lambda: screen.ask(GROUPS) == [], "the text")
    wait_until(lambda: "bos=false" in screen.ask("location.search"), "the address")
    screen.page.locator("#undo").click()
    wait_until(lambda: screen.ask(GROUPS) == [USER], "the chat to come back")
    wait_until(lambda: said(screen) == "Chat, with BOS", "the menu to say so")


def test_two_choices_made_at_once_are_both_kept(open_app):
    screen = open_app("chat")
    screen.wait_for_graph()
    at_once = screen.page.evaluate("""() => {
        document.querySelector('input[name="form-chat"][value="chat"]').click();
        document.querySelector('input[name="form-bos"][value="bos"]').click();
        return document.getElementById("form-said").textContent;
    }""")
    assert at_once.removesuffix(" ▾") == "Chat, with BOS"
    screen.page.locator("#prompt").fill("The capital of Japan")
    trace(screen)
    wait_until(lambda: screen.ask(GROUPS) == [USER], "the message under its role")
    assert said(screen) == "Chat, with BOS"
    assert screen.page.locator("#tokens .chip").first.inner_text() == "<s>"


def test_a_position_of_a_chat_can_be_chosen(open_app):
    screen = open_app("chat")
    screen.page.goto(f"{screen.address}?prompt={quote('The capital of Japan')}&chat=true")
    wait_until(lambda: screen.ask(GROUPS) == [USER], "the chat")
    screen.page.get_by_role("button", name="·capital", exact=True).click()
    traced = screen.page.locator("#tokens .chip.is-traced")
    wait_until(lambda: traced.inner_text() == "·capital", "the position")
    assert screen.ask(GROUPS) == [USER]


def test_a_chat_that_cannot_be_read_is_told_in_place(open_app):
    screen = open_app("chat")
    screen.wait_for_graph()
    screen.page.locator("#prompt").fill('[{"role": "user"}]')
    choose(screen, "A chat")
    trace(screen)
    problem = screen.page.locator("#problem")
    wait_until(lambda: "message 0 of the chat has no 'content'" in problem.inner_text(), "why")


def test_a_model_without_a_template_says_why_it_has_no_chat(open_app):
    screen = open_app("mini")
    screen.wait_for_graph()
    choice = screen.page.get_by_role("radio", name="A chat")
    why = screen.page.locator("#form-menu .why")
    screen.page.locator("#form-said").click()
    wait_until(choice.is_disabled, "the choice to be closed")
    assert why.inner_text() == "This model has no chat template"
    assert violations(screen) == {}
    screen.page.locator("#model").fill("some/other")  # of which nothing is known yet
    screen.page.keyboard.press("Escape")
    screen.page.locator("#form-said").click()
    wait_until(choice.is_enabled, "the choice to be open")
    assert why.count() == 0


@pytest.fixture(scope="module")
def chat(open_shared):
    """A page for every theme and size: it is loaded again in each."""
    return open_shared("chat", shared=False)


@pytest.mark.parametrize(("theme", "size"), list(product(["light", "dark"], SIZES)))
def test_a_chat_can_be_read(chat, theme, size):
    screen, (width, height) = chat, size
    screen.page.set_viewport_size({"width": width, "height": height})
    screen.page.emulate_media(color_scheme=theme)
    screen.page.goto(f"{screen.address}?prompt={quote(CHAT)}&chat=true&bos=true")
    roles = ["system", "user", "assistant"]
    wait_until(lambda: [role for role, *_ in screen.ask(GROUPS)] == roles, "the chat")
    screen.wait_for_graph()
    screen.rest()
    FOLDER.mkdir(parents=True, exist_ok=True)
    screen.page.screenshot(path=FOLDER / f"chat-{theme}-{width}x{height}.png")
    # What is typed may be longer than its field: that can be scrolled.
    assert [cut for cut in screen.ask(CUT) if not cut.startswith(("<textarea", "<input"))] == []
    assert screen.ask(OUTSIDE) == []
    assert violations(screen) == {}
    screen.page.locator("#form-said").click()
    screen.page.screenshot(path=FOLDER / f"chat-menu-{theme}-{width}x{height}.png")
    assert violations(screen) == {}

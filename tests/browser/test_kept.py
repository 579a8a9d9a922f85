"""What outlives a reload, a new trace and a server that goes away."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from screen import wait_until
from serve import __file__ as SERVE

pytestmark = pytest.mark.browser

HEAD = "L1.head0@7"


def name(screen, text: str) -> None:
    """Give a head a name, as the inspector does."""
    screen.ask("([id, name]) => visit.note(id, { name, group: 'facts' })", [HEAD, text])
    noted = f"visit.state.view.notes['{HEAD}']?.name"
    wait_until(lambda: screen.ask(noted) == text, "the note in the view")


def trace(screen, prompt: str) -> None:
    screen.page.locator("#prompt").fill(prompt)
    screen.page.locator("#prompt").press("Control+Enter")
    wait_until(lambda: screen.ask("visit.state.view.request.prompt") == prompt, prompt)


def test_notes_come_back_with_their_prompt_and_go_with_a_link(open_app):
    screen = open_app("fake", shared=False)
    screen.wait_for_graph()
    name(screen, "mover <b>")
    trace(screen, "Rome is")
    assert screen.ask("visit.state.view.notes") == {}
    trace(screen, "The capital of Japan is the city of")
    kept = {HEAD: {"name": "mover <b>", "group": "facts"}}
    wait_until(lambda: screen.ask("visit.state.view.notes") == kept, "the notes of the prompt")
    undone = screen.ask("visit.state.view")
    assert undone["notes"] == kept
    screen.page.reload()
    screen.wait_for_graph()
    wait_until(lambda: screen.ask("visit.state.view?.notes") == kept, "the notes after a reload")
    screen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    screen.page.get_by_role("button", name="Copy link").click()
    wait_until(lambda: screen.page.get_by_text("Copied").count(), "the link to be copied")
    link = screen.ask("navigator.clipboard.readText()")

    other = open_app("fake", shared=False)
    other.ask("localStorage.clear()")
    other.page.goto("about:blank")
    other.page.goto(link)
    other.wait_for_graph()
    wait_until(lambda: other.ask("visit.state.view?.notes") == kept, "the notes of the link")
    assert "kept" not in other.ask("location.href.split('?')[1]")
    asked = other.ask(
        "() => { const leaving = new Event('beforeunload', { cancelable: true });"
        " return window.dispatchEvent(leaving); }"
    )
    assert asked  # nothing would be lost, so nothing is asked


def test_the_tray_comes_back_with_its_prompt_and_goes_with_a_link(open_app):
    screen = open_app("fake", shared=False)
    screen.wait_for_graph()
    tray = "[...visit.state.collected]"
    assert screen.page.locator("#copy-link").inner_text() == "Copy link"
    screen.ask("site => visit.collect(site)", HEAD)
    trace(screen, "Rome is")
    assert screen.ask(tray) == []
    screen.ask("visit.collect('L0.mlp@1')")
    screen.ask("visit.undo()")
    wait_until(lambda: screen.ask(tray) == [HEAD], "the tray of the prompt before")
    screen.ask("visit.redo()")
    wait_until(lambda: screen.ask(tray) == ["L0.mlp@1"], "the tray of the prompt after")
    trace(screen, "The capital of Japan is the city of")
    wait_until(lambda: screen.ask(tray) == [HEAD], "the tray of the prompt")
    linked = f"off={HEAD.replace('@', '%40')}"
    wait_until(lambda: linked in screen.ask("location.search"), "the address")
    name(screen, "mover")
    assert screen.page.locator("#copy-link").inner_text() == "Copy link with notes"
    screen.page.goto(screen.page.url.partition("?")[0])
    screen.wait_for_graph()
    wait_until(lambda: screen.ask(tray) == [HEAD], "the tray after a visit without it")


def test_who_would_lose_notes_is_asked_before_the_page_goes(open_app):
    screen = open_app("fake", shared=False)
    screen.wait_for_graph()
    screen.ask("() => { Storage.prototype.setItem = () => { throw new Error('no room'); }; }")
    name(screen, "mover")
    leave = "() => window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert not screen.ask(leave)
    screen.ask("id => visit.note(id, { name: '', group: '' })", HEAD)
    wait_until(lambda: screen.ask(leave), "nothing to lose")


def test_back_and_forward_step_through_the_traces(open_app):
    screen = open_app("fake", shared=False)
    screen.wait_for_graph()
    trace(screen, "Rome is")
    screen.page.locator("#graph").hover()
    screen.page.mouse.wheel(0, -120)
    wait_until(lambda: "at=" in screen.ask("location.search"), "what is seen, in the address")
    trace(screen, "Paris is")
    wait_until(lambda: "prompt=Paris" in screen.ask("location.search"), "the other's address")
    screen.rest()
    wait_until(
        lambda: "at=" not in screen.ask("location.search"), "nothing of what was seen before"
    )
    screen.ask("visit.pick('output@1')")
    wait_until(lambda: "pick=output" in screen.ask("location.search"), "the pick in the address")
    prompt = "visit.state.view?.request.prompt"
    field = screen.page.locator("#prompt")
    screen.page.go_back()
    wait_until(lambda: screen.ask(prompt) == "Rome is", "the trace before")
    wait_until(lambda: "prompt=Rome" in screen.ask("location.search"), "its address")
    wait_until(lambda: field.input_value() == "Rome is", "its prompt in the field")
    screen.page.go_forward()
    wait_until(lambda: screen.ask(prompt) == "Paris is", "the trace after")
    wait_until(lambda: screen.ask("visit.state.picked") == "output@1", "what was picked in it")
    screen.page.reload()
    screen.wait_for_graph()
    with screen.page.expect_event("load"):  # what an earlier page showed is asked for again
        screen.page.go_back()
    wait_until(lambda: screen.ask(prompt) == "Rome is", "the trace before the reload")


def test_back_brings_no_older_note_of_a_prompt_and_undo_what_was_picked(open_app):
    screen = open_app("fake", shared=False)
    screen.wait_for_graph()
    name = "visit.noteOf('output@7').name"
    screen.ask("visit.note('output@7', { name: 'first' })")
    wait_until(lambda: screen.ask(name) == "first", "the note")
    screen.page.locator("#tokens [data-position='3']").click()
    wait_until(lambda: screen.ask("visit.state.view.request.position") == 3, "another position")
    wait_until(lambda: screen.ask(name) == "first", "the note of the same prompt")
    screen.ask("visit.note('output@7', { name: 'second' })")
    wait_until(lambda: screen.ask(name) == "second", "the note changed")
    screen.ask("visit.pick('output@3')")
    wait_until(lambda: "pick=output" in screen.ask("location.search"), "the pick in the address")
    screen.page.go_back()
    wait_until(lambda: screen.ask("visit.state.view.request.position") != 3, "the trace before")
    screen.rest()
    assert screen.ask(name) == "second"
    screen.ask("() => visit.undo()")
    wait_until(lambda: screen.ask("visit.state.view.request.position") == 3, "the trace after")
    assert screen.ask("visit.state.picked") == "output@3"


def test_a_prompt_that_is_not_traced_outlives_a_reload(open_app):
    screen = open_app("fake", shared=False)
    screen.wait_for_graph()
    field = screen.page.locator("#prompt")
    field.fill("Rome was not built in")
    screen.page.locator("#target").fill(" a")
    screen.page.reload()
    screen.wait_for_graph()
    wait_until(lambda: field.input_value() == "Rome was not built in", "the prompt")
    assert screen.page.locator("#target").input_value() == " a"
    assert screen.ask("visit.state.view.request.prompt").startswith("The capital")
    screen.page.get_by_role("button", name="Trace").first.click()
    wait_until(
        lambda: screen.ask("visit.state.view.request.prompt") == "Rome was not built in",
        "the trace",
    )
    wait_until(lambda: screen.ask("sessionStorage.length") == 0, "the draft to go")


def serve_fake(port: str = "0") -> tuple[subprocess.Popen, str]:
    """A server of one test's own."""
    process = subprocess.Popen(
        [sys.executable, SERVE, port, "fake"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(SERVE).parents[2],
    )
    return process, process.stdout.readline().removeprefix("visit: ").strip()


def test_a_server_that_is_gone_is_told_in_place_and_asked_again(open_app):
    """The trace that was under way is asked for again by the page itself."""
    process, address = serve_fake()
    screen = open_app("fake", shared=False)
    try:
        screen.page.goto(address)
        screen.wait_for_graph()
        gone = screen.page.get_by_text("The server does not answer; trying again")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        screen.page.locator("#prompt").fill("Rome is")
        wait_until(gone.is_visible, "the page to say so")
        process, _ = serve_fake(address.rpartition(":")[2])
        wait_until(lambda: not gone.is_visible(), "the server to answer")

        # In the very moment in which the connection comes back, where Dash's worker may lose it.
        screen.page.locator("#prompt").press("Control+Enter")
        traced = "visit.state.view.request.prompt"
        wait_until(lambda: screen.ask(traced) == "Rome is", "a trace")
    finally:
        process.kill()
        process.communicate()
        # The browser itself logs every request that is refused, whatever else fails.
        screen.said[:] = [said for said in screen.said if "ERR_CONNECTION" not in said]

"""A document dropped onto the app or chosen there, in a real browser."""

import pytest
from sample import make_flow
from screen import CY, Screen, wait_until

from visit.formats.document import json_from_flow
from visit.formats.embedded import html_from_json
from visit.graph.request import Request

pytestmark = pytest.mark.browser

FLOW = make_flow(Request("Rome lies in", position=1), n_layers=2, opened=(1,))
DOCUMENT = json_from_flow(FLOW)
DRAG = """([kind, name, text]) => {
    const carried = new DataTransfer();
    carried.items.add(new File([text], name));
    const said = { bubbles: true, cancelable: true, dataTransfer: carried };
    document.querySelector('#graph').dispatchEvent(new DragEvent(kind, said));
}"""


def drop(screen: Screen, name: str, text: str) -> None:
    screen.ask(DRAG, ["dragenter", name, text])
    assert screen.page.get_by_text("Drop to open").is_visible()
    screen.ask(DRAG, ["drop", name, text])


def rows(screen: Screen) -> list[str]:
    return screen.ask(f"{CY}.nodes('[frame = \"row\"]').map(n => n.data('label'))")


@pytest.mark.parametrize("kind", ["fake", "viewer"])
def test_a_dropped_document_is_shown_and_undone(open_app, kind):
    screen = open_app(kind)
    screen.wait_for_graph()
    before = rows(screen)
    screen.tap("L1.attn@7")
    screen.inspected("L1.attn@7")
    drop(screen, "rome.json", DOCUMENT)
    wait_until(lambda: rows(screen) == ["Rome", "·lies"], "the document's graph")
    assert not screen.page.get_by_text("Drop to open").is_visible()
    screen.tap("L1.mlp@1")
    screen.wait_for("L1.memory7.value@1")
    if kind == "viewer":
        assert screen.page.locator(".viewed").inner_text() == "Rome lies in"
    else:
        assert screen.page.get_by_label("Prompt", exact=True).input_value() == "Rome lies in"
        assert screen.ask("location.search") == ""
    for _ in range(2):
        screen.page.get_by_role("button", name="↶").click()
    wait_until(lambda: rows(screen) == before, "the graph from before")
    assert screen.ask("visit.state.picked") == "L1.attn@7"

    # Both steps forth again at once, and back one by one.
    screen.ask("() => { visit.redo(); visit.redo(); }")
    screen.wait_for("L1.memory7.value@1")
    screen.ask("() => visit.undo()")
    wait_until(lambda: not screen.has("L1.memory7.value@1"), "the memories to be gone")
    assert rows(screen) == ["Rome", "·lies"]
    screen.ask("() => visit.undo()")
    wait_until(lambda: rows(screen) == before, "the graph from before again")


def test_the_prompt_of_a_document_is_traced_again_by_the_engine(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    drop(screen, "rome.html", f"<!DOCTYPE html>{html_from_json(DOCUMENT)}")
    wait_until(lambda: rows(screen) == ["Rome", "·lies"], "the document's graph")
    assert screen.ask("visit.state.view.fixed")
    screen.page.get_by_role("button", name="Trace").click()
    wait_until(lambda: not screen.ask("visit.state.view.fixed"), "the engine's graph")
    assert rows(screen) == ["Rome", "·lies"]  # at the position of the document
    wait_until(lambda: "Rome" in screen.ask("location.search"), "the address")


def test_a_file_that_is_no_document_is_told_and_changes_nothing(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    before = rows(screen)
    drop(screen, "notes<b>.json", '{"hello": 1}')
    alert = screen.page.get_by_role("alert")
    wait_until(lambda: "notes<b>.json: " in alert.inner_text(), "the problem in words")
    assert rows(screen) == before
    assert len(screen.said) == 1 and "422" in screen.said.pop()  # the browser says that itself
    drop(screen, "rome.json", DOCUMENT)
    wait_until(lambda: rows(screen) == ["Rome", "·lies"], "the document's graph")
    assert not alert.is_visible()


def test_a_document_is_chosen_from_a_dialog(open_app, tmp_path):
    path = tmp_path / "rome.json"
    path.write_text(DOCUMENT, encoding="utf-8")
    screen = open_app("viewer")
    screen.wait_for_graph()
    with screen.page.expect_file_chooser() as chooser:
        screen.page.get_by_role("button", name="Open…").click()
    chooser.value.set_files(path)
    wait_until(lambda: rows(screen) == ["Rome", "·lies"], "the document's graph")

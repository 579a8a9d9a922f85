"""The inspector, the notes and the figures, as a researcher goes through them."""

import json
from urllib.parse import quote

import pytest
from screen import CY, Screen, wait_until

from visit.formats.document import read_flow
from visit.graph.flow import NodeId, Note

pytestmark = pytest.mark.browser

CELL = """([column, row]) => {
    const grid = document.querySelector('#lens .js-plotly-plot');
    const frame = grid.getBoundingClientRect();
    const { xaxis, yaxis } = grid._fullLayout;
    return [
        frame.left + xaxis._offset + xaxis.d2p(column),
        frame.top + yaxis._offset + yaxis.d2p(row),
    ];
}"""


def clicked(screen: Screen, figure: str, node: str) -> None:
    """Pick a cell or node of a Plotly figure by the event that a click on it emits."""
    screen.ask(
        "([id, node]) => document.querySelector(`#${id} .js-plotly-plot`)"
        ".emit('plotly_click', {points: [{customdata: node, curveNumber: 0, pointNumber: 0}]})",
        [figure, node],
    )


def test_every_tab_says_something_of_a_head_and_of_a_memory(open_app):
    screen = open_app("mini")
    screen.wait_for_graph()
    screen.tap("L2.attn@7")
    screen.tap("L2.head3@7")
    assert "·Tokyo" in screen.inspected("L2.head3@7")
    assert "+100.0 %" in screen.tab("Ledger")
    assert "·Japan" in screen.tab("Attention")
    read = screen.page.locator("#tokens .chip.is-read", has_text="·Japan")
    wait_until(read.count, "the chips to say what is read")
    assert "·Tokyo" in screen.tab("Path")
    assert "rank" in screen.tab("Where")
    screen.tap("L5.mlp@7")
    screen.inspected("L5.mlp@7")
    screen.tab("Ledger")
    screen.page.locator('#inspector [data-node*=".value@7"]:visible').first.click()
    wait_until(
        lambda: ".value@7" in screen.page.locator("#inspector .node-id").inner_text(), "a memory"
    )
    assert "key" in screen.tab("Words").lower()


def test_a_line_of_the_ledger_leads_to_its_part(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.tap("L1.attn@7")
    screen.inspected("L1.attn@7")
    screen.tab("Ledger")
    screen.page.locator('#inspector [data-node="L1.head2@7"]:visible').first.click()
    screen.inspected("L1.head2@7")
    screen.wait_for("L1.head2@7")


def test_what_is_being_typed_outlives_the_panel(open_app):
    """A name is kept as its field is left, and the panel comes anew while the next is filled."""
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.tap("L1.attn@7")
    screen.inspected("L1.attn@7")
    inspector = screen.page.locator("#inspector")
    inspector.get_by_text("Note", exact=True).first.click()
    inspector.get_by_label("Name").fill("mover")
    group = "document.querySelector('#inspector [data-note=group]')"
    screen.ask(f"() => {{ window.typed = {group}; {group}.focus(); }}")
    screen.page.keyboard.type("facts")
    wait_until(lambda: screen.ask(f"window.typed !== {group}"), "the panel made anew")
    assert screen.ask(f"[{group}.value, document.activeElement === {group}]") == ["facts", True]
    screen.page.keyboard.type(" of towns")
    screen.page.keyboard.press("Tab")
    notes = "visit.state.view.notes['L1.attn@7'] ?? {}"
    wait_until(lambda: screen.ask(notes).get("group") == "facts of towns", "the group")
    assert screen.ask(notes)["name"] == "mover"

    # Of two changes at once both are kept.
    screen.ask("""() => {
        visit.note('L1.attn@7', { text: 'reads towns' });
        visit.note('L1.attn@7', { pinned: true });
    }""")
    both = {"name": "mover", "group": "facts of towns", "text": "reads towns", "pinned": True}
    wait_until(lambda: screen.ask(notes) == both, "both changes")


def test_a_node_is_named_grouped_annotated_and_pinned_and_the_document_keeps_it(open_app, tmp_path):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.tap("L1.attn@7")
    screen.tap("L1.head0@7")
    screen.inspected("L1.head0@7")
    inspector = screen.page.locator("#inspector")
    inspector.get_by_text("Note", exact=True).first.click()
    inspector.get_by_label("Name").fill("mover <b>")
    inspector.get_by_label("Group").fill("facts")
    inspector.get_by_label("Note", exact=True).fill("reads ·Japan")
    inspector.get_by_label("Note", exact=True).press("Tab")
    label = f"{CY}.getElementById('L1.head0@7').data('label')"
    wait_until(lambda: screen.ask(label) == "mover <b>", "the name in the graph")
    inspector.get_by_role("button", name="Pin", exact=True).click()
    pinned = f"{CY}.getElementById('L1.head0@7').data('pinned')"
    wait_until(lambda: screen.ask(pinned) == 1, "the pin")

    screen.page.keyboard.press("Escape")
    screen.page.keyboard.press("Escape")
    wait_until(lambda: "facts" in inspector.inner_text(), "the group in the whole trace's panel")

    screen.page.locator("summary", has_text="Export").click()
    with screen.page.expect_download() as download:
        screen.page.get_by_role("button", name="JSON").click()
    path = tmp_path / "noted.json"
    download.value.save_as(path)
    head = NodeId.parse("L1.head0@7")
    kept = Note(head, name="mover <b>", text="reads ·Japan", group="facts", pinned=True)
    assert read_flow(path).notes == (kept,)

    screen.page.locator("#undo").click()
    wait_until(lambda: screen.ask(pinned) != 1, "the pin to be taken back")


def test_a_target_is_compared_with_another_token(open_app):
    screen = open_app("mini")
    screen.wait_for_graph()
    screen.page.get_by_label("Target", exact=True).fill(" Tokyo vs  Paris")
    screen.page.get_by_role("button", name="Trace").click()
    panel = screen.page.locator("#inspector")
    wait_until(lambda: "·Paris" in panel.inner_text(), "the comparison in the panel")
    wait_until(lambda: "versus=+Paris" in screen.ask("location.search"), "the address")


def test_the_lens_grid_follows_the_graph_and_a_cell_picks_its_residual(open_app):
    screen = open_app("mini", viewport={"width": 1440, "height": 900})
    screen.wait_for_graph()
    screen.page.locator("button[data-dock]").click()
    grid = screen.page.locator("#lens .js-plotly-plot")
    wait_until(lambda: "·Tokyo" in (grid.text_content() or ""), "the grid")
    box = grid.bounding_box()
    ids = screen.ask("document.querySelector('#lens .js-plotly-plot').data[0].customdata.flat()")
    assert {"embed@0", "L5.resid_post@7", "L3.resid_post@5"} <= {str(name) for name in ids}
    screen.page.mouse.click(box["x"] + box["width"] - 60, box["y"] + box["height"] - 12)
    screen.inspected("L5.resid_post@7")
    assert not screen.has("L4.resid_post@5")  # off the route
    outline = screen.page.locator("#lens-over .lens-picked")
    wait_until(outline.count, "the picked cell's outline")
    frame, (x, y) = outline.bounding_box(), screen.ask(CELL, [6, 7])
    assert abs(frame["x"] + frame["width"] / 2 - x) < 1
    assert abs(frame["y"] + frame["height"] / 2 - y) < 1
    screen.page.mouse.move(*screen.ask(CELL, [5, 5]))  # Plotly clicks what it hovers, 50 ms late
    tip = screen.page.locator("#lens .hovertext")
    wait_until(tip.count, "the cell's tip")
    screen.page.wait_for_timeout(200)
    screen.page.mouse.click(*screen.ask(CELL, [5, 5]))
    screen.inspected("L4.resid_post@5")
    screen.page.get_by_role("button", name="Lens").click()
    wait_until(lambda: not grid.is_visible(), "the dock to close")
    screen.page.reload()
    screen.wait_for_graph()
    assert not grid.is_visible()


LONG = " ".join(["The capital of Japan is the city of Tokyo, and the"] * 4)
SEEN = """selector => {
    const { top, bottom } = document.querySelector(selector).getBoundingClientRect();
    const dock = document.querySelector('#dock-body').getBoundingClientRect();
    const heading = document.querySelector('.lens-columns');
    const ceiling = heading.matches(selector) ? dock.top : heading.getBoundingClientRect().bottom;
    return top >= ceiling - 1 && bottom <= dock.bottom + 1;
}"""


@pytest.mark.parametrize("size", [(1440, 900), (1280, 720)])
def test_a_long_prompt_s_lens_grid_is_scrolled_to_the_traced_row_and_drawn_no_more_for_a_pick(
    open_app, size
):
    viewport = {"width": size[0], "height": size[1]}
    screen = open_app("mini", shared=False, viewport=viewport)
    screen.ask("localStorage.setItem('visit.dockOpen', 'true')")
    screen.page.goto(f"{screen.address}?prompt={quote(LONG)}&position=20")
    screen.wait_for_graph()
    wait_until(lambda: screen.ask("document.querySelector('.lens-columns')"), "the grid")
    wait_until(lambda: screen.page.locator("#lens .ytick").count() == 48, "its rows")
    screen.page.wait_for_timeout(500)
    rows = screen.ask(
        "[...document.querySelectorAll('#lens .ytick text')].map(e => e.textContent.includes('▸'))"
    )
    assert rows.index(True) == 20
    tops = [screen.ask(CELL, [0, row])[1] for row in (19, 20, 21)]
    assert tops[2] - tops[1] == pytest.approx(tops[1] - tops[0]) and tops[1] - tops[0] >= 16
    assert screen.ask(SEEN, f"#lens .ytick:nth-child({rows.index(True) + 1})")
    assert screen.ask(SEEN, ".lens-columns")
    body = screen.page.locator("#dock-body").bounding_box()

    screen.ask(
        "() => { const grid = document.querySelector('#lens .js-plotly-plot');"
        "window.drawn = 0; grid.on('plotly_afterplot', () => { window.drawn += 1; }); }"
    )
    screen.page.mouse.move(*screen.ask(CELL, [3, 20]))
    tip = screen.page.locator("#lens .hovertext")
    wait_until(tip.count, "the cell's tip")
    box = tip.bounding_box()
    assert box["y"] >= body["y"] and box["y"] + box["height"] <= body["y"] + body["height"] + 1
    screen.page.wait_for_timeout(200)
    screen.page.mouse.click(*screen.ask(CELL, [3, 20]))
    screen.inspected("L2.resid_post@20")
    wait_until(screen.page.locator("#lens-over .lens-picked").count, "the outline")
    assert screen.ask(SEEN, ".lens-picked")
    screen.page.wait_for_timeout(300)
    assert screen.ask("drawn") == 0


def test_the_dock_is_closed_until_it_is_opened_and_stays_as_it_was_left(open_app):
    """And in a window that becomes too low for both, it gives way to the graph."""
    kept, shown = "localStorage.getItem('visit.dockOpen')", "document.documentElement.dataset.dock"
    low = open_app("fake", shared=False, viewport={"width": 1440, "height": 900})
    low.wait_for_graph()
    assert (low.ask(shown), low.ask(kept)) == ("closed", None)
    low.page.locator("button[data-dock]").click()
    low.page.reload()
    low.wait_for_graph()
    assert (low.ask(shown), low.ask(kept)) == ("open", "true")
    low.page.set_viewport_size({"width": 1280, "height": 640})  # in a lower one the panels stack
    graph, dock = (low.page.locator(part).bounding_box() for part in (".canvas", ".dock"))
    assert graph["height"] >= 180 and 33 <= dock["height"] <= 238
    assert dock["y"] + dock["height"] <= 640
    low.page.set_viewport_size({"width": 1440, "height": 900})
    low.page.locator("button[data-dock]").click()
    low.page.reload()
    low.wait_for_graph()
    assert (low.ask(shown), low.ask(kept)) == ("closed", "false")


IN_STRIP = """() => {
    const strip = document.querySelector('#tokens').getBoundingClientRect();
    const chip = document.querySelector('#tokens .is-traced').getBoundingClientRect();
    return chip.left >= strip.left && chip.right <= strip.right;
}"""


def test_the_token_strip_follows_the_traced_token_and_keys_move_it(open_app):
    screen = open_app("mini", shared=False, viewport={"width": 1280, "height": 720})
    screen.page.goto(f"{screen.address}?prompt={quote(LONG)}")
    traced = screen.page.locator("#tokens .chip.is-traced")

    def at(position: str) -> bool:
        return bool(traced.count()) and traced.get_attribute("data-position") == position

    wait_until(lambda: at("47"), "the last token")
    assert screen.ask(IN_STRIP) and screen.ask("document.querySelector('#tokens').scrollLeft") > 0
    traced.focus()
    screen.page.keyboard.press("Shift+Tab")
    screen.page.keyboard.press("Enter")
    wait_until(lambda: at("46"), "the token before")
    assert screen.ask(IN_STRIP)
    wait_until(lambda: screen.ask("document.activeElement.dataset.position") == "46", "the focus")
    screen.page.goto(f"{screen.address}?prompt={quote(LONG)}&position=2")
    wait_until(lambda: at("2"), "an early token")
    assert screen.ask(IN_STRIP)


def test_a_layer_is_shown_as_the_paper_s_sankey(open_app):
    screen = open_app("mini", shared=False)
    screen.wait_for_graph()
    screen.page.get_by_role("button", name="Sankey").click()
    figure = screen.page.locator("#sankey .js-plotly-plot")
    wait_until(lambda: "·Tokyo" in (figure.text_content() or ""), "the Sankey")
    screen.page.locator("#sankey-layer").select_option("2")
    count = "document.querySelector('#sankey .js-plotly-plot').data[0].node.customdata"
    wait_until(lambda: "L2.head3@7" in json.dumps(screen.ask(count)), "layer 2")
    clicked(screen, "sankey", "L2.head3@7")
    screen.inspected("L2.head3@7")
    screen.page.get_by_role("button", name="Flow").click()
    wait_until(lambda: not figure.is_visible(), "the flow to come back")


def test_settings_are_chosen_in_the_app_and_kept_in_the_address(open_app):
    screen = open_app("mini")
    screen.wait_for_graph()
    page = screen.page
    page.locator("#settings-said").press("Enter")
    page.get_by_label("Heads", exact=True).fill("-1")
    problem = page.locator("#setting-heads-problem")
    wait_until(lambda: problem.inner_text() == "heads is -1; give 0 or more", "the problem")
    page.get_by_label("Heads", exact=True).fill("3")
    wait_until(lambda: problem.inner_text() == "", "the problem to go")
    page.get_by_label("Metric").select_option("centred")
    assert page.locator("#settings-said").inner_text() == "Settings, 2 changed"
    page.locator("#settings-menu").get_by_role("button", name="Trace").click()
    wait_until(lambda: "metric=centred" in screen.ask("location.search"), "the address")
    assert "heads=3" in screen.ask("location.search")
    request = screen.ask("visit.state.view.request")
    assert (request["heads"], request["metric"], request["memories"]) == (3, "centred", 18)
    page.reload()
    screen.wait_for_graph()
    wait_until(lambda: screen.ask("visit.state.settings.heads") == "3", "the settings again")
    page.locator("#settings-said").click()
    assert page.get_by_label("Heads", exact=True).input_value() == "3"
    page.get_by_role("button", name="Reset to defaults").click()
    assert page.get_by_label("Heads", exact=True).input_value() == "10"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Trace").first.click()
    wait_until(lambda: "heads" not in screen.ask("location.search"), "the defaults")

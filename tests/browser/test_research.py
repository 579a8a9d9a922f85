"""What a researcher does in the app, in a real browser, with a real mouse."""

import json
from pathlib import Path

import pytest
from screen import CY, Screen, wait_until

from visit.formats.document import read_flow

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)> javascript:alert(1) \u202ekcab </script>"


def saved(screen: Screen, folder: Path, format_: str = "JSON") -> Path:
    screen.page.locator("summary", has_text="Export").click()
    with screen.page.expect_download() as download:
        screen.page.get_by_role("button", name=format_).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def trace(screen: Screen, prompt: str) -> None:
    screen.page.get_by_label("Prompt", exact=True).fill(prompt)
    screen.page.get_by_label("Prompt", exact=True).press("Control+Enter")


def wait_for_problem(screen: Screen, text: str) -> None:
    alert = screen.page.get_by_role("alert")
    wait_until(lambda: alert.is_visible() and text in alert.inner_text(), f"the problem {text!r}")


def wait_for_prompt(screen: Screen, *tokens: str) -> None:
    """Until the strip has these tokens up to the traced one, and that has its graph."""
    ask = """() => {
        const chips = [...document.querySelectorAll('#tokens .chip[data-position]')];
        const traced = chips.findIndex(chip => chip.classList.contains('is-traced'));
        return chips.slice(0, traced + 1).map(chip => chip.textContent);
    }"""
    wait_until(lambda: screen.ask(ask) == list(tokens), f"the tokens {tokens}")
    screen.wait_for(f"output@{len(tokens) - 1}")


def test_the_bundled_models_prediction_is_opened_read_filtered_and_kept(open_app, tmp_path):
    screen = open_app("mini")
    screen.wait_for_graph()

    last = screen.ask(
        "document.getElementById('graph')._cyreg.cy.nodes('[kind = \"output\"]').id()"
    )
    position = int(last.removeprefix("output@"))
    head = f"L3.head1@{position}"
    screen.tap(head)
    said = screen.inspected(head)
    screen.wait_for(f"L3.head1.query@{position}")
    assert "·Tokyo" in screen.page.locator(".prediction.is-target").inner_text()

    path = saved(screen, tmp_path)
    flow = read_flow(path)
    assert path.name == "visit-the-capital-of-japan-is-the-city-of-mini.json"
    assert flow.target.text == " Tokyo"
    node = next(node for node in flow.nodes if str(node.id) == head)
    words = [token.text.replace(" ", "·").replace("\n", "↵") for token in node.reading.top[:5]]
    assert all(word in said for word in words)

    before, slider = screen.n_parts(), screen.page.get_by_label("Parts shown")
    count = screen.page.locator("#count-text").inner_text()
    slider.press("ArrowLeft")
    wait_until(lambda: screen.n_parts() < before, "the weakest part to go")
    slider.press("ArrowRight")
    wait_until(lambda: screen.n_parts() == before, "it to come back")
    screen.rest()
    assert screen.page.locator("#count-text").inner_text() == count

    screen.tap(head)  # the picked one closes again
    wait_until(lambda: not screen.has(f"L3.head1.query@{position}"), "the head to close")


def test_a_block_that_the_document_lacks_is_fetched_when_it_is_opened(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.tap("L0.attn@5")
    screen.wait_for("L0.head0@5")
    screen.page.get_by_role("button", name="Close all").click()
    wait_until(lambda: not screen.has("L0.head0@5"), "everything to close")


def test_an_opened_mlp_shows_its_memories(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.tap("L1.mlp@7")
    screen.wait_for("L1.memory7.value@7")
    screen.tab("Ledger")
    screen.page.locator('#inspector [data-node="L1.memory7.value@7"]:visible').first.click()
    screen.inspected("L1.memory7.value@7")
    assert "activation" in screen.tab("Words")


def test_an_opened_mixture_shows_its_experts_and_says_that_they_stay_whole(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.tap("L2.mlp@7")
    screen.wait_for("L2.shared_expert@7")
    assert "this position is routed to 3 of 8" in screen.tab("Ledger")
    screen.page.locator('#inspector [data-node="L2.expert3@7"]:visible').first.click()
    screen.inspected("L2.expert3@7")
    assert "0.625" in screen.tab("Words")
    assert "not opened into its memories" in screen.tab("Ledger")


def test_a_ledger_line_leads_to_its_part_and_opens_what_hides_it(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.tap("L1.resid_mid@7")
    screen.inspected("L1.resid_mid@7")
    screen.tab("Ledger")
    screen.page.locator('#inspector [data-node="L1.attn@7"]:visible').first.click()
    screen.inspected("L1.attn@7")
    screen.page.locator('#inspector [data-node="L1.head2@7"]:visible').first.click()
    assert "Head 2" in screen.inspected("L1.head2@7")
    screen.wait_for("L1.head2@7")


def test_another_prompt_is_traced_and_an_empty_one_told_in_place(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    trace(screen, "Paris is in")
    wait_for_prompt(screen, "Paris", "·is", "·in")
    trace(screen, "")
    wait_for_problem(screen, "the prompt is empty")
    wait_for_prompt(screen, "Paris", "·is", "·in")
    trace(screen, "Rome is")
    wait_for_prompt(screen, "Rome", "·is")
    wait_until(lambda: not screen.page.get_by_role("alert").is_visible(), "the problem to go")


def test_a_wrong_target_is_told_and_loses_nothing_that_was_typed(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.page.get_by_label("Target", exact=True).fill("no such token")
    screen.page.get_by_role("button", name="Trace").click()
    wait_for_problem(screen, "not one token; the nearest is ' such'")
    assert screen.page.get_by_label("Target", exact=True).input_value() == "no such token"
    assert screen.page.get_by_label("Prompt", exact=True).input_value().startswith("The capital")


def test_a_prediction_becomes_the_target(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.page.locator(".prediction", has_text="·Japan").click()
    chosen = screen.page.locator(".prediction.is-target")
    wait_until(lambda: "·Japan" in chosen.inner_text(), "the new target")
    assert screen.page.get_by_label("Target", exact=True).input_value() == " Japan"


def test_a_click_on_a_prediction_names_any_token_whatever_its_text_looks_like(open_app):
    screen = open_app("odd")
    screen.wait_for_graph()
    field = screen.page.get_by_label("Target", exact=True)
    traced, key = "visit.state.view?.request.target_id", "visit.state.view.key"
    shown = screen.page.locator(".prediction.is-target .token")
    for token_id, text in [(1, "·"), (2, " "), (3, " vs ")]:
        screen.page.locator(f'.prediction[data-target-id="{token_id}"]').click()
        wait_until(lambda wanted=token_id: screen.ask(traced) == wanted, f"token {token_id}")
        wait_until(lambda wanted=text: shown.get_attribute("title") == repr(wanted), repr(text))
    assert field.input_value() == " vs "
    wait_until(lambda: "target_id=3" in screen.ask("location.search"), "the address")
    before = screen.ask(key)
    screen.page.get_by_role("button", name="Trace", exact=True).click()
    wait_until(lambda: screen.ask(key) != before, "another trace, as the field is")
    assert screen.ask(traced) == 3
    screen.page.reload()
    wait_until(lambda: screen.ask(traced) == 3, "the same token again")
    field.fill("·")  # typed, it is only what it says
    screen.page.get_by_role("button", name="Trace", exact=True).click()
    wait_until(lambda: screen.ask("visit.state.view.request.target") == "·", "a typed dot")
    assert screen.ask(traced) is None


def test_a_token_becomes_the_traced_position(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.page.get_by_role("group", name="Tokens").get_by_text("·Japan", exact=True).click()
    wait_for_prompt(screen, "The", "·capital", "·of", "·Japan")
    marked = screen.page.locator(".chip.is-traced")
    wait_until(lambda: marked.inner_text() == "·Japan", "the traced token")
    trace(screen, "Rome is")  # another prompt is traced at its last position
    wait_for_prompt(screen, "Rome", "·is")


def test_a_chosen_position_goes_with_its_model(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    strip = screen.page.locator("#tokens")
    traced = strip.locator(".is-traced").get_attribute
    model = screen.page.locator("#model")
    strip.get_by_role("button", name="·of").first.click()
    wait_until(lambda: traced("data-position") == "2", "position 2")
    model.fill("other")  # whose tokens may be others
    screen.page.get_by_role("button", name="Trace", exact=True).click()
    wait_until(lambda: traced("data-position") == "7", "the last position")
    screen.page.locator("#undo").click()
    wait_until(lambda: traced("data-position") == "2", "the graph before")
    wait_until(lambda: model.input_value() == "mini", "its model")
    model.fill("another")
    strip.get_by_role("button", name="·Japan").first.click()  # a token as mini reads it
    wait_until(lambda: traced("data-position") == "3", "position 3")
    assert model.input_value() == "mini"
    wait_until(lambda: "position=3" in screen.ask("location.search"), "the address")
    screen.page.reload()
    wait_until(lambda: traced("data-position") == "3", "position 3 again")
    screen.page.locator(".prediction").nth(1).click()
    wait_until(lambda: "target=" in screen.ask("location.search"), "another target")
    assert traced("data-position") == "3"


def test_arrows_walk_the_graph_and_enter_opens_it(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    for key, node in [
        ("ArrowRight", "output@7"),
        ("ArrowLeft", "L2.resid_post@7"),
    ]:
        screen.page.keyboard.press(key)
        screen.inspected(node)
    screen.page.keyboard.press("Escape")
    wait_until(screen.page.locator("#rank-rows").is_visible, "all parts")
    screen.tap("L1.mlp@7")
    screen.wait_for("L1.memory7.value@7")
    screen.page.keyboard.press("Enter")
    wait_until(lambda: not screen.has("L1.memory7.value@7"), "the MLP to close")


def test_attention_neurons_are_drawn_when_they_are_asked_for(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.tap("L1.attn@7")
    screen.inspected("L1.attn@7")
    screen.tab("Ledger")
    screen.page.get_by_role("button", name="Draw its attention neurons").click()
    screen.wait_for("L1.attn_neuron24@7")


def test_a_link_shows_the_same_again_in_another_profile(open_app):
    one = open_app("fake")
    one.wait_for_graph()
    trace(one, "Paris is in & out")
    wait_for_prompt(one, "Paris", "·is", "·in", "·&", "·out")
    one.tap("L1.mlp@4")
    one.wait_for("L1.memory7.value@4")
    wait_until(lambda: "L1.mlp" in one.ask("location.search"), "the address")
    one.page.get_by_label("Parts shown").fill("4")
    one.page.get_by_role("button", name="MLP, memory").click()
    wait_until(lambda: "parts=4" in one.ask("location.search"), "the address")
    wait_until(lambda: "hide=mlp" in one.ask("location.search"), "the address")
    other = open_app("fake")
    other.page.goto(one.ask("location.href"))
    other.wait_for_graph()
    wait_for_prompt(other, "Paris", "·is", "·in", "·&", "·out")
    other.wait_for("L1.memory7.value@4")
    assert other.page.get_by_label("Prompt", exact=True).input_value() == "Paris is in & out"
    other.inspected("L1.mlp@4")
    seen = f"{CY}.elements().filter(one => one.visible()).map(one => one.id()).sort()"
    wait_until(lambda: other.ask(seen) == one.ask(seen), "the same to be seen")
    assert one.ask(seen) and not any(name.endswith(".mlp@4") for name in one.ask(seen))


def test_an_example_is_chosen_from_the_menu_and_traced(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    examples = screen.page.get_by_text("Examples")
    shown = screen.page.get_by_role("button", name="Successor")
    examples.click()
    shown.wait_for()
    screen.page.keyboard.press("Escape")
    wait_until(lambda: not shown.is_visible(), "the menu to close")
    examples.click()
    shown.click()
    wait_for_prompt(screen, "Monday,", "·Tuesday,", "·Wednesday,")
    assert (
        screen.page.get_by_label("Prompt", exact=True).input_value()
        == "Monday, Tuesday, Wednesday,"
    )
    assert not shown.is_visible()


def test_a_graph_is_kept_as_a_file_of_every_format(open_app, tmp_path):
    screen = open_app("fake")
    screen.wait_for_graph()
    screen.tap("L1.attn@7")
    screen.wait_for("L1.head0@7")
    name = "visit-the-capital-of-japan-is-the-city-of"
    assert saved(screen, tmp_path, "GraphML").name.endswith(".graphml")
    csv = saved(screen, tmp_path, "CSV").name
    assert csv.startswith(name) and csv.endswith(".csv.zip")


def test_a_slow_trace_says_its_stage_and_can_be_cancelled(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    trace(screen, "slow one")
    wait_until(lambda: screen.page.locator("#stage").inner_text() == "forward", "the stage")
    assert screen.page.get_by_role("button", name="Trace").is_disabled()
    screen.page.get_by_role("button", name="Cancel").click()
    wait_until(screen.page.get_by_role("button", name="Trace").is_enabled, "the end")
    assert not screen.page.get_by_role("button", name="Cancel").is_visible()
    trace(screen, "Rome is")
    wait_for_prompt(screen, "Rome", "·is")


def test_what_is_clicked_while_a_trace_runs_is_traced_in_its_place(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    trace(screen, "slow one")
    wait_until(lambda: screen.page.locator("#stage").inner_text() == "forward", "the stage")
    screen.page.locator("#tokens [data-position='3']").click()
    wait_until(lambda: screen.ask("visit.state.view.request.position") == 3, "the other position")
    assert screen.page.get_by_role("button", name="Trace").is_enabled()


def one_before_the_other(open_app):
    """Two users: the first has its turn for as long as it likes, the other waits in line."""
    one, other = open_app("fake"), open_app("fake")
    one.wait_for_graph()
    other.wait_for_graph()
    trace(one, "slow one")
    wait_until(lambda: one.page.locator("#stage").inner_text() == "forward", "the first one's turn")
    trace(other, "Rome is")
    waiting = other.page.locator("#stage")
    wait_until(lambda: waiting.inner_text() == "waiting, 1 ahead", "the other's place in the line")
    return one, other


def test_whoever_waits_in_line_may_leave_it(open_app):
    one, other = one_before_the_other(open_app)
    other.page.get_by_role("button", name="Cancel").click()
    wait_until(other.page.get_by_role("button", name="Trace").is_enabled, "the end of waiting")
    one.page.get_by_role("button", name="Cancel").click()
    wait_until(one.page.get_by_role("button", name="Trace").is_enabled, "the end")
    wait_for_prompt(other, "The", "·capital", "·of", "·Japan", "·is", "·the", "·city", "·of")


def test_two_users_never_see_each_other_s_graph(open_app):
    one, other = one_before_the_other(open_app)
    one.page.get_by_role("button", name="Cancel").click()
    wait_for_prompt(other, "Rome", "·is")
    wait_until(one.page.get_by_role("button", name="Trace").is_enabled, "the end")
    trace(one, "Paris is in")
    wait_for_prompt(one, "Paris", "·is", "·in")
    other.tap("L1.attn@1")
    other.wait_for("L1.head0@1")
    assert not one.has("L1.head0@1")


def test_hostile_tokens_are_text_everywhere(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    trace(screen, HOSTILE)
    wait_for_prompt(screen, "<img", "·src=x", "·onerror=alert(1)>", "·javascript:alert(1)",
                    "·\\u202ekcab", "·</script>")  # fmt: skip
    screen.tap("L1.attn@0")
    assert "<img" in screen.inspected("L1.attn@0")
    assert screen.ask("document.images.length") == 0


def test_the_theme_follows_the_system_and_the_button_and_is_remembered(open_app):
    screen = open_app("fake", color_scheme="dark")
    screen.wait_for_graph()
    theme = "document.documentElement.dataset.theme"
    assert screen.ask(theme) == "dark"
    screen.page.get_by_role("button", name="Switch between light and dark").click()
    wait_until(lambda: screen.ask(theme) == "light", "the light theme")
    screen.page.reload()
    screen.wait_for_graph()
    wait_until(lambda: screen.ask(theme) == "light", "the light theme again")


def test_colour_can_say_the_target_s_rank(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    fill = f"{CY}.getElementById('L1.mlp@7').style('background-color')"
    before = screen.ask(fill)
    screen.page.get_by_text("Look", exact=True).click()
    screen.page.get_by_label("target's rank").check()
    wait_until(lambda: screen.ask(fill) != before, "another colour")
    rank = screen.ask(fill)
    screen.page.get_by_label("VISIT's own").check()
    wait_until(lambda: screen.ask(fill) not in (before, rank), "the paper's colours")
    width = f"{CY}.edges('[kind = \"adds\"]').map(e => e.width())"
    carried = screen.ask(width)
    screen.page.get_by_label("norm", exact=True).check()
    wait_until(lambda: screen.ask(width) != carried, "other widths")
    screen.page.reload()
    screen.wait_for_graph()
    wait_until(lambda: screen.ask(fill) not in (before, rank), "the look to be remembered")


def test_a_kind_is_hidden_by_the_legend_and_shown_again(open_app):
    screen = open_app("fake")
    screen.wait_for_graph()
    entry = screen.page.get_by_role("button", name="MLP, memory")
    visible = f"{CY}.nodes('[kind = \"mlp\"]').filter(n => n.visible()).length"
    there = screen.ask(visible)
    entry.click()
    wait_until(lambda: screen.ask(visible) == 0, "the MLPs to hide")
    assert entry.get_attribute("aria-pressed") == "false"
    reached = (
        f"{CY}.nodes('[family]').filter(n => n.visible()).toArray().flatMap(node => "
        "['up', 'down', 'left', 'right'].map(way => visit.ways.neighbour(node, way)))"
        ".filter(next => next).map(next => next.visible())"
    )
    assert set(screen.ask(reached)) == {True}  # the arrows lead to what can be seen alone
    entry.click()
    wait_until(lambda: screen.ask(visible) == there, "the MLPs to come back")


def test_what_was_done_is_undone_and_done_again(open_app):
    screen = open_app("fake", shared=False)
    screen.wait_for_graph()
    undo, redo = (screen.page.locator(f"#{name}") for name in ("undo", "redo"))
    assert undo.is_disabled() and redo.is_disabled()
    screen.tap("L1.mlp@7")
    screen.wait_for("L1.memory7.value@7")
    trace(screen, "Rome is")
    wait_for_prompt(screen, "Rome", "·is")
    undo.click()
    screen.wait_for("L1.memory7.value@7")
    assert screen.page.get_by_label("Prompt", exact=True).input_value().startswith("The capital")
    screen.page.keyboard.press("Control+z")
    wait_until(lambda: not screen.has("L1.memory7.value@7"), "the MLP to close")
    assert undo.is_disabled()
    screen.page.keyboard.press("Control+Shift+Z")
    screen.wait_for("L1.memory7.value@7")
    redo.click()
    wait_for_prompt(screen, "Rome", "·is")
    assert redo.is_disabled()


def test_panes_are_resized_by_mouse_and_keys_and_remembered(open_app):
    screen = open_app("fake", shared=False)
    screen.wait_for_graph()
    width = "document.querySelector('.side').clientWidth"
    before, bar = screen.ask(width), screen.page.locator("#split-side")
    box = bar.bounding_box()
    screen.page.mouse.move(box["x"], box["y"] + 200)
    screen.page.mouse.down()
    screen.page.mouse.move(box["x"] - 80, box["y"] + 200, steps=4)
    screen.page.mouse.up()
    wait_until(lambda: abs(screen.ask(width) - before - 80) <= 2, "a wider inspector")
    bar.focus()
    screen.page.keyboard.press("ArrowRight")
    wait_until(lambda: abs(screen.ask(width) - before - 64) <= 2, "a narrower one")
    screen.page.reload()
    screen.wait_for_graph()
    assert abs(screen.ask(width) - before - 64) <= 2


def test_the_viewer_shows_a_document_without_controls(open_app, tmp_path):
    screen = open_app("viewer")
    screen.wait_for_graph()
    assert screen.page.get_by_label("Prompt", exact=True).count() == 0
    screen.tap("L1.attn@7")
    screen.wait_for("L1.head0@7")
    assert json.loads(saved(screen, tmp_path).read_text())["schema"] == "visit.flow/2"


@pytest.mark.parametrize("size", [(1280, 720), (1440, 900)])
def test_nothing_of_the_frame_is_cut_off(open_app, size):
    screen = open_app("fake", viewport={"width": size[0], "height": size[1]})
    screen.wait_for_graph()
    assert screen.ask("document.documentElement.scrollWidth <= innerWidth")
    assert screen.ask("document.documentElement.scrollHeight <= innerHeight")
    cut = screen.ask(
        "[...document.querySelectorAll('.toolbar *, .top *, .legend *')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)"
        ".map(e => e.outerHTML.slice(0, 120))"
    )
    assert cut == []

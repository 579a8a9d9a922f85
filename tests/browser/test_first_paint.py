"""What a researcher sees of a real model before anything is tapped, and that asking draws more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from screen import CY, Screen, wait_until
from smollm2 import PROMPT

from visit.web.marks import BAR_INSET

pytestmark = [pytest.mark.browser, pytest.mark.real_model]

SEEN = f"""() => {{
    const cy = {CY}, zoom = cy.zoom(), all = cy.elements().renderedBoundingBox();
    const named = cy.nodes().filter(node => node.data('label'));
    return {{
        width: (Math.min(all.x2, cy.width()) - Math.max(all.x1, 0)) / cy.width(),
        height: (Math.min(all.y2, cy.height()) - Math.max(all.y1, 0)) / cy.height(),
        letters: Math.min(...named.map(node => parseFloat(node.style('font-size')) * zoom)),
        rows: cy.nodes("[frame = 'row']").map(node => node.data('label')),
        parts: cy.nodes('[place]').map(node => node.id()),
        labels: Object.fromEntries(cy.nodes('[place]').map(n => [n.id(), n.data('label')])),
        read: cy.edges("[ledger = 'sources']").map(e => [e.data('source'), e.data('target')]),
    }};
}}"""


OBJECT = "When Mary and John went to the store, John gave a drink to"


@pytest.fixture(params=[(1440, 900), (1280, 720)], ids=lambda size: "x".join(map(str, size)))
def screen(request: pytest.FixtureRequest, open_app: Callable[..., Screen]) -> Screen:
    width, height = request.param
    return open_prompt(open_app, f"prompt={quote(PROMPT)}", width=width, height=height)


def open_prompt(open_app: Callable[..., Screen], asked: str, **size: int) -> Screen:
    """A page that nothing was done with, once its graph is drawn."""
    shown = open_app("smollm2", shared=False, viewport=size)
    shown.page.goto(f"{shown.address}?{asked}")
    wait_until(lambda: shown.page.locator("#predictions .prediction").count(), "the answer")
    wait_until(lambda: shown.ask(f"{CY}.nodes('[place]').length"), "the parts")
    shown.rest()
    return shown


def test_the_paper_s_prompt_is_explained_before_anything_is_tapped(screen: Screen):
    seen = screen.ask(SEEN)
    assert "·Japan" in seen["rows"]
    reading = {target for source, target in seen["read"] if source == "L22.resid_post@3"}
    assert {name for name in reading if name.startswith("L23.head")} >= {
        "L23.head4@7",
        "L23.head5@7",
    }
    mlps = {f"L{layer}.mlp@7" for layer in (21, 23, 24, 27, 28, 29)}
    assert mlps <= set(seen["parts"])
    assert seen["labels"]["L23.head4@7"] == "23.4\nBeijing"
    assert seen["letters"] >= 10
    assert seen["width"] >= 0.6 and seen["height"] >= 0.5
    unexplained = screen.page.locator("#unexplained").inner_text()
    assert float(unexplained.removesuffix(" %")) <= 40
    note = screen.page.locator("#note")
    assert "parts folded, net +" in note.inner_text() and "bar: flow, ±" in note.inner_text()
    canvas = screen.page.locator(".canvas").bounding_box()
    for said in note.locator("> *:visible").all():  # beside the graph and never over it
        box = said.bounding_box()
        assert box["y"] >= canvas["y"] + canvas["height"]
        assert box["x"] + box["width"] <= canvas["x"] + canvas["width"]
    tools = screen.page.locator(".toolbar").bounding_box()
    last = screen.page.locator(".toolbar > *:last-child").bounding_box()
    assert last["x"] + last["width"] <= tools["x"] + tools["width"]


def test_the_indirect_object_is_explained_by_both_names_and_the_strongest_heads_by_effect(open_app):
    asked = f"prompt={quote(OBJECT)}&target=%20Mary&versus=%20John"
    screen = open_prompt(open_app, asked, width=1440, height=900)
    seen, page = screen.ask(SEEN), screen.page
    said = page.locator("#rank-said")
    wait_until(lambda: said.get_attribute("data-known") == "measured", "the effects")
    page.select_option("#rank-sort", "heads")
    heads = [row.get_attribute("data-node") for row in page.locator("#rank-rows tr").all()[:2]]
    numbers = page.locator("#rank-rows .of-effect").all_inner_texts()[:2]
    assert {"·Mary", "·John"} <= set(seen["rows"])
    assert set(heads) <= set(seen["parts"])
    assert seen["letters"] >= 10
    page.select_option("#count-by", "effect")
    bar = page.locator("#note > *", has_text="bar: effect, ±")
    bar.wait_for()
    seen = screen.ask(SEEN)
    assert {"·Mary", "·John"} <= set(seen["rows"]) and set(heads) <= set(seen["parts"])
    assert seen["letters"] >= 10
    drawn = [screen.ask(f"id => {CY}.getElementById(id).data()", head) for head in heads]
    # It speaks for Mary where the lead over John is less without it.
    signs = ["plus" if number.startswith("−") else "minus" for number in numbers]
    assert [data["sign"] for data in drawn] == signs
    sizes = [float(number.strip("+−")) for number in numbers]
    most = float(bar.inner_text().partition("±")[2])
    for data, size in zip(drawn, sizes, strict=True):
        bar = data["w"] * float(data["bar"].removesuffix("%")) / 100
        assert bar / (data["w"] - 2 * BAR_INSET) == pytest.approx(size / most, abs=0.01)
    wait_until(lambda: "drawn=effect" in screen.ask("location.search"), "the address")


def test_what_is_asked_for_is_drawn_whatever_its_strength(screen: Screen):
    before = set(screen.ask(SEEN)["parts"])
    screen.ask("visit.show('L5.head3@7')")
    screen.inspected("L5.head3@7")
    screen.wait_for("L5.head3@7")
    assert before <= set(screen.ask(SEEN)["parts"])
    screen.rest()
    x, y = screen.ask(f"Object.values({CY}.getElementById('L5.head3@7').renderedPosition())")
    assert 0 < x < screen.ask(f"{CY}.width()") and 0 < y < screen.ask(f"{CY}.height()")
    screen.ask("visit.show('L28.mlp@7')")
    screen.rest()
    screen.tap("L28.mlp@7")
    memories = f"{CY}.nodes(\"[kind = 'memory_value']\").length"
    wait_until(lambda: screen.ask(memories) == 25, "the 25 memories")
    found = "L27.memory5.value@7"  # none of its layer's strongest
    screen.ask("id => visit.show(id)", found)
    screen.wait_for(found)
    assert screen.has("L5.head3@7")


def test_a_notch_of_the_wheel_zooms_by_a_quarter_at_most_and_shift_pans(screen: Screen):
    box = screen.page.locator("#graph").bounding_box()
    screen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    before = screen.ask(f"{CY}.zoom()")
    screen.page.mouse.wheel(0, -120)
    wait_until(lambda: screen.ask(f"{CY}.zoom()") != before, "the zoom")
    after = screen.ask(f"{CY}.zoom()")
    assert 1 < after / before <= 1.25
    x = screen.ask(f"{CY}.pan().x")
    screen.page.keyboard.down("Shift")
    screen.page.mouse.wheel(0, 120)
    screen.page.keyboard.up("Shift")
    wait_until(lambda: screen.ask(f"{CY}.pan().x") != x, "the pan")
    assert screen.ask(f"{CY}.zoom()") == after


FROM_THE_MIDDLE = f"""id => {{
    const cy = {CY};
    const far = node => {{
        const {{ x, y }} = node.renderedPosition();
        return [x - cy.width() / 2, y - cy.height() / 2];
    }};
    const nearest = cy.nodes('[family]').min(node => Math.hypot(...far(node))).ele;
    const node = id ? cy.getElementById(id) : nearest;
    return {{ id: node.id(), far: far(node), y: node.position().y }};
}}"""


def test_what_is_looked_at_stays_where_it_is_when_the_canvas_changes(
    open_app: Callable[..., Screen],
):
    """The drawing is laid out anew for the lower canvas, and moved with what is in the middle."""
    screen = open_prompt(open_app, f"prompt={quote(PROMPT)}", width=1440, height=900)
    screen.ask("visit.show('L23.head5@7')")
    screen.rest()
    screen.ask("visit.pick(null)")  # a picked one is moved as far as it takes to see its sources
    box = screen.page.locator("#graph").bounding_box()
    screen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    screen.page.mouse.wheel(0, -120)
    screen.rest()
    before = screen.ask(FROM_THE_MIDDLE)
    screen.page.locator("button[data-dock]").click()

    def find() -> dict[str, Any]:
        return screen.ask(FROM_THE_MIDDLE, before["id"])

    wait_until(lambda: find()["y"] != before["y"], "the lower drawing")
    screen.rest()
    assert find()["far"] == pytest.approx(before["far"], abs=2)

"""Maps and the Sankey by the keyboard: what is spoken is the session's number, Enter picks."""

from __future__ import annotations

import pytest
from screen import CY, Screen, wait_until

from visit.engine.questions import Pattern, ReadPattern
from visit.graph.request import Request
from visit.session import Session

pytestmark = pytest.mark.browser

PROMPT = "The capital of Japan is the city of"
SECOND = "The capital of France is the city of"


def move(screen: Screen, *keys: str) -> str:
    """Press keys, and say what is spoken then, beside the cell as well."""
    for key in keys:
        screen.page.keyboard.press(key)
    spoken = str(screen.ask("document.getElementById('spoken').textContent"))
    assert screen.page.locator("#cell-said").inner_text().replace("\xa0", " ") == spoken
    return spoken


def test_cells_and_links_are_reached_by_the_arrow_keys(open_app):
    session = Session.load("mini")
    screen = open_app("mini", shared=False)
    screen.wait_for_graph()
    page = screen.page

    known = "document.getElementById('rank-said')?.dataset.known"
    wait_until(lambda: screen.ask(known) == "measured", "the effects")
    page.focus("#rank-map")
    effect = session.measure(Request(PROMPT), "L1.head1@7").effects[0].measured
    assert effect is not None
    said = move(screen, "ArrowRight", "ArrowRight", "ArrowDown")
    assert said.startswith(f"1.1: {effect:+.2f}".replace("-", "\u2212"))
    page.keyboard.press("Enter")
    wait_until(lambda: screen.ask("visit.state.picked") == "L1.head1@7", "the head")
    assert page.locator("#cell-mark").is_hidden()

    screen.ask("() => { visit.pick('L5.head2@7'); visit.set('tab', 'attention'); }")
    wait_until(page.locator(".heatmap-frame").count, "the head's pattern")
    pattern: Pattern = session.ask(ReadPattern(Request(PROMPT), 5, 2))
    page.focus(".heatmap-frame")
    said = move(screen, *["ArrowDown"] * 4, "ArrowRight")
    assert said == f"\u00b7Japan at 3 reads \u00b7capital at 1: {100 * pattern[3][1]:.0f} %"
    page.keyboard.press("Enter")
    wait_until(lambda: screen.ask("visit.state.site") == "L5.head2@3<1", "the source left out")
    assert screen.ask("visit.state.tab") == "causes"

    # From a pane that hides the graph, a part is gone to in the middle of it.
    screen.ask("visit.setPane({ name: 'causes' })")
    wait_until(lambda: not page.locator(".flow").is_visible(), "the graph to be hidden")
    screen.rest()
    screen.ask("visit.showInFlow('L5.mlp@7')")
    wait_until(page.locator("#graph").is_visible, "the graph")
    screen.rest()
    far = f"{CY}.getElementById('L5.mlp@7').renderedPosition()"
    x, y = (
        screen.ask(f"{far}.{axis} / {CY}.{side}()")
        for axis, side in (("x", "width"), ("y", "height"))
    )
    assert 0.2 < x < 0.8 and 0.2 < y < 0.8

    screen.ask("visit.setPane({ name: 'sankey', layer: 5 })")
    wait_until(lambda: page.locator(".sankey-link").count() > 20, "the Sankey")
    page.focus(".sankey")
    assert move(screen, "ArrowRight").startswith("Residual after the block, layer 4")
    assert move(screen, "ArrowRight").startswith("Residual after the block at \u00b7of \u2192")
    page.keyboard.press("Enter")
    wait_until(lambda: screen.ask("visit.state.picked") == "L4.resid_post@7", "the link's source")

    screen.ask("text => visit.set('second', text)", SECOND)
    screen.ask("visit.setPane({ name: 'causes' })")
    wait_until(lambda: page.locator("#patching .nsewdrag").count() == 2, "the maps")
    page.focus("[data-cells=patching]")
    said = move(screen, "ArrowRight", *["ArrowDown"] * 3)
    assert said.startswith("embedding at \u00b7Japan, goes 100 % of the way")
    page.keyboard.press("Enter")
    wait_until(lambda: screen.ask("visit.state.pane.name") == "flow", "the flow")
    assert screen.ask("visit.state.picked") == "embed@3"

    screen.ask("visit.setPane({ name: 'causes' })")
    wait_until(page.locator("#agreement .scatterlayer .point").count, "the points")
    effects = session.measure(Request(PROMPT), "heads", "mlp").effects
    least = min(effects, key=lambda one: one.measured or 0.0)
    page.focus("[data-cells=agreement]")
    said = move(screen, "ArrowDown", *["ArrowLeft"] * 12)
    assert said.startswith("L5 MLP, measured") and f"{least.measured:+.2f}"[1:] in said
    page.keyboard.press("Enter")
    wait_until(lambda: screen.ask("visit.state.picked") == str(least.sites[0].node), "the part")

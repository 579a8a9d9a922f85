"""How the app looks: screenshots of its states, nothing over or cut by another, and contrast.

The images go to ``.cache/screenshots``, which git ignores; ``VISIT_SCREENSHOTS`` names another
folder, and has every theme in every size, of SmolLM2 too.
"""

import json
import os
from collections.abc import Callable, Iterator
from importlib.resources import files
from itertools import product
from pathlib import Path

import pytest
from pages import CLEAR
from screen import CY, Screen, wait_until
from test_explore import explore

from visit.engine.explorables import EXPLORABLES

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent.parent
FOLDER = Path(os.environ.get("VISIT_SCREENSHOTS") or ROOT / ".cache" / "screenshots")
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
AXE_OPTIONS = json.dumps(
    # Every rule runs; what passes is not described.
    {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
)
SIZES = [(1440, 900), (1280, 720)]
DRESSES = list(product(["mini", "smollm2"], ["light", "dark"], SIZES))
"""Each model in each theme and size where the images are asked for; else mini in each theme, and in
each size, once."""
if "VISIT_SCREENSHOTS" not in os.environ:
    DRESSES = DRESSES[:4:3]
SHOWN = {"mini": ("L2.head3@7", "L5.mlp@7"), "smollm2": ("L23.head4@7", "L28.mlp@7")}
"""The head and the MLP that are looked at in each model."""

OVERLAPS = f"""() => {{
    const boxes = {CY}.nodes('[family]').filter(n => n.visible()).map(n => ({{
        id: n.id(), x: n.position('x'), y: n.position('y'), w: n.data('w'), h: n.data('h'),
    }}));
    const found = [];
    for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {{
        const [a, b] = [boxes[i], boxes[j]];
        const apart = Math.abs(a.x - b.x) * 2 >= a.w + b.w || Math.abs(a.y - b.y) * 2 >= a.h + b.h;
        if (!apart) found.push([a.id, b.id]);
    }}
    return found;
}}"""

# Panels whose texts must not be cut sideways, and must not leave the window. A model's path is
# longer than its field: its file's name stands over it, and the whole is its tooltip.
CUT = """() => [...document.querySelectorAll(
    '.toolbar *, .top *, .legend *, .dock-head *, .second > *, .panel.next, #inspector h2, '
    + '#inspector h3, #inspector [role=tab], #inspector .number'
)].filter(e => !e.querySelector('.menu[open]') && !e.matches('.menu[open], .of-model *'))
    .filter(e => e.clientWidth > 0 && getComputedStyle(e).overflowX !== 'auto'
    && e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML.slice(0, 120))"""

# What stands in a row must not stick out of it.
OUTSIDE = """() => [
    '.top', '.second', '.toolbar', '.below', '.dock-head', '.side',
].flatMap(row => {
    const frame = document.querySelector(row).getBoundingClientRect();
    return [...document.querySelectorAll(`${row} > *, ${row} :is(.tool, .legend, .note) > *`)]
        .filter(e => e.getBoundingClientRect().width > 0)
        .filter(e => e.getBoundingClientRect().right > frame.right + 1)
        .map(e => `${row}: ${e.outerHTML.slice(0, 100)}`);
})"""


def route(screen: Screen) -> None:
    """As it opens."""


def shown(screen: Screen) -> tuple[str, str]:
    """The head and the MLP of the model that is open."""
    return SHOWN[screen.name.partition("-")[0]]


def opened_head(screen: Screen) -> None:
    head, _ = shown(screen)
    layer, _, number = head.partition(".")
    if not screen.ask(f"{CY}.getElementById('{head}').length"):
        screen.tap(f"{layer}.attn@7")
    screen.tap(head)
    screen.inspected(head)
    screen.wait_for(f"{layer}.{number.replace('@', '.query@')}")


def opened_mlp(screen: Screen) -> None:
    _, mlp = shown(screen)
    screen.tap(mlp)
    screen.inspected(mlp)
    screen.tab("Ledger")
    wait_until(lambda: screen.ask(f"{CY}.nodes('[kind = \"memory_value\"]').length"), "memories")


def sankey(screen: Screen) -> None:
    screen.page.get_by_role("button", name="Sankey").click()
    layer = shown(screen)[0].partition(".")[0].removeprefix("L")
    screen.page.locator("#sankey-layer").select_option(layer)
    figure = screen.page.locator("#sankey .js-plotly-plot")
    wait_until(lambda: "·Tokyo" in (figure.text_content() or ""), "the Sankey")


def attention(screen: Screen) -> None:
    opened_head(screen)
    screen.tab("Attention")


def where(screen: Screen) -> None:
    opened_head(screen)
    screen.tab("Where")


def parts(screen: Screen) -> None:
    """Ranked and measured, a cell of the map looked at by the keyboard."""
    known = "document.getElementById('rank-said')?.dataset.known"
    wait_until(lambda: screen.ask(known) == "measured", "the effects")
    screen.page.focus("#rank-map")
    screen.page.keyboard.press("ArrowRight")


def tokens(screen: Screen) -> None:
    """What parts do to the next tokens, as a map of numbers."""
    screen.ask("visit.set('overview', 'tokens')")
    wait_until(screen.page.locator(".token-map").count, "the map")


def settings(screen: Screen) -> None:
    screen.page.locator(".menu.settings > summary").click()


def causes_tab(screen: Screen) -> None:
    opened_head(screen)
    screen.tab("Causes")
    wait_until(lambda: screen.page.locator("#causes-result .headline").count(), "the effect")


def causes_pane(screen: Screen) -> None:
    screen.page.get_by_role("button", name="Causes", exact=True).click()
    wait_until(lambda: screen.page.locator("#agreement .scatterlayer .point").count(), "points")


def many_prompts(screen: Screen) -> None:
    """What holds over the prompts that are proposed."""
    screen.page.get_by_role("button", name="Causes", exact=True).click()
    screen.page.get_by_role("button", name="Run over the prompts").click()
    wait_until(screen.page.locator("#consensus-parts tbody tr").count, "the parts")
    wait_until(screen.page.locator("#consensus .barlayer .point").count, "their bars")
    screen.page.locator("#consensus").scroll_into_view_if_needed()
    screen.ask("document.querySelector('.causes-pane').scrollTo(0, 1e6)")
    screen.page.focus('[data-cells="consensus"]')
    screen.page.keyboard.press("ArrowDown")


def figure_dialog(screen: Screen) -> None:
    screen.page.locator("summary", has_text="Export").click()
    screen.page.locator("button[data-export=svg]").click()
    assert screen.page.get_by_role("dialog", name="Figure for a paper").is_visible()


def opened_memory(screen: Screen) -> None:
    opened_mlp(screen)
    memory = screen.ask(f"{CY}.nodes('[kind = \"memory_value\"]')[0].id()")
    screen.tap(memory)
    screen.inspected(memory)


def lens_grid(screen: Screen) -> None:
    screen.page.click("[data-dock=toggle]")
    grid = screen.page.locator("#lens .js-plotly-plot")
    wait_until(lambda: "·Tokyo" in (grid.text_content() or ""), "the lens grid")
    screen.ask("visit.set('picked', 'L4.resid_post@7')")
    screen.inspected("L4.resid_post@7")


def what_if(screen: Screen) -> None:
    """A head in the tray of what is to be left out."""
    causes_tab(screen)
    screen.page.locator("#causes-result [data-collect]").first.click()
    wait_until(lambda: screen.ask("[...visit.state.collected].length"), "a site in the tray")


def changed_pass(screen: Screen) -> None:
    """The pass without that head, coloured by what differs."""
    what_if(screen)
    screen.page.get_by_role("button", name="Run without them").click()
    wait_until(lambda: "Δ" in screen.in_tray(), "the changed pass")
    wait_until(lambda: screen.ask(f"{CY}.nodes('[difference]').length") > 5, "differences")


def comparison(screen: Screen) -> None:
    """The same prompt towards another answer, and what differs as a table."""
    screen.ask("visit.pick(null)")
    compare_with(screen, "target", " Paris")
    wait_until(lambda: "against another target" in screen.in_tray(), "the comparison")
    wait_until(lambda: screen.ask(f"{CY}.nodes('[difference]').length") > 5, "differences")
    screen.page.locator(".differing > summary").click()


def compare_with(screen: Screen, by: str, said: str) -> None:
    """Ask for a comparison in the pane *Causes*."""
    page = screen.page
    page.get_by_role("button", name="Causes", exact=True).click()
    page.locator(f'input[name="compare-by"][value="{by}"]').check()
    page.locator(f"#compare-{by}").fill(said)
    page.get_by_role("button", name="Compare", exact=True).click()


def found_parts(screen: Screen) -> None:
    screen.page.keyboard.press("/")
    screen.page.keyboard.type("head L>=2")
    wait_until(screen.page.locator("#found [role=option]").count, "what is found")


def help_page(screen: Screen) -> None:
    screen.page.click("#help-button")


def continuing(screen: Screen) -> None:
    screen.page.click("#continue-menu summary")


def explored(name: str) -> Callable[[Screen], None]:
    """The state in which something is explored."""

    def look(screen: Screen) -> None:
        explore(screen, name)

    look.__name__ = f"explore-{name}"
    return look


STATES = [
    *(route, opened_head, opened_mlp, opened_memory, sankey, attention, where, lens_grid),
    *(parts, tokens, settings, causes_tab, causes_pane, many_prompts, what_if),
    *(changed_pass, comparison),
    *(figure_dialog, found_parts, help_page, continuing),
    *map(explored, EXPLORABLES),
]


@pytest.fixture(scope="module", params=DRESSES, ids=str)
def dressed(request: pytest.FixtureRequest, open_shared: Callable[..., Screen]) -> Screen:
    """The app on one model in one theme and size, where each test puts it in a state."""
    model, theme, (width, height) = request.param
    size = {"width": width, "height": height}
    screen = open_shared(model, viewport=size, color_scheme=theme)
    screen.name = f"{model}-{theme}-{width}x{height}"
    screen.wait_for_graph()
    grid = screen.page.locator("#lens .js-plotly-plot")
    if grid.is_visible():
        wait_until(lambda: "·Tokyo" in (grid.text_content() or ""), "the lens grid")
    return screen


@pytest.fixture
def screen(dressed: Screen) -> Iterator[Screen]:
    """The app as it opened, whatever the last test left open."""
    yield dressed
    wait_until(lambda: is_plain(dressed), "the plain pass")
    dressed.ask(CLEAR)
    dressed.ask("visit.closeAll()")
    wait_until(lambda: not dressed.ask(f"{CY}.nodes('[open = 1]').length"), "the blocks to close")
    dressed.page.keyboard.press("f")


def is_plain(screen: Screen) -> bool:
    """Whether no changed pass nor comparison is shown; if one is, the last step is undone."""
    if not screen.in_tray():
        return True
    screen.page.locator("#undo").click()
    screen.rest()
    return False


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_state_can_be_read(screen: Screen, state: Callable[[Screen], None]):
    state(screen)
    screen.page.mouse.move(screen.page.viewport_size["width"] / 2, 5)
    screen.rest()
    FOLDER.mkdir(parents=True, exist_ok=True)
    screen.page.screenshot(path=FOLDER / f"{state.__name__}-{screen.name}.png")
    assert screen.ask(OVERLAPS) == []
    assert screen.ask(CUT) == []
    assert screen.ask(OUTSIDE) == []
    assert screen.ask("document.querySelector('.toolbar').offsetHeight") < 50  # one row
    assert screen.ask("document.documentElement.scrollWidth <= innerWidth")
    assert screen.ask("document.documentElement.scrollHeight <= innerHeight")
    assert violations(screen) == {}


@pytest.mark.parametrize(("width", "height"), [(1024, 640), (720, 450)])
def test_a_small_window_hides_nothing(screen: Screen, width: int, height: int):
    """The second is 1440 × 900 at 200 %: there the panels stack, and a sentence says so."""
    before = screen.page.viewport_size
    assert before is not None
    screen.page.set_viewport_size({"width": width, "height": height})
    try:
        screen.rest()
        screen.page.screenshot(path=FOLDER / f"small-{width}x{height}-{screen.name}.png")
        stacks = width < 1024
        assert screen.page.get_by_text("This window is small").is_visible() == stacks
        assert screen.ask(CUT) == []
        assert screen.ask(OUTSIDE) == []
        assert screen.ask("document.documentElement.scrollWidth <= innerWidth")
        assert screen.ask("document.documentElement.scrollHeight <= innerHeight") == (not stacks)
        if not stacks:  # of the ranked table, more than its heading
            side = screen.ask("document.getElementById('inspector').getBoundingClientRect().bottom")
            rows = screen.ask(
                "[...document.querySelectorAll('#rank-rows tr')]"
                ".map(row => row.getBoundingClientRect().bottom)"
            )
            assert sum(bottom <= side for bottom in rows) >= 3
        assert violations(screen) == {}
    finally:
        screen.page.set_viewport_size(before)


def violations(screen: Screen) -> dict[str, list[str]]:
    """What axe-core finds against WCAG A and AA, by its rule: the elements."""
    screen.ask(AXE)
    found = screen.ask(f"axe.run(document, {AXE_OPTIONS}).then(found => found.violations)")
    return {
        rule["id"]: [
            f"{node['html'][:160]} {node.get('failureSummary', '')[:200]}" for node in rule["nodes"]
        ][:6]
        for rule in found
    }

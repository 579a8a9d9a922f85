"""Draws the README's images anew into ``docs/images``: ``python tests/browser/readme_images.py``.

They are the app as it is seen with SmolLM2, on the paper's prompt.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import FLAGS
from playwright.sync_api import sync_playwright
from screen import Screen, wait_until

sys.path.insert(0, str(Path(__file__).parents[1] / "samples"))

from smollm2 import fetch_smollm2

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "images"
PROMPT = "The capital of Japan is the city of"
SECOND = "The capital of France is the city of"


def flow(screen: Screen) -> None:
    """As it opens, once the effects are measured."""
    known = "document.getElementById('rank-said')?.dataset.known"
    wait_until(lambda: screen.ask(known) == "measured", "the effects")


def head(screen: Screen) -> None:
    """The head that reads the country: its pattern, and its sources drawn."""
    screen.ask("() => { visit.pick('L23.head4@7'); visit.set('tab', 'attention'); }")
    wait_until(screen.page.locator("svg.heatmap").count, "the head's pattern")
    screen.ask("() => visit.tap(document.getElementById('graph')._cyreg.cy.$id('L23.head4@7'))")
    screen.wait_for("L23.head4.value@3")


def causes(screen: Screen) -> None:
    """Predicted against measured, and another country's values put in."""
    screen.ask("text => visit.set('second', text)", SECOND)
    screen.page.get_by_role("button", name="Causes", exact=True).click()
    for drawn in ("#agreement .scatterlayer .point", "#patching .hm"):
        wait_until(screen.page.locator(drawn).count, drawn)


def sankey(screen: Screen) -> None:
    """The layer that carries the answer over, as the paper draws one."""
    screen.ask("() => { visit.closeAll(); visit.pick(null); }")
    screen.ask("visit.setPane({ name: 'sankey', layer: 23 })")
    wait_until(lambda: screen.page.locator(".sankey-link").count() > 20, "the Sankey")


IMAGES: dict[str, Callable[[Screen], None]] = {
    "flow": flow,
    "head": head,
    "causes": causes,
    "sankey": sankey,
}


def main() -> None:
    """Serve SmolLM2, put a page into each state, and keep what it shows."""
    serve = "import sys; from visit.cli.entry import main; sys.exit(main())"
    command = [sys.executable, "-c", serve, "serve", PROMPT, "--model", str(fetch_smollm2())]
    with (
        subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as server,
        sync_playwright() as playwright,
    ):
        try:
            assert server.stdout is not None
            address = server.stdout.readline().removeprefix("visit: ").strip()
            path = os.environ.get("VISIT_BROWSER")
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme="light")
            page.goto(address)
            screen = Screen(page, address)
            screen.wait_for_graph()
            page.get_by_role("button", name="No thanks").click()  # to the tour
            for name, show in IMAGES.items():
                show(screen)
                page.mouse.move(640, 5)
                screen.rest()
                page.screenshot(path=FOLDER / f"{name}.png")
            browser.close()
        finally:
            server.terminate()


if __name__ == "__main__":
    main()

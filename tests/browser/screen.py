"""The app on a page, as a researcher would use it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Page

PATIENCE = 60.0
CY = "document.getElementById('graph')._cyreg.cy"

PLACE = """id => {
    const box = document.getElementById('graph');
    const cy = box._cyreg.cy;
    cy.resize();
    const frame = box.getBoundingClientRect();
    const at = cy.getElementById(id).renderedPosition();
    return [frame.left + at.x, frame.top + at.y];
}"""


def wait_until(check: Callable[[], Any], what: str) -> Any:
    """Poll; a strict policy forbids playwright's own wait_for_function."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"waited {PATIENCE:.0f} s in vain for {what}")


@dataclass
class Screen:
    """The app on a page, as a researcher would use it."""

    page: Page
    said: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    name: str = ""

    def ask(self, script: str, argument: Any = None) -> Any:
        """What a script on the page answers."""
        return self.page.evaluate(script, argument)

    def wait_for_graph(self) -> None:
        """Until nodes are drawn and have come to rest."""
        count = "document.getElementById('graph')?._cyreg?.cy.nodes('[family]').length"
        wait_until(lambda: self.ask(count), "the graph")

    def has(self, node: str) -> bool:
        """Whether a node is drawn."""
        return bool(self.ask(f"id => {CY}.getElementById(id).length", node))

    def wait_for(self, node: str) -> None:
        """Until a node is drawn."""
        wait_until(lambda: self.has(node), f"{node} to be drawn")

    def tap(self, node: str) -> None:
        """A real click in the middle of a node, once it stands still."""
        self.wait_for(node)
        place = self.ask(PLACE, node)
        while True:
            time.sleep(0.3)
            now = self.ask(PLACE, node)
            if now == place:
                break
            place = now
        self.page.mouse.click(*place)

    def inspected(self, node: str) -> str:
        """The inspector's text once it shows a node."""
        panel = self.page.locator("#inspector")
        shown = panel.locator(".node-id")
        wait_until(lambda: shown.count() and shown.inner_text() == node, f"{node} in the inspector")
        return panel.inner_text()

    def tab(self, name: str) -> str:
        """The inspector's text once it shows one of its tabs."""
        self.page.get_by_role("tab", name=name).click()
        shown = self.page.locator(f"#inspector .of-{name.lower()}")
        shown.wait_for()
        return shown.inner_text()

    def hidden_edges(self) -> int:
        """How many edges the threshold hides."""
        return self.ask(f"{CY}.edges().filter(e => !e.visible()).length")

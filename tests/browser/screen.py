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

# Where a node is on the page, once it has stood there for a while.
STANDS = """async id => {
    const box = document.getElementById('graph');
    const cy = box._cyreg.cy;
    const place = () => {
        cy.resize();
        const frame = box.getBoundingClientRect();
        const at = cy.getElementById(id).renderedPosition();
        return [frame.left + at.x, frame.top + at.y];
    };
    let at = place();
    let since = performance.now();
    while (cy.animated() || performance.now() - since < 120) {
        await new Promise(requestAnimationFrame);
        const now = place();
        if (now.join() !== at.join()) [at, since] = [now, performance.now()];
    }
    return at;
}"""

# All that a page shows and keeps, as a text.
AS_IT_IS = """() => {
    const every = (selector) => [...document.querySelectorAll(selector)];
    const cy = document.getElementById('graph')?._cyreg?.cy;
    const { view, viewport, ...state } = window.visit?.state ?? {};
    const shown = every('body *').filter(e => e.checkVisibility() && !e.closest('svg'));
    const dressed = shown.map(e => [
        e.tagName, e.id, e.className, e.hidden, e.open, e.tabIndex, e.scrollTop, e.scrollLeft,
        e.getAttribute('style'),
        ...e.getAttributeNames().filter(name => name.startsWith('aria-')).map(
            name => e.getAttribute(name)),
        ...e.matches('input, select, textarea') ? [e.value, e.checked, e.disabled] : [],
    ].join());
    const page = [...document.documentElement.attributes].map(a => `${a.name}: ${a.value}`);
    return JSON.stringify({
        parts: [...page.sort(), ...dressed],
        texts: document.body.innerText,
        figures: every('.js-plotly-plot').filter(e => e.checkVisibility()).map(e => e.textContent),
        dialogs: every('dialog input').map(e => [e.value, e.checked]),
        focus: document.activeElement.id,
        kept: [{ ...localStorage }, { ...sessionStorage }],
        state: { ...state, hidden: [...state.hidden ?? []] },
        graph: cy && [cy.pan(), cy.zoom(), cy.elements().map(e => [
            e.id(), e.classes(), e.isNode() && e.position(), e.data('label'), e.visible(),
        ]).sort()],
    });
}"""

MOVES = f"{CY}.animated() || document.getAnimations().some(a => a.playState === 'running')"


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
    address: str = ""
    said: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    name: str = ""

    def ask(self, script: str, argument: Any = None) -> Any:
        """What a script on the page answers."""
        return self.page.evaluate(script, argument)

    def as_it_is(self) -> str:
        """All that the page shows and keeps."""
        return self.ask(AS_IT_IS)

    def rest(self) -> str:
        """All that the page shows and keeps, once nothing of it moves or changes."""
        seen = [self.as_it_is()]

        def is_still() -> bool:
            time.sleep(0.2)
            seen.append(self.as_it_is())
            return seen[-1] == seen[-2] and not self.ask(MOVES)

        wait_until(is_still, "the page to come to rest")
        return seen[-1]

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
        """A real click in the middle of a node, drawn as a search would, once it stands still."""
        if not self.has(node):
            self.ask("id => visit.keep(id)", node)
        self.wait_for(node)
        self.page.mouse.click(*self.ask(STANDS, node))

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

    def in_tray(self) -> str:
        """What is said of a changed pass or a comparison, as long as one is shown."""
        said = self.page.locator("#what-if-said")
        return said.inner_text() if said.is_visible() else ""

    def n_parts(self) -> int:
        """How many of the ranked parts can be seen."""
        return self.ask(f"{CY}.nodes('[place]').filter(n => n.visible()).length")

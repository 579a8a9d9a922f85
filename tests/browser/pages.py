"""Pages of the app, which a test hands to the next once they are again as they opened.

To open one takes seconds: the browser compiles the page's scripts, and draws. To put one back takes
less, and whether that worked is looked at rather than believed: a page that does not read, in every
text, field, place and kept value, as it did when it opened is opened anew. So what one test leaves
behind, a failed one too, never reaches another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page
from screen import Screen, wait_until

INSIDE = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
NOTED = ("error", "warning")
"""What a page says that no test may leave on its console."""
ASKED = ("prompt", "model")
"""The fields whose values a page opens with."""
SIZE = {"width": 1440, "height": 900}
PATIENCE = 8.0
"""For a page to be again as it opened, before another is opened instead."""
STILL = 1.5
"""Seconds after which a page that is otherwise, and changes no more, is given up."""

IS_DRAWN = """() => {
    const filled = ['#tokens .chip', '#predictions .prediction', '#inspector *', '#legend *'];
    const isOpen = document.documentElement.dataset.dock === 'open';
    const grid = isOpen ? ['#lens .ytick'] : ['#lens .js-plotly-plot'];
    const graph = document.getElementById('graph')?._cyreg?.cy.nodes('[family]').length;
    const known = document.getElementById('rank-said')?.dataset.known;
    const isRanked = known === 'measured' || !document.getElementById('trace');
    return graph && isRanked && [...filled, ...grid].every(part => document.querySelector(part));
}"""

REMEMBER = "() => { window.opened = visit.state.view; window.openedRoom = visit.state.room; }"

# By the page's own ways. A message above the canvas leaves another room behind, and the server lays
# out by that.
CLEAR = """() => {
    const V = window.visit;
    const said = (value) => JSON.stringify(value instanceof Set ? [...value] : value);
    document.querySelector('#cancel:not([hidden])')?.click();
    V.closeMenus();
    V.showHelp(false);
    V.endTour();
    document.getElementById('search-clear')?.click();
    document.activeElement.blur();
    for (const one of document.querySelectorAll('dialog[open]')) one.close();
    for (const one of document.querySelectorAll('dialog input')) {
        one.value = one.defaultValue;
        one.checked = one.defaultChecked;
    }
    for (const piece of V.table.filter(({ name }) => name !== 'room')) {
        const first = V.address.defaultOf(piece);
        if (said(V.state[piece.name]) !== said(first)) V.set(piece.name, first);
    }
    const room = window.openedRoom;
    if (room && said(V.state.room) !== said(room)) V.set('room', room);
    V.fit();
    for (const panel of document.querySelectorAll('body *')) panel.scrollTo(0, 0);
}"""

# Answers whether the first graph is asked for again, as it is unless nothing was done with it: a
# block that was fetched and a note that was made are of the graph.
PUT_BACK = f"""([prompt, model]) => {{
    const V = window.visit;
    ({CLEAR})();
    const isSaid = (id, text) => document.getElementById(id).value === text;
    const isAsked = isSaid('prompt', prompt) && isSaid('model', model) && isSaid('target', '');
    const isFirst = V.state.view === window.opened && document.getElementById('problem').hidden;
    if (!isAsked || !isFirst) {{
        V.setProps('model', {{ value: model }});
        V.askPrompt(prompt);
    }}
    localStorage.clear();
    sessionStorage.clear();
    V.filled('graph', V.part('graph'));  // the tour is offered again
    return !isAsked || !isFirst;
}}"""

# A graph asks for another frame as soon as it has one, so a page that waits for its next test would
# take a thirtieth of a core. While frames are held they are not asked for: it stands still.
HOLDS_FRAMES = """(() => {
    const ask = window.requestAnimationFrame.bind(window);
    let held = null;
    window.requestAnimationFrame = (draw) => held ? -held.push(draw) : ask(draw);
    window.holdFrames = () => { held ??= []; };
    window.releaseFrames = () => {
        const waiting = held ?? [];
        held = null;
        waiting.forEach(draw => ask(draw));
    };
})()"""


class Profiles:
    """Browser profiles by what they were made with, used again once nothing of them is left.

    A new profile has to fetch the page's scripts again, and a new page is another process, which
    has to compile them: to open the app takes twice as long there. So a profile is emptied and its
    page is blank again, and every page begins in it as in a fresh one.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._idle: dict[str, list[Page]] = {}

    def take(self, how: dict[str, Any]) -> Page:
        """A blank page, in a profile that no other page is in."""
        idle = self._idle.get(repr(how))
        if idle:
            return idle.pop()
        context = self._browser.new_context(accept_downloads=True, **how)
        context.add_init_script(HOLDS_FRAMES)
        return context.new_page()

    def give_back(self, how: dict[str, Any], page: Page) -> None:
        """Empty a page's profile: what its pages kept, and the pages."""
        context = page.context
        for other in context.pages:
            if other is not page:
                other.close()
        page.mouse.move(0, 0)
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        page.goto("about:blank")
        page.set_viewport_size(how["viewport"])
        page.emulate_media(color_scheme=how.get("color_scheme", "light"))
        context.clear_cookies()
        context.clear_permissions()
        context.set_offline(False)
        self._idle.setdefault(repr(how), []).append(page)


@dataclass
class Opened:
    """A page that is open.

    Attributes:
        screen: What is done with it.
        kind: The kind of server that it is of.
        how: What its profile was made with.
        heard: What is called with what the page says and asks for, by its event.
        first: What it was like when it opened; "" for one that is handed to no other test.
        asked: What the fields said then, in the order of ``ASKED``.
    """

    screen: Screen
    kind: str
    how: dict[str, Any]
    heard: dict[Any, Callable[[Any], None]]
    first: str = ""
    asked: list[str] = field(default_factory=list)


class Pages:
    """The pages that are open, those that are idle by the server and the profile they are of."""

    def __init__(self, profiles: Profiles, serve: Callable[[str], str]) -> None:
        self._profiles = profiles
        self._serve = serve
        self._idle: dict[str, list[Opened]] = {}

    def take(self, kind: str, how: dict[str, Any], *, shared: bool) -> Opened:
        """A page that is as it opened; one that no test had before, unless it may be shared."""
        how = {"viewport": SIZE, **how}
        idle = self._idle.get(f"{kind} {how}")
        if shared and idle:
            opened = idle.pop()
            opened.screen.ask("releaseFrames()")
            return opened
        opened = self._open(kind, how)
        if shared and kind != "viewer":  # which cannot be asked for another graph
            screen = opened.screen
            wait_until(lambda: screen.ask(IS_DRAWN), "the page to open")
            opened.first = screen.rest()
            opened.asked = [screen.page.locator(f"#{name}").input_value() for name in ASKED]
            screen.ask(REMEMBER)
        return opened

    def _open(self, kind: str, how: dict[str, Any]) -> Opened:
        page = self._profiles.take(how)
        screen = Screen(page, self._serve(kind))
        heard: dict[Any, Callable[[Any], None]] = {
            "request": lambda r: None if r.url.startswith(INSIDE) else screen.outside.append(r.url),
            "console": lambda m: screen.said.append(m.text) if m.type in NOTED else None,
            "pageerror": lambda error: screen.said.append(str(error)),
        }
        for event, note in heard.items():
            page.on(event, note)
        page.goto(screen.address)
        session = page.context.new_cdp_session(page)
        session.send("Page.resetNavigationHistory")  # the blank page was before it
        session.detach()
        return Opened(screen, kind, how, heard)

    def give_back(self, opened: Opened) -> None:
        """Keep a page for another test if it is again as it opened; blank it if it is not."""
        if opened.first and put_back(opened) and not opened.screen.said:
            opened.screen.ask("holdFrames()")
            self._idle.setdefault(f"{opened.kind} {opened.how}", []).append(opened)
        else:
            page = opened.screen.page
            for event, note in opened.heard.items():
                page.remove_listener(event, note)
            self._profiles.give_back(opened.how, page)


def put_back(opened: Opened) -> bool:
    """Put a page back as it opened, if that is possible."""
    screen, page = opened.screen, opened.screen.page
    if not screen.ask("Boolean(window.visit?.state.view)"):
        return False
    size = opened.how["viewport"]
    if page.viewport_size != size:
        page.set_viewport_size(size)
    page.mouse.move(0, 0)
    before = screen.ask("visit.state.view.key")
    is_another = screen.ask(PUT_BACK, opened.asked)
    since, seen = time.monotonic(), ""
    end = since + PATIENCE
    while (now := time.monotonic()) < end:
        is_there = not is_another or screen.ask("visit.state.view.key") != before
        is_now = screen.as_it_is()
        if is_there and is_now == opened.first:
            screen.ask(REMEMBER)
            return True
        if not is_there or is_now != seen:
            since, seen = now, is_now
        elif now - since > STILL:
            return False
        time.sleep(0.1)
    return False

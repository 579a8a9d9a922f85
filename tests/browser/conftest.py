"""A real server in a process of its own, and a real browser that goes nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from screen import Screen

SERVE = Path(__file__).parent / "serve.py"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name leads anywhere. Routing every request through the test would do it too, but then the
    # browser keeps none of the page's scripts from one test to the next.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
INSIDE = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("VISIT_BROWSER") or next(
        (
            found
            for name in ("chromium-headless-shell", "chromium", "google-chrome")
            if (found := shutil.which(name))
        ),
        None,
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[str], str]]:
    """Start a server of a kind once, and say its address."""
    running: dict[str, tuple[subprocess.Popen[str], str]] = {}

    def start(kind: str) -> str:
        if kind not in running:
            process = subprocess.Popen(
                [sys.executable, str(SERVE), "0", kind],
                stdout=subprocess.PIPE,
                text=True,
                cwd=SERVE.parent.parent.parent,
            )
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("visit: http://"), f"the server said {line!r}"
            running[kind] = process, line.removeprefix("visit: ").strip()
        return running[kind][1]

    yield start
    for process, _ in running.values():
        process.terminate()
        process.communicate(timeout=20)


class Profiles:
    """Browser profiles by what they were made with, used again once nothing of them is left.

    A new profile has to fetch and compile the page's scripts again, which takes longer than most
    tests do. One that was used is emptied, so that every page begins in it as in a fresh one.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._idle: dict[str, list[BrowserContext]] = {}

    def take(self, how: dict[str, Any]) -> BrowserContext:
        """A profile that no other page is in."""
        idle = self._idle.get(repr(how))
        return idle.pop() if idle else self._browser.new_context(accept_downloads=True, **how)

    def give_back(self, how: dict[str, Any], context: BrowserContext) -> None:
        """Empty a profile: what its pages kept, and the pages."""
        first, *others = context.pages or [context.new_page()]
        for page in others:
            page.close()
        first.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        context.clear_cookies()
        context.clear_permissions()
        context.set_offline(False)
        first.close()
        self._idle.setdefault(repr(how), []).append(context)


@pytest.fixture(scope="session")
def profiles(browser: Browser) -> Profiles:
    return Profiles(browser)


@contextmanager
def opened_pages(
    profiles: Profiles, serve: Callable[[str], str]
) -> Iterator[Callable[..., Screen]]:
    """Open the app in empty profiles; at the end the pages' consoles must be empty."""
    screens: list[Screen] = []
    taken: list[tuple[dict[str, Any], BrowserContext]] = []

    def start(kind: str, **how: Any) -> Screen:
        how = {"viewport": {"width": 1440, "height": 900}, **how}
        context = profiles.take(how)
        taken.append((how, context))
        page = context.new_page()
        screen = Screen(page)
        screens.append(screen)

        page.on(
            "request",
            lambda r: None if r.url.startswith(INSIDE) else screen.outside.append(r.url),
        )
        page.on(
            "console",
            lambda m: screen.said.append(m.text) if m.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: screen.said.append(str(error)))
        page.goto(serve(kind))
        return screen

    yield start
    for screen in screens:
        assert screen.said == []
        assert screen.outside == []
    for how, context in taken:
        profiles.give_back(how, context)


@pytest.fixture
def open_app(profiles: Profiles, serve: Callable[[str], str]) -> Iterator[Callable[..., Screen]]:
    """Open the app for one test."""
    with opened_pages(profiles, serve) as start:
        yield start


@pytest.fixture(scope="module")
def open_shared(profiles: Profiles, serve: Callable[[str], str]) -> Iterator[Callable[..., Screen]]:
    """Open the app for all the tests of a module, which leave it as they found it."""
    with opened_pages(profiles, serve) as start:
        yield start

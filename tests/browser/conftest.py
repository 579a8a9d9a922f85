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
from pages import Opened, Pages, Profiles
from playwright.sync_api import Browser, sync_playwright
from screen import Screen

SERVE = Path(__file__).parent / "serve.py"
ROOT = SERVE.parent.parent.parent
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
                cwd=ROOT,
                # A script's own folder comes first on its path, and an installed visit before ROOT.
                env={**os.environ, "PYTHONPATH": str(ROOT)},
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


@pytest.fixture(scope="session")
def pages(browser: Browser, serve: Callable[[str], str]) -> Pages:
    return Pages(Profiles(browser), serve)


@contextmanager
def opened_pages(pages: Pages) -> Iterator[Callable[..., Screen]]:
    """Open the app; at the end the pages' consoles must be empty."""
    taken: list[Opened] = []

    def start(kind: str, *, shared: bool = True, **how: Any) -> Screen:
        taken.append(pages.take(kind, how, shared=shared))
        return taken[-1].screen

    yield start
    for opened in taken:
        pages.give_back(opened)
    for opened in taken:
        assert opened.screen.said == []
        assert opened.screen.outside == []


@pytest.fixture
def open_app(pages: Pages) -> Iterator[Callable[..., Screen]]:
    """Open the app for one test: a page as it opens, which another may have used before.

    ``shared=False`` is for a test that changes what cannot be put back, and for one of what only
    a page has that nothing was ever done with.
    """
    with opened_pages(pages) as start:
        yield start


@pytest.fixture(scope="module")
def open_shared(pages: Pages) -> Iterator[Callable[..., Screen]]:
    """Open the app for all the tests of a module, which leave it as they found it."""
    with opened_pages(pages) as start:
        yield start

"""A real server in a process of its own, and a real browser that goes nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, sync_playwright
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
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("VISIT_BROWSER") or next(
        (found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None
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


@pytest.fixture
def open_app(browser: Browser, serve: Callable[[str], str]) -> Iterator[Callable[..., Screen]]:
    """Open the app in a fresh profile; at the end its console must be empty."""
    screens: list[Screen] = []
    contexts = []

    def start(kind: str, **how: Any) -> Screen:
        how = {"viewport": {"width": 1440, "height": 900}, **how}
        context = browser.new_context(accept_downloads=True, **how)
        contexts.append(context)
        page = context.new_page()
        screen = Screen(page)
        screens.append(screen)

        def keep_inside(route: Route) -> None:
            if route.request.url.startswith("http://127.0.0.1:"):
                route.continue_()
            else:
                screen.outside.append(route.request.url)
                route.abort()

        context.route("**/*", keep_inside)
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
    for context in contexts:
        context.close()

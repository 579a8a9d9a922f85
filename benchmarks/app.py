"""How quick the app is in a real browser: ``python benchmarks/app.py --rounds 5``.

The server is the app with the bundled model (or ``--model``) in a process of its own, the browser a
headless Chromium with software rendering (``VISIT_BROWSER`` names another). The mouse is real; the
times are taken in the page by its own clock (``watch.js``), up to the frame that shows the effect.
Exits with 1 when a median is above its target, or anything was fetched from outside.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from figures import milliseconds, quantile, table
from playwright.sync_api import Browser, Page, sync_playwright
from server import end_on_sigterm, served

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CY = "document.getElementById('graph')._cyreg.cy"
WATCH = Path(__file__).parent / "watch.js"
PATIENCE = 60.0
BUNDLED = "mini"
PROMPT = "The capital of Japan is the city of"
PROMPTS = (
    "The capital of France is the city of",
    "Monday, Tuesday, Wednesday,",
    "When Mary and John went to the store, John gave a drink to",
    "Today the keys near the table",
    "river blue cat house river blue cat",
)
LONG_PROMPT = (
    "The museum on the hill keeps maps of every river in the north, letters that sailors wrote to "
    "their families, and a clock that was made in Paris two hundred years ago. Children come on "
    "Sundays to hear it strike, and in the evening the keeper locks the doors and walks home along "
    "the capital of"
)
N_ELEMENTS = 600
NEAR = 20

READY, PAINTED, TRACED = "page ready", "route painted after the trace", "trace, asked to painted"
LONG = "route of some 60 tokens painted after the trace"
TAP, HOVER, OPEN = "tap to inspector", "hover to tooltip", "opening a block"
DRAG = "parts shown, one step"
RANKS, WITHOUT, RUN = "parts panel, sorted anew", "without it, pick to numbers", "run without them"
SCRUB = "scrubber over a continuation, one step"
TARGETS: dict[str, float | None] = {
    READY: 3000,
    PAINTED: 1000,
    LONG: 3000,
    TRACED: None,
    TAP: 150,
    HOVER: 40,
    DRAG: 60,
    OPEN: 500,
    RANKS: 300,
    WITHOUT: 300,
    RUN: None,
    SCRUB: 300,
}
"""Milliseconds that a median may take; ``None`` is only told."""
RUN_TRACES = 1.5
"""How many traces the pass without some parts may take."""
N_WITHOUT = 3
REST = 1000
"""Milliseconds that a reader looks at a step, in which the next is made ready."""


@dataclass
class Figures:
    """What is measured: milliseconds by measure, and what else the browser saw.

    Attributes:
        took: Milliseconds of every single time, by measure.
        outside: Addresses asked for that are not this machine's.
        said: Errors and warnings on the console.
        n_elements: How many elements were drawn while the slider was dragged.
    """

    took: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in TARGETS})
    outside: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    n_elements: int = 0

    @property
    def missed(self) -> list[str]:
        """The measures that are not within their target."""
        late = [
            name
            for name, took in self.took.items()
            if (target := TARGETS[name]) is not None and not quantile(took, 0.5) <= target
        ]
        if not quantile(self.took[RUN], 0.5) <= RUN_TRACES * quantile(self.took[TRACED], 0.5):
            late.append(RUN)
        return late + (["outside requests"] if self.outside else [])


def measure(browser: Browser, url: str, rounds: int, *, scrubs: bool = True) -> Figures:
    """Everything, several times over; the scrubber only where it has steps made ready for it."""
    figures = Figures()
    if not scrubs:
        del figures.took[SCRUB]
    for _ in range(rounds):
        with opened(browser, url, figures) as page:
            figures.took[READY].append(page.evaluate("visitWatch.ready"))
    with opened(browser, url, figures) as page:
        for i in range(rounds):
            painted, took = _trace(page, PROMPTS[i % len(PROMPTS)])
            figures.took[PAINTED].append(painted)
            figures.took[TRACED].append(took)
        figures.took[LONG].append(_trace(page, LONG_PROMPT)[0])
        _trace(page, PROMPT)
        _hover(page, figures, rounds)
        _tap(page, figures, rounds)
        _open(page, figures, rounds)
        _rank(page, figures, rounds)
        _leave_out(page, figures, rounds)
    if scrubs:
        with opened(browser, url, figures) as page:
            _scrub(page, figures, 2 * rounds)
    with opened(browser, crowded(browser, url), figures) as page:
        figures.n_elements = page.evaluate("visitWatch.count()")
        for _ in range(rounds):
            _drag(page, figures)
    return figures


@contextmanager
def opened(browser: Browser, url: str, figures: Figures) -> Iterator[Page]:
    """A page in a fresh profile, once it is ready; what it asks for and says is noted."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(path=WATCH)
    page = context.new_page()

    def note(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            figures.outside.append(address)

    context.on("request", lambda request: note(request.url))
    page.on("websocket", lambda socket: note(socket.url))
    page.on(
        "console",
        lambda said: figures.said.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: figures.said.append(str(error)))
    page.goto(url)
    until(lambda: page.evaluate("visitWatch.ready"), "the page to be ready")
    yield page
    context.close()


def _trace(page: Page, prompt: str) -> tuple[float, float]:
    """Another prompt: from the answer that carries the view, and from the click, to the graph."""
    page.locator("#prompt").fill(prompt)
    page.locator("#target").fill("")
    _settle(page)
    page.evaluate("visitWatch.trace()")
    page.locator("#trace").click()
    ended = _result(page, f"the trace of {prompt!r}")
    _settle(page)
    painted = float(ended["to"]["now"])
    return painted - ended["to"]["view"], painted - ended["from"]


def _hover(page: Page, figures: Figures, rounds: int) -> None:
    """The mouse comes from nowhere onto a node."""
    for place in _some(_places(page, "any"), 4 * rounds):
        page.mouse.move(1435, 5)
        _settle(page)
        page.evaluate("id => visitWatch.hover(id)", place["id"])
        page.mouse.move(place["x"], place["y"])
        figures.took[HOVER].append(_duration(_result(page, f"the tooltip of {place['id']}")))


def _tap(page: Page, figures: Figures, rounds: int) -> None:
    """A click on a node that does not open."""
    ids = [place["id"] for place in _some(_places(page, "whole"), 4 * rounds)]
    for wanted in islice(cycle(ids), 4 * rounds):
        place = next((p for p in _places(page, "whole") if p["id"] == wanted), None)
        if place is None:
            continue  # it was moved out of sight
        page.evaluate("id => visitWatch.tap(id)", wanted)
        page.mouse.click(place["x"], place["y"])
        figures.took[TAP].append(_duration(_result(page, f"{wanted} in the inspector")))
        page.keyboard.press("Escape")
        page.locator("#fit").click()
        _settle(page)


def _open(page: Page, figures: Figures, rounds: int) -> None:
    """A click on a closed attention or MLP, another one each time; then all is closed again."""
    done: set[str] = set()
    for _ in range(2 * rounds):
        closed = [place for place in _places(page, "closed") if place["id"] not in done]
        if not closed:
            break
        place = closed[-1]
        done.add(place["id"])
        page.evaluate("visitWatch.open()")
        page.mouse.click(place["x"], place["y"])
        figures.took[OPEN].append(_duration(_result(page, f"{place['id']} to open")))
        _settle(page)
        if not page.evaluate(f"id => {CY}.getElementById(id).data('open')", place["id"]):
            raise RuntimeError(f"{place['id']} was clicked and did not open")
        page.locator("#close-all").click()
        page.locator("#fit").click()
        page.mouse.move(1435, 5)
        _settle(page)


def _rank(page: Page, figures: Figures, rounds: int) -> None:
    """The table of all parts by one measure after the other, once they are all measured."""
    page.evaluate("visit.pick(null)")
    until(lambda: page.evaluate("visitWatch.ranked()"), "all parts to be ranked")
    for name in ("share", "norm", "flow", "logit")[: rounds + 1]:
        page.evaluate("name => visitWatch.rank(name)", name)
        figures.took[RANKS].append(_duration(_result(page, f"the parts by {name}")))
        _settle(page)


def _leave_out(page: Page, figures: Figures, rounds: int) -> None:
    """What some heads cause, one by one; then the pass without them, and back, several times."""
    page.evaluate("visit.set('tab', 'causes')")
    heads = page.evaluate("visitWatch.heads()")[:N_WITHOUT]
    for head in heads:
        page.evaluate("head => visitWatch.without(head)", head)
        figures.took[WITHOUT].append(_duration(_result(page, f"what {head} causes")))
    for number in range(rounds):
        page.evaluate(
            "sites => visit.set('collected', new Set(sites))", heads[number % len(heads) :]
        )
        page.evaluate("visitWatch.run()")
        page.get_by_role("button", name="Run without them").click()
        figures.took[RUN].append(_duration(_result(page, "the pass without them")))
        _settle(page)
        page.locator("#undo").click()
        _settle(page)


def _scrub(page: Page, figures: Figures, steps: int) -> None:
    """The prompt is gone on with; from its first new token on, one step after the other."""
    page.click("#continue-menu summary")
    page.fill("#continue-count", str(steps))
    page.evaluate("visitWatch.open()")
    page.click("#continue-menu [data-go-on=own]")
    _result(page, "the continuation")
    page.evaluate("visitWatch.open()")
    page.locator("#continuing .chip").first.click()
    _result(page, "its first token to be explained")
    for _ in range(steps - 1):
        until(lambda: page.evaluate("visitWatch.ranked()"), "all parts to be ranked")
        page.wait_for_timeout(REST)
        _settle(page)
        page.evaluate("visitWatch.scrub()")
        figures.took[SCRUB].append(_duration(_result(page, "the next token to be explained")))


def _drag(page: Page, figures: Figures) -> None:
    """The slider of the parts down to none and back, a step at a time."""
    hidden = []
    most = page.evaluate("visitWatch.step()")
    for steps in (range(most - 1, -1, -1), range(1, most + 1)):
        figures.took[DRAG] += page.evaluate("steps => visitWatch.drag(steps)", list(steps))
        hidden.append(page.evaluate("visitWatch.hidden()"))
    if not hidden[0] > hidden[1] == 0:
        raise RuntimeError(f"the slider hid {hidden[0]} parts at 0, and {hidden[1]} at the most")


def crowded(browser: Browser, url: str) -> str:
    """The address of a page that draws about 600 elements: blocks are opened until it does."""
    with opened(browser, url, Figures()) as page:
        blocks = page.evaluate(f"{CY}.nodes('[opens = 1]').map(n => n.id())")
        model_layers = sorted({block.split(".")[0] for block in blocks}, reverse=True)
    best, nearest = url, N_ELEMENTS
    open_: list[str] = []
    ends = sorted({block.rsplit("@", 1)[1] for block in blocks}, key=int, reverse=True)
    for end in ends:
        for layer in model_layers:
            open_ += [b for b in (f"{layer}.attn@{end}", f"{layer}.mlp@{end}") if b in blocks]
        address = f"{url}/?" + urlencode({"prompt": PROMPT, "open": " ".join(open_)})
        with opened(browser, address, Figures()) as page:
            off = abs(page.evaluate("visitWatch.count()") - N_ELEMENTS)
        if off < nearest:
            best, nearest = address, off
        if off <= NEAR:
            break
    return best


# ---------------------------------------------------------------- on the page


def _places(page: Page, which: str) -> list[dict[str, Any]]:
    """Nodes that the mouse can hit: ``any``, ``whole`` ones that do not open, ``closed`` ones."""
    _settle(page)
    found: list[dict[str, Any]] = page.evaluate("which => visitWatch.places(which)", which)
    return found


def _settle(page: Page) -> None:
    """Wait until the graph has stood still for a while, and nothing is left to do."""
    seen: list[Any] = [None, None]

    def stands() -> bool:
        page.wait_for_timeout(120)
        seen.append(page.evaluate("visitWatch.still()"))
        return bool(seen[-1]) and seen[-1] == seen[-2] == seen[-3]

    until(stands, "the graph to stand still")


def _result(page: Page, what: str) -> dict[str, Any]:
    ended: dict[str, Any] = until(lambda: page.evaluate("visitWatch.result"), what)
    page.evaluate("visitWatch.result = null")
    return ended


def _duration(ended: dict[str, Any]) -> float:
    return float(ended["to"] - ended["from"])


def until(check: Callable[[], Any], what: str) -> Any:
    """Poll for what has no hurry; a strict policy forbids playwright's own wait_for_function.

    Raises:
        RuntimeError: it does not come.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.03)
    raise RuntimeError(f"waited {PATIENCE:.0f} s in vain for {what}")


def _some(places: Sequence[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """At most so many, spread over all."""
    step = max(1, len(places) // n)
    return list(places[::step][:n])


# ---------------------------------------------------------------- what was found


def report(figures: Figures) -> str:
    """The figures, as Markdown."""
    rows = []
    for name, took in figures.took.items():
        target = TARGETS[name]
        shown = f"{name}, {figures.n_elements} elements" if name == DRAG else name
        rows.append(
            (
                shown,
                "" if target is None else f"≤ {milliseconds(target)}",
                milliseconds(quantile(took, 0.5)),
                milliseconds(quantile(took, 0.9)),
                str(len(took)),
            )
        )
    rows.append(("outside requests", "0", str(len(figures.outside)), "", ""))
    lines = [table(("measure", "target", "median", "p90", "times"), rows)]
    for name, noted in (("outside", figures.outside), ("console", figures.said)):
        if noted:
            lines += ["", f"{name}:", *(f"- {line}" for line in sorted(set(noted)))]
    if figures.missed:
        lines += ["", "over the target: " + ", ".join(figures.missed)]
    return "\n".join(lines)


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--model", metavar="M", default=BUNDLED, help="what the server loads")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go, too")
    asked = parser.parse_args()
    end_on_sigterm()
    if asked.rounds < 1:
        parser.error("--rounds must be at least 1")
    path = os.environ.get("VISIT_BROWSER") or shutil.which("chromium")
    with served("--model", asked.model) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        figures = measure(browser, server.url, asked.rounds, scrubs=asked.model == BUNDLED)
        version = browser.version
        browser.close()
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{asked.model}, Chromium {version}, {os.cpu_count()} cores, load {load}, ", end="")
    print(f"{asked.rounds} rounds\n")
    print(report(figures))
    if asked.json:
        kept = {
            "took": figures.took,
            "outside": figures.outside,
            "said": figures.said,
            "n_elements": figures.n_elements,
        }
        asked.json.write_text(json.dumps(kept) + "\n")
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())

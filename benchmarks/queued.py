"""What others notice of a busy server: while traces wait, and while callbacks flood it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from page import Page, PageError, fetch, open_page
from websockets.asyncio.client import ClientConnection, connect

from visit.web import ids
from visit.web.inspector.needs import Tab

PAGES_OF_A_SOCKET = 50
PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Busy:
    """How long others' actions took meanwhile, in seconds.

    Attributes:
        name: What kept the server busy.
        action: What the others did.
        took: How long each time took.
        most: How long it may.
    """

    name: str
    action: str
    took: tuple[float, ...]
    most: float


async def tap_while_traces_wait(url: str, n_traces: int) -> Busy:
    """Nodes picked on one page, as long as traces of as many other pages wait."""
    page = await open_page(url, "?prompt=The+capital+of+Japan+is+the+city+of", PATIENCE)
    nodes = [e["data"]["id"] for e in page[ids.GRAPH, "elements"] if "family" in e["data"]]
    took: list[float] = []
    async with _sockets(url, -(-n_traces // PAGES_OF_A_SOCKET)) as sockets:
        left = asyncio.create_task(_answers(sockets, n_traces))
        for number in range(n_traces):
            prompt = f"river cat {number} house river cat {number} house and river cat"
            await sockets[number // PAGES_OF_A_SOCKET].send(_trace_of(page, number, prompt))
        while not left.done():
            began = time.monotonic()
            picked = {
                (ids.PICKED, "data"): nodes[len(took) % len(nodes)],
                (ids.TAB, "data"): str(list(Tab)[len(took) % len(Tab)]),
            }
            await page.change(picked, PATIENCE)
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
        await left
    await page.close()
    return Busy(f"{n_traces} traces wait", "tap of another page", tuple(took), 0.5)


async def health_in_a_flood(url: str, n_calls: int) -> Busy:
    """``/health``, while one page sends callbacks as fast as it can."""
    page = await open_page(url, "?prompt=The+capital+of+Japan+is+the+city+of", PATIENCE)
    took: list[float] = []
    async with _sockets(url, 1) as (socket,):
        left = asyncio.create_task(_answers([socket], n_calls))
        call = _call_of(page, f"{ids.INSPECTOR_PANELS}.data", 0, {})

        async def flood() -> None:
            for _ in range(n_calls):
                await socket.send(call)

        sending = asyncio.create_task(flood())
        while not left.done():
            began = time.monotonic()
            await asyncio.to_thread(fetch, f"{url}/health")
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
        await sending
        await left
    await page.close()
    return Busy(f"{n_calls:,} callbacks", "/health", tuple(took), 1.0)


@asynccontextmanager
async def _sockets(url: str, n: int) -> AsyncIterator[list[ClientConnection]]:
    sockets = [
        await connect(
            f"ws{url.removeprefix('http')}/_dash-ws-callback",
            origin=url,  # type: ignore[arg-type]
            max_size=None,
            max_queue=None,
            ping_interval=None,  # a ping waits behind the flood
            proxy=None,
        )
        for _ in range(n)
    ]
    try:
        yield sockets
    finally:
        for socket in sockets:
            await socket.close()


def _trace_of(page: Page, number: int, prompt: str) -> str:
    """A click on Trace of another page."""
    output = next(one.output for one in page.callbacks if (ids.VIEW, "data") in one.outputs)
    changes = {(ids.TRACE, "n_clicks"): 1, (ids.PROMPT, "value"): prompt}
    return _call_of(page, output, number, changes)


def _call_of(page: Page, output: str, number: int, changes: dict[tuple[str, str], Any]) -> str:
    """A call of another page that is as this one but for some changes."""
    callback = next(one for one in page.callbacks if one.output == output)
    properties = {**page.properties, (ids.PAGE, "data"): f"page {number}", **changes}
    message = {"type": "callback_request", "rendererId": "r", "requestId": str(number)}
    payload = callback.payload(properties, [callback.inputs[0]])
    return json.dumps({**message, "payload": payload})


async def _answers(sockets: list[ClientConnection], n: int) -> None:
    """Take what is said until so many calls are answered.

    Raises:
        PageError: the server hangs up, or has not answered all after a while.
    """

    async def take(socket: ClientConnection) -> None:
        nonlocal n
        async for text in socket:
            said = json.loads(text)
            for one in said if isinstance(said, list) else [said]:
                n -= one["type"] == "callback_response"
            if n <= 0:
                return

    taking = [asyncio.create_task(take(socket)) for socket in sockets]
    deadline = time.monotonic() + PATIENCE
    while n > 0:
        if time.monotonic() > deadline:
            raise PageError(f"{n} calls are not answered after {PATIENCE:.0f} s")
        await asyncio.sleep(0.02)
    for task in taking:
        task.cancel()

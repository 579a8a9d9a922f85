"""Many pages at once, of several models: who waits, who does not, and who is answered by which."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from loops import run
from page import Page, fetch, open_page
from sample import FakeEngine
from specimens import save_tiny_model
from websockets.asyncio.client import ClientConnection, connect

from visit.engine.protocol import Engine
from visit.session import Session
from visit.web import ids
from visit.web.app import bind, create_app
from visit.web.server.messages import MOST_AT_ONCE

SOON = 20.0
"""Seconds within which anything is answered that is not kept waiting."""


@contextmanager
def served(engine: Engine) -> Iterator[str]:
    """The app, listening on a free port of this machine."""
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(create_app(engine).server, log_level="warning", ws="websockets-sansio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(SOON)
        assert not thread.is_alive()


def asked(page: Page, output: str, number: int, changes: dict[tuple[str, str], Any]) -> str:
    """A callback of another page that is as this one but for some changes, as it would send it."""
    callback = next(one for one in page.callbacks if one.output == output)
    properties = {**page.properties, (ids.PAGE, "data"): f"page {number}", **changes}
    payload = callback.payload(properties, [callback.inputs[0]])
    message = {"type": "callback_request", "rendererId": "r", "requestId": str(number)}
    return json.dumps({**message, "payload": payload})


def slow_trace(page: Page, number: int) -> str:
    """A trace of another page, which takes until it is cancelled."""
    output = next(one.output for one in page.callbacks if (ids.VIEW, "data") in one.outputs)
    properties = {(ids.TRACE, "n_clicks"): 1, (ids.PROMPT, "value"): f"a slow {number}"}
    return asked(page, output, number, properties)


def socket_of(url: str) -> connect:
    """A websocket of other pages, which take what they are told and do nothing."""
    return connect(f"ws{url[4:]}/_dash-ws-callback", origin=url, proxy=None, max_queue=None)


async def answers(socket: ClientConnection) -> AsyncIterator[dict[str, Any]]:
    """What the calls of a socket are answered, past what their pages are told meanwhile."""
    async for text in socket:
        said = json.loads(text)
        for one in said if isinstance(said, list) else [said]:
            if one["type"] == "callback_response":
                yield one["payload"]


async def click(page: Page, prompt: str, model: str) -> None:
    """Type a prompt and a model, and press Trace."""
    n_clicks = (page[ids.TRACE, "n_clicks"] or 0) + 1
    changes = {
        (ids.PROMPT, "value"): prompt,
        (ids.MODEL, "value"): model,
        (ids.TRACE, "n_clicks"): n_clicks,
    }
    await page.change(changes, SOON)


def problem(page: Page) -> str:
    return "" if page[ids.PROBLEM, "hidden"] else page[ids.PROBLEM, "children"]


# ---------------------------------------------------------------- waiting


def test_a_tap_is_answered_while_two_hundred_traces_wait():
    async def see(url: str) -> None:
        page = await open_page(url, "?prompt=a+b+c", SOON)
        n_threads = threading.active_count()
        sockets = [await socket_of(url) for _ in range(4)]
        for number in range(201):
            await sockets[number % 4].send(slow_trace(page, number))
        while engine.n_waiting < 200:
            await asyncio.sleep(0.01)
        assert threading.active_count() <= n_threads + 4  # those that draw
        node = next(e["data"]["id"] for e in page[ids.GRAPH, "elements"] if "kind" in e["data"])
        await page.change({(ids.PICKED, "data"): node}, SOON)
        assert node in str(page[ids.INSPECTOR_PANELS, "data"])
        assert engine.n_waiting == 200
        for socket in sockets:
            await socket.close()
        while engine.n_waiting:
            await asyncio.sleep(0.01)
        await page.close()

    engine = FakeEngine()
    with served(engine) as url:
        run(asyncio.wait_for(see(url), 3 * SOON))


def test_a_flood_of_callbacks_keeps_nobody_waiting():
    async def see(url: str) -> None:
        page = await open_page(url, "?prompt=a+b+c", SOON)
        took = []
        async with socket_of(url) as socket:
            for number in range(300):
                output = f"{ids.INSPECTOR_PANELS}.data"
                await socket.send(asked(page, output, number, {}))
            for _ in range(5):
                began = time.monotonic()
                assert await asyncio.to_thread(fetch, f"{url}/health") == "ok"
                took.append(time.monotonic() - began)
        assert min(took) < 1
        await page.close()

    with served(FakeEngine()) as url:
        run(asyncio.wait_for(see(url), 3 * SOON))


def test_one_connection_has_a_bounded_number_of_calls_under_way():
    async def see(url: str) -> None:
        page = await open_page(url, "?prompt=a+b+c", SOON)
        async with socket_of(url) as socket:
            for number in range(MOST_AT_ONCE + 20):
                await socket.send(slow_trace(page, number))
            said = await anext(one async for one in answers(socket) if one["status"] == "error")
            assert said["message"] == "429: 64 calls are under way on this connection already"
            assert engine.n_waiting == MOST_AT_ONCE - 1
        await page.close()

    engine = FakeEngine()
    with served(engine) as url:
        run(asyncio.wait_for(see(url), 3 * SOON))


# ---------------------------------------------------------------- models


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two folders of models with weights of their own."""
    first, second = (
        save_tiny_model(tmp_path_factory.mktemp("model"), n_positions=n) for n in (32, 33)
    )
    return str(first), str(second)


def test_a_page_that_named_no_model_stays_with_the_one_that_answered(models: tuple[str, str]):
    async def see(url: str) -> None:
        page = await open_page(url, "?prompt=The+capital+of", SOON)
        view = page[ids.VIEW, "data"]
        assert view["request"]["model"] == view["texts"]["model"] == mine
        assert view["weights"].startswith(view["texts"]["weights"])
        other = await open_page(url, "?prompt=Paris+is", SOON)
        await click(other, "Paris is", theirs)
        assert other[ids.VIEW, "data"]["request"]["model"] == theirs
        node = "L1.attn@2"
        opened = {**view, "opened": [node]}
        await page.change({(ids.VIEW, "data"): opened, (ids.PICKED, "data"): node}, SOON)
        await page.change({(ids.EXPORT, "data"): {"kept": "json", "look": {}, "asked": 1}}, SOON)
        document = json.loads(page[ids.DOWNLOAD, "data"]["content"])
        assert document["graph"]["model"]["name"] == mine
        assert document["graph"]["model"]["weights_sha256"] == view["weights"]
        assert problem(page) == "" and problem(other) == ""
        assert session.open_as_kept(view, document)
        await other.close()
        await page.close()

    mine, theirs = models

    class Kept(Session):
        def open_as_kept(self, view: dict[str, Any], document: dict[str, Any]) -> bool:
            """Whether the document's opened block is that of the view's own model."""
            from visit.graph.request import request_from_data

            block = self.open(request_from_data(view["request"]), 1, 2)
            heads = {str(n.id): n for n in block.nodes if ".head" in str(n.id)}
            said = {node["id"]: node for node in document["nodes"]}
            return bool(heads) and all(
                said[name]["norm"] == pytest.approx(node.reading.norm, rel=1e-6)
                for name, node in heads.items()
            )

    session = Kept.load(mine, model_bytes=0)  # so that each takes the other's place
    with served(session) as url:
        run(asyncio.wait_for(see(url), 3 * SOON))


def test_a_link_to_a_model_that_is_not_in_memory_loads_it_only_at_a_click(models: tuple[str, str]):
    async def see(url: str) -> None:
        page = await open_page(url, f"?prompt=Paris+is&model={theirs}", SOON)
        assert page[ids.VIEW, "data"] is None
        assert problem(page) == f"model {theirs!r} is not in memory here; press Trace to load it"
        assert session.model.name == mine
        assert page[ids.MODEL, "value"] == theirs and page[ids.PROMPT, "value"] == "Paris is"
        assert not page[ids.TRACE, "disabled"] and page[ids.CANCEL, "hidden"]
        await click(page, "Paris is", theirs)
        assert page[ids.VIEW, "data"]["request"]["model"] == theirs and problem(page) == ""
        await page.close()

    mine, theirs = models
    session = Session.load(mine)
    with served(session) as url:
        run(asyncio.wait_for(see(url), 3 * SOON))


def test_a_link_to_other_weights_of_the_name_says_so(models: tuple[str, str]):
    async def see(url: str) -> None:
        page = await open_page(url, f"?prompt=Paris+is&model={models[0]}&weights=0a1b", SOON)
        assert page[ids.VIEW, "data"] is None
        assert "are others than this graph's: 0a1b then" in problem(page)
        await click(page, "Paris is", models[0])
        assert page[ids.VIEW, "data"]["weights"] == session.model.weights_sha256
        view = {**page[ids.VIEW, "data"], "key": "fallen off the shelf", "weights": "0a1b" * 16}
        await page.change({(ids.VIEW, "data"): view}, SOON)
        assert "are others than this graph's" in problem(page)
        await page.close()

    session = Session.load(models[0])
    with served(session) as url:
        run(asyncio.wait_for(see(url), 3 * SOON))


def test_a_tab_of_the_inspector_asks_the_model_of_its_graph(
    models: tuple[str, str], tmp_path: Path
):
    """A pattern bears no model's name: only its question can say which weights must answer."""

    async def see(url: str) -> None:
        page = await open_page(url, "?prompt=The+capital+of", SOON)
        view = page[ids.VIEW, "data"]
        opened = {**view, "opened": ["L1.attn@2"]}
        await page.change({(ids.VIEW, "data"): opened}, SOON)
        other = await open_page(url, "?prompt=Paris+is", SOON)
        await click(other, "Paris is", theirs)
        save_tiny_model(Path(mine), n_positions=34)  # others now, under the same name
        head = next(
            e["data"]["id"] for e in page[ids.GRAPH, "elements"] if e["data"].get("kind") == "head"
        )
        await page.change({(ids.PICKED, "data"): head, (ids.TAB, "data"): "attention"}, SOON)
        assert "are others than this graph's" in problem(page)
        await other.close()
        await page.close()

    mine, theirs = str(save_tiny_model(tmp_path / "changing", n_positions=31)), models[1]
    with served(Session.load(mine, model_bytes=0)) as url:
        run(asyncio.wait_for(see(url), 3 * SOON))

"""A page of the app without a browser: its properties, its callbacks, and its one websocket.

It does what Dash's renderer does, and nothing more. The layout says what the properties are at
first. When some change, every callback that takes one of them as an input is called once, with all
its inputs and states; what it answers changes properties again. Of two calls of one callback under
way only the later one's answer counts. Which callbacks there are, the server says itself.

Functions of the browser are played where they only pass a property on; the names of those that
would have led to a server's callback and could not be played are in ``unplayed``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Property = tuple[str, str]
Changes = Mapping[Property, Any]


class PageError(Exception):
    """The server failed a page: it answered with an error, not in time, or not at all."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback as ``/_dash-dependencies`` tells of it; ``output`` is its name there."""

    output: str
    outputs: tuple[Property, ...]
    inputs: tuple[Property, ...]
    states: tuple[Property, ...]
    function: str | None
    over_websocket: bool
    waits_for_change: bool

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Callback:
        """From the server's own list."""
        function = said["clientside_function"]
        return cls(
            output=said["output"],
            outputs=() if said["no_output"] else _outputs(said["output"]),
            inputs=tuple((one["id"], one["property"]) for one in said["inputs"]),
            states=tuple((one["id"], one["property"]) for one in said["state"]),
            function=None if function is None else str(function["function_name"]),
            over_websocket=bool(said["websocket"]),
            waits_for_change=bool(said["prevent_initial_call"]),
        )

    @property
    def is_for_many(self) -> bool:
        """Whether it is a pattern over many components, which no page here plays."""
        return any(name.startswith("{") for name, _ in (*self.inputs, *self.states, *self.outputs))

    def payload(self, properties: Changes, changed: list[Property]) -> dict[str, Any]:
        """What the renderer sends to call it."""
        named = _split(self.output) if self.outputs else ()
        outputs = [{"id": name, "property": what} for name, what in named]
        said: dict[str, Any] = {
            "output": self.output,
            "inputs": [_dependency(one, properties) for one in self.inputs],
            "changedPropIds": [f"{name}.{what}" for name, what in changed],
            "parsedChangedPropsIds": [f"{name}.{what}" for name, what in changed],
        }
        if outputs:
            said["outputs"] = outputs if self.output.startswith("..") else outputs[0]
        if self.states:
            said["state"] = [_dependency(one, properties) for one in self.states]
        return said


@dataclass
class Page:
    """A page that is open. Made by ``open_page``."""

    url: str
    properties: dict[Property, Any]
    callbacks: list[Callback]
    socket: ClientConnection
    search: str = ""
    errors: list[str] = field(default_factory=list)
    unplayed: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _waiting: dict[str, Callback] = field(default_factory=dict)
    _latest: dict[str, str] = field(default_factory=dict)
    _posts: set[asyncio.Task[None]] = field(default_factory=set)
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _reader: asyncio.Task[None] | None = None

    def __getitem__(self, key: Property) -> Any:
        """A property's value, ``None`` where it has none."""
        return self.properties.get(key)

    async def change(self, changes: Changes, patience: float = 60.0) -> None:
        """Set properties, as a user or a script would, and wait until nothing is under way.

        Raises:
            PageError: the server did not answer in time, or with an error.
        """
        await self.begin(changes)
        await self.settle(patience)

    async def begin(self, changes: Changes) -> None:
        """Set properties and call what hangs on them, without waiting for an answer."""
        self.properties.update(changes)
        await self._call(list(changes))
        self._look()

    async def settle(self, patience: float = 60.0) -> None:
        """Wait until no callback is under way.

        Raises:
            PageError: the server did not answer in time, or with an error.
        """
        try:
            await asyncio.wait_for(self._settled.wait(), patience)
        except TimeoutError:
            waiting = sorted(callback.output for callback in self._waiting.values())
            raise PageError(f"no answer within {patience:.0f} s from {waiting}") from None
        if self.errors:
            raise PageError("; ".join(self.errors))

    async def close(self) -> None:
        """Leave."""
        if self._reader is not None:
            self._reader.cancel()
        await self.socket.close()

    async def _start(self) -> None:
        """Call what Dash calls on a fresh page: all that does not wait for another's answer."""
        self._reader = asyncio.create_task(self._read())
        made = {output for callback in self.callbacks for output in callback.outputs}
        for callback in self.callbacks:
            is_first = made.isdisjoint(callback.inputs) and not callback.waits_for_change
            if is_first:
                await self._run(callback, list(callback.inputs))
        self._look()

    async def _call(self, changed: list[Property]) -> None:
        """Call each callback that takes one of the changed properties, the browser's own first."""
        concerned = [
            (callback, [one for one in changed if one in callback.inputs])
            for callback in self.callbacks
        ]
        concerned = [(callback, one) for callback, one in concerned if one]
        for callback, one in sorted(concerned, key=lambda pair: pair[0].function is None):
            await self._run(callback, one)

    async def _run(self, callback: Callback, changed: list[Property]) -> None:
        if callback.function is not None:
            answer = self._play(callback)
            if answer:
                self.properties.update(answer)
                await self._call(list(answer))
            return
        if callback.is_for_many:
            self.unplayed.add(callback.output)
            return
        number = f"{next(self._numbers)}"
        self._waiting[number] = callback
        self._latest[callback.output] = number
        self._settled.clear()
        payload = callback.payload(self.properties, changed)
        if callback.over_websocket:
            message = {
                "type": "callback_request",
                "rendererId": "page",
                "requestId": number,
                "payload": payload,
            }
            try:
                await self.socket.send(json.dumps(message))
            except ConnectionClosed as error:
                raise PageError(f"the server hung up: {error}") from None
        else:
            post = asyncio.create_task(self._post(number, payload))
            self._posts.add(post)
            post.add_done_callback(self._posts.discard)

    def _play(self, callback: Callback) -> dict[Property, Any]:
        """What a function of assets/bindings.js answers, where it only passes something on."""
        if callback.function == "begin":
            return dict.fromkeys(callback.outputs, self.search)
        if callback.function == "remember":
            view = self[callback.inputs[0]]
            key = view["key"] if view else None
            (output,) = callback.outputs
            return {} if self[output] == key else {output: key}
        if callback.function == "dress":
            return {("shade", "data"): "light", ("look", "data"): {"palette": "safe"}}
        taken = {one for other in self.callbacks if other.function is None for one in other.inputs}
        if not taken.isdisjoint(callback.outputs):
            self.unplayed.add(callback.function or "")
        return {}

    async def _read(self) -> None:
        """Take what the server sends, one message or several at once, until it hangs up."""
        try:
            async for text in self.socket:
                said = json.loads(text)
                for message in said if isinstance(said, list) else [said]:
                    await self._take(message)
                self._look()
        except (ConnectionClosed, PageError) as error:
            self.errors.append(str(error))
        else:
            self.errors.append("the server hung up")
        self._settled.set()

    async def _take(self, message: Mapping[str, Any]) -> None:
        payload = message.get("payload", {})
        if message["type"] == "set_props":
            await self._set({payload["componentId"]: payload["props"]})
        elif message["type"] == "callback_response":
            await self._answer(message["requestId"], payload)
        elif message["type"] != "heartbeat_ack":
            self.errors.append(f"an unknown message: {message['type']}")

    async def _answer(self, number: str, payload: Mapping[str, Any]) -> None:
        callback = self._waiting.pop(number, None)
        if callback is None:
            self.errors.append(f"an answer to no question of this page: {number}")
        elif payload["status"] == "error":
            self.errors.append(f"{callback.output}: {payload['message']}")
        elif payload["status"] == "ok" and self._latest[callback.output] == number:
            answer = payload["data"]
            await self._set({**answer.get("sideUpdate", {}), **answer.get("response", {})})

    async def _post(self, number: str, payload: Mapping[str, Any]) -> None:
        """How a callback travels that is not over the websocket."""
        try:
            text = await asyncio.to_thread(fetch, f"{self.url}/_dash-update-component", payload)
        except OSError as error:
            await self._answer(number, {"status": "error", "message": str(error)})
        else:
            status = "ok" if text else "prevent_update"
            data = json.loads(text) if text else None
            await self._answer(number, {"status": status, "data": data})
        self._look()

    async def _set(self, answers: Mapping[str, Mapping[str, Any]]) -> None:
        changes = {
            (name, what): value
            for name, properties in answers.items()
            for what, value in properties.items()
        }
        self.properties.update(changes)
        await self._call(list(changes))

    def _look(self) -> None:
        if not self._waiting or self.errors:
            self._settled.set()


async def open_page(url: str, search: str = "", patience: float = 60.0) -> Page:
    """A fresh page, as a browser would open it, once its first trace is there.

    Args:
        url: Where the server listens.
        search: What the page's address says after the path: ``?prompt=…``, or nothing.
        patience: How long to wait for it, in seconds.

    Raises:
        PageError: the server does not serve it.
    """
    try:
        await asyncio.to_thread(fetch, f"{url}/{search}")
        layout = json.loads(await asyncio.to_thread(fetch, f"{url}/_dash-layout"))
        said = json.loads(await asyncio.to_thread(fetch, f"{url}/_dash-dependencies"))
        socket = await connect(
            f"ws://{urlsplit(url).netloc}/_dash-ws-callback",
            origin=url,  # type: ignore[arg-type]
            max_size=None,
            open_timeout=patience,
            proxy=None,
        )
    except (OSError, TimeoutError) as error:
        raise PageError(f"the page cannot be opened: {error}") from None
    page = Page(
        url, dict(properties(layout)), [Callback.parse(one) for one in said], socket, search
    )
    await page._start()
    await page.settle(patience)
    return page


def fetch(url: str, payload: Mapping[str, Any] | None = None) -> str:
    """What a server answers to a GET, or to a POST of JSON.

    Raises:
        OSError: it answers with an error, or not at all.
    """
    data = None if payload is None else json.dumps(payload).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(asked, timeout=60) as answer:
        return str(answer.read().decode())


def properties(layout: Any) -> Iterator[tuple[Property, Any]]:
    """Every property of every named component of a layout."""
    if isinstance(layout, list):
        for part in layout:
            yield from properties(part)
    elif isinstance(layout, dict) and "props" in layout and "namespace" in layout:
        own = layout["props"]
        if isinstance(own.get("id"), str):
            yield from (((own["id"], what), value) for what, value in own.items() if what != "id")
        yield from properties(own.get("children"))


def _outputs(output: str) -> tuple[Property, ...]:
    """The properties that a callback of this name sets; an ``@`` only tells doubles apart."""
    return tuple((name, what.split("@")[0]) for name, what in _split(output))


def _split(output: str) -> tuple[Property, ...]:
    """The parts of a callback's name, as they are there."""
    names = output[2:-2].split("...") if output.startswith("..") else [output]
    return tuple((component, what) for component, _, what in (n.rpartition(".") for n in names))


def _dependency(one: Property, known: Changes) -> dict[str, Any]:
    name, what = one
    said = {"id": name, "property": what}
    return {**said, "value": known[one]} if known.get(one) is not None else said

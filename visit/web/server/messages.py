"""Callbacks as they arrive, over a websocket or HTTP: bounded, and none that no page would send.

Dash answers a malformed one with an error of its own and a traceback in the log, and hands over
everything that has arrived at once, so that a flood of them would keep everybody else waiting.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from visit.web.server.calls import Room, log_refusal
from visit.web.server.safety import Message, Receive, Send

MOST_BYTES = 4 * 2**20
"""Of a callback."""
MOST_AT_ONCE = 64
"""Calls of one connection under way. A page has eight at most, and a browser's pages share one."""
MALFORMED, _TOO_MANY = 400, 429
CALL = "callback_request"
_CLOSED = 4000 + MALFORMED  # a websocket's own code

Callbacks = Mapping[str, Mapping[str, Any]]
"""Dash's own, by their outputs."""


class Messages:
    """A websocket's messages: one at a time, a bounded number under way, and none malformed.

    Attributes:
        room: Where as many calls have a place as may be under way at once.
    """

    def __init__(self, callbacks: Callbacks, receive: Receive, send: Send) -> None:
        self._callbacks, self._receive, self._send = callbacks, receive, send
        self.room = Room(MOST_AT_ONCE)

    async def receive(self) -> Message:
        """The next message that Dash can answer."""
        while True:
            # What has arrived already is handed over without a pause: let others have theirs.
            await asyncio.sleep(0)
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return message
            said = read(message.get("text"))
            problem = _problem_of_message(said)
            if problem is not None:
                log_refusal(f"refused with {MALFORMED}: {problem}")
                close = {"type": "websocket.close", "code": _CLOSED, "reason": problem}
                await self._send(close)
                return {"type": "websocket.disconnect", "code": _CLOSED}
            if said.get("type") != CALL:
                return message
            problem = problem_of_callback(said.get("payload"), self._callbacks)
            if problem is not None:
                log_refusal(f"refused with {MALFORMED}: {problem}")
                await self._send(_refusal(said, MALFORMED, problem))
            elif not self.room.take():
                problem = f"{MOST_AT_ONCE} calls are under way on this connection already"
                await self._send(_refusal(said, _TOO_MANY, problem))
            else:
                return message


def _problem_of_message(said: Any) -> str | None:
    """What is wrong with a message of whatever type."""
    if not isinstance(said, dict):
        return "a message that is no JSON object"
    if any(not isinstance(said.get(name, ""), str) for name in ("type", "requestId", "rendererId")):
        return "a message whose type or ids are no text"
    return None


def _refusal(said: Mapping[str, Any], status: int, problem: str) -> Message:
    """The answer to a callback that Dash is not to see."""
    answer = {
        "type": "callback_response",
        "requestId": said.get("requestId"),
        "rendererId": said.get("rendererId", ""),
        "payload": {"status": "error", "message": f"{status}: {problem}"},
    }
    return {"type": "websocket.send", "text": json.dumps(answer)}


def problem_of_callback(payload: Any, callbacks: Callbacks) -> str | None:
    """Why a callback is none of this app's, in words; ``None`` for one that Dash can answer."""
    if not isinstance(payload, dict):
        return "a callback that is no JSON object"
    output = payload.get("output")
    known = callbacks.get(output) if isinstance(output, str) else None
    if known is None or "callback" not in known:
        return f"a callback of {output!r}, which this app does not have"
    for name in ("inputs", "state"):
        if _places(payload.get(name, [])) != _places(known[name]):
            return f"a callback of {output!r} with other {name} than it takes"
    outputs = payload.get("outputs", [])
    if not known.get("no_output") and _places(outputs) != _places_of_output(str(output)):
        return f"a callback of {output!r} with other outputs than it has"
    changed = payload.get("changedPropIds", [])
    if not isinstance(changed, list) or not all(isinstance(one, str) for one in changed):
        return f"a callback of {output!r} that does not say what changed"
    return None


def _places(said: Any) -> list[tuple[Any, Any]] | None:
    """Components and properties, in order; ``None`` of what is no list of them."""
    listed = [said] if isinstance(said, dict) else said
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return None
    return [(one.get("id"), one.get("property")) for one in listed]


def _places_of_output(output: str) -> list[tuple[Any, Any]]:
    names = output[2:-2].split("...") if output.startswith("..") else [output]
    return [(name, what) for name, _, what in (one.rpartition(".") for one in names)]


def read(text: bytes | str | None) -> Any:
    """What JSON holds; ``None`` of anything else, and of what is too much."""
    if text is None or len(text) > MOST_BYTES:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

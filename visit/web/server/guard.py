"""Who is answered at all: pages of this server, with what they would send."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import PlainTextResponse

from visit.web.server.calls import ROOM, log_refusal
from visit.web.server.hosts import Hosts, is_of
from visit.web.server.messages import (
    MALFORMED,
    MOST_BYTES,
    Callbacks,
    Messages,
    problem_of_callback,
    read,
)
from visit.web.server.safety import AsgiApp, Message, Receive, Scope, Send

CALLBACK = "/_dash-update-component"
_ELSEWHERE, _TOO_LARGE = 403, 413


class Guard:
    """ASGI middleware that refuses strangers and what no page of this app sends."""

    def __init__(self, app: AsgiApp, hosts: Hosts, callbacks: Callbacks) -> None:
        """Around an app.

        Args:
            app: What answers the others.
            hosts: The names of this server.
            callbacks: Dash's own, by their outputs.
        """
        self.app, self.hosts, self.callbacks = app, hosts, callbacks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may be answered."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if (problem := self._stranger(scope, headers)) is not None:
            return await self._refuse(scope, receive, send, _ELSEWHERE, problem)
        if scope["type"] == "websocket":
            messages = Messages(self.callbacks, receive, send)
            ROOM.set(messages.room)
            try:
                return await self.app(scope, messages.receive, send)
            except RuntimeError as gone:
                # Starlette's, where Dash reads on after a message could not be sent any more.
                if "not connected" not in str(gone):
                    raise
                return log_refusal(f"a page went away: {gone}")
        if scope["path"] == CALLBACK and scope["method"] == "POST":
            return await self._pass_on_callback(scope, receive, send)
        await self.app(scope, receive, send)

    def _stranger(self, scope: Scope, headers: Mapping[str, str]) -> str | None:
        """Why nothing is answered to whoever asks; ``None`` where it may be."""
        host, origin = headers.get("host"), headers.get("origin")
        if not self.hosts.include(host):
            return (
                f"host {host!r} is no name of this server; open it by its own address, or start it "
                "with --allow-host NAME"
            )
        needs_origin = scope["type"] == "websocket"
        if origin is None and not needs_origin:
            return None
        if origin is None or not is_of(origin, host):
            return f"origin {origin!r} is no page of this server ({host})"
        return None

    async def _pass_on_callback(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A callback over HTTP, once it is whole and one that a page would send."""
        content = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            content += message.get("body", b"")
            if len(content) > MOST_BYTES:
                said = f"a callback of more than {MOST_BYTES // 2**20} MB"
                return await self._refuse(scope, receive, send, _TOO_LARGE, said)
            if not message.get("more_body"):
                break
        payload = read(bytes(content))
        problem = problem_of_callback(payload, self.callbacks)
        is_json = dict(scope["headers"]).get(b"content-type", b"").startswith(b"application/json")
        if problem is not None or not is_json:
            said = problem or "a callback that is not sent as application/json"
            return await self._refuse(scope, receive, send, MALFORMED, said)
        whole: list[Message] = [
            {"type": "http.request", "body": bytes(content), "more_body": False}
        ]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        await self.app(scope, again, send)

    @staticmethod
    async def _refuse(
        scope: Scope, receive: Receive, send: Send, status: int, problem: str
    ) -> None:
        log_refusal(f"refused with {status}: {problem}")
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4000 + status, "reason": problem[:100]})
        else:
            answer = PlainTextResponse(problem, status, {"connection": "close"})
            await answer(scope, receive, send)

"""A page that does not read what it is sent is asked for nothing more until it does.

Dash puts answers into a queue without a bound, from which one task sends. While a message of it
waits to be taken, this page's next calls wait too, so the queue holds no more than the answers to
what had come in by then. Whoever takes nothing for long answers no ping either, and uvicorn ends
the connection.
"""

from __future__ import annotations

import asyncio

from visit.web.server.safety import AsgiApp, Message, Receive, Scope, Send


class SlowReaders:
    """ASGI middleware that takes no message of a websocket while one to it is not taken."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a websocket on with its two ends tied together, and all else as it is."""
        if scope["type"] != "websocket":
            return await self.app(scope, receive, send)
        sending = asyncio.Lock()

        async def receive_in_turn() -> Message:
            async with sending:
                pass
            return await receive()

        async def send_in_turn(message: Message) -> None:
            async with sending:
                await send(message)

        await self.app(scope, receive_in_turn, send_in_turn)

"""The app as a whole: its server, its safety headers, and how it is run."""

from __future__ import annotations

import contextlib
import secrets
import socket
from typing import Any

import uvicorn
from dash import Dash
from dash.development.base_component import Component
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from visit.engine.protocol import Engine, Warming
from visit.errors import OutputError
from visit.graph.flow import FlowGraph
from visit.graph.request import Request
from visit.web import callbacks
from visit.web.exports.bundled import OFFLINE, REPORT, find_assets_folder
from visit.web.screen import page
from visit.web.server import upload
from visit.web.server.guard import Guard
from visit.web.server.hosts import Hosts
from visit.web.server.messages import MOST_BYTES
from visit.web.server.readers import SlowReaders
from visit.web.server.safety import SafeHeaders, policy
from visit.web.state.shelf import Shelf
from visit.web.state.view import View

DEFAULT_PROMPT = "The capital of Japan is the city of"


def create_app(
    engine: Engine | None,
    *,
    request: Request | None = None,
    flow: FlowGraph | None = None,
    hosts: Hosts | None = None,
) -> Dash:
    """The app around an engine, or the viewer of one flow graph.

    Args:
        engine: What answers requests; ``None`` for the viewer.
        request: What is traced when a page opens; the paper's prompt when left out.
        flow: The graph to view, where there is no engine.
        hosts: The names that it may be asked for by; those of this machine alone when left out.

    Raises:
        ValueError: neither an engine nor a graph is given.
    """
    if engine is None and flow is None:
        raise ValueError("give an engine to ask, or a flow graph to view")
    server: Any = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app = Dash(
        "visit",
        server=server,
        assets_folder=str(find_assets_folder()),
        assets_path_ignore=[f"^{OFFLINE}$", f"^{REPORT}$"],
        index_string=page.build_page_template(),
        title="visit",
        update_title="",
        compress=True,
        enable_mcp=False,
        add_log_handler=False,
        suppress_callback_exceptions=engine is None,
    )
    shelf = Shelf()
    first = request or Request(DEFAULT_PROMPT, layers="none")
    shown = (
        None if flow is None else View(shelf.put(flow), flow.request, notes=flow.notes, fixed=True)
    )

    def screen() -> Component:
        return page.build_screen(
            page=secrets.token_urlsafe(18),
            models=engine.models() if engine is not None else (),
            request=first if engine is not None else None,
            view=shown,
        )

    app.layout = screen
    callbacks.register(app, engine, shelf, first)
    server.add_api_route("/health", lambda: PlainTextResponse("ok"), include_in_schema=False)
    server.add_api_route("/ready", lambda: _readiness(engine), include_in_schema=False)
    upload.register(server, shelf)
    # Dash answers every other address with the page; there is nothing at any.
    server.add_api_route("/{path:path}", _nothing, include_in_schema=False)
    server.add_middleware(SlowReaders)
    server.add_middleware(Guard, hosts=hosts or Hosts(), callbacks=app.callback_map)
    server.add_middleware(SafeHeaders, policy=policy(list(app.csp_hashes())))
    return app


def _nothing(path: str) -> PlainTextResponse:
    return PlainTextResponse("there is nothing here", 404)


def _readiness(engine: object) -> PlainTextResponse:
    """For a load balancer or a supervisor: whether a question would be answered now."""
    if isinstance(engine, Warming) and not engine.ready():
        return PlainTextResponse("not yet", 503)
    return PlainTextResponse("ready")


def run(app: Dash, host: str = "127.0.0.1", port: int = 8050) -> None:
    """Serve the app until it is interrupted; says where once it listens.

    Raises:
        OutputError: the port cannot be had.
    """
    listener = bind(host, port)
    shown_host = f"[{host}]" if ":" in host else host
    address = f"http://{shown_host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app.server,
        log_level="warning",
        ws="websockets-sansio",
        lifespan="on",
        ws_max_size=MOST_BYTES,
        timeout_graceful_shutdown=2,
    )
    _Server(config, address).run(sockets=[listener])


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        OutputError: the port is in use, not allowed, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"port {port} on {host} cannot be used ({reason.lower()}); stop what uses it, "
            f"or give another with --port"
        ) from None
    return listener


class _Server(uvicorn.Server):
    """Uvicorn, saying where it listens once it does."""

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self.address = address

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        with contextlib.suppress(OSError):  # nobody may be there to be told
            print(f"visit: {self.address}", flush=True)

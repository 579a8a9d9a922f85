"""A document opened in the app: a file from the reader's disk, sent to the app's own server.

The file is read as ``visit show`` reads one, JSON or an HTML page that holds it, and its graph goes
on the shelf. The answer is a view of it, which the page shows like any other.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from visit.errors import DocumentError
from visit.formats.document import flow_from_text
from visit.text import one_line
from visit.web.state.shelf import Shelf
from visit.web.state.view import View

PATH = "/open"
MAX_BYTES = 64 * 2**20
"""Of a file; the bundled model's whole graph is 1.3 MB."""
HEADER = "x-visit-open"
"""A custom header: a page of another site cannot send one to this server without a preflight."""
_FORBIDDEN, _TOO_LARGE, _UNREADABLE = 403, 413, 422


def register(server: FastAPI, shelf: Shelf, max_bytes: int = MAX_BYTES) -> None:
    """Let this server open documents.

    Args:
        server: The app's server.
        shelf: Where the graphs go.
        max_bytes: No file may be larger.
    """

    async def open_document(asked: HttpRequest) -> Response:
        """The view of a document, or the reason why there is none."""
        if HEADER not in asked.headers or not _is_from_here(asked):
            return _refusal(_FORBIDDEN, "a document is opened from the app's own page")
        content = await _read(asked, max_bytes)
        if content is None:
            limit = f"{max_bytes / 2**20:.0f} MB"
            return _refusal(_TOO_LARGE, f"the file is larger than {limit}; open it with visit show")
        try:  # in a thread, so that nobody else waits for a large one
            view = await run_in_threadpool(_shelve, content, shelf)
        except DocumentError as problem:
            return _refusal(_UNREADABLE, one_line(str(problem)))
        return JSONResponse(view.data())

    server.add_api_route(PATH, open_document, methods=["POST"], include_in_schema=False)


def _is_from_here(asked: HttpRequest) -> bool:
    """Whether a page of this server asks, as far as the browser says."""
    return asked.headers.get("sec-fetch-site", "same-origin") == "same-origin"


async def _read(asked: HttpRequest, max_bytes: int) -> bytes | None:
    """What is sent; ``None`` as soon as it is too much."""
    said = asked.headers.get("content-length", "")
    if said.isdecimal() and int(said) > max_bytes:
        return None
    content = bytearray()
    async for chunk in asked.stream():
        content += chunk
        if len(content) > max_bytes:
            return None
    return bytes(content)


def _shelve(content: bytes, shelf: Shelf) -> View:
    """Put the document's graph on the shelf.

    Raises:
        DocumentError: it is none.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"not UTF-8 at byte {error.start}") from None
    flow = flow_from_text(text)
    return View(shelf.put(flow), flow.request, notes=flow.notes, fixed=True)


def _refusal(status: int, why: str) -> Response:
    return PlainTextResponse(why, status, {"connection": "close"})

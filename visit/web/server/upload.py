"""A document opened in the app: a file from the reader's disk, sent to the app's own server.

The file is read as ``visit show`` reads one, JSON or an HTML page that holds it, and its graph goes
on the shelf. The answer is a view of it, which the page shows like any other.

Anybody can send anything here, so it is bounded by ``visit.graph.limits``: in size before it is
taken, in values before it is parsed, and in number, one file at a time.
"""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from visit.errors import DocumentError
from visit.formats.document import flow_from_json, json_from_text
from visit.formats.drawable import check_drawable
from visit.graph.limits import (
    LONGEST_UPLOAD,
    MOST_DOCUMENT_BYTES,
    MOST_DOCUMENT_VALUES,
    MOST_DOCUMENTS_AT_ONCE,
)
from visit.text import one_line
from visit.web.state.shelf import Shelf
from visit.web.state.view import View

PATH = "/open"
HEADER = "x-visit-open"
"""A custom header: a page of another site cannot send one to this server without a preflight."""
_FORBIDDEN, _TOO_SLOW, _TOO_LARGE, _UNREADABLE, _BUSY = 403, 408, 413, 422, 503
_BEFORE_VALUES = (",", "[", "{", ":")
"""What stands before every value of JSON but the first, and before every field's name."""


def register(
    server: FastAPI,
    shelf: Shelf,
    max_bytes: int = MOST_DOCUMENT_BYTES,
    max_values: int = MOST_DOCUMENT_VALUES,
) -> None:
    """Let this server open documents.

    Args:
        server: The app's server.
        shelf: Where the graphs go.
        max_bytes: No file may be larger.
        max_values: No file may hold more numbers, texts, lists and objects together.
    """
    reading, n_under_way = asyncio.Lock(), 0

    async def open_document(asked: HttpRequest) -> Response:
        """The view of a document, or the reason why there is none."""
        nonlocal n_under_way
        if HEADER not in asked.headers or not _is_from_here(asked):
            return _refusal(_FORBIDDEN, "a document is opened from the app's own page")
        if n_under_way >= MOST_DOCUMENTS_AT_ONCE:
            return _refusal(_BUSY, "many files are being opened just now; try again in a minute")
        n_under_way += 1
        try:
            return await open_sent(asked, shelf, reading, max_bytes, max_values)
        finally:
            n_under_way -= 1

    server.add_api_route(PATH, open_document, methods=["POST"], include_in_schema=False)


async def open_sent(
    asked: HttpRequest, shelf: Shelf, reading: asyncio.Lock, max_bytes: int, max_values: int
) -> Response:
    """The view of the document that is sent, or the reason why there is none.

    Args:
        asked: Who sends it.
        shelf: Where its graph goes.
        reading: Held while one is parsed.
        max_bytes: It may not be larger.
        max_values: It may not hold more.
    """
    try:
        async with asyncio.timeout(LONGEST_UPLOAD):
            content = await _receive(asked, max_bytes)
    except TimeoutError:
        return _refusal(_TOO_SLOW, f"the file did not arrive in {LONGEST_UPLOAD} s; try again")
    if content is None:
        limit = f"{max_bytes / 2**20:.0f} MB"
        return _refusal(_TOO_LARGE, f"the file is larger than {limit}; open it with visit show")
    async with reading:  # in a thread, so that nobody else waits for a large one
        view = await run_in_threadpool(_shelve, content, shelf, max_bytes, max_values)
    return view if isinstance(view, Response) else JSONResponse(view.data())


def _is_from_here(asked: HttpRequest) -> bool:
    """Whether a page of this server asks, as far as the browser says."""
    return asked.headers.get("sec-fetch-site", "same-origin") == "same-origin"


async def _receive(asked: HttpRequest, max_bytes: int) -> bytes | None:
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


def _shelve(content: bytes, shelf: Shelf, max_bytes: int, max_values: int) -> View | Response:
    """Put the document's graph on the shelf, and say what shows it, or why it is refused.

    What a page holds compressed is bounded as the file is, before it is parsed. No error leaves
    this: what carries one to another thread keeps its frames, and with them all that was parsed,
    until the next file comes.
    """
    try:
        text = json_from_text(content.decode("utf-8-sig"), max_bytes)
        if sum(map(text.count, _BEFORE_VALUES)) > max_values:
            return _refusal(
                _TOO_LARGE,
                f"the file holds more than {max_values:,} values; open it with visit show",
            )
        flow = flow_from_json(text)
        check_drawable(flow)
    except UnicodeDecodeError as error:
        return _refusal(_UNREADABLE, f"not UTF-8 at byte {error.start}")
    except DocumentError as problem:
        return _refusal(_UNREADABLE, one_line(str(problem)))
    return View(shelf.put(flow), flow.request, notes=flow.notes, fixed=True)


def _refusal(status: int, why: str) -> Response:
    return PlainTextResponse(why, status, {"connection": "close"})

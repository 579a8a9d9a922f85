"""A document sent to the app: what is opened, and what is refused in words."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

import pytest
from fastapi import FastAPI
from loops import run
from sample import FakeEngine, make_flow
from starlette.requests import Request as HttpRequest
from starlette.testclient import TestClient
from starlette.types import Message

from visit.formats.document import json_from_flow
from visit.formats.embedded import html_from_json
from visit.graph.flow import FlowGraph, NodeId, Note
from visit.graph.limits import MOST_DOCUMENTS_AT_ONCE
from visit.web.app import create_app
from visit.web.server import upload
from visit.web.state.shelf import Shelf
from visit.web.state.view import View

NOTE = Note(NodeId.parse("output@7"), "mine")
FLOW = make_flow(n_layers=1, opened=())
DOCUMENT = json_from_flow(FLOW)
HEADERS = {upload.HEADER: "1"}
MOST_VALUES = 2 * sum(map(DOCUMENT.count, ",[{:"))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def client(shelf):
    server = FastAPI()
    upload.register(server, shelf, max_bytes=len(DOCUMENT.encode()) + 100, max_values=MOST_VALUES)
    with TestClient(server) as client:
        yield client


def send(client, content, **headers):
    return client.post(upload.PATH, content=content, headers={**HEADERS, **headers})


@pytest.mark.parametrize("text", [DOCUMENT, "\ufeff" + DOCUMENT, html_from_json(DOCUMENT)])
def test_a_document_goes_on_the_shelf_and_its_view_is_answered(client, shelf, text):
    answer = send(client, text.encode())
    view = View.parse(answer.json())
    assert answer.status_code == 200 and view.fixed
    assert shelf.get(view.key).flow == FLOW
    assert view.request == FLOW.request


def test_the_notes_of_a_document_are_in_its_view(client):
    noted = replace(FLOW, notes=(NOTE,))
    assert View.parse(send(client, json_from_flow(noted).encode()).json()).notes == (NOTE,)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not JSON"),
        (b'{"schema": "visit.flow/3"}', "visit.flow/3"),
        (b"<p>hello", "the page holds no flow document"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"", "not JSON"),
        (b"[" * 5000, "not JSON"),
    ],
)
def test_what_is_no_document_is_refused_in_one_line(client, content, said):
    answer = send(client, content)
    assert answer.status_code == 422
    assert said in answer.text and "\n" not in answer.text


def test_a_file_that_is_too_large_is_refused_before_it_is_read(client):
    answer = send(client, b"x" * (len(DOCUMENT.encode()) + 101))
    assert answer.status_code == 413 and "larger than" in answer.text


def test_a_file_that_does_not_say_how_large_it_is_is_read_no_further_than_the_limit(client):
    sent = []

    def chunks():
        for _ in range(1000):
            sent.append(1)
            yield b"x" * 10_000

    assert send(client, chunks()).status_code == 413


def test_a_file_of_millions_of_values_is_refused_before_it_is_parsed(client):
    """One of 60 MB took 3.6 GB, and held everybody for 8 s, before it was refused."""
    answer = send(client, b'{"nodes":[' + b"[]," * (MOST_VALUES // 2) + b"[]]}")
    assert answer.status_code == 413
    assert f"more than {MOST_VALUES:,} values; open it with visit show" in answer.text


def test_a_page_that_unpacks_to_more_than_a_file_may_hold_is_refused(client):
    page = html_from_json(DOCUMENT.rstrip() + " " * 30 * 2**20)
    assert len(page) < len(DOCUMENT)
    answer = send(client, page.encode())
    assert answer.status_code == 422
    assert "the page's document is larger than" in answer.text


def test_values_are_counted_in_what_a_page_unpacks_to(client):
    page = html_from_json('{"nodes":[' + "[]," * (MOST_VALUES // 2) + "[]]}")
    answer = send(client, page.encode())
    assert answer.status_code == 413 and f"more than {MOST_VALUES:,} values" in answer.text


def test_a_document_that_cannot_be_drawn_is_refused_and_not_kept(client, shelf):
    model = replace(FLOW.model, n_layers=10**9)
    answer = send(client, json_from_flow(replace(FLOW, model=model)).encode())
    assert answer.status_code == 422 and "n_layers is 1000000000; at most" in answer.text
    assert len(shelf) == 0


def test_what_is_refused_is_freed(client):
    """All that was parsed was held until the next file came, by the error that refused it."""

    def count() -> int:
        lists = (one for one in gc.get_objects() if type(one) is list and len(one) == 1)
        return sum(type(one[0]) is int and one[0] == 12345 for one in lists)

    gc.collect()
    before = count()
    assert send(client, b'{"nodes":[' + b"[12345]," * 500 + b"[12345]]}").status_code == 422
    assert count() == before


def test_documents_are_parsed_one_at_a_time_and_only_so_many_wait(client, monkeypatch):
    under_way, most, is_told = 0, 0, threading.Event()

    def slow(text: str) -> FlowGraph:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        is_told.wait(5)
        under_way -= 1
        return FLOW

    monkeypatch.setattr(upload, "flow_from_json", slow)
    with ThreadPoolExecutor(MOST_DOCUMENTS_AT_ONCE + 2) as pool:
        sent = [pool.submit(send, client, b"{}") for _ in range(MOST_DOCUMENTS_AT_ONCE + 2)]
        refused = [answer.result() for _, answer in zip(range(2), as_completed(sent), strict=False)]
        assert [answer.status_code for answer in refused] == [503, 503]
        assert "try again in a minute" in refused[0].text
        is_told.set()
        assert sorted(answer.result().status_code for answer in sent)[:-2] == [200] * 8
    assert most == 1


def test_a_file_that_never_arrives_does_not_keep_its_place(monkeypatch):
    monkeypatch.setattr(upload, "LONGEST_UPLOAD", 0.05)

    async def never() -> Message:
        await asyncio.sleep(10)
        raise AssertionError("it was waited for")

    asked = HttpRequest({"type": "http", "method": "POST", "headers": []}, never)
    opening = upload.open_sent(asked, Shelf(), asyncio.Lock(), 100, 100)
    answer = run(opening)
    assert answer.status_code == 408 and b"did not arrive in 0.05 s" in answer.body


def test_a_page_of_another_site_cannot_open_anything(client, shelf):
    assert client.post(upload.PATH, content=DOCUMENT).status_code == 403
    for site in ("cross-site", "same-site", "none"):
        answer = send(client, DOCUMENT.encode(), **{"sec-fetch-site": site})
        assert answer.status_code == 403
    assert send(client, DOCUMENT.encode(), **{"sec-fetch-site": "same-origin"}).status_code == 200


@pytest.mark.parametrize(
    "app", [lambda: create_app(FakeEngine()), lambda: create_app(None, flow=FLOW)]
)
def test_app_and_viewer_open_documents_and_are_ready(app):
    with TestClient(app().server, base_url="http://localhost") as client:
        answer = send(client, DOCUMENT.encode())
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        ready = client.get("/ready")
    assert (ready.status_code, ready.text) == (200, "ready")


def test_an_engine_that_cannot_answer_yet_makes_the_app_not_ready():
    class Loading(FakeEngine):
        is_loaded = False

        def ready(self) -> bool:
            return self.is_loaded

    engine = Loading()
    with TestClient(create_app(engine).server, base_url="http://localhost") as client:
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
        engine.is_loaded = True
        assert client.get("/ready").status_code == 200


def test_a_viewer_begins_with_the_notes_of_its_document():
    server = create_app(None, flow=replace(FLOW, notes=(NOTE,))).server
    with TestClient(server, base_url="http://localhost") as client:
        assert '"name":"mine"' in client.get("/_dash-layout").text.replace(" ", "")

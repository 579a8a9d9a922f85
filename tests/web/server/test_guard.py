"""Who is answered: pages of this server under its own names, with what they would send."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from loops import run
from sample import FakeEngine
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from visit.web.app import create_app
from visit.web.server.guard import Guard
from visit.web.server.hosts import Hosts, host_name, is_of
from visit.web.server.messages import MOST_BYTES, problem_of_callback

HERE = "http://localhost:8050"
SOCKET, CALLBACK = "ws://localhost:8050/_dash-ws-callback", "/_dash-update-component"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(FakeEngine()).server, base_url=HERE) as client:
        yield client


@pytest.fixture(scope="module")
def call(client: TestClient) -> dict[str, Any]:
    """A callback as a page sends it: a node is picked while nothing is shown."""
    said = client.get("/_dash-dependencies").json()
    return payload(next(one for one in said if one["output"] == "inspector-panels.data"))


def payload(said: dict[str, Any]) -> dict[str, Any]:
    return {
        "output": said["output"],
        "outputs": {"id": "inspector-panels", "property": "data"},
        "inputs": said["inputs"],
        "state": [{**one, "value": "the page"} for one in said["state"]],
        "changedPropIds": ["picked.data"],
    }


def message(payload: object, number: object = "1") -> str:
    said = {"type": "callback_request", "rendererId": "r", "requestId": number, "payload": payload}
    return json.dumps(said)


# ---------------------------------------------------------------- names and origins


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:8050", "localhost"), ("LocalHost.", "localhost"), ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8050", "::1"), ("", None), (None, None), ("a@localhost", None),
        ("localhost/x", None), ("localhost:x", None), ("[::1", None), (":8050", None),
    ],
)  # fmt: skip
def test_a_host_header_names_a_host_or_nothing(header, name):
    assert host_name(header) == name


@pytest.mark.parametrize(
    ("hosts", "yes", "no"),
    [
        (Hosts(), ["localhost", "127.0.0.1:1", "127.8.8.8", "[::1]:80"],
         ["evil.example", "10.0.0.5", "localhost.evil.example", "0.0.0.0", None]),
        (Hosts.of("10.0.0.5"), ["10.0.0.5:8050", "127.0.0.1"], ["10.0.0.6", "evil.example"]),
        (Hosts.of("gpu.lab.example", ["Visit.Lab.example"]),
         ["gpu.lab.example:8050", "visit.lab.example."], ["lab.example", "evil.example"]),
        (Hosts.of("0.0.0.0"), ["10.0.0.5", "127.0.0.1", "[fe80::1]"], ["evil.example"]),
        (Hosts.of("::", ["visit.lab.example"]), ["[2001:db8::1]", "visit.lab.example"], ["x.y"]),
    ],
)  # fmt: skip
def test_a_server_answers_to_its_own_names_alone(hosts, yes, no):
    assert [name for name in yes if not hosts.include(name)] == []
    assert [name for name in no if hosts.include(name)] == []


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        ("http://localhost:8050", True), ("https://localhost:8050", True),
        ("http://LOCALHOST:8050", True), ("null", False), ("file://", False),
        ("file://localhost:8050", False), ("chrome-extension://localhost:8050", False),
        ("http://localhost:9000", False), ("http://evil.example", False), ("", False),
    ],
)  # fmt: skip
def test_an_origin_is_this_host_over_http_or_none_of_ours(origin, is_own):
    assert is_of(origin, "localhost:8050") is is_own


@pytest.mark.parametrize("path", ["/", "/health", "/_dash-layout", "/assets/app.js"])
def test_a_name_that_was_rebound_to_this_machine_is_answered_nothing(client, path, caplog):
    answer = client.get(path, headers={"host": "evil.example:8050"})
    assert answer.status_code == 403
    assert "'evil.example:8050' is no name of this server" in answer.text
    assert "--allow-host" in answer.text and "\n" not in answer.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example", "origin": "http://evil.example"},
        {"origin": "file://localhost:8050"},
        {"origin": "chrome-extension://localhost:8050"},
        {"origin": "null"},
        {},
    ],
)
def test_no_page_from_elsewhere_has_a_websocket(client, headers):
    with (
        pytest.raises(WebSocketDisconnect) as closed,
        client.websocket_connect(SOCKET, headers=headers),
    ):
        pass
    assert closed.value.code == 4403


def test_a_script_of_another_site_is_refused_by_its_origin(client, call):
    answer = client.post(CALLBACK, json=call, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403


def test_the_app_s_own_page_is_answered_over_both(client, call, caplog):
    assert client.get("/").status_code == 200
    assert client.post(CALLBACK, json=call, headers={"origin": HERE}).status_code == 200
    with client.websocket_connect(SOCKET, headers={"origin": HERE}) as socket:
        socket.send_text(message(call))
        assert socket.receive_json()["payload"]["status"] == "ok"
    assert caplog.records == []


# ---------------------------------------------------------------- what is sent


def damaged(call: dict[str, Any]) -> dict[str, object]:
    """Callbacks that no page sends, by what is wrong with them."""
    return {
        "no object": [],
        "nothing": {},
        "another output": {**call, "output": "nonsense.data"},
        "an output that is no text": {**call, "output": ["inspector-panels.data"]},
        "a browser's callback": {**call, "output": "key.data"},
        "other inputs": {**call, "inputs": call["inputs"][:-1]},
        "inputs that are none": {**call, "inputs": 7},
        "a list among the inputs": {**call, "inputs": [[], *call["inputs"][1:]]},
        "other states": {**call, "state": []},
        "other outputs": {**call, "outputs": {"id": "view", "property": "data"}},
        "changes that are none": {**call, "changedPropIds": [7]},
        "a picked node that is no text": with_value(call, "picked", {"id": 1}),
        "a picked node that is none": with_value(call, "picked", "nonsense"),
        "a view that is no object": with_value(call, "view", "k"),
        "a view that is none": with_value(call, "view", {"key": "k"}),
        "no page": with_value(call, "page", None),
    }


def with_value(call: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    """The call with another value of an input or a state, and a view where that is needed."""
    view = {"key": "k", "request": {"prompt": "a b"}, "opened": []}
    values = {"view": view, "page": "the page", name: value}
    return {
        **call,
        **{
            kind: [{**one, "value": values.get(one["id"])} for one in call[kind]]
            for kind in ("inputs", "state")
        },
    }


def test_a_malformed_callback_is_4xx_and_one_line_in_the_log(client, call, caplog, capfd):
    for what, sent in damaged(call).items():
        caplog.clear()
        answer = client.post(CALLBACK, json=sent)
        assert answer.status_code == 400, what
        assert len(caplog.records) == 1 and "\n" not in caplog.records[0].getMessage(), what
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'"x"'])
def test_what_is_no_callback_at_all_is_400(client, content, capfd):
    answer = client.post(CALLBACK, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_callback_that_is_too_large_is_413(client):
    sent = b" " * (MOST_BYTES + 1)
    answer = client.post(CALLBACK, content=sent, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.text) == (413, "a callback of more than 4 MB")


def test_a_malformed_callback_over_a_websocket_is_answered_and_the_page_goes_on(
    client, call, caplog, capfd
):
    with client.websocket_connect(SOCKET, headers={"origin": HERE}) as socket:
        for what, sent in damaged(call).items():
            caplog.clear()
            socket.send_text(message(sent))
            assert next_answer(socket) is not None, what
            assert len(caplog.records) == 1, what
        socket.send_text(message(call))
        assert next_answer(socket)["status"] == "ok"
    assert "Traceback" not in "".join(capfd.readouterr())


def next_answer(socket: Any) -> dict[str, Any]:
    """The next answer to a call, past what is told meanwhile."""
    while True:
        said = socket.receive_json()
        for one in said if isinstance(said, list) else [said]:
            if one["type"] == "callback_response":
                return one["payload"]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", '"x"', "[" * 100_000, '{"type": 7}',
        '{"type": "get_props_response", "requestId": []}', message({}, number=[1]),
    ],
)  # fmt: skip
def test_what_is_no_message_closes_the_websocket_with_its_own_4400(client, text, caplog, capfd):
    with client.websocket_connect(SOCKET, headers={"origin": HERE}) as socket:
        socket.send_text(text)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 4400
    assert len([one for one in caplog.records if one.levelno >= logging.WARNING]) == 1
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_page_that_is_gone_while_it_is_answered_is_one_line_in_the_log(caplog):
    async def read_on(scope, receive, send):
        raise RuntimeError('WebSocket is not connected. Need to call "accept" first.')

    scope = {
        "type": "websocket",
        "path": "/_dash-ws-callback",
        "headers": [(b"host", b"localhost:8050"), (b"origin", HERE.encode())],
    }
    run(Guard(read_on, Hosts(), {})(scope, lambda: None, lambda _: None))
    assert [one.getMessage() for one in caplog.records] == [
        'a page went away: WebSocket is not connected. Need to call "accept" first.'
    ]


def test_bytes_are_no_message_either(client):
    with client.websocket_connect(SOCKET, headers={"origin": HERE}) as socket:
        socket.send_bytes(b"\x00")
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/nothing", "/a/b?prompt=x"])
def test_there_is_no_api_to_describe_and_nothing_beside_the_page(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (404, "there is nothing here")


def test_what_dash_calls_a_callback_is_what_the_guard_knows(client):
    """Each of the app's own callbacks, as its page is told of it, passes."""
    app = create_app(FakeEngine())
    with TestClient(app.server, base_url=HERE) as other:
        said = other.get("/_dash-dependencies").json()
    ours = [one for one in said if one["websocket"]]
    assert len(ours) >= 8
    for one in ours:
        parts = [] if one["no_output"] else one["output"].removeprefix("..").removesuffix("..")
        outputs = [
            {"id": name, "property": what}
            for name, what in (part.rsplit(".", 1) for part in (parts and parts.split("...")))
        ]
        sent = {**one, "outputs": outputs}
        assert problem_of_callback(sent, app.callback_map) is None

"""Every callback ends in words in place, whatever goes wrong in it; nothing stays under way."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dash import Dash, Input, State
from page import Callback
from sample import FakeEngine, make_flow
from starlette.testclient import TestClient

from visit.graph.request import Request
from visit.web import ids
from visit.web.app import create_app
from visit.web.server import tracing
from visit.web.server.calls import Calls
from visit.web.state.bounds import Bounds
from visit.web.state.jobs import Jobs
from visit.web.state.shelf import Shelf
from visit.web.state.table import STORES, TOLD
from visit.web.state.view import View

HERE = "http://localhost:8050"
SOCKET = "ws://localhost:8050/_dash-ws-callback"
SHOWN: dict[tuple[str, str], Any] = {
    (ids.PAGE, "data"): "the page",
    (ids.KEY, "data"): "k",
    (ids.VIEW, "data"): View("k", Request("a b c")).data(),
    (ids.DOCK, "data"): {"open": True},
    (ids.PANE, "data"): {"name": "sankey", "layer": 0},
    (ids.EXPORT, "data"): {"kept": "json", "look": {}, "asked": 1},
    (ids.GROWN, "data"): "k",
    (ids.TRACE, "n_clicks"): 1,
    (ids.PROMPT, "value"): "a b c",
}
"""What a page holds that shows a graph, with its dock, a layer's Sankey and its panels open."""
IN_CAUSES = SHOWN | {
    (ids.PANE, "data"): {"name": "causes"},
    (ids.TAB, "data"): "causes",
    (ids.PICKED, "data"): "L1.head0@2",
    (ids.SECOND, "data"): "d e f",
    (ids.RUN, "data"): {"sites": ["L1.head0@2"], "how": "zero"},
    (ids.WEIGH, "data"): {"sites": ["L1.head0@2"], "how": "mean"},
    (ids.COMPARE, "data"): {"by": "prompt", "said": "d e f"},
    (ids.KEEP_ONLY, "data"): {"of": "k"},
    (ids.MANY, "data"): {"of": "k", "prompts": "a b c"},
}
IN_EXPLORE = SHOWN | {
    (ids.PANE, "data"): {"name": "explore", "of": "norms"},
    (ids.EXPLORE_SAVE, "data"): {"kept": "csv", "asked": 1},
    (ids.CONTINUE, "data"): {"count": "3"},
}
"""The same, where what parts cause is asked for."""


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(FakeEngine()).server, base_url=HERE) as client:
        yield client


def callbacks(client: TestClient) -> list[Callback]:
    """Every callback that the server answers."""
    said = client.get("/_dash-dependencies").json()
    return [one for one in map(Callback.parse, said) if one.function is None]


def call(
    client: TestClient, callback: Callback, held: dict[tuple[str, str], Any] = SHOWN
) -> dict[tuple[str, str], Any]:
    """Call one as a page does, and say what it put on the page until it was answered."""
    payload = callback.payload(held, [callback.inputs[0]])
    message = {"type": "callback_request", "rendererId": "r", "requestId": "1", "payload": payload}
    told: dict[tuple[str, str], Any] = {}
    with client.websocket_connect(SOCKET, headers={"origin": HERE}) as socket:
        socket.send_text(json.dumps(message))
        while True:
            said = socket.receive_json()
            for one in said if isinstance(said, list) else [said]:
                payload = one.get("payload", {})
                if one["type"] == "set_props":
                    sides = {payload["componentId"]: payload["props"]}
                elif one["type"] == "callback_response":
                    assert payload["status"] != "error", payload
                    sides = (payload.get("data") or {}).get("sideUpdate", {})
                else:
                    continue
                told |= {(name, p): v for name, props in sides.items() for p, v in props.items()}
                if one["type"] == "callback_response":
                    return told


def fail(fault: BaseException) -> Callable[..., Any]:
    """What raises, whatever it is called with."""

    def failing(*_args: Any, **_more: Any) -> Any:
        raise fault

    return failing


def test_a_fresh_page_calls_no_script_that_has_nothing_to_say_yet(client: TestClient):
    """Dash compares all that a fresh page calls with one another, at each step of opening."""
    said = client.get("/_dash-dependencies").json()
    scripts = [one for one in said if one["clientside_function"] is not None]
    first = [one for one in scripts if not one["prevent_initial_call"]]
    assert len(scripts) > 30
    called = [one["clientside_function"]["function_name"] for one in first]
    assert called == ["begin", "dress", "remember"]
    fill = [one["state"][-1]["id"] for one in first if one["state"]]
    assert fill == [ids.FIXED_PANELS] * 2  # one of them, of which the page has either first


def test_the_scripts_hear_of_every_piece_of_the_state_that_a_callback_writes(client: TestClient):
    said = [Callback.parse(one) for one in client.get("/_dash-dependencies").json()]
    scripts = [one for one in said if one.function]
    heard = {part for one in scripts for part, _ in (*one.inputs, *one.states)}
    written = {part for one in said for part, _ in one.outputs if part in STORES}
    assert written <= heard
    assert {*TOLD, ids.PICKED} == {*STORES} & heard


@pytest.mark.parametrize("has_model", [True, False])
def test_a_fresh_page_asks_the_server_for_no_more_than_what_it_shows_first(has_model: bool):
    """All else follows from what comes, and has nothing to say before."""
    engine = FakeEngine(lambda request: make_flow(request)) if has_model else None
    app = create_app(engine, flow=None if has_model else make_flow())
    with TestClient(app.server, base_url="http://127.0.0.1") as client:
        said = client.get("/_dash-dependencies").json()
    asked = [one for one in said if one["clientside_function"] is None]
    first = [one["output"] for one in asked if not one["prevent_initial_call"]]
    assert len(asked) > 5
    shown = [f"..{ids.GRAPH}.elements...{ids.DRAWN_PANELS}.data..", f"{ids.INSPECTOR_PANELS}.data"]
    assert first == ([f"..{ids.VIEW}.data...{ids.PICKED}.data.."] if has_model else shown)


def test_two_callbacks_without_output_are_not_of_the_same_inputs():
    """Dash would call one of them alone: Cancel once ended nothing."""

    async def stop(_clicks: int | None) -> None: ...

    calls = Calls(Dash(__name__, backend="fastapi"), Jobs())
    calls.add(stop, Input(ids.CANCEL, "n_clicks"))
    with pytest.raises(ValueError, match="stop: a callback without output has these inputs"):
        calls.add(stop, Input(ids.CANCEL, "n_clicks"), State(ids.PAGE, "data"))


def test_a_fault_in_any_callback_is_told_in_place_and_in_one_line_of_the_log(
    client, monkeypatch, caplog, capfd
):
    """They ended without a word, and the page stayed as it was."""
    every = callbacks(client)
    assert len(every) == 26
    for callback in every:
        with monkeypatch.context() as patched:
            patched.setattr(Shelf, "get", fail(KeyError("L0.head3@2")))
            patched.setattr(FakeEngine, "explain", fail(KeyError("L0.head3@2")))
            if not callback.outputs:  # it ends what the page has under way
                patched.setattr(Jobs, "cancel", fail(KeyError("L0.head3@2")))
            # What is typed as settings asks for no graph.
            patched.setattr(Bounds, "problems_in", fail(KeyError("L0.head3@2")))
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                told = call(client, callback)
                if told.get((ids.PROBLEM, "hidden")) is not False:
                    told = call(client, callback, IN_CAUSES)
                if told.get((ids.PROBLEM, "hidden")) is not False:
                    told = call(client, callback, IN_EXPLORE)
        assert told.get((ids.PROBLEM, "hidden")) is False, callback.output
        said = told[ids.PROBLEM, "children"]
        assert said.startswith("the app could not answer (") and "L0.head3@2" in said
        assert len(caplog.records) == 1 and "\n" not in caplog.records[0].getMessage()
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (FakeEngine, "submit"),
        (FakeEngine, "explain"),
        (Shelf, "put"),
        (View, "data"),
        (tracing, "request_from_controls"),
        (tracing, "request_answered"),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        KeyError("x"),
        MemoryError(),
        RecursionError("too deep"),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_a_trace_that_fails_anywhere_does_not_stay_on_tracing(
    client, monkeypatch, where, name, fault
):
    trace = next(one for one in callbacks(client) if (ids.VIEW, "data") in one.outputs)
    monkeypatch.setattr(where, name, fail(fault))
    told = call(client, trace)
    assert told[ids.PROBLEM, "hidden"] is False
    assert told[ids.PROBLEM, "children"].startswith("the app could not answer (trace: ")
    assert told[ids.TRACE, "disabled"] is False
    assert told[ids.CANCEL, "hidden"] is True and told[ids.PROGRESS, "hidden"] is True
    assert told[ids.STAGE, "children"] == ""

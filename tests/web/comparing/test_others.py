"""Another prompt, target or model: what the page asks for, and how what differs is called."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from page import Callback
from sample import FakeEngine, make_flow, with_flow
from starlette.testclient import TestClient

from visit.errors import RequestError
from visit.graph.flow import FlowGraph
from visit.graph.index import Index
from visit.graph.request import Request
from visit.web import ids
from visit.web.app import create_app
from visit.web.causes.difference import mark_differences
from visit.web.comparing.compared import say_difference
from visit.web.comparing.others import Other, ask_other, find_other, name_other
from visit.web.state.view import View
from visit.web.trees import trees

ASKED = Request("a b c", model="mini", target=" city", position=1, heads=3)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"by": "prompt", "said": "d e f"}, {"prompt": "d e f", "target": None}),
        ({"said": "d e f"}, {"prompt": "d e f", "target": None}),
        ({"by": "target", "said": " Paris"}, {"target": " Paris"}),
        ({"by": "target", "said": r"\#7"}, {"target": None, "target_id": 7}),
        ({"by": "target", "said": " Paris vs  Rome"}, {"target": " Paris", "versus": " Rome"}),
        ({"by": "model", "said": " tuned "}, {"model": "tuned"}),
    ],
)
def test_one_thing_is_another_and_all_else_as_it_is_shown(
    asked: dict[str, Any], wanted: dict[str, Any]
):
    assert ask_other(ASKED, asked) == replace(ASKED, **wanted)


def test_a_target_of_its_own_takes_the_place_of_one_that_was_chosen_by_its_id():
    chosen = replace(ASKED, target=" city", target_id=2, versus=" of", versus_id=5)
    asked = ask_other(chosen, {"by": "target", "said": " Paris"})
    assert (asked.target, asked.target_id) == (" Paris", None)
    assert (asked.versus, asked.versus_id) == (None, None)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"by": "prompt", "said": "  "}, "there is no second prompt; type the one to compare"),
        ({"by": "target"}, "there is no other target; type or choose a token"),
        ({"by": "target", "said": "auto"}, "there is no other target"),
        ({"by": "model", "said": 7}, "there is no other model; name one"),
        ({"by": "target", "said": " city"}, "' city' is what is shown already; give another"),
        ({"by": "model", "said": "mini"}, "'mini' is what is shown already; give another model"),
    ],
)
def test_nothing_typed_and_what_is_shown_already_are_one_line(asked: dict[str, Any], said: str):
    with pytest.raises(RequestError, match=f"^{said}"):
        ask_other(ASKED, asked)


def numbered(flow: FlowGraph) -> FlowGraph:
    """With ids of their own for the prompt's tokens, which are numbered as the predictions are."""
    return replace(flow, tokens=tuple(replace(token, id=token.id + 50) for token in flow.tokens))


SHOWN = numbered(with_flow(make_flow(), 0))


def other(**change: Any) -> FlowGraph:
    return replace(numbered(with_flow(make_flow(seed=1), 1)), **change)


@pytest.mark.parametrize(
    ("before", "is_other", "named", "said"),
    [
        (
            numbered(with_flow(make_flow(Request("The capital of Peru")))),
            Other.PROMPT,
            "the other prompt",
            ["against ", "The capital of Peru"],
        ),
        (
            other(target=replace(SHOWN.target, id=4, text=" Paris")),
            Other.TARGET,
            "the target ·Paris",
            ["against another target", "·Paris", "·Tokyo"],
        ),
        (
            other(model=replace(SHOWN.model, name="runs/tuned", weights_sha256="1" * 64)),
            Other.MODEL,
            "the model runs/tuned",
            ["against ", "runs/tuned"],
        ),
    ],
)
def test_the_tray_and_the_tips_say_what_is_another(
    before: FlowGraph, is_other: Other, named: str, said: list[str]
):
    assert find_other(before, SHOWN) is is_other
    assert name_other(before, SHOWN) == named
    text = json.dumps(trees(say_difference(before, SHOWN)), ensure_ascii=False)
    assert [one for one in said if one not in text] == []
    made = [{"data": {"id": "L1.head0@7"}}]
    mark_differences(made, Index(SHOWN), before)
    assert named in made[0]["data"].get("tip", named)


def respond(engine: FakeEngine, name: str, held: dict[str, Any]) -> dict[str, Any]:
    """What the server's callback on one store answers, by the page's parts."""
    here = "http://localhost:8050"
    with TestClient(create_app(engine).server, base_url=here) as client:
        every = map(Callback.parse, client.get("/_dash-dependencies").json())
        (one,) = (callback for callback in every if callback.inputs == ((name, "data"),))
        payload = one.payload({(part, "data"): said for part, said in held.items()}, [])
        message = {"type": "callback_request", "rendererId": "r", "requestId": "1",
                   "payload": payload}  # fmt: skip
        with client.websocket_connect(
            "ws://localhost:8050/_dash-ws-callback", headers={"origin": here}
        ) as socket:
            socket.send_text(json.dumps(message))
            while True:
                told = socket.receive_json()
                for part in told if isinstance(told, list) else [told]:
                    if part["type"] == "callback_response":
                        answer: dict[str, Any] = part["payload"]["data"]["response"]
                        return answer


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        (ids.COMPARE, {"by": "target", "said": " Paris"}),
        (ids.RUN, {"sites": ["L1.head0@2"], "how": "zero"}),
    ],
)
def test_another_pass_keeps_the_settings_that_the_shown_one_was_traced_with(
    name: str, asked: dict[str, Any]
):
    """They were lost: the form said the defaults, and a reload drew by them."""
    view = View("k", Request("a b c", model="mini", layers="none", heads=3)).data()
    held = {name: asked, ids.VIEW: view, ids.PAGE: "the page"}
    (shown,) = respond(FakeEngine(), name, held).values()
    assert shown["data"]["settings"]["heads"] == "3"
    assert shown["data"]["texts"]["heads"] == "3"

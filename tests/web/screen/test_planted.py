"""What the page builds by itself, and what it must leave to Dash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dash import dcc, html
from sample import FakeEngine
from starlette.testclient import TestClient

from visit.web import ids
from visit.web.app import create_app
from visit.web.screen.planted import LIVE, plant

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(FakeEngine()).server, base_url="http://localhost:8050") as client:
        yield client


def parts(layout: Any) -> Iterator[dict[str, Any]]:
    """Every component of a layout as it is sent, with its type and its properties."""
    if isinstance(layout, list):
        for part in layout:
            yield from parts(part)
    elif isinstance(layout, dict) and "props" in layout:
        yield layout
        yield from parts(layout["props"].get("children"))


def set_by_sources() -> set[str]:
    """The ids that the server's modules and the scripts set properties of."""
    found: set[str] = set()
    for path in (ROOT / "visit" / "web").rglob("*.py"):
        names = re.findall(r"\bset_props\(\s*ids\.(\w+)", path.read_text(encoding="utf-8"))
        found |= {getattr(ids, name) for name in names}
    for path in (ROOT / "assets").glob("*.js"):
        found |= {*re.findall(r'\b(?:setProps|say)\("([\w-]+)"', path.read_text(encoding="utf-8"))}
    return found


def test_dash_knows_every_part_that_is_set_or_listened_to(client: TestClient):
    known = {part["props"].get("id") for part in parts(client.get("/_dash-layout").json())}
    said = client.get("/_dash-dependencies").json()
    used = {one["id"] for callback in said for one in callback["inputs"] + callback["state"]}
    used |= {
        output.rsplit(".", 1)[0]
        for callback in said
        if not callback["no_output"]
        for output in callback["output"].strip(".").split("...")
    }
    sources = set_by_sources()
    assert len(used) > 40 and {ids.PROBLEM, ids.PROMPT, ids.VIEW} <= sources
    assert used | sources <= known
    assert known >= LIVE


def test_outer_parts_are_filled_before_those_inside_them(client: TestClient):
    layout = [*parts(client.get("/_dash-layout").json())]
    (panels,) = (
        part["props"]["data"] for part in layout if part["props"].get("id") == ids.FIXED_PANELS
    )
    there = {part["props"].get("id") for part in layout if part["type"] != "Store"}

    def built(trees: list[Any]) -> Iterator[str]:
        for tree in trees:
            if isinstance(tree, dict):
                yield from filter(None, [tree["attributes"].get("id")])
                yield from built(tree["children"])

    for name, trees in panels.items():
        assert name in there, f"{name} is filled before it is there"
        inside = [*built(trees)]
        assert there.isdisjoint(inside)
        there |= {*inside}
    assert {ids.INSPECTOR, ids.TOKENS, ids.EXAMPLES, ids.FINDER} <= there


def test_only_what_nothing_but_a_script_changes_is_taken_out():
    screen = html.Div(
        [
            html.Div([html.Span("a"), " & ", html.B("b")], className="still"),
            html.Div([html.Span("c"), html.Button("Trace", id=ids.TRACE)]),
            html.Section([html.Div(html.Div(dcc.Store(id="store")))], id="holds"),
            html.Ul([html.Li("d")], id="named"),
            html.P("text alone"),
        ]
    )
    planted = plant(screen)
    still, live, holds, named, text = screen.children
    assert list(planted) == [still.id, "named"]
    span, between, bold = planted[still.id]
    assert (span["tag"], span["children"], between, bold["tag"]) == ("span", ["a"], " & ", "b")
    assert still.children is None and still.className == "still" and named.children is None
    assert [type(child).__name__ for child in live.children] == ["Span", "Button"]
    assert holds.children[0].children.children.id == "store"
    assert text.children == "text alone"

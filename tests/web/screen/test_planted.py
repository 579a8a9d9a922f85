"""What the page builds by itself, and what it must leave to Dash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from dash import dcc, html
from dash.development.base_component import Component
from page import Callback
from sample import FakeEngine
from screens import ids_in
from starlette.testclient import TestClient

from visit.graph.request import Request
from visit.web import ids
from visit.web.app import create_app
from visit.web.screen.page import build_screen
from visit.web.screen.planted import LIVE, plant

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(FakeEngine()).server, base_url="http://localhost:8050") as client:
        yield client


@pytest.fixture(scope="module")
def parts() -> dict[str, Component]:
    """Every component of the layout that has an id, the stores too."""
    screen = build_screen(page="p", models=(), request=Request("a b c"), view=None)
    return {part.id: part for part in screen._traverse_ids()}


def set_by_sources() -> set[str]:
    """The ids that the server's modules and the scripts set properties of."""
    found: set[str] = set()
    for path in (ROOT / "visit" / "web").rglob("*.py"):
        names = re.findall(r"\bset_props\(\s*ids\.(\w+)", path.read_text(encoding="utf-8"))
        found |= {getattr(ids, name) for name in names}
    for path in (ROOT / "assets").glob("*.js"):
        found |= {*re.findall(r'\b(?:setProps|say)\("([\w-]+)"', path.read_text(encoding="utf-8"))}
    return found


def test_dash_knows_every_part_that_is_set_or_listened_to(
    client: TestClient, parts: dict[str, Component]
):
    said = map(Callback.parse, client.get("/_dash-dependencies").json())
    used = {name for one in said for name, _ in (*one.inputs, *one.states, *one.outputs)}
    sources = set_by_sources()
    assert len(used) > 40 and {ids.PROBLEM, ids.PROMPT, ids.VIEW} <= sources
    assert used | sources <= parts.keys()
    assert parts.keys() >= LIVE


def test_outer_parts_are_filled_before_those_inside_them(parts: dict[str, Component]):
    there = {name for name, part in parts.items() if not isinstance(part, dcc.Store)}
    for name, trees in parts[ids.FIXED_PANELS].data.items():
        assert name in there, f"{name} is filled before it is there"
        inside = set().union(*map(ids_in, trees))
        assert there.isdisjoint(inside)
        there |= inside
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

"""Panels as trees that the browser builds."""

import json

import pytest
from dash import html
from sample import make_flow

from visit.web import inspector
from visit.web.index import Index
from visit.web.parts import aria, data
from visit.web.tree import tree, trees


def test_a_component_becomes_its_tag_its_attributes_and_its_children():
    button = html.Button(
        ["go to ", html.Span("<b>", className="token"), 3],
        className="go",
        disabled=True,
        style={"width": "5%"},
        **data(node="L1.attn@7"),
        **aria(label="x"),
    )
    assert tree(button) == {
        "tag": "button",
        "attributes": {
            "class": "go",
            "disabled": "",
            "style": "width: 5%",
            "data-node": "L1.attn@7",
            "aria-label": "x",
        },
        "children": [
            "go to ",
            {"tag": "span", "attributes": {"class": "token"}, "children": ["<b>"]},
            "3",
        ],
    }


def test_what_is_false_or_absent_is_no_attribute():
    assert tree(html.Button(disabled=False, title=None)) == {
        "tag": "button",
        "attributes": {},
        "children": [],
    }


def test_what_is_no_plain_attribute_is_refused():
    with pytest.raises(ValueError, match="'href' is no attribute"):
        tree(html.A("x", href="javascript:alert(1)"))


def test_every_panel_of_every_node_is_a_tree_that_json_holds():
    index = Index(make_flow())
    panels = [inspector.about(index)]
    panels += [inspector.node_panel(index, node) for node in index.flow.nodes]
    for panel in panels:
        made = trees(panel)
        assert json.loads(json.dumps(made)) == made

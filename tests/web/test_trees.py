"""Panels as trees that the browser builds."""

import json

import pytest
from dash import html
from sample import make_flow

from visit.graph.index import Index
from visit.web import inspector
from visit.web.parts import aria, data
from visit.web.trees import html_from_tree, svg, tree, trees


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


def test_the_panels_of_nodes_are_trees_that_json_holds():
    index = Index(make_flow())
    panels = [inspector.about(index)]
    panels += [
        inspector.node_panel(index, node, tab)
        for node in index.flow.nodes[::5]
        for tab in inspector.Tab
    ]
    for panel in panels:
        made = trees(panel)
        assert json.loads(json.dumps(made)) == made


def test_svg_stands_among_a_component_s_children_with_its_own_spelling():
    title = svg("title", {}, ["<b>"])
    drawn = svg(
        "svg", {"viewBox": "0 0 100 20", "width": "100%"}, [svg("g", {"x": 1 / 3}, [title])]
    )
    assert tree(html.Figure([drawn, "below"])) == {
        "tag": "figure",
        "attributes": {},
        "children": [
            {
                "tag": "svg",
                "attributes": {"viewBox": "0 0 100 20", "width": "100%"},
                "children": [
                    {
                        "tag": "g",
                        "attributes": {"x": "0.333333"},
                        "children": [{"tag": "title", "attributes": {}, "children": ["<b>"]}],
                    }
                ],
            },
            "below",
        ],
    }


def test_an_attribute_of_svg_that_is_none_is_left_out():
    assert svg("rect", {"width": 3, "rx": None})["attributes"] == {"width": "3"}


@pytest.mark.parametrize("tag", ["script", "foreignObject", "image", "use", "a", "style"])
def test_svg_holds_only_shapes_and_texts(tag):
    with pytest.raises(ValueError, match=f"<{tag}> is no SVG element"):
        svg(tag)


@pytest.mark.parametrize("name", ["onload", "href", "xlink:href", "style"])
def test_svg_has_no_attribute_that_could_run_or_load(name):
    with pytest.raises(ValueError, match="is no attribute that a panel's SVG can hold"):
        svg("path", {name: "x"})


def test_a_tree_as_markup_says_every_text_and_value_as_it_is():
    made = tree(html.P(['a < b & "c"', html.Br()], title='" onload="x', hidden=True))
    assert html_from_tree(made) == (
        '<p hidden="" title="&quot; onload=&quot;x">a &lt; b &amp; "c"<br></p>'
    )

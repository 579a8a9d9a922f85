"""A prompt whose characters are several tokens is read as its characters, wherever it is shown."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from sample import PROMPT, make_flow

from visit.formats.document import json_from_flow
from visit.formats.summary import text_from_flow
from visit.graph.flow import FlowGraph
from visit.graph.index import Index
from visit.web import inspector
from visit.web.exports.prepared import draw_ahead, render_panels
from visit.web.exports.svg import svg_from_flow
from visit.web.plots.lens_grid import lens_figure, nodes_in_document
from visit.web.sankey.diagram import sankey_figure
from visit.web.screen.search import searchable
from visit.web.theme import LIGHT
from visit.web.trees import trees

N_TOKENS = len(PROMPT.split())
PIECES = ["\\xe6", "\\x97", "\\xa5", " \\xe6", "\\x9c", "\\xac", "l·l", "\u3164"]
SHOWN = ["日 1/3", "日 2/3", "日 3/3", "·本 1/3", "本 2/3", "本 3/3", "l\\u00b7l", "\\u3164"]
LONE_BYTE = re.compile(r"\\x[89a-f][0-9a-f]")


@pytest.fixture(scope="module")
def flow() -> FlowGraph:
    flow = make_flow(opened=[1])
    tokens = [replace(t, text=text) for t, text in zip(flow.tokens, PIECES, strict=True)]
    return replace(flow, tokens=tuple(tokens))


def in_views(flow: FlowGraph) -> dict[str, str]:
    """Every view of the prompt, as JSON or markup; what a title says of raw text is left out."""
    index = Index(flow)
    drawn, nodes = draw_ahead(index)
    views = {
        "strip": trees(inspector.tokens(flow)),
        "graph": drawn["parts"],
        "lens grid": lens_figure(nodes_in_document(flow), flow, measure="prob", theme=LIGHT),
        "sankey": sankey_figure(index, 1, LIGHT),
        "search": searchable(index),
        "inspector": list(render_panels(index, nodes).values()),
        "svg": svg_from_flow(flow),
    }
    said = {name: json.dumps(view, ensure_ascii=False) for name, view in views.items()}
    return {name: re.sub(r'\\*"title\\*": ?\\*"[^"]*"', "", text) for name, text in said.items()}


def test_every_view_of_the_prompt_shows_the_character_that_a_byte_is_of(flow: FlowGraph):
    assert flow.shown == tuple(SHOWN)
    for name, text in in_views(flow).items():
        assert LONE_BYTE.search(text) is None, name
        assert "日 2/3" in text, name
        assert "\u3164" not in text, name


def test_a_chip_says_of_which_bytes_it_is_and_the_document_keeps_them(flow: FlowGraph):
    chips = trees(inspector.tokens(flow))
    assert chips[0]["attributes"]["title"].endswith(r", of the bytes \xe6")
    document = json.loads(json_from_flow(flow))
    assert [token["text"] for token in document["graph"]["tokens"]] == PIECES


def test_the_summary_begins_with_the_prompt_as_it_reads(flow: FlowGraph):
    assert text_from_flow(flow).splitlines()[0] == "日 本l·l\\u3164"

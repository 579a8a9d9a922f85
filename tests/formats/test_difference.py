"""A difference as a document: read back, read by networkx, and refused where it is none."""

from __future__ import annotations

import json

import networkx
import pytest
from sample import make_flow, with_flow

from visit.errors import DocumentError
from visit.formats.difference import (
    data_from_difference,
    difference_from_data,
    difference_from_json,
    json_from_difference,
)
from visit.formats.difference_summary import text_from_difference
from visit.graph.compare import compare
from visit.graph.request import Request

LONGER = with_flow(make_flow(Request("The big capital of Japan is the city of"), seed=1), seed=1)
DIFFERENCE = compare(with_flow(make_flow()), LONGER)


def test_a_document_reads_back_and_equal_ones_are_equal_text():
    text = json_from_difference(DIFFERENCE)
    assert difference_from_json(text) == DIFFERENCE
    assert json_from_difference(difference_from_json(text)) == text


def test_networkx_reads_it_as_one_graph():
    graph = networkx.node_link_graph(json.loads(json_from_difference(DIFFERENCE)), edges="edges")
    assert graph.number_of_nodes() == len(DIFFERENCE.nodes)
    assert graph.number_of_edges() == len(DIFFERENCE.edges)
    held = {data["held"] for _, data in graph.nodes(data=True)}
    assert held == {"both", "first", "second"}


def test_what_is_no_difference_is_refused_by_its_first_wrong_place():
    data = data_from_difference(DIFFERENCE)
    with pytest.raises(
        DocumentError, match=r"it is a flow document .*give a difference document here"
    ):
        difference_from_data({**data, "schema": "visit.flow/2"})
    node = {**data["nodes"][0], "position": 99}
    with pytest.raises(DocumentError, match=r"nodes\[0\]\.position is 99"):
        difference_from_data({**data, "nodes": [node]})
    of_none = {k: v for k, v in data["nodes"][0].items() if k not in ("first", "second")}
    with pytest.raises(DocumentError, match=r"nodes\[0\] is of neither graph"):
        difference_from_data({**data, "nodes": [of_none]})


def test_the_summary_says_both_sides_and_lists_as_many_parts_as_asked():
    text = text_from_difference(DIFFERENCE, count=3)
    assert "A  The capital of Japan" in text and "B  The big capital" in text
    assert "longest common sequence: " in text
    assert len(text[text.index("Δ flow") :].splitlines()) == 4

"""A document that networkx read and wrote is read back where nothing of it was lost."""

from __future__ import annotations

import json
from dataclasses import replace

import networkx
import pytest
from flow_strategies import flows, small_flow
from hypothesis import given, settings

from visit.errors import DocumentError
from visit.formats.document import flow_from_json, json_from_flow, networkx_from_flow
from visit.graph.flow import FlowGraph


@given(flows())
@settings(max_examples=20)
def test_a_document_that_networkx_wrote_is_the_same_flow_graph(flow: FlowGraph):
    graph = networkx_from_flow(flow)
    for name in ("edges", "links"):
        read = flow_from_json(json.dumps(networkx.node_link_data(graph, edges=name)))
        # networkx lists edges by where they begin.
        assert sorted(map(repr, read.edges)) == sorted(map(repr, flow.edges))
        assert replace(read, edges=flow.edges) == flow


def test_a_graph_of_networkx_that_is_no_document_is_refused_by_what_it_lacks():
    graph = networkx_from_flow(small_flow())
    del graph.graph["model"]
    with pytest.raises(DocumentError, match='graph: "model" is a required property'):
        flow_from_json(json.dumps(networkx.node_link_data(graph, edges="edges")))
    with pytest.raises(DocumentError, match="directed: true was expected"):
        flow_from_json(json.dumps(networkx.node_link_data(graph.to_undirected(), edges="edges")))


def test_a_document_of_another_name_or_none_is_still_refused():
    document = json.loads(json_from_flow(small_flow()))
    with pytest.raises(DocumentError, match=r"schema is 'visit\.flow/9'"):
        flow_from_json(json.dumps({**document, "schema": "visit.flow/9"}))
    with pytest.raises(DocumentError, match="there is no 'schema' field"):
        flow_from_json('{"nodes": [], "edges": []}')

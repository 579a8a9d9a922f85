import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx
import pytest
from flow_strategies import flows, small_flow
from hypothesis import given, settings

from visit.errors import OutputError
from visit.formats.export import (
    csv_from_flow,
    cytoscape_from_flow,
    export,
    gexf_from_flow,
    graphml_from_flow,
    path_beside,
)
from visit.formats.records import data_from_flow
from visit.formats.registry import FORMATS, Format
from visit.graph.flow import FlowGraph, NodeId, Note


def test_graphml_reads_back_with_its_fields():
    graph = networkx.parse_graphml(graphml_from_flow(small_flow()), force_multigraph=True)
    assert graph.is_directed()
    assert graph.number_of_nodes() == len(small_flow().nodes)
    assert graph.number_of_edges() == len(small_flow().edges)
    head = graph.nodes["L0.head3@2"]
    assert (head["label"], head["target_rank"], head["norm"]) == (" Tokyo", 3, 2.5)
    assert json.loads(head["top"])[2]["text"] == "\x1b[31m"
    assert graph.nodes["L0.memory17.key@2"]["label"] == "\u202e"
    (edge,) = graph["L0.head3@2"]["L0.attn@2"].values()
    assert (edge["kind"], edge["ledger"], edge["direct_logit"]) == ("adds", "heads", 3.5)
    assert graph.graph["model_name"] == "toy"
    assert graph.graph["request_prompt"] == "capital Japan of"


def noted_flow() -> FlowGraph:
    """One node with a note of every field, and a note whose node is not drawn."""
    beside = (NodeId.parse("L0.head3@2"), NodeId.parse("L2.mlp@0"))
    notes = (Note(beside[0], "=1+1", "a\x1bb", "movers", pinned=True), Note(beside[1], name="far"))
    return replace(small_flow(), notes=notes)


def test_a_note_stands_on_its_node_in_xml():
    read_back = (
        networkx.parse_graphml(graphml_from_flow(noted_flow()), force_multigraph=True),
        networkx.read_gexf(io.BytesIO(gexf_from_flow(noted_flow()).encode("utf-8"))),
    )
    for graph in read_back:
        head = graph.nodes["L0.head3@2"]
        assert (head["note_name"], head["note_text"]) == ("=1+1", "a\\x1bb")
        assert (head["note_group"], head["note_pinned"]) == ("movers", True)
        assert not [name for name in graph.nodes["L0.attn@2"] if name.startswith("note_")]
        assert not [name for name in graph.graph if name.startswith("annotations")]


def test_a_note_stands_on_its_node_in_csv_and_is_no_formula():
    rows = {
        row["id"]: row
        for row in csv.DictReader(io.StringIO(csv_from_flow(noted_flow())["nodes.csv"]))
    }
    head = rows["L0.head3@2"]
    assert [json.loads(head[f"note_{name}"]) for name in ("name", "text", "group")] == [
        "=1+1", "a\x1bb", "movers",
    ]  # fmt: skip
    assert head["note_pinned"] == "True"
    assert {rows["L0.attn@2"][name] for name in head if name.startswith("note_")} == {""}


def test_cytoscape_json_keeps_notes_as_the_document_has_them():
    data = json.loads(cytoscape_from_flow(noted_flow()))["data"]
    assert data["annotations"]["nodes"]["L2.mlp@0"] == {"name": "far"}


def test_gexf_reads_back_with_its_fields():
    graph = networkx.read_gexf(io.BytesIO(gexf_from_flow(small_flow()).encode("utf-8")))
    assert graph.is_directed()
    assert graph.number_of_edges() == len(small_flow().edges)
    assert graph.nodes["L0.head3@2"]["label"] == " Tokyo"
    assert graph.nodes["L0.head3.value@1"]["source"] == 1


@pytest.mark.parametrize("write", [graphml_from_flow, gexf_from_flow])
@given(flow=flows())
@settings(deadline=None, max_examples=40)
def test_whatever_the_tokens_the_xml_is_well_formed_and_its_edges_have_their_own_ids(
    write, flow: FlowGraph
):
    root = ElementTree.fromstring(write(flow).encode("utf-8"))
    ids = [edge.get("id") for edge in root.iter() if edge.tag.endswith("}edge")]
    assert len(ids) == len(set(ids)) == len(flow.edges)


def test_cytoscape_json_keeps_everything():
    data = json.loads(cytoscape_from_flow(small_flow()))
    assert data["data"]["target"]["text"] == " Tokyo"
    graph = networkx.cytoscape_graph(data)
    document = data_from_flow(small_flow())
    assert list(graph.nodes) == [node["id"] for node in document["nodes"]]
    assert graph.nodes["L0.head3@2"]["top"] == document["nodes"][3]["top"]
    assert graph.nodes["L0.head3@2"]["name"] == " Tokyo"
    assert graph.edges["L0.head3@2", "L0.attn@2", "adds:heads"]["share"] == 1.25


def cells_of(record: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A record's values by the column that has them."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from cells_of(value, f"{prefix}{name}_")
        else:
            yield prefix + name, value


@given(flows())
@settings(deadline=None, max_examples=40)
def test_csv_holds_what_the_document_holds(flow: FlowGraph):
    document = data_from_flow(flow)
    for text, records in zip(
        csv_from_flow(flow).values(), (document["nodes"], document["edges"]), strict=True
    ):
        text.encode("utf-8")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert len(rows) == len(records)
        for row, record in zip(rows, records, strict=True):
            for name, value in cells_of(record):
                if name == "label" or isinstance(value, list):
                    assert json.loads(row[name]) == value
                else:
                    assert row[name] == str(value)


@given(flows())
@settings(deadline=None, max_examples=40)
def test_no_csv_cell_is_a_formula_to_a_spreadsheet(flow: FlowGraph):
    for text in csv_from_flow(flow).values():
        for row in csv.reader(io.StringIO(text, newline="")):
            for cell in row:
                assert cell[:1] not in {"=", "+", "@", "\t", "\r"}
                assert not cell.startswith("-") or float(cell) <= 0


@pytest.mark.parametrize("format_", [row for row in FORMATS.values() if row.write])
def test_an_export_writes_the_files_it_names_and_no_other(format_: Format, tmp_path: Path):
    ending = format_.ending
    written = export(small_flow(), format_.write, path_beside(tmp_path / "g.json", ending))
    expected = ["g.edges.csv", "g.nodes.csv"] if ending == "csv" else [f"g.{ending}"]
    assert sorted(path.name for path in written) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == expected


def test_a_csv_name_with_another_ending_keeps_it(tmp_path: Path):
    written = export(small_flow(), csv_from_flow, tmp_path / "run.1")
    assert [path.name for path in written] == ["run.1.nodes.csv", "run.1.edges.csv"]


@pytest.mark.parametrize("name", ["run", "run.csv"])
def test_a_csv_name_without_another_ending_says_it_once(name: str, tmp_path: Path):
    written = export(small_flow(), csv_from_flow, tmp_path / name)
    assert [path.name for path in written] == ["run.nodes.csv", "run.edges.csv"]


def test_neither_csv_file_is_written_where_one_cannot_be(tmp_path: Path):
    (tmp_path / "g.edges.csv").mkdir()
    with pytest.raises(OutputError, match=r"g\.edges\.csv cannot be written: is a directory"):
        export(small_flow(), csv_from_flow, tmp_path / "g")
    assert [path.name for path in tmp_path.iterdir()] == ["g.edges.csv"]

"""What was explored as a document, as tables, and as a summary."""

from __future__ import annotations

import csv
import io
import json

import pytest

from visit.engine.exploring import ReadNorms
from visit.formats.explored import csv_from_explored, json_from_explored, text_from_explored
from visit.graph.explored.norms import Norms
from visit.graph.request import Request
from visit.session import Session


@pytest.fixture(scope="module")
def norms() -> Norms:
    return Session.load("mini").ask(ReadNorms(Request("The capital of Japan is")))


def test_a_document_holds_the_answers_own_fields(norms: Norms):
    text = json_from_explored(norms, "2026-01-02T03:04:05")
    data = json.loads(text)
    assert data["schema"] == "visit.norms/1" and data["created"] == "2026-01-02T03:04:05"
    assert data["model"]["name"] == "mini" and data["request"]["prompt"] == norms.request.prompt
    assert [token["text"] for token in data["tokens"]] == [one.text for one in norms.tokens]
    assert data["heads"][7]["attention"] == list(norms.heads[7].attention)
    assert len(data["traced"]) == norms.model.n_layers
    assert text == json_from_explored(norms, "2026-01-02T03:04:05")
    assert "created" not in json.loads(json_from_explored(norms))


def test_tables_are_csv_with_texts_quoted_and_the_nodes_beside(norms: Norms):
    texts = csv_from_explored(norms)
    assert list(texts) == ["sources.csv", "layers.csv"]
    head, *rows = csv.reader(io.StringIO(texts["sources.csv"]))
    table = norms.tables()[0]
    assert head == [*table.columns, "node"] and len(rows) == len(table.rows)
    assert json.loads(rows[0][3]) == table.rows[0][3]
    assert float(rows[0][4]) == table.rows[0][4] and rows[0][-1] == table.nodes[0]
    assert "node" not in next(csv.reader(io.StringIO(texts["layers.csv"])))


def test_a_summary_says_what_was_found_and_how_much_of_each_table_it_shows(norms: Norms):
    lines = text_from_explored(norms, 3).splitlines()
    assert lines[0] == "The capital of Japan is"
    assert [line.strip() for line in lines[1:3]] == list(norms.findings())
    n_rows = len(norms.tables()[0].rows)
    assert f"sources (the first 3 of {n_rows} rows)" in lines
    start = lines.index(f"sources (the first 3 of {n_rows} rows)")
    assert lines[start + 5] == "" and "·" in lines[start + 2] + lines[start + 3]

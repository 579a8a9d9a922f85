"""A study's report as a document, as CSV and as text."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import pytest
from sample_report import HOSTILE, make_report

from visit.errors import DocumentError
from visit.formats.schema import STUDY_REPORT, schema
from visit.formats.study_report import csv_from_report, json_from_report, report_from_json
from visit.formats.study_summary import text_from_report
from visit.graph.studied.figure import FigureKind

REPORT = make_report()


def test_a_report_is_read_back_as_it_was_and_equal_ones_have_equal_texts():
    text = json_from_report(REPORT)
    assert report_from_json(text) == REPORT
    assert json_from_report(report_from_json(text)) == text
    data = json.loads(text)
    assert data["schema"] == "visit.study-report/1" and list(data) == sorted(data)
    assert [figure["kind"] for figure in data["figures"]][:3] == ["lines", "bars", "map"]
    assert data["figures"][2]["lines"][3]["mean"][0] is None  # of which nothing is known
    assert "created" not in data
    assert json.loads(json_from_report(REPORT, "2026-01-02T03:04:05"))["created"].endswith("05")


def test_the_schema_names_every_field():
    shape, data = schema(STUDY_REPORT), json.loads(json_from_report(REPORT))
    assert set(data) <= set(shape["properties"])
    figure = data["figures"][0]
    assert {*figure, "of"} == set(shape["$defs"]["figure"]["properties"])
    assert set(figure["lines"][0]) == set(shape["$defs"]["line"]["properties"])
    assert set(data["model"]) <= set(shape["$defs"]["model"]["properties"])
    kinds = shape["$defs"]["figure"]["properties"]["kind"]["enum"]
    assert sorted(kinds) == sorted(FigureKind)


def test_what_is_no_report_is_refused_with_the_place():
    data = json.loads(json_from_report(REPORT))
    with pytest.raises(DocumentError, match="it is a flow document"):
        report_from_json(json.dumps({**data, "schema": "visit.flow/2"}))
    data["figures"][1]["lines"][0]["mean"].pop()
    with pytest.raises(DocumentError, match=r"figures\[1\]: .* give a value for each x"):
        report_from_json(json.dumps(data))
    del data["n_left"]
    with pytest.raises(DocumentError, match="n_left"):
        report_from_json(json.dumps(data))


def test_a_number_that_json_cannot_say_is_refused():
    figure = REPORT.figures[1]
    line = replace(figure.lines[0], mean=(math.nan, *figure.lines[0].mean[1:]))
    wrong = replace(REPORT, figures=(replace(figure, lines=(line,)),))
    with pytest.raises(DocumentError, match=r"figures\[0\]\.lines\[0\]\.mean\[0\] is nan"):
        json_from_report(wrong)


def test_every_figure_is_a_csv_with_what_is_not_known_empty():
    texts = csv_from_report(REPORT)
    assert list(texts) == [f"{figure.name}.csv" for figure in REPORT.figures]
    for figure in REPORT.figures:
        head, *rows = csv.reader(io.StringIO(texts[f"{figure.name}.csv"]))
        table = figure.table()
        assert tuple(head) == table.columns
        for written, row in zip(rows, table.rows, strict=True):
            for cell, value in zip(written, row, strict=True):
                if isinstance(value, str):
                    assert json.loads(cell) == value
                else:
                    assert (float(cell) if cell else None) == value


def test_a_summary_says_who_and_how_many_and_then_each_sentence_with_its_numbers():
    lines = text_from_report(REPORT, 3).splitlines()
    assert lines[0] == REPORT.title
    assert "gpt2-medium, 24 layers × 16 heads" in lines[1]
    assert lines[2].strip() == "200 prompts measured, 3 could not be, 1006 left"
    assert REPORT.command in lines[3]
    figure = REPORT.figures[0]
    at = lines.index(figure.title)
    assert lines[at + 1].strip() == figure.says
    assert lines[at + 2].strip() == f"The paper found {figure.expected}"
    assert lines[at + 3] == "heads-and-block (the first 3 of 48 rows)"
    assert HOSTILE in lines

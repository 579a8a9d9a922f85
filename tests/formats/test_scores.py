"""Why a head attends as a document and as text: read back, refused where it is none, summarised."""

from __future__ import annotations

import copy
import json

import pytest
from sample_scores import make_scores

from visit.errors import DocumentError
from visit.formats.schema import SCORES, schema
from visit.formats.scores import (
    data_from_scores,
    json_from_scores,
    scores_from_data,
    scores_from_json,
)
from visit.formats.scores_summary import text_from_scores


@pytest.mark.parametrize("cap", [None, 50.0])
def test_a_document_reads_back_and_equal_ones_are_equal_text(cap: float | None):
    scores = make_scores(cap=cap)
    text = json_from_scores(scores)
    assert scores_from_json(text) == scores
    assert json_from_scores(scores_from_json(text)) == text
    assert "created" not in json.loads(text)
    assert ("cap" in json.loads(text)) == (cap is not None)
    assert json.loads(json_from_scores(scores, "2026-11-27"))["created"] == "2026-11-27"


def test_the_schema_knows_every_field_that_is_written():
    data = data_from_scores(make_scores(cap=1.0), "2026-11-27")
    shape = schema(SCORES)
    assert set(data) == set(shape["properties"])
    part = data["query"]["parts"][0]
    assert set(part) == set(shape["$defs"]["side"]["properties"]["parts"]["items"]["properties"])


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (
            ("schema",),
            "visit.flow/2",
            r"it is a flow document .*, which visit trace wrote; give a scores doc",
        ),
        (("head",), "L1.mlp@7", r"^head: "),
        (("attention",), 1.5, r"^attention: "),
        (("source",), 1, r"source is 1, which is not among the document's sources"),
        (("query", "parts", 0, "id"), "L1.nothing@7", r"^query\.parts\[0\]\.id: .*kind of node"),
        (("pairs", 0, "key"), "embed", r"^pairs\[0\]\.key: "),
        (("query", "rest"), None, r"^query\.rest: "),
    ],
)
def test_what_is_no_such_document_is_refused_by_its_place(
    place: tuple[str | int, ...], value: object, said: str
):
    data = copy.deepcopy(data_from_scores(make_scores()))
    record = data
    for step in place[:-1]:
        record = record[step]
    record[place[-1]] = value
    with pytest.raises(DocumentError, match=said):
        scores_from_data(data)


def test_a_number_that_json_cannot_hold_is_refused():
    with pytest.raises(DocumentError, match=r"score is nan, which JSON cannot hold"):
        json_from_scores(make_scores(score=float("nan")))


def test_the_summary_lists_both_sides_with_a_running_sum():
    text = text_from_scores(make_scores())
    assert "L1.head0@7 reads ·Japan at 3: attention 0.750, score +2.000 over the mean of" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "L0.head1@7 +2.000 +2.000 0.250 ·Osaka" in lines
    assert "L1.ln1@7 (bias) -0.500 +1.500 0.875" in lines
    assert "3 others +0.250 +1.750" in lines
    assert lines.count("for the positions +0.250 +2.000") == 2  # both sides come to the score
    assert "L0.mlp@3 +1.500 +1.500 0.500 ·Tokyo" in lines
    assert "L0.head1@7 L0.mlp@3 +1.250" in lines
    assert "\u202e" not in text
    assert "capped" not in text


def test_the_summary_says_why_capped_scores_are_told_before_the_cap():
    assert "capped at 50 before the softmax, which no sum survives" in text_from_scores(
        make_scores(cap=50.0)
    )

"""A continuation as a document and as text: read back, refused where it is none, summarised."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from sample import make_flow

from visit.errors import DocumentError
from visit.formats.generation import (
    data_from_generation,
    generation_from_data,
    generation_from_json,
    json_from_generation,
)
from visit.formats.generation_summary import text_from_generation
from visit.formats.schema import GENERATION, schema
from visit.graph.flow import TokenProbability
from visit.graph.generation import Ending, Generation, Sampling, Step


def make_generation() -> Generation:
    flow = make_flow()
    others = (TokenProbability(4, " a", 0.25), TokenProbability(5, "\x1b", 0.125))
    return Generation(
        "0.1.0", flow.request, flow.model, flow.tokens, Sampling(0.7, 0.9, 3),
        (Step(7, " the", 0.125, 3, others, given=True), Step(9, "\n", 0.5, 1, others)), Ending.EOS,
    )  # fmt: skip


def test_a_document_reads_back_and_equal_ones_are_equal_text():
    made = make_generation()
    text = json_from_generation(made)
    assert generation_from_json(text) == made
    assert json_from_generation(generation_from_json(text)) == text
    assert "given" not in json.loads(text)["steps"][1]
    assert json.loads(json_from_generation(made, "2026-11-27"))["created"] == "2026-11-27"


def test_the_schema_knows_every_field_that_is_written():
    data = data_from_generation(make_generation(), "2026-11-27")
    shape = schema(GENERATION)
    assert set(data) == set(shape["properties"])
    assert set(data["steps"][0]) == set(shape["properties"]["steps"]["items"]["properties"])
    assert set(data["sampling"]) == set(shape["properties"]["sampling"]["properties"])


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("schema",), "visit.scores/1", "it is a scores document .*; give a generation document"),
        (("ending",), "boredom", "^ending: "),
        (("steps", 0, "rank"), 0, r"^steps\[0\]\.rank: "),
        (("steps", 1, "prob"), 1.5, r"^steps\[1\]\.prob: "),
        (("steps",), [], "^steps: "),
    ],
)
def test_what_is_no_such_document_is_refused_by_its_place(
    place: tuple[str | int, ...], value: object, said: str
):
    data = copy.deepcopy(data_from_generation(make_generation()))
    inner = data
    for step in place[:-1]:
        inner = inner[step]  # type: ignore[index]
    inner[place[-1]] = value  # type: ignore[index]
    with pytest.raises(DocumentError, match=said):
        generation_from_data(data)


def test_the_summary_says_the_text_how_it_was_taken_and_what_else_was_likely():
    text = text_from_generation(make_generation())
    assert " 1 token given; 1 token, drawn at temperature 0.7, top-p 0.9, seed 3; the text" in text
    assert "·the (given)" in text and "↵" in text and "\\x1b 0.125" in text
    assert "\x1b" not in text
    greedy = replace(make_generation(), sampling=Sampling(), ending=Ending.COUNT)
    assert "1 token, each the likeliest\n" in text_from_generation(greedy)


def test_every_step_is_asked_for_in_one_pass_over_the_whole_text():
    made = make_generation()
    first, last = made.request_at(0), made.request_at(-1)
    assert first.prompt_ids == last.prompt_ids == made.ids
    assert first.position == len(made.tokens) - 1 and last.position == len(made.ids) - 2
    assert (first.target_id, last.target_id) == (7, 9)
    with pytest.raises(IndexError):
        made.request_at(2)

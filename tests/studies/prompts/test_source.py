"""Where prompts come from: files with columns, templates with values, and what is drawn of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from visit.errors import RequestError
from visit.graph.consensus import LeftOut
from visit.studies.prompts import read_source
from visit.studies.study import Prompt

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("VISIT_TEST_DATA") or ROOT.parent / "shared" / "data")
needs_data = pytest.mark.skipif(
    not all((DATA / name).exists() for name in ("known_1000.json", "ioi.json")),
    reason=f"known_1000.json and ioi.json are not in {DATA}; $VISIT_TEST_DATA says where",
)


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def numbered(folder: Path, n: int) -> str:
    return write(folder, "many.txt", "\n".join(f"This is line {number}" for number in range(n)))


def test_a_row_is_a_prompt_with_its_answer_and_one_that_is_none_is_said(tmp_path: Path):
    facts = [
        {"question": "The capital of Japan is", "answer": "Tokyo"},
        {"question": None, "answer": "Rome"},
        {"question": "Two and two make"},
        "The word (",
        {"question": "He said", "answer": ["no"]},
    ]
    file = write(tmp_path, "facts.json", json.dumps(facts))
    found = read_source(file, column="question", target_column="answer")
    assert found.name == "facts.json"
    assert found.prompts == (
        Prompt(0, 1, "The capital of Japan is", " Tokyo"),
        Prompt(1, 3, "Two and two make"),
        Prompt(2, 4, "The word ("),
    )
    assert found.left_out == (
        LeftOut(2, "it has no question; give one"),
        LeftOut(5, "its answer is ['no']; give text"),
    )
    exact = read_source(file, column="question", target_column="answer", exact_targets=True)
    assert [prompt.target for prompt in exact.prompts] == ["Tokyo", "", ""]


def test_a_template_is_filled_from_columns_and_its_answers_fit_it(tmp_path: Path):
    table = write(tmp_path, "a.csv", "who,what,city\nthe Gambia,capital,Banjul\nMali,capital,\n")
    found = read_source(table, template="{who}: the {what} of {who} is", target_column="city")
    assert found.prompts == (
        Prompt(0, 2, "the Gambia: the capital of the Gambia is", " Banjul"),
        Prompt(1, 3, "Mali: the capital of Mali is"),
    )
    values = write(tmp_path, "a.txt", "Japan\nItaly\n")
    found = read_source(values, template="The capital of {x} is", limit=1, shuffle=False)
    assert found.prompts == (Prompt(0, 1, "The capital of Japan is"),)


def test_a_limit_draws_with_a_seed_in_the_order_of_the_file(tmp_path: Path):
    file = numbered(tmp_path, 500)
    few, more = (read_source(file, limit=n).prompts for n in (40, 90))
    lines = [prompt.line for prompt in few]
    assert lines == sorted(set(lines))
    assert len(lines) == 40
    assert [prompt.id for prompt in few] == [*range(40)]
    assert few == read_source(file, limit=40, seed=0).prompts
    assert lines != [prompt.line for prompt in read_source(file, limit=40, seed=1).prompts]
    # Neither the first ones only nor any part of the file: 40 draws leave none of 5 parts out.
    assert {line // 100 for line in lines} == {0, 1, 2, 3, 4}
    assert {prompt.text for prompt in few} < {prompt.text for prompt in more}
    everything = read_source(file, limit=501).prompts
    assert everything == read_source(file, seed=7).prompts
    assert len(everything) == 500
    assert read_source(file, limit=3, shuffle=False).prompts == everything[:3]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit": 0}, "limit is 0; give 1 or more, or none for all prompts"),
        ({"column": "x"}, r"a\.csv has no column 'x'; it has prompt, answer, target"),
        ({"target_column": "x"}, r"a\.csv has no column 'x'; it has prompt, answer, target"),
        ({"column": "x", "template": "{a}"}, "column 'x' and a template are given; give one"),
        ({"column": "answer", "target_column": "answer"}, "'answer' is to be the prompt and its"),
        ({"template": "no slot"}, "template 'no slot' has no slot"),
        ({"column": "answer"}, "no line of .* can be read; line 2: its answer is empty"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, options: dict[str, str | int], said: str):
    file = write(tmp_path, "a.csv", "prompt,answer,target\nOne is,,two\n")
    with pytest.raises(RequestError, match=said):
        read_source(file, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"column": "x"}, {"target_column": "x"}])
def test_text_has_no_columns(tmp_path: Path, options: dict[str, str]):
    with pytest.raises(RequestError, match=r"many\.txt is text.*'x'.*give CSV"):
        read_source(numbered(tmp_path, 3), **options)  # type: ignore[arg-type]


def test_a_name_that_is_neither_file_nor_bundled_is_told_what_is(tmp_path: Path):
    said = "'capital' is no file and no bundled prompts; give a file, or one of capitals, indirect"
    with pytest.raises(RequestError, match=said):
        read_source("capital")
    with pytest.raises(RequestError, match=r"capitals is bundled and has no columns.*\./capitals"):
        read_source("capitals", column="prompt")


def test_reading_prompts_loads_no_torch():
    code = "import sys, visit.studies.prompts; print(sys.modules.keys() & {'torch'})"
    assert subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout == "set()\n"  # fmt: skip


@needs_data
def test_known_facts_are_read_as_they_come():
    found = read_source(str(DATA / "known_1000.json"), target_column="attribute")
    assert len(found.prompts) == 1209
    assert found.left_out == ()
    first = found.prompts[0]
    assert (first.text, first.target) == (
        "Vinson Massif is located in the continent of",
        " Antarctica",
    )
    assert all(prompt.target[0] == " " for prompt in found.prompts)


@needs_data
def test_sentences_with_an_indirect_object_are_read_as_they_come():
    found = read_source(str(DATA / "ioi.json"), target_column="answer", limit=100, seed=2)
    assert len(found.prompts) == 100
    assert all(prompt.target in prompt.text for prompt in found.prompts)

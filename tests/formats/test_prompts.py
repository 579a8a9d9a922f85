"""Files of prompts: what is read of each kind, and what is said of a line that says none."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from visit.errors import RequestError
from visit.formats.prompts import PromptRow, prompts_from_text, read_prompts
from visit.graph.consensus import LeftOut


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_text_has_a_prompt_a_line_and_empty_lines_are_passed_over(tmp_path: Path):
    rows, left_out = read_prompts(write(tmp_path, "a.txt", "\ufeffOne is\r\n\r\n Two is\r\n"))
    assert rows == [PromptRow(1, ("One is",)), PromptRow(3, (" Two is",))]
    assert left_out == []


def test_json_lines_name_what_is_wrong_with_each(tmp_path: Path):
    lines = [
        '{"prompt": "One is", "target": " two"}', "{", "[1]", '{"text": "x"}', '{"prompt": 3}',
        '{"prompt": ""}', '{"prompt": "Two is", "target": null}',
    ]  # fmt: skip
    rows, left_out = read_prompts(write(tmp_path, "a.jsonl", "\n".join(lines)))
    assert rows == [PromptRow(1, ("One is",), " two"), PromptRow(7, ("Two is",))]
    assert [one.line for one in left_out] == [2, 3, 4, 5, 6]
    assert left_out[0].reason.startswith("it is not JSON: ")
    assert left_out[2:] == [
        LeftOut(4, "it has no prompt; give one"), LeftOut(5, "its prompt is 3; give text"),
        LeftOut(6, "its prompt is empty; give text"),
    ]  # fmt: skip


def test_a_table_has_a_column_a_slot_and_broken_lines_by_their_own_number(tmp_path: Path):
    text = 'a,b,target\nRome,Oslo, Bern\n"one\nline",Kyiv,\nBonn\nBari,Graz,x,y\n'
    rows, left_out = read_prompts(write(tmp_path, "a.csv", text), ("a", "b", "a"))
    assert rows == [PromptRow(2, ("Rome", "Oslo"), " Bern"), PromptRow(4, ("one\nline", "Kyiv"))]
    assert left_out == [
        LeftOut(5, "it has no b; give one"),
        LeftOut(6, "it has more fields than the first line has names"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "a,a\n1,2\n", "has the column 'a' more than once; give each column a name of"),
        ("a.tsv", "a\ttarget\ttarget\n1\t2\t3\n", "has the column 'target' more than once"),
        ("a.csv", "x,y\n1,2\n", "has no column 'a'; it has x, y"),
        ("a.txt", "\n \n", "holds no prompt; give a file with one a line"),
        ("gone/a.txt", None, "cannot be read: no such file"),
    ],
)
def test_what_is_wrong_with_the_file_is_one_line(
    tmp_path: Path, name: str, text: str | None, said: str
):
    path = tmp_path / name if text is None else write(tmp_path, name, text)
    with pytest.raises(RequestError, match=said):
        read_prompts(path, ("a",))


def test_a_json_list_has_an_object_or_a_text_a_prompt(tmp_path: Path):
    text = '[{"prompt": "One is", "target": " two"}, "Two is", 3, {"prompt": ""}, {"x": "y"}]'
    rows, left_out = read_prompts(write(tmp_path, "a.json", text))
    assert rows == [PromptRow(1, ("One is",), " two"), PromptRow(2, ("Two is",))]
    assert left_out == [
        LeftOut(3, "it is no JSON object and no text; give one of them"),
        LeftOut(4, "its prompt is empty; give text"), LeftOut(5, "it has no prompt; give one"),
    ]  # fmt: skip
    text = '["Rome", {"a": "Oslo", "b": "Bern"}]'
    rows, left_out = read_prompts(write(tmp_path, "b.json", text), ("a", "b"))
    assert rows == [PromptRow(2, ("Oslo", "Bern"))]
    assert left_out == [LeftOut(1, "it is one text; give an object with a, b")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema": "visit.flow/2"}', "is one document, not a prompt or a value a line; give"),
        ('{"prompt": "a"}\n{"prompt": "b"}\n', "is not JSON: Extra data.*name it .jsonl"),
        ("[" * 200_000, "is not JSON: "),
        ("[]", "holds no prompt; give a file with one a line"),
        ('[{"text": "a"}, {"id": 1}]', "has no column 'prompt'; it has text, id"),
        ("[{}]", "has no column 'prompt'; it has none"),
    ],
)
def test_json_that_is_no_list_of_prompts_is_refused(tmp_path: Path, text: str, said: str):
    with pytest.raises(RequestError, match=said):
        read_prompts(write(tmp_path, "a.json", text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,text,answer\n1,One is,two\n2,Two is,\n"),
        ("a.tsv", "id\ttext\tanswer\n1\tOne is\ttwo\n2\tTwo is\t\n"),
        ("a.jsonl", '\n{"text": "One is", "answer": "two"}\n{"text": "Two is"}\n'),
        ("a.json", '[0, {"text": "One is", "answer": "two"}, {"text": "Two is"}]'),
        ("a.parquet", ""),
    ],
)
def test_columns_of_any_name_are_prompt_and_target(tmp_path: Path, name: str, text: str):
    path = write(tmp_path, name, text)
    if path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        columns = {
            "text": [None, "One is", "Two is"],
            "answer": ["x", "two", None],
            "id": [1, 2, 3],
        }
        importlib.import_module("pyarrow.parquet").write_table(pyarrow.table(columns), path)
    rows, _ = read_prompts(path, ("text",), "answer")
    assert rows == [PromptRow(2, ("One is",), "two"), PromptRow(3, ("Two is",))]
    for names, target in (("prompt",), None), (("text",), "right"):
        with pytest.raises(RequestError, match=r"has no column '(prompt|right)'; it has .*text"):
            read_prompts(path, names, target)


def test_a_broken_line_of_a_table_leaves_those_after_it_in_place(tmp_path: Path):
    path = write(tmp_path, "a.csv", 'prompt\nOne is\n"Two" is\nThree is\n')
    rows, left_out = read_prompts(path)
    assert rows == [PromptRow(2, ("One is",)), PromptRow(4, ("Three is",))]
    assert [one.line for one in left_out] == [3]
    assert left_out[0].reason.startswith("it is not CSV: ")


def test_a_field_that_is_no_text_leaves_its_row_out(tmp_path: Path):
    lines = ['{"prompt": "a\\ud800"}', '{"prompt": "b", "target": 0}', '{"prompt": "c"}']
    rows, left_out = read_prompts(write(tmp_path, "a.jsonl", "\n".join(lines)))
    assert rows == [PromptRow(3, ("c",))]
    assert left_out == [
        LeftOut(
            1, "its prompt has half a surrogate pair, '\\ud800'; give text that UTF-8 can hold"
        ),
        LeftOut(2, "its target is 0; give text"),
    ]


def test_text_has_no_columns_for_several_slots(tmp_path: Path):
    with pytest.raises(RequestError, match="the template has 2 slots; give CSV"):
        read_prompts(write(tmp_path, "a.txt", "x"), ("a", "b"))


def test_parquet_is_read_where_pyarrow_is_and_else_named(tmp_path: Path):
    path = tmp_path / "a.parquet"
    if importlib.util.find_spec("pyarrow") is None:
        path.write_bytes(b"PAR1")
        with pytest.raises(RequestError, match="pip install pyarrow"):
            read_prompts(path)
        return
    pyarrow = importlib.import_module("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    parquet.write_table(pyarrow.table(json.loads('{"prompt": ["One is", null]}')), path)
    rows, left_out = read_prompts(path)
    assert rows == [PromptRow(1, ("One is",))]
    assert [one.line for one in left_out] == [2]


def test_what_is_typed_is_read_a_line_each_and_a_line_that_says_none_is_named():
    rows, left_out = prompts_from_text("One is\n\n Two, or three\r\n")
    assert rows == [PromptRow(1, ("One is",)), PromptRow(3, (" Two, or three",))]
    assert left_out == []
    typed = 'Rome, Oslo\nBari\tGraz\n"a, b",c\nBonn\nx,,\n"open\nKyiv,\n'
    rows, left_out = prompts_from_text(typed, ("a", "b", "a"))
    assert [row.values for row in rows] == [("Rome", "Oslo"), ("Bari", "Graz"), ("a, b", "c")]
    assert left_out == [
        LeftOut(4, "it has 1 value and the template 2 slots (a, b); put commas between"),
        LeftOut(5, "it has 3 values and the template 2 slots (a, b); put commas between"),
        LeftOut(6, "it is not CSV: unexpected end of data"),
        LeftOut(7, "its b is empty; give text"),
    ]
    assert prompts_from_text(" \n") == ([], [])

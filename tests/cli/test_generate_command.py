"""``visit generate``, on the bundled model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visit.cli.main import main
from visit.formats.generation import generation_from_json
from visit.graph.generation import Sampling

ARGV = ["generate", "Once upon a time"]


def test_it_writes_a_document_that_reads_back_and_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "text.json"
    assert main([*ARGV, "-n", "4", "--summary", "--reproducible", "-o", str(file)]) == 0
    captured = capsys.readouterr()
    found = generation_from_json(file.read_text(encoding="utf-8"))
    assert [step.text for step in found.steps] == [" there", " was", " a", " kind"]
    assert "created" not in json.loads(file.read_text(encoding="utf-8"))
    assert captured.out.startswith(
        "Once upon a time\n → there was a kind\n   4 tokens, each the likeliest\n"
    )
    assert captured.err == ""


def test_the_seed_makes_the_draws_and_is_told(capsys: pytest.CaptureFixture[str]):
    drawn = [*ARGV, "-n", "6", "--temperature", "1.5", "--top-p", "0.95", "--reproducible"]
    texts = []
    for seed in ("1", "1", "2"):
        assert main([*drawn, "--seed", seed]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]
    assert generation_from_json(texts[2]).sampling == Sampling(1.5, 0.95, 2)


def test_a_given_continuation_is_read_and_gone_on_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "given.txt"
    file.write_text(" there was a dog\n", encoding="utf-8")
    argv = [*ARGV, "--given", f"@{file}", "--reproducible"]
    assert main(argv) == 0
    read = generation_from_json(capsys.readouterr().out)
    assert [step.text for step in read.steps] == [" there", " was", " a", " dog"]
    assert main([*argv, "-n", "3"]) == 0
    longer = generation_from_json(capsys.readouterr().out)
    assert longer.steps[:4] == read.steps and len(longer.steps) == 7
    by_id = ",".join(str(step.id) for step in read.steps)
    assert main([*ARGV, "--given-ids", by_id, "--reproducible"]) == 0
    assert generation_from_json(capsys.readouterr().out).steps == read.steps


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["-n", "0"], "count is 0 and no continuation is given; give 1 or more, or a text"),
        (["--top-p", "2"], "top_p is 2.0; give a number above 0, 1 at most"),
        (["--given", "a", "--given-ids", "5"], "given and given_ids are both given; give one of "),
        (["--given", "@nowhere"], "the continuation in nowhere cannot be read: no such file"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert main([*ARGV, *argv]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"visit: {said}")

"""``visit why``, on the bundled model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from visit.cli.main import main
from visit.formats.scores import scores_from_json

ARGV = ["why", "The capital of Japan is the city of", "--head", "L4.head3"]


def test_why_writes_a_document_that_reads_back_and_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "why.json"
    argv = [*ARGV, "--source", "3", "--count", "4", "--summary", "--reproducible"]
    assert main([*argv, "-o", str(file)]) == 0
    captured = capsys.readouterr()
    scores = scores_from_json(file.read_text(encoding="utf-8"))
    assert (str(scores.head), scores.source, len(scores.key.parts)) == ("L4.head3@7", 3, 4)
    assert "created" not in json.loads(file.read_text(encoding="utf-8"))
    assert captured.out.startswith("The capital of Japan is the city of\n L4.head3@7 reads ·Japan")
    assert captured.err == ""


def test_a_reader_is_named_by_position_or_with_the_head(capsys: pytest.CaptureFixture[str]):
    assert main([*ARGV, "--position", "5", "--reproducible"]) == 0
    by_position = scores_from_json(capsys.readouterr().out)
    assert main([*ARGV[:-1], "L4.head3@5", "--reproducible"]) == 0
    by_head = scores_from_json(capsys.readouterr().out)
    assert by_position.head == by_head.head
    assert by_position.score == by_head.score
    assert by_position.request.position == 5 and by_head.request.position is None


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--source", "12"], "position 12 does not exist; the prompt has 0 to 7"),
        (["--count", "-1"], "count is -1; give 1 or more"),
        (["--count", "-5"], "count is -5; give 1 or more"),
    ],
)
def test_what_cannot_be_explained_is_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert main([*ARGV, *argv]) == 2
    assert capsys.readouterr().err.strip() == f"visit: {said}"

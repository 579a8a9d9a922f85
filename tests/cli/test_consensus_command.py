"""``visit consensus``, on the bundled model."""

from __future__ import annotations

from pathlib import Path

import pytest

from visit.cli.main import main
from visit.formats.consensus import consensus_from_json

TEMPLATE = "The capital of {country} is the city of"


def test_values_of_a_table_make_a_document_and_name_its_broken_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "countries.csv"
    file.write_text("country,target\nJapan, Tokyo\n,\nFrance, not a token\n", encoding="utf-8")
    argv = ["consensus", "--template", TEMPLATE, "--values", str(file), "--no-effects"]
    assert main([*argv, "--reproducible"]) == 0
    found = consensus_from_json(capsys.readouterr().out)
    assert [one.prompt for one in found.prompts] == ["The capital of Japan is the city of"]
    assert [one.line for one in found.left_out] == [3, 4]
    assert (found.template, found.request.prompt) == (TEMPLATE, TEMPLATE)


def test_the_summary_of_a_file_of_prompts(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "prompts.txt"
    lines = (TEMPLATE.format(country=country) for country in ("Japan", "France"))
    file.write_text("\n".join(lines), encoding="utf-8")
    assert main(["consensus", str(file), "--summary", "--count", "4", "--by", "effect"]) == 0
    text = capsys.readouterr().out
    assert "2 prompts, the target first in 2" in text
    assert "the 4 of 42 parts with the largest mean effect" in text


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "give FILE with the prompts, or --template T with --values FILE"),
        (["--template", TEMPLATE], "give FILE with the prompts, or --template T"),
        (["gone.txt"], "gone.txt cannot be read: no such file"),
        (["--template", "no slot", "--values", "x"], "template 'no slot' has no slot"),
    ],
)
def test_what_is_missing_is_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["consensus", *argv]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1

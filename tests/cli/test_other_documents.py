"""A document of another kind than a command reads: one line says which it is and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from visit.cli.main import main

KINDS = {
    "effects": ("an effects document", "visit ablate or visit patch"),
    "difference": ("a difference document", "visit compare"),
    "circuit": ("a circuit document", "visit circuit"),
    "scores": ("a scores document", "visit why"),
    "consensus": ("a consensus document", "visit consensus"),
}


@pytest.mark.parametrize("command", [["show"], ["export", "--to", "csv"], ["compare"]])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_named_with_the_command_that_wrote_it(
    command: list[str], kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "other.json"
    file.write_text(f'{{"schema": "visit.{kind}/1"}}', encoding="utf-8")
    files = [str(file)] * (2 if command == ["compare"] else 1)
    assert main([*command, *files]) == 2
    said, writer = KINDS[kind]
    error = capsys.readouterr().err
    assert f"it is {said} (visit.{kind}/1), which {writer} wrote; give a flow document" in error
    assert error.count("\n") == 1

"""What the commands refuse: one line each, and exit code 2."""

from __future__ import annotations

import pytest

from visit.cli.main import main

JAPAN, FRANCE = "The capital of Japan is the city of", "The capital of France is the city of"


def refusal(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a refused command writes."""
    try:
        code = main(argv)
    except SystemExit as left:  # argparse's own way out
        code = left.code  # type: ignore[assignment]
    captured = capsys.readouterr()
    assert (code, captured.out, captured.err.count("\n")) == (2, "", 1), captured
    return captured.err.strip()


@pytest.mark.parametrize(
    "command",
    [["ablate", JAPAN], ["patch", JAPAN, FRANCE], ["compare", JAPAN, FRANCE], ["circuit", JAPAN],
     ["consensus", "gone.txt"]],
    ids=lambda command: command[0],
)  # fmt: skip
@pytest.mark.parametrize(("count", "allowed"), [("-30", "0 or more"), ("'x'", "a whole number")])
def test_a_summary_lists_no_negative_number(
    command: list[str], count: str, allowed: str, capsys: pytest.CaptureFixture[str]
):
    said = refusal([*command, "--count", count.strip("'")], capsys)
    assert f"argument --count: the count is {count}; give {allowed}; visit {command[0]} -h" in said

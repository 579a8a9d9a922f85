"""What the commands refuse: one line each, and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from visit.cli.main import main
from visit.formats.circuit import circuit_from_json
from visit.formats.consensus import consensus_from_json
from visit.graph.request import Request

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


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["circuit", JAPAN, "--sites", ""], "--sites '' names no part; give ids like L5.head3@7"),
        (["circuit", JAPAN, "--sites", " ,"], "--sites ' ,' names no part; give ids like"),
        (["circuit", JAPAN, "--outcome"], "unrecognized arguments: --outcome"),
        (["consensus", "gone.txt", "--outcome"], "unrecognized arguments: --outcome"),
        (["consensus", "gone.txt", "--by", "effect", "--no-effects"],
         "--by is effect, but --no-effects leaves nothing measured; leave --no-effects out"),
        (["compare", JAPAN, FRANCE, "--by", "effect", "--no-effects"],
         "--by is effect, but --no-effects leaves nothing measured; leave --no-effects out"),
        (["patch", JAPAN, FRANCE, "--parts", "memories"], "argument --parts: invalid choice: "
         "'memories' (choose from"),
        (["patch", JAPAN, FRANCE, "--parts", "resid,heads"], "argument --parts: invalid choice: "
         "'resid,heads' (choose from"),
        (["patch", JAPAN, FRANCE, "--parts", "L5.head3@7"], "argument --parts: invalid choice: "
         "'L5.head3@7' (choose from"),
    ],
)  # fmt: skip
def test_what_an_option_does_not_take_is_refused(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert said in refusal(argv, capsys)


@pytest.mark.parametrize("command", ["trace", "circuit", "compare"])
def test_a_choice_is_refused_in_plain_words(command: str, capsys: pytest.CaptureFixture[str]):
    said = refusal([command, JAPAN, "--metric", "wrong"], capsys)
    assert "invalid choice: 'wrong' (choose from" in said
    assert all(name in said for name in ("choice", "centred", "logit"))
    assert "MetricChoice" not in said


@pytest.mark.parametrize("strongest", ["-1", "0"])
def test_a_part_is_among_the_strongest_one_or_more(
    strongest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "prompts.txt"
    file.write_text(f"{JAPAN}\n", encoding="utf-8")
    said = refusal(["consensus", str(file), "--strongest", strongest], capsys)
    assert said == f"visit: strongest is {strongest}; give 1 or more"


def test_a_circuits_threshold_may_be_above_1_and_is_none_of_the_requests(
    capsys: pytest.CaptureFixture[str],
):
    argv = ["circuit", JAPAN, "--reference", FRANCE, "--parts", "mlp", "--checks", "0"]
    assert main([*argv, "--threshold", "1.05"]) == 0
    circuit = circuit_from_json(capsys.readouterr().out)
    assert circuit.request.threshold == Request("a").threshold
    assert {part.kept for part in circuit.parts if abs(part.score) >= 1.05} == {True}
    assert {part.kept for part in circuit.parts if abs(part.score) < 1.05} == {False}


def test_a_consensuss_own_options_are_none_of_the_requests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "prompts.txt"
    file.write_text(f"{JAPAN}\n", encoding="utf-8")
    assert main(["consensus", str(file), "--strongest", "7", "--no-effects"]) == 0
    found = consensus_from_json(capsys.readouterr().out)
    plain = Request("a")
    assert found.strongest == 7
    assert (found.request.strongest, found.request.effects) == (plain.strongest, plain.effects)

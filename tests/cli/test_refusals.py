"""What the commands refuse: one line each, and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from visit.cli.main import main
from visit.cli.named_files import looks_like_file
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
        (["ablate", JAPAN, "--how", "patch", "--reference", ""],
         "the reference is empty; give a text, or a file with a prompt a line"),
        (["ablate", JAPAN, "--how", "patch", "--reference", "the " * 200],
         'the reference "the the'),
        (["ablate", JAPAN, "--how", "mean", "--reference", "the " * 200],
         "…\" cannot be read: the prompt is "),
        (["ablate", JAPAN, "--parts", "memories", "--memories", "0"],
         "memories stands for no part of the model, since memories is 0; give 1 or more"),
        (["ablate", JAPAN, "--parts", ""],
         "no part is named; give heads, memories, attn, mlp, resid, embed, or ids like"),
        (["circuit", JAPAN, "--parts", ""],
         "no part is named; give heads, memories, attn, mlp, or ids like 'L5.head3@7'"),
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


@pytest.mark.parametrize("name", ["missing.json", "missing.txt", "a.jsonl", "a.csv", "./a b.html"])
def test_a_file_that_is_not_there_is_no_text(name: str, capsys: pytest.CaptureFixture[str]):
    lost = f"visit: there is no file {name}; give one that there is, or "
    assert refusal(["compare", name, "missing2.json"], capsys) == f"{lost}two prompts"
    assert refusal(["compare", JAPAN, name], capsys) == f"{lost}two prompts"
    argv = ["ablate", JAPAN, "--how", "mean", "--reference", name]
    assert refusal(argv, capsys) == f"{lost}a text"


@pytest.mark.parametrize("text", ["The settings are in config.json", "// adds two numbers", "v1.0"])
def test_a_sentence_that_ends_in_a_files_name_is_a_text(text: str):
    assert not looks_like_file(text)


def test_a_reference_file_of_another_encoding_is_to_be_saved_in_utf_8(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "bad.txt"
    file.write_bytes("Málaga".encode("latin-1"))
    said = refusal(["ablate", JAPAN, "--how", "mean", "--reference", str(file)], capsys)
    assert said == f"visit: {file}: not UTF-8 at byte 1; save it in UTF-8"


@pytest.mark.parametrize("ending", ["json", "html"])
@pytest.mark.parametrize("option", [[], ["--template", "{country} is", "--values"]])
def test_a_document_is_no_file_of_prompts(
    option: list[str], ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / f"a.{ending}"
    file.write_text("{}", encoding="utf-8")
    said = refusal(["consensus", *option, str(file)], capsys)
    assert said == (
        f"visit: {file} is one document, not a prompt or a value a line; give .txt, .jsonl, "
        ".csv, .parquet, or .json with a list"
    )


@pytest.mark.parametrize(
    ("argv", "option"),
    [
        (["--target", " Tokyo"], "--target"), (["--metric", "logit"], "--metric"),
        (["--position", "3"], "--position"), (["--layers", "all"], "--layers"),
        (["--model", "smollm2"], "--model"), (["--model-b", "mini"], "--model-b"),
        (["--no-bos"], "--no-bos"), (["--chat"], "--chat"), (["--no-effects"], "--no-effects"),
        (["--dtype", "float64"], "--dtype"),
    ],
)  # fmt: skip
def test_two_documents_are_read_already(
    argv: list[str], option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "a.json"
    file.write_text("{}", encoding="utf-8")
    assert refusal(["compare", str(file), str(file), *argv], capsys) == (
        f"visit: {option} says how a prompt is read, and two documents hold theirs read already; "
        f"leave {option} out, or give two prompts"
    )


def test_one_is_one_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "prompts.txt"
    file.write_text(f"{JAPAN}\n", encoding="utf-8")
    assert main(["consensus", str(file), "--summary", "--no-effects"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{JAPAN}\n   1 prompt, the target first in 1;")
    argv = ["ablate", JAPAN, "--parts", "L3.head4@7", "--how", "mean", "--reference", "the"]
    assert main([*argv, "--summary"]) == 0
    assert 'values from the reference prompts (1 position): "the"' in capsys.readouterr().out
    argv = ["circuit", JAPAN, "--parts", "L5.head0@2"]  # which nothing reads any more
    assert refusal(argv, capsys).startswith(
        "visit: with 1 part ablated (mean) the metric is as it was"
    )

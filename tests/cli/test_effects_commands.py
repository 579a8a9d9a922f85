"""``visit ablate`` and ``visit patch``, on the bundled model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from visit.cli.main import main
from visit.formats.effects import effects_from_json

JAPAN, FRANCE = "The capital of Japan is the city of", "The capital of France is the city of"


def test_ablate_writes_a_document_that_reads_back(capsys: pytest.CaptureFixture[str]):
    assert main(["ablate", JAPAN, "--parts", "mlp,L3.head4@7", "--reproducible"]) == 0
    captured = capsys.readouterr()
    effects = effects_from_json(captured.out)
    assert len(effects.effects) == 7
    assert effects.target.text == " Tokyo"
    assert "created" not in json.loads(captured.out)
    assert captured.err == ""
    assert main(["ablate", JAPAN, "--parts", "mlp,L3.head4@7", "--reproducible"]) == 0
    assert capsys.readouterr().out == captured.out


def test_ablate_summary_lists_as_many_as_asked_and_writes_no_document(
    capsys: pytest.CaptureFixture[str],
):
    assert main(["ablate", JAPAN, "--parts", "heads", "--summary", "--count", "5"]) == 0
    text = capsys.readouterr().out
    assert "(the 5 strongest of 36)" in text
    assert len(re.findall(r"^\s+L\d+\.head\d+@7 ", text, re.MULTILINE)) == 5
    assert "{" not in text


def test_patch_shows_how_far_each_layer_and_position_goes(capsys: pytest.CaptureFixture[str]):
    """Of the last layer's residuals only the traced position's can matter, and it is all of it."""
    assert main(["patch", JAPAN, FRANCE, "--summary", "--count", "3"]) == 0
    text = capsys.readouterr().out
    assert "·Tokyo rather than ·Paris" in text
    (last,) = re.findall(r"^\s+L5((?: +-?\d\.\d\d){8})$", text, re.MULTILINE)
    assert [float(number) for number in last.split()] == [0, 0, 0, 0, 0, 0, 0, 1]


def test_patch_against_the_answer_it_would_take_anyway_says_the_same(
    capsys: pytest.CaptureFixture[str],
):
    found = []
    for more in ([], ["--versus", " Paris"]):
        assert main(["patch", JAPAN, FRANCE, "--reproducible", *more]) == 0
        found.append(effects_from_json(capsys.readouterr().out))
    assert found[0].effects == found[1].effects
    assert [one.versus.text for one in found if one.versus is not None] == [" Paris", " Paris"]


def test_a_patch_of_the_log_probability_compares_with_no_other_token(
    capsys: pytest.CaptureFixture[str],
):
    assert main(["patch", JAPAN, FRANCE, "--metric", "logprob", "--reproducible"]) == 0
    found = effects_from_json(capsys.readouterr().out)
    assert (found.versus, found.target.text) == (None, " Tokyo")
    last = next(one for one in found.effects if str(one.sites[0]) == "L5.resid_post@7")
    assert last.normalised == pytest.approx(1.0, abs=1e-5)


def test_a_reference_file_is_read_a_prompt_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "prompts.txt"
    file.write_text(f"\ufeff{FRANCE}\n\nOne two three\n", encoding="utf-8")
    argv = ["ablate", JAPAN, "--parts", "mlp", "--how", "mean", "--reference", str(file)]
    assert main([*argv, "--reproducible"]) == 0
    reference = effects_from_json(capsys.readouterr().out).reference
    assert reference is not None
    assert reference.prompts == (FRANCE, "One two three")
    file.write_text("\n \n", encoding="utf-8")
    assert main(argv) == 2
    assert capsys.readouterr().err.strip() == (
        f"visit: {file} holds no text; give a file with a prompt a line"
    )
    file.unlink()  # which is no reference text of its own name
    assert main(argv) == 2
    assert capsys.readouterr().err.strip() == (
        f"visit: there is no file {file}; give one that there is, or a text"
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["ablate", JAPAN, "--parts", "L9.mlp@7"], "L9.mlp@7 does not exist"),
        (["ablate", JAPAN, "--how", "melt"], "how 'melt' is not known"),
        (["ablate", JAPAN, "--how", "patch", "--reference", "One"], "1 tokens and the prompt 8"),
        (["patch", JAPAN, "One"], "tokens"),
        (["ablate", JAPAN, "--versus", " Paris", "--metric", "kl"], "leave --versus out"),
        (["ablate", JAPAN, "--metric", "kl", "--estimate-only"], "no gradient predicts it"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_summary_of_no_effects_says_what_was_measured_all_the_same(
    capsys: pytest.CaptureFixture[str],
):
    assert main(["ablate", JAPAN, "--parts", "mlp", "--summary", "--count", "0"]) == 0
    text = capsys.readouterr().out
    title = "measured change of the choice with each site set to zero (the 0 strongest of 6)"
    assert f"{title}\n\n" in text

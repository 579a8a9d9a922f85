"""``visit circuit``, on the bundled model."""

from __future__ import annotations

import json

import pytest

from visit.cli.main import main
from visit.formats.circuit import circuit_from_json

JAPAN, FRANCE = "The capital of Japan is the city of", "The capital of France is the city of"
ASK = ["circuit", JAPAN, "--parts", "mlp", "--reference", FRANCE]


def test_a_circuit_goes_to_stdout_and_reads_back(capsys: pytest.CaptureFixture[str]):
    assert main([*ASK, "--keep", "2", "--reproducible"]) == 0
    captured = capsys.readouterr()
    circuit = circuit_from_json(captured.out)
    assert (len(circuit.parts), circuit.chosen.size, circuit.how) == (6, 2, "patch")
    assert "created" not in json.loads(captured.out)
    assert captured.err == ""


def test_every_option_reaches_the_question(capsys: pytest.CaptureFixture[str]):
    argv = [
        *ASK, "--how", "mean", "--by", "flow", "--cumulative", "0.5", "--points", "4", "--checks",
        "1", "--positions", "all", "--metric", "centred", "--summary", "--count", "1",
    ]  # fmt: skip
    assert main([*argv, "-o", "-"]) == 0
    text, _, document = capsys.readouterr().out.partition("{")
    circuit = circuit_from_json("{" + document)
    assert "by flow" in text and "set to its mean" in text
    assert circuit.by == "flow" and circuit.how == "mean"
    assert 4 <= len(circuit.curve) <= 5
    assert sum(part.change is not None for part in circuit.parts) == 2
    assert all(part.site.position is None for part in circuit.parts)
    assert circuit.request.metric == "centred"
    assert main([*ASK, "--sites", "L1.mlp@7, L4.mlp@7"]) == 0
    kept = circuit_from_json(capsys.readouterr().out).kept
    assert {str(part.site) for part in kept} == {"L1.mlp@7", "L4.mlp@7"}


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["circuit", JAPAN, "--parts", "L9.mlp@7"], "L9.mlp@7 does not exist"),
        (["circuit", JAPAN, "--how", "patch"], "needs a reference prompt"),
        (["circuit", JAPAN, "--reference", "One"], "1 tokens and the prompt 8"),
        (["circuit", JAPAN, "--keep", "99"], "keep is 99, but there are 36 parts; keep fewer"),
        (["circuit", JAPAN, "--parts", "L1.mlp@7", "--keep", "2"], "there is 1 part; keep fewer"),
        (["circuit"], "the following arguments are required: PROMPT"),
    ],
)
def test_what_is_no_circuit_is_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1

"""``visit compare``, on the bundled model."""

from __future__ import annotations

from pathlib import Path

import pytest

from visit.cli.main import main
from visit.formats.difference import difference_from_json
from visit.graph.compare import Held
from visit.graph.flow import NodeKind

FEW = ["--layers", "none", "--strongest", "9", "--strongest-memories", "0", "--no-outcome",
       "--no-effects"]  # fmt: skip
JAPAN, FRANCE = "The capital of Japan is the city of", "The capital of France is the city of"


def test_two_prompts_make_a_document_and_two_documents_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    a, b = str(tmp_path / "a.json"), str(tmp_path / "b.json")
    for prompt, file in ((JAPAN, a), (FRANCE, b)):
        assert main(["trace", prompt, *FEW, "-o", file]) == 0
    assert main(["compare", a, b]) == 0
    of_files = difference_from_json(capsys.readouterr().out)
    assert main(["compare", JAPAN, FRANCE, *FEW]) == 0
    of_prompts = difference_from_json(capsys.readouterr().out)
    assert of_files.first.target == of_prompts.first.target
    said = {node.id: node.differences for node in of_prompts.nodes}
    both = [n for n in of_files.nodes if n.id.kind is NodeKind.HEAD and n.held is Held.BOTH]
    assert both
    for node in both:
        assert node.differences == said[node.id]


def test_the_summary_of_two_targets_ranks_by_what_is_asked(capsys: pytest.CaptureFixture[str]):
    argv = ["compare", JAPAN, "--target-b", " Paris", "--summary", "--by", "direct_logit", *FEW]
    assert main([*argv, "--count", "4"]) == 0
    text = capsys.readouterr().out
    assert "→ ·Tokyo" in text and "→ ·Paris" in text
    assert "the 4 of " in text and "differ most by direct logit" in text
    assert "{" not in text


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([JAPAN], "A stands alone; give B, or another target"),
        ([JAPAN, FRANCE, "--target-b", "  nothing such"], "nothing such"),
        ([JAPAN, "--model-b", "no-such-model-anywhere"], "no-such-model-anywhere"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["compare", *argv]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_document_beside_a_prompt_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "a.json"
    file.write_text("{}", encoding="utf-8")
    assert main(["compare", str(file), JAPAN]) == 2
    assert "give two documents or two prompts" in capsys.readouterr().err
    assert main(["compare", str(file), str(file)]) == 2
    assert "there is no 'schema' field" in capsys.readouterr().err

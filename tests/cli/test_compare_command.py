"""``visit compare``, on the bundled model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor

from visit.cli.main import main
from visit.formats.difference import difference_from_json
from visit.graph.compare import Held
from visit.graph.flow import NodeKind
from visit.mini import FOLDER

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


def copy_of_mini(
    to: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], **config: int
) -> Path:
    """A model like the bundled one, but for what is changed of its weights and its config."""
    to.mkdir()
    for file in FOLDER.glob("*.json"):
        shutil.copy(file, to)
    said = json.loads((to / "config.json").read_text(encoding="utf-8")) | config
    (to / "config.json").write_text(json.dumps(said), encoding="utf-8")
    weights = change(load_file(FOLDER / "model.safetensors"))
    save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    return to


def turn_up_head_2_of_layer_3(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    weights["transformer.h.3.attn.c_proj.weight"][2 * 32 : 3 * 32] *= 1.5
    return weights


def test_two_models_that_differ_in_one_head_differ_first_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    tuned = str(copy_of_mini(tmp_path / "tuned", turn_up_head_2_of_layer_3))
    file = tmp_path / "difference.json"
    assert main(["compare", JAPAN, "--model-b", tuned, *FEW, "--summary", "-o", str(file)]) == 0
    text = capsys.readouterr().out
    assert "; mini\n" in text and f"; {tuned}\n" in text
    assert "the first to write something else: L3.head2\n" in text
    found = difference_from_json(file.read_text(encoding="utf-8"))
    assert {str(one.id) for one in found.first_apart} == {"L3.head2@7"}
    assert found.parts("norm")[0].id == found.first_apart[0].id
    assert (found.first.model.name, found.second.model.name) == ("mini", tuned)


def test_models_of_other_tokenizers_or_layers_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    swapped = copy_of_mini(tmp_path / "swapped", turn_up_head_2_of_layer_3)
    tokenizer = json.loads((swapped / "tokenizer.json").read_text(encoding="utf-8"))
    words = tokenizer["model"]["vocab"]
    words["ĠSeoul"], words["ĠBeijing"] = words["ĠBeijing"], words["ĠSeoul"]
    (swapped / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    short = copy_of_mini(
        tmp_path / "short",
        lambda weights: {n: weight for n, weight in weights.items() if ".h.5." not in n},
        n_layer=5,
    )
    for other, said in ((swapped, "compare two models that share a tokenizer"),
                        (short, "mini has n_layers 6 and")):  # fmt: skip
        assert main(["compare", JAPAN, "--model-b", str(other), *FEW]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


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

"""A LoRA adapter changes a model's weights or not, as peft is there or not: it is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from visit.errors import ModelError
from visit.models.loading import cached_models, load
from visit.models.loading.places import without_weights

ADAPTER = {"base_model_name_or_path": "lab/base", "peft_type": "LORA", "r": 2}
MERGE = r"merge it first, with peft: PeftModel.from_pretrained\(base, ADAPTER\)"


def add_adapter(folder: Path) -> Path:
    (folder / "adapter_config.json").write_text(json.dumps(ADAPTER))
    (folder / "adapter_model.safetensors").write_bytes(b"never read")
    return folder


def refused(name: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load(str(name))
    assert "\n" not in str(caught.value)


def test_an_adapter_beside_the_weights_is_refused_with_how_to_merge_it(folder: Path):
    refused(add_adapter(folder), f"a LoRA adapter lies beside the weights of model .*{MERGE}")


def test_an_adapter_beside_a_gguf_file_is_refused_before_the_file_is_read(tmp_path: Path):
    """transformers looks for one in the file's folder."""
    (tmp_path / "model.gguf").write_bytes(b"never read")
    refused(add_adapter(tmp_path) / "model.gguf", "a LoRA adapter lies beside the weights of model")


@pytest.mark.parametrize("gone", [["model.safetensors"], ["config.json", "model.safetensors"]])
def test_an_adapter_alone_is_refused_by_that_name(folder: Path, gone: list[str]):
    for name in gone:
        (folder / name).unlink()
    refused(add_adapter(folder), f"holds a LoRA adapter alone .*adapter_config.json.*{MERGE}")


def test_an_adapter_alone_on_the_hub_is_refused_by_that_name():
    error = without_weights("lab/lora", ["adapter_config.json", "adapter_model.bin", "README.md"])
    assert "'lab/lora' holds a LoRA adapter alone (adapter_config.json)" in str(error)


def test_the_list_of_cached_models_says_that_an_adapter_lies_beside_one(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    snapshot = tmp_path / "hub" / "models--lab--tuned" / "snapshots" / ("0" * 40)
    add_adapter(Path(shutil.copytree(whole, snapshot)))
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0" * 40)
    (snapshot.parent.parent / "blobs").mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert cached_models()["lab/tuned"].endswith("GPT-2, but a LoRA adapter lies beside it")

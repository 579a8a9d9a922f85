"""A config that no model can be made of is refused in one line that names the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from specimens import MAKERS, TOKEN_IDS

from visit.errors import ModelError
from visit.models.architectures import lay_open
from visit.models.loading import load
from visit.models.loading.configs import config_at
from visit.models.loading.places import Place
from visit.models.loading.reading import model_at
from visit.models.loading.running import Running
from visit.tracing.trace import check_finite, record


def saved(name: str, folder: Path, **fields: object) -> Path:
    """A tiny model whose config says otherwise than its weights in some fields."""
    torch.manual_seed(3)
    MAKERS[name]().save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))
    return folder


def made(folder: Path, **running: str) -> Any:
    place = Place("it", folder)
    return model_at(place, config_at(place), Running(**running))


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        lay_open(made(folder))
    assert "\n" not in str(caught.value)
    assert "weights of model" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("gpt2", {"n_head": 7}, "n_embd 30 cannot be divided among n_head 7; mend it"),
        ("llama-gqa", {"num_key_value_heads": 4}, "num_attention_heads 6 cannot share num_key_val"),
        ("gpt2", {"vocab_size": "61"}, "vocab_size.* '61'"),
        ("opt", {"pad_token_id": 99}, r"pad_token_id is 99, and there are 61 tokens \(vocab_size"),
        ("llama-gqa", {"num_hidden_layers": 0}, "num_hidden_layers is 0, and must be a number of"),
        ("gpt2", {"n_layer": -1}, "n_layer is -1, and must be a number of 1 or more"),
        ("gpt2", {"n_head": -1}, "n_head is -1, and must be a number of 1 or more"),
        ("opt", {"dropout": 7}, "dropout is 7, and must be between 0 and 1"),
        ("falcon-7b", {"layer_norm_epsilon": None}, "layer_norm_epsilon is None, and must be a nu"),
        ("gpt2", {"activation_function": "swoosh"}, "activation_function is 'swoosh', which trans"),
        (
            "llama-gqa",
            {"rope_scaling": {"rope_type": "odd", "factor": 2.0}, "rope_parameters": None},
            r"rope_(scaling|parameters).rope_type is 'odd', which transformers does not know",
        ),
        ("gpt2", {"n_inner": 40}, "c_fc.bias is 41 in the weights and 40 by the config; give"),
        ("gpt2", {"n_layer": 900}, r"asks for transformer.h.3.\S+, which the weights do not hold"),
        ("gpt2", {"model_type": "llama"}, r"asks for (lm_head|model.embed_tokens)\.weight"),
    ],
)  # fmt: skip
def test_a_config_that_contradicts_itself_or_the_weights_is_refused_by_its_field(
    name: str, fields: dict[str, object], message: str, tmp_path: Path
):
    refused(saved(name, tmp_path, **fields), message)


@pytest.mark.parametrize(
    ("field", "value", "gone"),
    [
        ("_remove_final_layer_norm", True, "decoder.final_layer_norm"),
        ("layer_norm_elementwise_affine", False, "layer_norm"),
    ],
)
def test_an_opt_without_a_norm_is_refused_by_its_field(
    field: str, value: bool, gone: str, tmp_path: Path
):
    saved("opt", tmp_path, **{field: value})
    kept = load_file(tmp_path / "model.safetensors")
    kept = {name: kept[name] for name in kept if gone not in name}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    refused(tmp_path, f"OPT models whose {field} is .* are not supported")


@pytest.mark.parametrize("written", ["[]", '{"cache_implementation": "odd"}'])
def test_a_generation_config_that_cannot_be_read_is_told_as_such(written: str, tmp_path: Path):
    saved("gpt2", tmp_path)
    (tmp_path / "generation_config.json").write_text(written)
    refused(tmp_path, "generation_config.json of model 'it' cannot be read: .*; mend it, or take")


def test_a_pad_token_that_nobody_embeds_may_be_of_a_larger_vocabulary(tmp_path: Path):
    """Many a GPT-2 was given one without its embedding being made longer."""
    made(saved("gpt2", tmp_path, pad_token_id=61))


def test_a_weight_too_large_for_float16_is_not_told_as_nan(tmp_path: Path):
    saved("gpt2", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["transformer.ln_f.weight"][3] = 7e4
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    model = made(tmp_path, dtype="float16")
    trace = record(model, lay_open(model), TOKEN_IDS)
    message = r"weight transformer.ln_f.weight is infinite in float16, which ends at 65504; give -"
    with pytest.raises(ModelError, match=message):
        check_finite(model, trace)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a" * 300, "cannot be looked for: file name too long; give mini, a Hugging Face id"),
        ("~nosuchuser/x", "'~nosuchuser/x' begins with the home of a user who does not exist"),
        ("~nosuchuser/x.gguf", "begins with the home of a user who does not exist; give a whole"),
        ("x\0y", "null (byte|character)"),
        ("config.json/x", "there is no model|neither a folder"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(saved("gpt2", tmp_path))
    with pytest.raises(ModelError, match=message) as caught:
        load(name)
    assert len(str(caught.value)) < 300


@pytest.fixture(scope="module")
def gemma() -> Any:
    """A Gemma 3 of text and images."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, SiglipVisionConfig

    torch.manual_seed(3)
    images = SiglipVisionConfig(
        hidden_size=16, intermediate_size=20, num_hidden_layers=1, num_attention_heads=2,
        image_size=28, patch_size=14,
    )  # fmt: skip
    text = {**MAKERS["gemma3"]().config.to_dict(), "tie_word_embeddings": True}
    config = Gemma3Config(
        text_config=text, vision_config=images.to_dict(), mm_tokens_per_image=4,
        image_token_index=60, boi_token_index=59, eoi_token_index=58,
    )  # fmt: skip
    return Gemma3ForConditionalGeneration(config)


@pytest.mark.parametrize("layout", ["language_model.model.", "model.language_model."])
def test_the_text_part_of_a_gemma_3_that_reads_images_runs_as_in_the_whole(
    gemma: Any, layout: str, tmp_path: Path
):
    gemma.save_pretrained(tmp_path)
    kept = load_file(tmp_path / "model.safetensors")
    old, new = "language_model.model.", "model.language_model."
    moved = {name.replace(new, layout).replace(old, layout): kept[name] for name in kept}
    save_file(moved, tmp_path / "model.safetensors", metadata={"format": "pt"})
    model = made(tmp_path, dtype="float64")
    ids = torch.tensor([TOKEN_IDS])
    whole = (
        type(gemma)
        .from_pretrained(tmp_path, dtype=torch.float64, attn_implementation="eager")
        .eval()
    )
    expected = whole(input_ids=ids, token_type_ids=torch.zeros_like(ids)).logits
    torch.testing.assert_close(model(ids).logits, expected, rtol=1e-10, atol=1e-10)
    assert lay_open(model).family == "Gemma"


def test_only_a_gemma_3_may_hold_weights_for_images(tmp_path: Path):
    saved("llama-gqa", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["vision_tower.x.weight"] = torch.ones(3)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    refused(tmp_path, "the weights hold vision_tower.x.weight, which the config does not use")

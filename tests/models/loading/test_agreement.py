"""A model that differs in anything from what its files hold is refused, in every family."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from specimens import MAKERS, TOKEN_IDS
from torch import Tensor

from visit.errors import ModelError
from visit.models.loading.configs import config_at
from visit.models.loading.places import Place
from visit.models.loading.reading import model_at
from visit.models.loading.running import Running

Weights = dict[str, Tensor]
EMBEDDING = "model.embed_tokens.weight"
LAYER_COUNTS = ("num_hidden_layers", "n_layer", "num_layers")


@cache
def maker(name: str) -> Any:
    torch.manual_seed(3)
    return MAKERS[name]().eval()


@pytest.fixture(params=sorted(MAKERS))
def family(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A tiny model of each family in a folder, without a tokenizer."""
    maker(request.param).save_pretrained(tmp_path)
    return tmp_path


def made(folder: Path, dtype: str = "float32") -> Any:
    place = Place(str(folder), folder)
    return model_at(place, config_at(place), Running(dtype))


def change_weights(folder: Path, change: Callable[[Weights], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def change_config(folder: Path, **fields: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **fields}))


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        made(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert "fetch them again" not in message
    assert "above" not in message
    return message


def last(name: str) -> str:
    """A tensor's name from its layer on, which no prefix changes."""
    return name.removeprefix("model.").removeprefix("transformer.")


def assert_same(model: Any, folder: Path) -> None:
    """The model's weights are the file's, element for element, tied ones counted once."""
    stored = sum(weight.numel() for weight in load_file(folder / "model.safetensors").values())
    assert sum(weight.numel() for weight in model.parameters()) == stored


def layer_count(folder: Path) -> tuple[str, int]:
    config = json.loads((folder / "config.json").read_text())
    return next((name, config[name]) for name in LAYER_COUNTS if name in config)


def test_a_model_of_any_family_is_what_its_files_hold_or_is_refused(family: Path):
    """Nothing added, missing, of another shape, or a layer more or less is passed over."""
    kept = load_file(family / "model.safetensors")
    draw = random.Random(len(kept))
    assert_same(made(family), family)

    layer = draw.choice([name for name in kept if ".1." in name and ".experts." not in name])
    beside = f"{layer.rpartition('.')[0]}.extra_bias"
    change_weights(family, lambda weights: weights.update({beside: torch.ones(3)}))
    assert f"the weights hold {beside}, which the config does not use" in refused(family)
    save_file(kept, family / "model.safetensors", metadata={"format": "pt"})

    gone = draw.choice(sorted(kept))
    change_weights(family, lambda weights: weights.pop(gone))
    assert last(gone) in refused(family)

    save_file(kept, family / "model.safetensors", metadata={"format": "pt"})
    longer = torch.cat([kept[layer], kept[layer][:1]])
    change_weights(family, lambda weights: weights.update({layer: longer}))
    message = refused(family)
    assert last(layer) in message
    assert "×".join(map(str, longer.shape)) in message

    save_file(kept, family / "model.safetensors", metadata={"format": "pt"})
    count, n_layers = layer_count(family)
    change_config(family, **{count: n_layers + draw.choice([-1, 1])})
    message = refused(family)
    # Some configs say something of each layer, and contradict themselves.
    assert "is not of these weights" in message or count in message


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """The issue's own: attention and MLP with biases."""
    maker("llama-biases").save_pretrained(tmp_path)
    return tmp_path


def test_biases_that_the_config_switches_off_are_not_left_out_in_silence(llama: Path):
    change_config(llama, attention_bias=False, mlp_bias=False)
    first = "model.layers.0.mlp.down_proj.bias"
    assert f"the weights hold {first}, which the config does not use; give" in refused(llama)


@pytest.mark.parametrize(
    ("name", "buffers"),
    [
        ("gpt2", ["transformer.h.0.attn.bias", "transformer.h.2.attn.masked_bias"]),
        ("gpt-j", ["transformer.h.1.attn.bias", "transformer.h.1.attn.masked_bias"]),
        ("gpt-neo", ["transformer.h.1.attn.attention.bias"]),
        ("gpt-neox-parallel", ["gpt_neox.layers.0.attention.masked_bias"]),
        ("llama-gqa", ["model.layers.1.self_attn.rotary_emb.inv_freq"]),
    ],
)
def test_buffers_that_old_files_carry_stay_allowed(name: str, buffers: list[str], tmp_path: Path):
    maker(name).save_pretrained(tmp_path)
    change_weights(
        tmp_path, lambda weights: weights.update({buffer: torch.ones(1) for buffer in buffers})
    )
    for weight in made(tmp_path).parameters():
        assert weight.isfinite().all()


def test_an_unembedding_that_is_not_the_embedding_it_is_tied_to_is_refused(llama: Path):
    change_config(llama, tie_word_embeddings=True)
    message = refused(llama)
    assert "lm_head.weight is not model.embed_tokens.weight, but tie_word_embeddings is" in message
    change_weights(
        llama, lambda weights: weights.update({"lm_head.weight": weights[EMBEDDING].clone()})
    )
    model = made(llama)
    torch.testing.assert_close(
        model.lm_head.weight, maker("llama-biases").model.embed_tokens.weight
    )


def test_an_unembedding_that_is_not_there_may_be_the_embedding(llama: Path):
    change_weights(llama, lambda weights: weights.pop("lm_head.weight"))
    assert "asks for lm_head.weight (unless tie_word_embeddings is true)" in refused(llama)


def test_a_tensor_under_two_names_is_refused(llama: Path):
    change_weights(
        llama, lambda weights: weights.update({"norm.weight": 2 * weights["model.norm.weight"]})
    )
    # transformers 4 takes names as they are, and has no use for the second one.
    assert re.search("norm.weight(, which the config does not use| twice, with a)", refused(llama))


def test_a_tensor_in_two_files_is_refused(llama: Path):
    (llama / "model.safetensors").unlink()
    maker("llama-biases").save_pretrained(llama, max_shard_size="20KB")
    index = json.loads((llama / "model.safetensors.index.json").read_text())
    name, file = next(iter(index["weight_map"].items()))
    other = next(given for given in index["weight_map"].values() if given != file)
    weights = load_file(llama / other)
    save_file({**weights, name: load_file(llama / file)[name]}, llama / other)
    with pytest.raises(ModelError, match=rf"{name} is in .* and again in .*; fetch them again"):
        made(llama)


@pytest.mark.parametrize(
    ("moved", "message"),
    [("experts.2.", "asks for .*experts.2.*"), ("experts.4.", "asks for .*experts.4")],
)
def test_an_expert_of_another_number_does_not_take_a_missing_ones_place(
    moved: str, message: str, tmp_path: Path
):
    """Five are stacked either way, in the order of their numbers."""
    maker("qwen3-moe").save_pretrained(tmp_path)

    def renumber(weights: Weights) -> None:
        for name in [name for name in weights if moved in name]:
            weights[name.replace(moved, "experts.7.")] = weights.pop(name)

    change_weights(tmp_path, renumber)
    assert re.search(message, refused(tmp_path))


def test_halves_of_an_expert_of_unequal_width_are_refused(tmp_path: Path):
    """Together they are as wide as the config says, so that they would be cut elsewhere."""
    maker("qwen3-moe").save_pretrained(tmp_path)

    def shift(weights: Weights) -> None:
        for name in list(weights):
            if "gate_proj" in name or "up_proj" in name:
                ones = torch.ones(1, weights[name].shape[1])
                longer = torch.cat([weights[name], ones])
                weights[name] = longer if "gate_proj" in name else weights[name][:-1]

    change_weights(tmp_path, shift)
    assert "up_proj.weight is 40×36 and" in refused(tmp_path)


def test_gpt2_that_upcasts_its_attention_runs_in_float64_without_rounding(tmp_path: Path):
    maker("gpt2").save_pretrained(tmp_path)
    change_config(tmp_path, reorder_and_upcast_attn=True)
    ids = torch.tensor([TOKEN_IDS])
    exact = copy.deepcopy(maker("gpt2")).double()
    torch.testing.assert_close(
        made(tmp_path, "float64")(ids).logits, exact(ids).logits, rtol=1e-10, atol=1e-10
    )
    torch.testing.assert_close(made(tmp_path)(ids).logits, maker("gpt2")(ids).logits)

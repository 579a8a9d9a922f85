"""The shape of `mini`, its first weights, and how its files are written."""

import json
import os
import tempfile
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from visit.mini.tokenizer import CONTEXT

MODEL_FILES: Final = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)
FUSED_GELU: Final = "gelu_pytorch_tanh"
"""The same function as GPT-2's "gelu_new" in one kernel: faster to train; not what is saved."""


@dataclass(frozen=True)
class Recipe:
    """All the numbers that decide what comes out."""

    seed: int = 2026
    d_model: int = 192
    n_layers: int = 6
    n_heads: int = 6
    n_rows: int = 24
    n_steps: int = 2500
    warm_up: float = 0.03
    decay: float = 0.5
    muon_rate: float = 0.007
    adam_rate: float = 0.003
    position_rate: float = 0.0003
    position_scale: float = 0.3
    weight_decay: float = 0.05


def sinusoids(n_positions: int, d_model: int) -> Tensor:
    """Sines and cosines of each position at wavelengths from 6 to 6000, [pos, d_model].

    Positions are learned in GPT-2. Starting from sinusoids, "the token before" is one rotation
    for all positions alike, which the heads that copy find many times sooner.
    """
    frequencies = 1000.0 ** -(torch.arange(d_model // 2) / (d_model // 2))
    angles = torch.arange(n_positions)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    """An untrained model of the recipe's shape, seeded."""
    torch.manual_seed(recipe.seed)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=CONTEXT,
        n_embd=recipe.d_model,
        n_layer=recipe.n_layers,
        n_head=recipe.n_heads,
        activation_function=FUSED_GELU,
        embd_pdrop=0.0,
        resid_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        use_cache=False,
    )
    model = GPT2LMHeadModel(config)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        model.transformer.wpe.weight.copy_(sinusoids(CONTEXT, recipe.d_model))
        model.transformer.wpe.weight.mul_(recipe.position_scale)
    model.train()
    return model


def load_weights(model: GPT2LMHeadModel, folder: Path) -> None:
    """Give the model the weights of the one saved in the folder."""
    model.load_state_dict(GPT2LMHeadModel.from_pretrained(folder).state_dict())


def save(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the model in half precision, each file whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as temporary:
        half = GPT2LMHeadModel(deepcopy(model.config))
        half.load_state_dict(model.state_dict())
        half.config.activation_function = "gelu_new"
        half.config.use_cache = True
        half.half()
        half.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        _name_for_all_releases(Path(temporary) / "tokenizer_config.json")
        for name in MODEL_FILES:
            (Path(temporary) / name).chmod(0o644)
            os.replace(Path(temporary) / name, folder / name)


def _name_for_all_releases(config: Path) -> None:
    """Call the tokenizer by the name that transformers 4 knows too."""
    told = json.loads(config.read_text(encoding="utf-8"))
    told.pop("backend", None)
    told["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")

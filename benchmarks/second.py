"""A second model beside the bundled one: the same vocabulary, and weights of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from visit import mini

_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")


def save_second_model(folder: Path) -> str:
    """The bundled model with every weight moved a little, in a folder; its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copy(mini.FOLDER / name, folder / name)
    seeded = torch.Generator().manual_seed(7)
    weights = load_file(mini.FOLDER / "model.safetensors")
    moved = {
        name: (weight * (1 + 0.1 * torch.randn(weight.shape, generator=seeded))).to(weight.dtype)
        for name, weight in weights.items()
    }
    save_file(moved, folder / "model.safetensors", {"format": "pt"})
    return str(folder)

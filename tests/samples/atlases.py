"""An atlas of a tiny model that has no tokenizer."""

from __future__ import annotations

from pathlib import Path

from specimens import Numbered

from visit.graph.flow import ModelInfo
from visit.lens.atlas import Atlas
from visit.lens.projector import Projector
from visit.models.architectures import Architecture


def info(architecture: Architecture, weights: str = "0" * 64) -> ModelInfo:
    sizes = architecture.sizes
    dtype = str(architecture.unembedding.dtype).removeprefix("torch.")
    return ModelInfo(
        "tiny", architecture.family, dtype, weights, sizes.n_layers, sizes.n_heads,
        sizes.n_kv_heads, sizes.d_model, sizes.d_head, sizes.d_mlp, sizes.d_vocab,
    )  # fmt: skip


def atlas_of(architecture: Architecture, root: Path) -> Atlas:
    return Atlas(info(architecture), architecture, Numbered(), Projector(architecture), root)

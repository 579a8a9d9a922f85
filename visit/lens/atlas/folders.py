"""Where an atlas is stored, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from visit.formats import files
from visit.graph.flow import ModelInfo
from visit.models.architectures import Architecture
from visit.models.tokens import Tokens
from visit.tracing.precision import reading_dtype

FORMAT = 2
"""Of the files; raised whenever what they hold, or how it is measured, changes."""

_NAME_LENGTH = 32


def cache_folder() -> Path:
    """The folder of all atlases, in the folder of what can be made again."""
    return files.cache_folder() / "atlas"


def folder_name(identity: str) -> str:
    """The name of an atlas's folder; the whole identity stands in its files."""
    return identity[:_NAME_LENGTH]


def is_name(text: str) -> bool:
    """Whether a folder's name is an atlas's."""
    return len(text) == _NAME_LENGTH and set(text) <= set("0123456789abcdef")


def identity(info: ModelInfo, architecture: Architecture, tokens: Tokens) -> str:
    """The SHA-256 of everything that a static reading depends on, in hex.

    The weights, the dtype they are run and read in, the tokenizer, and what the lens and the rows
    take from the config rather than from the weights. Whatever differs here has another folder.
    """
    norm, sizes = architecture.final_norm, architecture.sizes
    depends = {
        "format": FORMAT,
        "weights": info.weights_sha256,
        "tokenizer": tokens.sha256,
        "dtype": info.dtype,
        "packed in": info.quantized,
        "read in": str(reading_dtype(architecture.unembedding.dtype)),
        "family": architecture.family,
        "sizes": [sizes.n_layers, sizes.n_heads, sizes.d_model, sizes.d_mlp, sizes.d_vocab],
        "norm": [norm.epsilon, norm.centers],
        "logits": [architecture.logit_scale, architecture.soft_cap],
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()

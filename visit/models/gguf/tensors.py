"""The tensors of a GGUF file, unpacked, with transformers' names and in its layout.

Each row of a table names a tensor of a layer. What llama.cpp's converter did to some of them on
top of that is undone: heads' halves interleaved, norms with one added, matrices turned.

Source: llama.cpp's ``convert_hf_to_gguf.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visit.errors import ModelError
from visit.models.gguf.header import Header, Packed

_LAYER = re.compile(r"blk\.(\d+)\.(.+)")
_PLAIN = {0: torch.float32, 1: torch.float16, 30: torch.bfloat16}
"""What ggml keeps as torch does: by its number, F32, F16 and BF16."""

Undo = Callable[[Tensor, Mapping[str, Any]], Tensor]


@dataclass(frozen=True, slots=True)
class Layout:
    """How transformers names the tensors of an architecture, and what is to be undone in them.

    Attributes:
        layers: What the names of layers' tensors begin with, before the layer's number.
        whole: The model's own tensors.
        parts: A layer's tensors.
        undo: By llama.cpp's name, for a layer's weight and bias alike.
    """

    layers: str
    whole: Mapping[str, str]
    parts: Mapping[str, str]
    undo: Mapping[str, Undo]


def _interleaved(heads: str) -> Undo:
    """Rows of rotary pairs put back: first all first halves of a head, then all second ones."""

    def undo(rows: Tensor, config: Mapping[str, Any]) -> Tensor:
        pairs: Tensor = rows.unflatten(0, (config[heads], -1, 2))
        return pairs.transpose(1, 2).reshape(rows.shape)

    return undo


def _one_added(gain: Tensor, config: Mapping[str, Any]) -> Tensor:
    return gain - 1


def _turned(weight: Tensor, config: Mapping[str, Any]) -> Tensor:
    return weight.T if weight.ndim == 2 else weight  # a bias stays as it is


def _grouped(rows: Tensor, config: Mapping[str, Any]) -> Tensor:
    """Queries, keys and values apart, put together again by the key head that they share."""
    n_heads, d_head = config["num_attention_heads"], rows.shape[0]
    n_kv_heads = config["num_kv_heads"]
    heads = rows.unflatten(0, (n_heads + 2 * n_kv_heads, -1))
    queries, keys, values = heads.split([n_heads, n_kv_heads, n_kv_heads])
    grouped = queries.unflatten(0, (n_kv_heads, -1))
    together = torch.cat([grouped, keys[:, None], values[:, None]], dim=1)
    return together.reshape(d_head, *rows.shape[1:])


def _three(rows: Tensor, config: Mapping[str, Any]) -> Tensor:
    """Queries, keys and values apart, put together again head by head."""
    heads: Tensor = rows.unflatten(0, (3, config["n_head"], -1))
    return heads.transpose(0, 1).reshape(rows.shape)


def _one_row(weight: Tensor, config: Mapping[str, Any]) -> Tensor:
    return weight[None] if weight.ndim == 1 else weight


_WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_ATTENTION = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
}
_MLP = {"ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
_HEAD_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
_EXPERTS = {
    "ffn_gate_inp": "mlp.gate",
    "ffn_gate_exps": "mlp.experts.{}.gate_proj",
    "ffn_up_exps": "mlp.experts.{}.up_proj",
    "ffn_down_exps": "mlp.experts.{}.down_proj",
}
_SHARED = {
    "ffn_gate_inp_shexp": "mlp.shared_expert_gate",
    "ffn_gate_shexp": "mlp.shared_expert.gate_proj",
    "ffn_up_shexp": "mlp.shared_expert.up_proj",
    "ffn_down_shexp": "mlp.shared_expert.down_proj",
}
_SANDWICH = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}


def _like_llama(parts: Mapping[str, str], undo: Mapping[str, Undo] | None = None) -> Layout:
    return Layout("model.layers", _WHOLE, parts, undo or {})


_GEMMA_NORMS: dict[str, Undo] = dict.fromkeys(
    ["output_norm", "attn_norm", "attn_q_norm", "attn_k_norm", *_SANDWICH], _one_added
)
LAYOUTS: dict[str, Layout] = {
    "bloom": Layout(
        "transformer.h",
        {
            "token_embd": "transformer.word_embeddings",
            "token_embd_norm": "transformer.word_embeddings_layernorm",
            "output_norm": "transformer.ln_f",
            "output": "lm_head",
        },
        {
            "attn_norm": "input_layernorm",
            "attn_qkv": "self_attention.query_key_value",
            "attn_output": "self_attention.dense",
            "ffn_norm": "post_attention_layernorm",
            "ffn_up": "mlp.dense_h_to_4h",
            "ffn_down": "mlp.dense_4h_to_h",
        },
        {"attn_qkv": _three},
    ),
    "falcon": Layout(
        "transformer.h",
        {
            "token_embd": "transformer.word_embeddings",
            "output_norm": "transformer.ln_f",
            "output": "lm_head",
        },
        {
            "attn_norm": "input_layernorm",
            "attn_qkv": "self_attention.query_key_value",
            "attn_output": "self_attention.dense",
            "ffn_up": "mlp.dense_h_to_4h",
            "ffn_down": "mlp.dense_4h_to_h",
        },
        {"attn_qkv": _grouped},
    ),
    "gemma2": _like_llama({**_ATTENTION, **_MLP, **_SANDWICH}, _GEMMA_NORMS),
    "gemma3": _like_llama({**_ATTENTION, **_MLP, **_HEAD_NORMS, **_SANDWICH}, _GEMMA_NORMS),
    "gpt2": Layout(
        "transformer.h",
        {
            "token_embd": "transformer.wte",
            "position_embd": "transformer.wpe",
            "output_norm": "transformer.ln_f",
            "output": "lm_head",
        },
        {
            "attn_norm": "ln_1",
            "attn_qkv": "attn.c_attn",
            "attn_output": "attn.c_proj",
            "ffn_norm": "ln_2",
            "ffn_up": "mlp.c_fc",
            "ffn_down": "mlp.c_proj",
        },
        dict.fromkeys(["attn_qkv", "attn_output", "ffn_up", "ffn_down"], _turned),
    ),
    "llama": _like_llama(
        {**_ATTENTION, **_MLP},
        {
            "attn_q": _interleaved("num_attention_heads"),
            "attn_k": _interleaved("num_key_value_heads"),
        },
    ),
    "phi3": _like_llama(
        {
            "attn_norm": "input_layernorm",
            "attn_qkv": "self_attn.qkv_proj",
            "attn_output": "self_attn.o_proj",
            "ffn_norm": "post_attention_layernorm",
            "ffn_up": "mlp.gate_up_proj",
            "ffn_down": "mlp.down_proj",
        }
    ),
    "qwen2": _like_llama({**_ATTENTION, **_MLP}),
    "qwen2moe": _like_llama(
        {**_ATTENTION, **_EXPERTS, **_SHARED}, {"ffn_gate_inp_shexp": _one_row}
    ),
    "qwen3": _like_llama({**_ATTENTION, **_MLP, **_HEAD_NORMS}),
    "qwen3moe": _like_llama({**_ATTENTION, **_EXPERTS, **_HEAD_NORMS}),
    "stablelm": _like_llama({**_ATTENTION, **_MLP}),
    "starcoder2": _like_llama(
        {**_ATTENTION, "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"},
    ),
}
"""For each architecture that ``families`` reads."""
_TWO_NORMS = {"attn_norm": "ln_mlp", "attn_norm_2": "ln_attn"}
"""Falcon 40B's, instead of the one."""


@dataclass(frozen=True, slots=True)
class Named:
    """A tensor of the file, as transformers has it.

    Attributes:
        name: Its name; ``{}`` stands for an expert's number where there is one for each.
        packed: Where its numbers lie.
        undo: What puts them into transformers' layout.
        is_experts: Whether its first axis is the experts, each a tensor of its own there.
    """

    name: str
    packed: Packed
    undo: Undo | None
    is_experts: bool

    def names(self) -> list[str]:
        """The names of the tensors that it becomes."""
        if not self.is_experts:
            return [self.name]
        return [self.name.format(expert) for expert in range(self.packed.shape[0])]


def named_tensors(
    header: Header, architecture: str, config: Mapping[str, Any], used: set[str]
) -> Iterator[Named]:
    """Every weight of a file with its name.

    Args:
        header: The file's.
        architecture: One of ``LAYOUTS``.
        config: Made of its metadata.
        used: Tensors that the config has taken up: they are no weights.

    Raises:
        ModelError: it has a tensor that transformers has no place for, or packed in a way that is
            not read.
    """
    layout = LAYOUTS[architecture]
    parts = layout.parts
    if config.get("num_ln_in_parallel_attn") == 2:
        parts = {**parts, **_TWO_NORMS}
    for name, packed in header.tensors.items():
        if name in used:
            continue
        stem, _, suffix = name.rpartition(".")
        layer = _LAYER.fullmatch(stem)
        part = layer[2] if layer else stem
        place = (parts if layer else layout.whole).get(part)
        if place is None or suffix not in ("weight", "bias"):
            raise ModelError(
                f"its tensor {name} has no place in a model of architecture {architecture!r}; "
                "give the model that the file was made from, as a folder"
            )
        if not _is_read(packed.kind):
            raise ModelError(f"its tensor {name} is packed in a way that is not read; give another")
        begin = f"{layout.layers}.{layer[1]}." if layer else ""
        yield Named(f"{begin}{place}.{suffix}", packed, layout.undo.get(part), "{}" in place)


@cache
def _is_read(kind: int) -> bool:
    """Whether torch has such numbers, or gguf unpacks them."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

    if kind in _PLAIN:
        return True
    packed = GGMLQuantizationType(kind)
    try:
        dequantize(np.zeros((1, GGML_QUANT_SIZES[packed][1]), dtype=np.uint8), packed)
    except NotImplementedError:
        return False
    return True


def unpack(file: Path, packed: Packed) -> Tensor:
    """A tensor's numbers, in float32 unless they are kept in other plain ones."""
    from gguf import GGMLQuantizationType, dequantize

    mapped = np.memmap(file, mode="r", dtype=np.uint8)[packed.offset :][: packed.n_bytes]
    raw = np.asarray(mapped)  # a plain array: gguf cuts it up a thousand times
    if packed.kind in _PLAIN:
        plain = torch.from_numpy(np.array(raw)).view(_PLAIN[packed.kind])
        return plain.reshape(packed.shape)
    rows = raw.reshape(*packed.shape[:-1], -1)
    numbers = dequantize(rows, GGMLQuantizationType(packed.kind))
    return torch.from_numpy(numbers).reshape(packed.shape)

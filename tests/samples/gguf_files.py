"""GGUF files of tiny models, written as llama.cpp's converter writes them.

Names of tensors come from the gguf package; what is done to numbers and which keys are written is
after ``convert_hf_to_gguf.py``, independently of how the package undoes it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

ARCHITECTURES = {
    "bloom": "bloom", "falcon": "falcon", "gemma2": "gemma2", "gemma3_text": "gemma3",
    "gpt2": "gpt2", "llama": "llama", "phi3": "phi3", "qwen2": "qwen2", "qwen2_moe": "qwen2moe",
    "qwen3": "qwen3", "qwen3_moe": "qwen3moe", "stablelm": "stablelm", "starcoder2": "starcoder2",
}  # fmt: skip
"""llama.cpp's name for each of transformers' types."""
_EXPERT = re.compile(r"(model\.layers\.\d+\.mlp\.experts)\.(\d+)\.(\w+)\.weight")
_KINDS = {bool: "bool", int: "uint32", float: "float32", str: "string", list: "array"}


def write_gguf(
    folder: Path,
    file: Path,
    config: Any,
    said: Mapping[str, Any] | None = None,
    tensors: Mapping[str, Tensor] | None = None,
    vocabulary: Mapping[str, Any] | None = None,
) -> Path:
    """Write a saved model as a GGUF file.

    Args:
        folder: Holds its ``model.safetensors``.
        file: Where to.
        config: Its config.
        said: Keys beside those that its converter writes, or in their place; ``None`` for none.
        tensors: Tensors beside the model's.
        vocabulary: The ``tokenizer.`` keys; a meaningless one unless given.
    """
    name = ARCHITECTURES[config.model_type]
    writer = gguf.GGUFWriter(str(file), name)
    keys = {f"{name}.{key}": value for key, value in _keys(config).items()}
    keys |= _no_vocabulary(config.vocab_size) if vocabulary is None else vocabulary
    for key, value in {**keys, **(said or {})}.items():
        if value is not None:
            add = getattr(writer, f"add_{_KINDS[type(value)]}")
            add(key, value)
    architecture = next(a for a, own in gguf.MODEL_ARCH_NAMES.items() if own == name)
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    for hf_name, tensor in _stacked(load_file(folder / "model.safetensors")).items():
        tried = (hf_name, hf_name.removeprefix("transformer."))
        own = next(filter(None, (names.get_name(n, (".weight", ".bias")) for n in tried)), None)
        assert own is not None, hf_name
        written = _as_written(name, hf_name, tensor, config)
        writer.add_tensor(own, np.ascontiguousarray(written.float().numpy()))
    for own, tensor in (tensors or {}).items():
        writer.add_tensor(own, tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _no_vocabulary(vocab_size: int) -> dict[str, Any]:
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [f"t{id_}" for id_ in range(vocab_size)],
        "tokenizer.ggml.token_type": [1] * vocab_size,
        "tokenizer.ggml.bos_token_id": 0,
    }


def _keys(config: Any) -> dict[str, Any]:
    """What the converter writes of a config, without the architecture before it."""
    type_, n_heads = config.model_type, config.num_attention_heads
    of_attention = {
        "head_count": n_heads,
        "layer_norm_rms_epsilon": getattr(config, "rms_norm_eps", None),
        "layer_norm_epsilon": next(
            (e for n in ("layer_norm_epsilon", "layer_norm_eps", "norm_epsilon")
             if (e := getattr(config, n, None)) is not None), None,
        ),
        "sliding_window": getattr(config, "sliding_window", None) or None,
    }  # fmt: skip
    d_head = getattr(config, "head_dim", None) or config.hidden_size // n_heads
    keys: dict[str, Any] = {
        "block_count": config.num_hidden_layers,
        "context_length": getattr(config, "max_position_embeddings", 2048),
        "embedding_length": config.hidden_size,
        "feed_forward_length": getattr(config, "intermediate_size", None),
    }
    if type_ == "bloom":
        keys["feed_forward_length"] = 4 * config.hidden_size
    elif type_ == "gpt2":
        keys["feed_forward_length"] = config.n_inner
    elif type_ == "falcon":
        keys |= {"feed_forward_length": config.ffn_hidden_size, "tensor_data_layout": "jploski"}
        is_grouped = config.new_decoder_architecture
        of_attention["head_count_kv"] = config.num_kv_heads if is_grouped else 1
    else:
        of_attention["head_count_kv"] = config.num_key_value_heads
        of_attention |= {"key_length": d_head, "value_length": d_head}
    if "qwen" in type_ or type_ == "llama":
        keys["vocab_size"] = config.vocab_size
    if type_ not in ("bloom", "gpt2", "falcon"):
        rope = config.rope_parameters if hasattr(config, "rope_parameters") else {}
        whole = rope.get("full_attention", rope)
        keys["rope.freq_base"] = float(whole.get("rope_theta") or config.rope_theta)
        share = whole.get("partial_rotary_factor") or getattr(config, "partial_rotary_factor", 1.0)
        keys["rope.dimension_count"] = int(d_head * share)
    if type_.endswith("moe"):
        keys |= {
            "expert_count": config.num_experts,
            "expert_used_count": config.num_experts_per_tok,
            "expert_feed_forward_length": config.moe_intermediate_size,
        }
    if type_ == "qwen2_moe":
        keys["expert_shared_feed_forward_length"] = config.shared_expert_intermediate_size
    if type_ == "gemma2":
        keys["attn_logit_softcapping"] = config.attn_logit_softcapping
        keys["final_logit_softcapping"] = config.final_logit_softcapping
    if type_ == "stablelm":
        keys["use_parallel_residual"] = config.use_parallel_residual
    return {**keys, **{f"attention.{key}": value for key, value in of_attention.items()}}


def _stacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every expert's matrix in one tensor, as GGUF files have them."""
    whole, experts = {}, defaultdict(dict)
    for name, tensor in tensors.items():
        if found := _EXPERT.fullmatch(name):
            experts[f"{found[1]}.{found[3]}.weight"][int(found[2])] = tensor
        else:
            whole[name] = tensor
    stacks = {name: torch.stack([ts[i] for i in range(len(ts))]) for name, ts in experts.items()}
    return {**whole, **stacks}


def _as_written(name: str, hf_name: str, tensor: Tensor, config: Any) -> Tensor:
    """A tensor after what the architecture's converter does to it."""
    if name == "llama" and re.search(r"\.[qk]_proj\.", hf_name):
        is_key = ".k_proj." in hf_name
        n_heads = config.num_key_value_heads if is_key else config.num_attention_heads
        halves = tensor.reshape(n_heads, 2, len(tensor) // n_heads // 2, *tensor.shape[1:])
        return halves.swapaxes(1, 2).reshape(tensor.shape)
    if name.startswith("gemma") and hf_name.endswith("norm.weight"):
        return tensor + 1
    if name == "gpt2" and re.search(r"\.c_\w+\.weight", hf_name):
        return tensor.T
    if name == "bloom" and "query_key_value" in hf_name:
        heads = tensor.reshape(config.num_attention_heads, 3, -1, *tensor.shape[1:])
        return torch.cat([heads[:, i].reshape(-1, *tensor.shape[1:]) for i in range(3)])
    if name == "falcon" and "query_key_value" in hf_name:
        n_kv = config.num_kv_heads if config.new_decoder_architecture else 1
        per_group = config.num_attention_heads // n_kv
        groups = tensor.reshape(n_kv, per_group + 2, -1, tensor.shape[-1])
        parts = groups[:, :-2], groups[:, [-2]], groups[:, [-1]]
        return torch.cat([part.reshape(-1, tensor.shape[-1]) for part in parts])
    if name == "qwen2moe" and "shared_expert_gate" in hf_name:
        return tensor[0]
    return tensor

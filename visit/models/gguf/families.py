"""A config of a GGUF file's metadata: for each architecture, what its keys mean to transformers.

Source: llama.cpp's ``convert_hf_to_gguf.py``, which writes them, and ``llama-model.cpp``, which
reads them and says what holds where a key is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from visit.errors import ModelError
from visit.models.gguf.rotary import longrope, partial, rotary
from visit.models.gguf.said import Said, refusal

Config = dict[str, Any]


def config_of(said: Said) -> Config:
    """The config of a file, as ``config.json`` has it; every key was taken up.

    Raises:
        ModelError: the architecture is not read, or a key cannot be honoured.
    """
    reader = ARCHITECTURES.get(said.architecture)
    if reader is None:
        raise ModelError(
            f"GGUF files of architecture {said.architecture!r} are not read; give one of "
            f"{', '.join(sorted(ARCHITECTURES))}, or the model as a folder"
        )
    config = reader(said)
    config["tie_word_embeddings"] = "output.weight" not in said.tensors
    said.check_all_taken()
    return config


def _decoder(
    said: Said,
    type_: str,
    classes: str,
    epsilon: str = "rms_norm_eps",
    d_head: int | None = None,
) -> Config:
    """What nearly all of them say alike.

    Args:
        said: What the file says.
        type_: transformers' name for such models.
        classes: What its classes' names begin with.
        epsilon: Its config's name for the norms' epsilon; theirs is another key than RMS norms'.
        d_head: A head's size where the file says none; else the heads fill the model.
    """
    d_model, n_heads = said.number("embedding_length"), said.number("attention.head_count")
    vocab_size = said.rows("token_embd.weight")
    said.expect("vocab_size", vocab_size)
    said.expect("attention.causal", True)
    said.expect("rope.scaling.finetuned", False, True)  # who scaled, not how
    d_head = said.number("attention.key_length", d_head or d_model // n_heads)
    said.expect("attention.value_length", d_head)
    norm = "layer_norm_rms_epsilon" if epsilon == "rms_norm_eps" else "layer_norm_epsilon"
    return {
        "model_type": type_,
        "architectures": [f"{classes}ForCausalLM"],
        "vocab_size": vocab_size,
        "hidden_size": d_model,
        "intermediate_size": said.number("feed_forward_length"),
        "num_hidden_layers": said.number("block_count"),
        "num_attention_heads": n_heads,
        "num_key_value_heads": said.number("attention.head_count_kv", n_heads),
        "head_dim": d_head,
        "max_position_embeddings": said.number("context_length"),
        epsilon: said.real(f"attention.{norm}"),
    }


def _llama(said: Said) -> Config:
    said.expect("tensor_data_layout", "Meta AI original pth")
    said.expect("expert_count", 0)
    said.expect("expert_used_count", 0)
    config = _decoder(said, "llama", "Llama")
    return {
        **config,
        **rotary(said, config["head_dim"]),
        "attention_bias": said.has("attn_q.bias"),
        "mlp_bias": said.has("ffn_up.bias"),
    }


def _qwen2(said: Said) -> Config:
    config = _decoder(said, "qwen2", "Qwen2")
    return {**config, **rotary(said, config["head_dim"]), "use_sliding_window": False}


def _qwen3(said: Said) -> Config:
    config = _decoder(said, "qwen3", "Qwen3")
    return {
        **config,
        **rotary(said, config["head_dim"]),
        "use_sliding_window": False,
        "attention_bias": said.has("attn_q.bias"),
    }


def _with_experts(said: Said, config: Config, *, renormalised: bool) -> Config:
    said.expect("expert_weights_norm", renormalised)
    said.expect("expert_weights_scale", 1.0, 0.0)
    said.expect("expert_gating_func", 1)  # softmax
    said.expect("leading_dense_block_count", 0)
    said.expect("moe_every_n_layers", 1, 0)
    d_expert = said.rows("blk.0.ffn_gate_exps.weight", 1)
    said.expect("expert_feed_forward_length", d_expert)
    said.expect("expert_count", n_experts := said.rows("blk.0.ffn_gate_exps.weight"))
    return {
        **config,
        **rotary(said, config["head_dim"]),
        "num_experts": n_experts,
        "num_experts_per_tok": said.number("expert_used_count"),
        "moe_intermediate_size": d_expert,
        "norm_topk_prob": renormalised,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "use_sliding_window": False,
    }


def _qwen2_moe(said: Said) -> Config:
    config = _decoder(said, "qwen2_moe", "Qwen2Moe")
    d_shared = said.rows("blk.0.ffn_gate_shexp.weight")
    said.expect("expert_shared_feed_forward_length", d_shared)
    said.expect("expert_shared_count", 1, 0)
    config = _with_experts(said, config, renormalised=False)
    return {**config, "shared_expert_intermediate_size": d_shared}


def _qwen3_moe(said: Said) -> Config:
    config = _decoder(said, "qwen3_moe", "Qwen3Moe")
    config = _with_experts(said, config, renormalised=True)
    return {**config, "attention_bias": said.has("attn_q.bias")}


def _phi3(said: Said) -> Config:
    config = _decoder(said, "phi3", "Phi3")
    if config["head_dim"] * config["num_attention_heads"] != config["hidden_size"]:
        raise refusal("phi3.attention.key_length", config["head_dim"], "heads that fill the model")
    return {
        **config,
        **longrope(said, config["head_dim"], config["max_position_embeddings"]),
        "sliding_window": said.number("attention.sliding_window", 0, least=0) or None,
    }


def _gemma(said: Said, type_: str, classes: str, of_27b: int, pattern: int) -> Config:
    """Gemma 2 and 3; the largest of each scales its scores otherwise and is known by its depth."""
    config = _decoder(said, type_, classes, d_head=256)
    said.expect("attention.sliding_window_pattern", pattern)
    is_27b = config["num_hidden_layers"] == of_27b
    scale = said.real("attention.scale", 0.0)
    of_width = config["hidden_size"] // config["num_attention_heads"]
    scalar = of_width if is_27b else config["head_dim"]
    return {
        **config,
        "query_pre_attn_scalar": round(scale**-2) if scale else scalar,
        "hidden_activation": "gelu_pytorch_tanh",
    }


def _gemma2(said: Said) -> Config:
    config = _gemma(said, "gemma2", "Gemma2", 46, 2)
    return {
        **config,
        **rotary(said, config["head_dim"]),
        "sliding_window": said.number("attention.sliding_window", 4096),
        "attn_logit_softcapping": said.real("attn_logit_softcapping", 50.0),
        "final_logit_softcapping": said.real("final_logit_softcapping", 30.0),
    }


def _gemma3(said: Said) -> Config:
    config = _gemma(said, "gemma3_text", "Gemma3", 62, 6)
    return {
        **config,
        **rotary(said, config["head_dim"], base=1e6),
        "rope_local_base_freq": said.real("rope.freq_base_swa", 10000.0),
        "sliding_window": said.number("attention.sliding_window"),
        "sliding_window_pattern": 6,
        "attn_logit_softcapping": said.real("attn_logit_softcapping", 0.0) or None,
        "final_logit_softcapping": said.real("final_logit_softcapping", 0.0) or None,
    }


def _stablelm(said: Said) -> Config:
    if said.has("attn_q_norm.weight"):
        raise ModelError(
            "StableLM models with a norm for each head's queries and keys (attn_q_norm, as in "
            "StableLM 2 12B) are not supported; give another model"
        )
    config = _decoder(said, "stablelm", "StableLm", epsilon="layer_norm_eps")
    is_parallel = not said.has("ffn_norm.weight")
    said.expect("use_parallel_residual", is_parallel)
    return {
        **_whole_heads(said, config),
        **partial(said, config["head_dim"]),
        "use_parallel_residual": is_parallel,
        "use_qkv_bias": said.has("attn_q.bias"),
    }


def _starcoder2(said: Said) -> Config:
    config = _decoder(said, "starcoder2", "Starcoder2", epsilon="norm_epsilon")
    return {
        **_whole_heads(said, config),
        **rotary(said, config["head_dim"]),
        "use_bias": said.has("attn_q.bias"),
        "sliding_window": said.number("attention.sliding_window", 0, least=0) or None,
    }


def _whole_heads(said: Said, config: Config) -> Config:
    """For classes without a size of heads of their own: the heads fill the model."""
    d_head = config["hidden_size"] // config["num_attention_heads"]
    if config["head_dim"] != d_head:
        key = f"{said.architecture}.attention.key_length"
        raise refusal(key, config["head_dim"], str(d_head))
    return config


def _falcon(said: Said) -> Config:
    said.expect("tensor_data_layout", "jploski")  # queries, keys and values apart
    config = _whole_heads(said, _decoder(said, "falcon", "Falcon", epsilon="layer_norm_epsilon"))
    n_kv_heads = config.pop("num_key_value_heads")
    if n_kv_heads == config["num_attention_heads"]:  # ALiBi and biases, of which it says nothing
        raise refusal("falcon.attention.head_count_kv", n_kv_heads, "fewer than heads")
    is_new = n_kv_heads > 1
    return {
        **{key: value for key, value in config.items() if key != "head_dim"},
        **rotary(said, config["head_dim"]),
        "ffn_hidden_size": config["intermediate_size"],
        "num_kv_heads": n_kv_heads,
        "multi_query": not is_new,
        "new_decoder_architecture": is_new,
        "num_ln_in_parallel_attn": 2 if said.has("attn_norm_2.weight") else 1,
        "parallel_attn": True,
        "bias": False,
        "alibi": False,
    }


def _gpt2(said: Said) -> Config:
    config = _whole_heads(said, _decoder(said, "gpt2", "GPT2LMHead", "layer_norm_epsilon"))
    n_heads, n_positions = config["num_attention_heads"], config["max_position_embeddings"]
    if config["num_key_value_heads"] != n_heads:
        raise refusal("gpt2.attention.head_count_kv", config["num_key_value_heads"], str(n_heads))
    if said.rows("position_embd.weight") != n_positions:
        raise refusal("gpt2.context_length", n_positions, "as many rows as position_embd.weight")
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": config["vocab_size"],
        "n_embd": config["hidden_size"],
        "n_inner": config["intermediate_size"],
        "n_layer": config["num_hidden_layers"],
        "n_head": n_heads,
        "n_positions": n_positions,
        "layer_norm_epsilon": config["layer_norm_epsilon"],
    }


def _bloom(said: Said) -> Config:
    config = _whole_heads(said, _decoder(said, "bloom", "Bloom", "layer_norm_epsilon"))
    n_heads, d_model = config["num_attention_heads"], config["hidden_size"]
    for said_as, key, allowed in (
        ("attention.head_count_kv", "num_key_value_heads", n_heads),
        ("feed_forward_length", "intermediate_size", 4 * d_model),
    ):
        if config[key] != allowed:
            raise refusal(f"bloom.{said_as}", config[key], str(allowed))
    return {
        "model_type": "bloom",
        "architectures": ["BloomForCausalLM"],
        "vocab_size": config["vocab_size"],
        "hidden_size": d_model,
        "n_layer": config["num_hidden_layers"],
        "n_head": n_heads,
        "layer_norm_epsilon": config["layer_norm_epsilon"],
        "seq_length": config["max_position_embeddings"],
    }


ARCHITECTURES: dict[str, Callable[[Said], Config]] = {
    "bloom": _bloom,
    "falcon": _falcon,
    "gemma2": _gemma2,
    "gemma3": _gemma3,
    "gpt2": _gpt2,
    "llama": _llama,
    "phi3": _phi3,
    "qwen2": _qwen2,
    "qwen2moe": _qwen2_moe,
    "qwen3": _qwen3,
    "qwen3moe": _qwen3_moe,
    "stablelm": _stablelm,
    "starcoder2": _starcoder2,
}
"""Those that are read, by llama.cpp's names."""

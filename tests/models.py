"""Tiny seeded models with pairwise distinct sizes, and the numbers that tests compare with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from visit.architectures import Architecture, lay_open
from visit.tokens import Tokens
from visit.trace import Trace, record

TOKEN_IDS = (3, 14, 15, 9, 26, 5, 35)


@dataclass(frozen=True)
class Specimen:
    """A tiny model, laid open and traced on ``TOKEN_IDS``."""

    model: Any
    architecture: Architecture
    trace: Trace


class Numbered(Tokens):
    """Tokens that are named after their ids, for models that have no tokenizer."""

    def __init__(self) -> None:
        """Know no tokenizer."""

    def text(self, id_: int) -> str:
        return f"<{id_}>"

    def target(self, text: str) -> int:
        return int(text.strip("<>"))


def _gpt2(**options: Any) -> Any:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=61, n_positions=23, n_embd=30, n_layer=3, n_head=5, n_inner=41,
            bos_token_id=0, eos_token_id=0, attn_implementation="eager", **options,
        )
    )  # fmt: skip


def _like_llama(config_class: Any, model_class: Any, n_kv_heads: int, **options: Any) -> Any:
    return model_class(
        config_class(
            vocab_size=61, hidden_size=36, intermediate_size=41, num_hidden_layers=3,
            num_attention_heads=6, num_key_value_heads=n_kv_heads, head_dim=8,
            max_position_embeddings=23, tie_word_embeddings=False, attn_implementation="eager",
            **options,
        )
    )  # fmt: skip


MAKERS = {
    "gpt2": lambda: _gpt2(),
    "gpt2-scaled-by-layer": lambda: _gpt2(scale_attn_by_inverse_layer_idx=True),
    "llama-mha": lambda: _like_llama(LlamaConfig, LlamaForCausalLM, 6),
    "llama-gqa": lambda: _like_llama(LlamaConfig, LlamaForCausalLM, 2),
    "llama-mqa": lambda: _like_llama(LlamaConfig, LlamaForCausalLM, 1),
    "llama-biases": lambda: _like_llama(
        LlamaConfig, LlamaForCausalLM, 3, attention_bias=True, mlp_bias=True
    ),
    "mistral-gqa": lambda: _like_llama(MistralConfig, MistralForCausalLM, 2, sliding_window=4),
    "qwen2-gqa": lambda: _like_llama(Qwen2Config, Qwen2ForCausalLM, 2),
}


@cache
def specimen(name: str, dtype: torch.dtype = torch.float64) -> Specimen:
    """The named tiny model with every weight drawn at random, so that no bias or gain is idle."""
    model = MAKERS[name]().eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.copy_(0.3 * noise + (1.0 if weight.ndim == 1 and weight.mean() == 1 else 0.0))
    model = model.to(dtype).requires_grad_(False)
    architecture = lay_open(model)
    return Specimen(model, architecture, record(model, architecture, TOKEN_IDS))


def save_tiny_model(folder: Any) -> Any:
    """A tiny GPT-2 with a byte-level tokenizer of its own, saved as ``save_pretrained`` does."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    text = ["The capital of Japan is the city of Tokyo and of France Paris"] * 3
    backend = ByteLevelBPETokenizer()
    backend.train_from_iterator(text, vocab_size=320, min_frequency=2, show_progress=False)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer, clean_up_tokenization_spaces=False
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer), n_positions=23, n_embd=30, n_layer=3, n_head=5, n_inner=41,
            bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    model.save_pretrained(folder)
    return folder

"""Tiny seeded models with pairwise distinct sizes, and the numbers that tests compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from visit.assemble import Builder
from visit.graph.flow import ModelInfo, Token
from visit.graph.request import Request
from visit.lens.projector import Projector
from visit.lens.readings import Reader
from visit.models.architectures import Architecture, lay_open
from visit.models.tokens import Tokens
from visit.tracing.trace import Trace, record

TOKEN_IDS = (3, 14, 15, 9, 26, 5, 35)
FEW = Request(
    "x",
    heads=2,
    sources=2,
    memories=4,
    anti_memories=2,
    attn_neurons=5,
    anti_attn_neurons=2,
    strongest=0,
)
"""A request that draws fewer parts than any tiny model has, so that every rest is there."""


@dataclass(frozen=True)
class Specimen:
    """A tiny model, laid open and traced on ``TOKEN_IDS``."""

    model: Any
    architecture: Architecture
    trace: Trace


class Numbered(Tokens):
    """Tokens that are named after their ids, for models that have no tokenizer.

    Whatever is asked, ``TOKEN_IDS`` are read.
    """

    sha256 = "of no vocabulary"

    def __init__(self) -> None:
        """Know no tokenizer."""

    def read(self, request: Request) -> tuple[Token, ...]:
        return tuple(Token(i, id_, self.text(id_)) for i, id_ in enumerate(TOKEN_IDS))

    def text(self, id_: int) -> str:
        return f"<{id_}>"

    def texts(self, ids: Iterable[int]) -> list[str]:
        return [self.text(id_) for id_ in ids]

    def single(self, text: str, role: str) -> int:
        return int(text.strip("<>"))


def logits_of(architecture: Architecture, normed: Tensor) -> Tensor:
    """The logits of residuals that went through the final norm, all in one product."""
    return architecture.logits_from(
        normed @ architecture.unembedding, architecture.unembedding_bias
    )


_COMMON = {
    "vocab_size": 61,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
    "attn_implementation": "eager",
    "experts_implementation": "eager",
}


def _of(name: str, **options: Any) -> Any:
    """``<name>ForCausalLM`` from ``<name>Config``."""
    config = getattr(transformers, f"{name}Config")
    model = {"GPT2": "GPT2LMHeadModel", "Gemma3Text": "Gemma3ForCausalLM"}.get(name)
    return getattr(transformers, model or f"{name}ForCausalLM")(
        config(**_COMMON, **{k: v for k, v in options.items() if v is not None})
    )


def _like_llama(name: str, n_kv_heads: int, **options: Any) -> Any:
    sizes = {
        "hidden_size": 36, "intermediate_size": 41, "num_hidden_layers": 3,
        "num_attention_heads": 6, "num_key_value_heads": n_kv_heads, "head_dim": 8,
        "max_position_embeddings": 23, "tie_word_embeddings": False,
    }  # fmt: skip
    return _of(name, **{**sizes, **options})


def _like_gpt2(name: str, **options: Any) -> Any:
    sizes = {"n_positions": 23, "n_embd": 30, "n_layer": 3, "n_head": 5, "n_inner": 41}
    return _of(name, **{**sizes, **options})


def _like_bert(name: str, **options: Any) -> Any:
    sizes = {
        "hidden_size": 40, "num_hidden_layers": 3, "num_attention_heads": 5,
        "max_position_embeddings": 23,
    }  # fmt: skip
    return _of(name, **{**sizes, **options})


def _with_experts(name: str, d_expert: int = 41, n_kv_heads: int = 2, **options: Any) -> Any:
    """5 experts, of which each position is routed to 3 unless said otherwise."""
    sizes = {"num_experts": 5, "num_experts_per_tok": 3, "moe_intermediate_size": d_expert}
    if name in ("Mixtral", "GraniteMoe"):
        sizes = {"num_local_experts": 5, "num_experts_per_tok": 2}
    if name == "Olmoe":
        del sizes["moe_intermediate_size"]
    if name != "Qwen3Moe":  # the others' heads divide d_model evenly
        options = {**NO_HEAD_DIM, "hidden_size": 48, **options}
    return _like_llama(name, n_kv_heads, **{**sizes, **options})


NO_HEAD_DIM = {"head_dim": None}
FALCON = {"ffn_hidden_size": 41, "tie_word_embeddings": False}

MAKERS: dict[str, Callable[[], Any]] = {
    "gpt2": lambda: _like_gpt2("GPT2"),
    "gpt2-scaled-by-layer": lambda: _like_gpt2("GPT2", scale_attn_by_inverse_layer_idx=True),
    "gpt2-square": lambda: _like_gpt2("GPT2", n_inner=30),
    "gpt-neo": lambda: _of(
        "GPTNeo", hidden_size=30, num_layers=3, num_heads=5, intermediate_size=41,
        max_position_embeddings=23, window_size=3, attention_types=[[["global", "local"], 1],
        [["global"], 1]],
    ),
    "gpt-j": lambda: _like_gpt2("GPTJ", rotary_dim=4, tie_word_embeddings=False),
    "gpt-neox-parallel": lambda: _like_bert("GPTNeoX", intermediate_size=41),
    "gpt-neox-sequential": lambda: _like_bert(
        "GPTNeoX", intermediate_size=41, use_parallel_residual=False
    ),
    "opt": lambda: _like_bert("OPT", ffn_dim=41, word_embed_proj_dim=40),
    "bloom": lambda: _of("Bloom", hidden_size=30, n_layer=3, n_head=5),
    "falcon-7b": lambda: _like_bert("Falcon", **FALCON),
    "falcon-40b": lambda: _like_bert(
        "Falcon", **{**FALCON, "num_attention_heads": 10}, num_kv_heads=5,
        new_decoder_architecture=True,
    ),
    "falcon-11b": lambda: _like_bert(
        "Falcon", **{**FALCON, "num_attention_heads": 10}, num_kv_heads=5,
        new_decoder_architecture=True, num_ln_in_parallel_attn=1,
    ),
    "falcon-rw": lambda: _like_bert(
        "Falcon", **FALCON, multi_query=False, parallel_attn=False, alibi=True, bias=True
    ),
    "llama-mha": lambda: _like_llama("Llama", 6),
    "llama-gqa": lambda: _like_llama("Llama", 2),
    "llama-mqa": lambda: _like_llama("Llama", 1),
    "llama-biases": lambda: _like_llama("Llama", 3, attention_bias=True, mlp_bias=True),
    "smollm3": lambda: _like_llama("SmolLM3", 2, no_rope_layers=[1, 0, 1]),
    "mistral": lambda: _like_llama("Mistral", 2, sliding_window=4),
    "qwen2": lambda: _like_llama("Qwen2", 2),
    "qwen3": lambda: _like_llama("Qwen3", 2),
    "gemma": lambda: _like_llama("Gemma", 1),
    "gemma2": lambda: _like_llama(
        "Gemma2", 2, sliding_window=4, query_pre_attn_scalar=12, attn_logit_softcapping=7.0,
        final_logit_softcapping=5.0,
    ),
    "gemma3": lambda: _like_llama(
        "Gemma3Text", 2, sliding_window=4, query_pre_attn_scalar=12
    ),
    "phi": lambda: _like_llama("Phi", 2, **NO_HEAD_DIM, hidden_size=48),
    "phi-qk-norm": lambda: _like_llama("Phi", 6, **NO_HEAD_DIM, hidden_size=48, qk_layernorm=True),
    "phi3": lambda: _like_llama("Phi3", 2, **NO_HEAD_DIM, hidden_size=48),
    "stablelm": lambda: _like_llama(
        "StableLm", 2, **NO_HEAD_DIM, hidden_size=48, use_qkv_bias=True
    ),
    "stablelm-parallel": lambda: _like_llama(
        "StableLm", 3, **NO_HEAD_DIM, hidden_size=48, use_parallel_residual=True
    ),
    "olmo2": lambda: _like_llama("Olmo2", 2, **NO_HEAD_DIM, hidden_size=48),
    "granite": lambda: _like_llama(
        "Granite", 2, residual_multiplier=0.4, logits_scaling=3.0, embedding_multiplier=2.0,
        attention_multiplier=0.3,
    ),
    "starcoder2": lambda: _like_llama("Starcoder2", 2, **NO_HEAD_DIM, hidden_size=48),
    "mixtral": lambda: _with_experts("Mixtral"),
    "mixtral-square": lambda: _with_experts("Mixtral", intermediate_size=48),
    "qwen2-moe": lambda: _with_experts("Qwen2Moe", shared_expert_intermediate_size=43),
    "qwen2-moe-renormalised": lambda: _with_experts(
        "Qwen2Moe", shared_expert_intermediate_size=43, norm_topk_prob=True
    ),
    "qwen3-moe": lambda: _with_experts("Qwen3Moe", norm_topk_prob=True),
    "qwen3-moe-not-renormalised": lambda: _with_experts("Qwen3Moe", norm_topk_prob=False),
    "qwen3-moe-every-second": lambda: _with_experts(
        "Qwen3Moe", d_expert=43, decoder_sparse_step=2
    ),
    "qwen2-moe-dense-first": lambda: _with_experts(
        "Qwen2Moe", d_expert=29, shared_expert_intermediate_size=43, mlp_only_layers=[0]
    ),
    "granite-moe": lambda: _with_experts(
        "GraniteMoe", residual_multiplier=0.4, logits_scaling=3.0, embedding_multiplier=2.0,
        attention_multiplier=0.3,
    ),
    "olmoe": lambda: _with_experts("Olmoe"),
    "olmoe-renormalised": lambda: _with_experts("Olmoe", n_kv_heads=6, norm_topk_prob=True),
}  # fmt: skip


RUN_TOGETHER = (
    "gpt2", "gpt-neo", "bloom", "falcon-7b", "opt", "llama-gqa", "mistral", "gemma2", "olmo2",
    "mixtral", "phi",
)  # fmt: skip
"""Families that tell prompts apart in their own ways, for what runs as the rows of a batch."""

STRUCTURES = ("gpt2", "bloom", "falcon-7b", "gemma2", "llama-gqa", "qwen2-moe-dense-first")
"""One family of each structure, for what is computed of any model alike once it is laid open.

Positions that are learned, one matrix for queries, keys and values, and biases everywhere (GPT-2);
a slope over positions and a norm of the embeddings (Bloom); one key head, and attention beside the
MLP (Falcon); norms on both sides, caps and a window (Gemma 2); grouped heads that are turned, and a
gated MLP (Llama); a mixture with a shared expert, and a layer without (Qwen2 MoE). That each family
is laid open and recorded as it computes, the identities and the tests of hooks check on every one.
"""


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


def builder(name: str, dtype: torch.dtype = torch.float64) -> Builder:
    """What builds graphs of the named tiny model."""
    architecture = specimen(name, dtype).architecture
    sizes = architecture.sizes
    info = ModelInfo(
        name, architecture.family, "float64", "0" * 64, sizes.n_layers, sizes.n_heads,
        sizes.n_kv_heads, sizes.d_model, sizes.d_head, sizes.d_mlp, sizes.d_vocab,
    )  # fmt: skip
    return Builder(architecture, Numbered(), Reader(Projector(architecture), Numbered()), info)


def _tiny_tokenizer() -> Any:
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    text = ["The capital of Japan is the city of Tokyo and of France Paris"] * 3
    backend = ByteLevelBPETokenizer()
    backend.train_from_iterator(text, vocab_size=320, min_frequency=2, show_progress=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer, clean_up_tokenization_spaces=False
    )


def save_tiny_model(folder: Any, tokenizer: Any = None, n_positions: int = 23) -> Any:
    """A tiny GPT-2, saved as ``save_pretrained`` does.

    Its tokenizer is byte-level and its own, unless one is given.
    """
    tokenizer = tokenizer or _tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer), n_positions=n_positions, n_embd=30, n_layer=3, n_head=5,
            n_inner=41, bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    model.save_pretrained(folder)
    return folder

"""Models of a real size that need no download: weights from a seed, tokens named by their numbers.

What a graph costs depends on a model's sizes, hardly on its weights, so these stand in for trained
models wherever time and memory are measured. Their words mean nothing.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from visit.engine.questions import Answer, Question
from visit.models.loading import Loaded, loaded_from
from visit.session import Session

GPT2_MEDIUM = {"n_layer": 24, "n_embd": 1024, "n_head": 16, "n_positions": 1024}
D_VOCAB = 50257


def gpt2_medium_sized(
    *, seed: int = 0, sharpness: float = 1.0, dtype: torch.dtype = torch.float32
) -> Loaded:
    """A GPT-2 of GPT-2 medium's sizes; ``Session(gpt2_medium_sized())`` answers requests with it.

    A prompt is numbers with spaces between them, each a token's id (``numbered_prompt``).

    Args:
        seed: Of the weights.
        sharpness: What queries and keys are multiplied by. At 1 every head attends to all its
            sources about alike, so no edge between positions is above the threshold; at 8 it
            picks a few, and the route spreads over the prompt.
        dtype: Of the weights.
    """
    return gpt2_sized(seed=seed, sharpness=sharpness, dtype=dtype, **GPT2_MEDIUM)


def gpt2_sized(
    *, seed: int, sharpness: float = 1.0, dtype: torch.dtype = torch.float32, **sizes: int
) -> Loaded:
    """The same in any sizes, in the words of ``GPT2Config``."""
    made: Any = GPT2Config  # of any keyword
    config = made(
        vocab_size=D_VOCAB, bos_token_id=0, eos_token_id=0, attn_implementation="eager", **sizes
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = GPT2LMHeadModel(config)
    with torch.no_grad():
        for block in model.transformer.h:
            block.attn.c_attn.weight[:, : 2 * config.n_embd] *= sharpness
    model = model.to(dtype).eval().requires_grad_(False)
    name = f"seeded-gpt2-{config.n_layer}x{config.n_embd}"
    # Hashing the weights would take longer than making them, and this says as much.
    made_of = f"{name} {seed} {sharpness} {dtype} {sorted(sizes.items())}"
    digest = hashlib.sha256(made_of.encode()).hexdigest()
    return loaded_from(model, numbered_tokenizer(D_VOCAB), name=name, weights_sha256=digest)


def smollm2_sized(*, seed: int = 0) -> Loaded:
    """A Llama of SmolLM2-135M's sizes, from a seed; its prompts are numbers, as GPT-2's are."""
    made: Any = LlamaConfig
    config = made(
        vocab_size=D_VOCAB, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=2048,
        tie_word_embeddings=True, bos_token_id=0, eos_token_id=0, attn_implementation="eager",
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config).eval().requires_grad_(False)
    name = "seeded-llama-30x576"
    digest = hashlib.sha256(f"{name} {seed}".encode()).hexdigest()
    return loaded_from(model, numbered_tokenizer(D_VOCAB), name=name, weights_sha256=digest)


def numbered_tokenizer(d_vocab: int) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are the numbers from 0 on, each with a space before it."""
    vocabulary = {f"▁{id_}": id_ for id_ in range(d_vocab)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="▁0"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False)


def numbered_prompt(n_tokens: int, *, seed: int = 0) -> str:
    """A prompt of that many different tokens, drawn at random."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randperm(D_VOCAB, generator=generator)[:n_tokens]
    return " ".join(map(str, ids.tolist()))


def ask_anew(session: Session, question: Question[Answer]) -> Answer:
    """The answer, found again though the session was asked the same before."""
    session.resident.answers.clear()
    return session.ask(question)

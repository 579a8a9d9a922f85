"""A tiny model with a circuit made by hand: it says what came after the last token's first copy.

A *previous-token head* in layer 0 writes, at each position, which token stands before it. An
*induction head* in layer 1 looks for the position whose previous token is the one it stands at,
and says the token there. Every other head and MLP is weak noise.

The residual stream has four parts: the token, the position, the token before, and what to say. Each
coordinate comes twice, with both signs, so that a LayerNorm has no mean to take off.
"""

from __future__ import annotations

from functools import cache

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from visit.models.loading import Loaded, loaded_from

N_WORDS, N_PLACES, N_HEADS, N_LAYERS = 11, 9, 3, 2
D_MODEL = 2 * (3 * N_WORDS + N_PLACES)
D_HEAD = D_MODEL // N_HEADS
TOKEN, PLACE, BEFORE, SAID = (
    range(start, start + size)
    for start, size in (
        (0, N_WORDS),
        (N_WORDS, N_PLACES),
        (N_WORDS + N_PLACES, N_WORDS),
        (2 * N_WORDS + N_PLACES, N_WORDS),
    )
)
PREVIOUS_TOKEN, INDUCTION = "L0.head1", "L1.head2"
PROMPT = "0 4 7 2 9 5 4"
"""4 was followed by 7. The first token comes once: nothing stands before it."""
SAYS, LAST, SOURCE = " 7", 6, 2
NOISE, SHARPNESS, LOUDNESS = 0.01, 30.0, 0.1
"""As loud as this, a head writes about as much as an embedding does."""


@cache
def planted() -> Loaded:
    """The model, in float64, with a tokenizer whose tokens are numbers."""
    config = GPT2Config(
        vocab_size=N_WORDS, n_positions=N_PLACES, n_embd=D_MODEL, n_layer=N_LAYERS, n_head=N_HEADS,
        n_inner=13, bos_token_id=0, eos_token_id=0, tie_word_embeddings=False,
        attn_implementation="eager",
    )  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    model = GPT2LMHeadModel(config).to(torch.float64).eval().requires_grad_(False)
    for name, weight in model.named_parameters():
        is_gain = name.endswith("weight") and weight.ndim == 1
        noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        weight.copy_(torch.ones_like(weight) if is_gain else NOISE * noise * (weight.ndim > 1))
    model.transformer.wte.weight.copy_(_rows(TOKEN))
    model.transformer.wpe.weight.copy_(_rows(PLACE))
    model.lm_head.weight.copy_(_rows(SAID))
    earlier = torch.eye(N_PLACES, dtype=torch.float64)[[*range(1, N_PLACES), 0]]
    _plant(model, 0, 1, _rows(PLACE) * SHARPNESS, earlier.T @ _rows(PLACE), TOKEN, BEFORE)
    _plant(model, 1, 2, _rows(TOKEN) * SHARPNESS, _rows(BEFORE), TOKEN, SAID)
    return loaded_from(model, _tokenizer(), name="planted", weights_sha256="0" * 64)


def _rows(part: range) -> Tensor:
    """Each of a part's coordinates as a direction of the residual stream."""
    rows = torch.zeros(len(part), D_MODEL, dtype=torch.float64)
    for row, coordinate in enumerate(part):
        rows[row, 2 * coordinate], rows[row, 2 * coordinate + 1] = 1.0, -1.0
    return rows


def _plant(
    model: GPT2LMHeadModel, layer: int, head: int, asks: Tensor, answers: Tensor, takes: range,
    writes: range,
) -> None:  # fmt: skip
    """A head that attends where ``answers`` fit ``asks``, and copies one part into another.

    Args:
        model: What it is planted in.
        layer: The layer.
        head: Which of its heads.
        asks: Directions that queries are read from, ``[n, d_model]``.
        answers: Directions that keys are read from, ``[n, d_model]``.
        takes: The part of the residual stream that values are read from.
        writes: The part that they are written to.
    """
    attention = model.transformer.h[layer].attn
    own = slice(head * D_HEAD, (head + 1) * D_HEAD)
    for kind, directions in enumerate((asks, answers, _rows(takes))):
        columns = attention.c_attn.weight[:, kind * D_MODEL : (kind + 1) * D_MODEL][:, own]
        columns.zero_()
        columns[:, : len(directions)] = directions.T
    attention.c_proj.weight[own].zero_()
    attention.c_proj.weight[own][: len(writes)] = LOUDNESS * _rows(writes)


def _tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {f"▁{id_}": id_ for id_ in range(N_WORDS)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="▁0"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False)

"""A tiny GPT-2 with weights made by hand: a previous-token head, and an induction head after it.

A position's residual holds its token (one of ``N_TOKENS``, one-hot), where it stands (one-hot) and,
once head 0 of layer 0 has read the position before, the token before. Head 0 of layer 1 looks for
sources whose token before is the reader's own token, and copies their token. Head 1 of both layers
and both MLPs do nothing.
"""

from __future__ import annotations

from functools import cache

import torch
from specimens import Specimen
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from visit.models.architectures import lay_open
from visit.tracing.trace import record

N_TOKENS, N_POSITIONS, WIDTH = 6, 8, 10
PROMPT = (0, 1, 2, 3, 4, 1)
"""``... 1 2 ... 1``: from the last position the induction head reads position 2."""
READER, SOURCE = 5, 2
TOKEN = slice(0, N_TOKENS)
PLACE = slice(N_TOKENS, N_TOKENS + N_POSITIONS)
BEFORE = slice(PLACE.stop, PLACE.stop + N_TOKENS)
SHARPNESS = 8.0


@cache
def planted() -> Specimen:
    """The model, laid open and traced on ``PROMPT``, in float64."""
    config = GPT2Config(
        vocab_size=N_TOKENS, n_positions=N_POSITIONS, n_embd=2 * WIDTH, n_layer=2, n_head=2,
        n_inner=3, attn_implementation="eager", bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval().double().requires_grad_(False)
    for name, weight in model.named_parameters():
        weight.fill_(1.0 if "ln_" in name and name.endswith("weight") else 0.0)
    body = model.transformer
    body.wte.weight[:, TOKEN] = torch.eye(N_TOKENS, dtype=torch.float64)
    body.wpe.weight[:, PLACE] = torch.eye(N_POSITIONS, dtype=torch.float64)
    shift = torch.diag(torch.ones(N_POSITIONS - 1, dtype=torch.float64), -1)
    _set_head(body.h[0].attn, query=(PLACE, shift), key=(PLACE, None), copies=(TOKEN, BEFORE))
    _set_head(body.h[1].attn, query=(TOKEN, None), key=(BEFORE, None), copies=(TOKEN, TOKEN))
    architecture = lay_open(model)
    return Specimen(model, architecture, record(model, architecture, PROMPT))


def _set_head(
    attention: object,
    query: tuple[slice, Tensor | None],
    key: tuple[slice, Tensor | None],
    copies: tuple[slice, slice],
) -> None:
    """Give head 0 what it looks for, what it is found by, and from where to where it copies."""
    weight = attention.c_attn.weight.view(2 * WIDTH, 3, 2, WIDTH)
    for place, (rows, turned) in enumerate((query, key)):
        size = rows.stop - rows.start
        matrix = torch.eye(size, dtype=torch.float64) if turned is None else turned
        weight[rows, place, 0, :size] = matrix * (SHARPNESS if place == 0 else 1.0)
    source, target = copies
    size = source.stop - source.start
    weight[source, 2, 0, :size] = torch.eye(size, dtype=torch.float64)
    out = attention.c_proj.weight.view(2, WIDTH, 2 * WIDTH)
    out[0, :size, target] = torch.eye(size, dtype=torch.float64)

"""What one head's weights do to tokens: which it looks for from which, and what it makes of each.

Tokens are read as the embedding alone, scaled by the layer's own norm, and queries and keys by
theirs where the model has such norms, without any position: what the head would do in a model of
that layer alone. In a later layer the residual holds more than
that, which no weights say.

Source: Elhage et al. 2021, "the QK circuit" and "the OV circuit".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.attribution.projections import keys_of, queries_of
from visit.models.architectures import Architecture


@dataclass(frozen=True, slots=True)
class HeadCircuits:
    """A head's circuits between some tokens.

    Attributes:
        scores: From each reader to each source, the score less its mean over these sources.
        promoted: Of each source, the vocabulary's tokens whose logit it lifts most.
        own_rank: Where a source's own token stands among all that it lifts, from 1: 1 copies.
    """

    scores: Float[Tensor, "reader source"]
    promoted: Int[Tensor, "source top"]
    own_rank: Int[Tensor, " source"]


def circuits_of(
    architecture: Architecture,
    embeddings: Float[Tensor, "token d_model"],
    token_ids: Int[Tensor, " token"],
    layer: int,
    head: int,
    top_k: int,
) -> HeadCircuits:
    """One head's circuits between some tokens.

    Args:
        architecture: The model.
        embeddings: Of those tokens, on whatever device.
        token_ids: Their ids.
        layer: The head's layer.
        head: Its number.
        top_k: How many promoted tokens are listed of each.
    """
    block = architecture.blocks[layer]
    attention = block.attention
    x = embeddings.to(attention.w_q.device, torch.float32)
    if block.ln1 is not None:
        x = block.ln1(x)
    shared = head * len(attention.w_k) // len(attention.w_q)
    queries, keys = queries_of(attention, x)[head], keys_of(attention, x)[shared]
    scores = queries @ keys.T * attention.score_scale
    written = attention.value(x, head) @ attention.w_o[head].to(x)
    if block.attn_norm is not None:
        written = written * block.attn_norm.gain.to(x)
    direction = architecture.final_norm.linear(written, torch.ones_like(written[:, :1]))
    logits = direction @ architecture.unembedding.to(x)
    own = logits.gather(1, token_ids.to(logits.device)[:, None])
    return HeadCircuits(
        scores=scores - scores.mean(1, keepdim=True),
        promoted=logits.topk(top_k, dim=1).indices,
        own_rank=(logits > own).sum(1) + 1,
    )

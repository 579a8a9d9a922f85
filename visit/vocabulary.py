"""The lens, and the Projector that reads vectors through it in batches.

A reading is what a vector says when it is sent through the final norm and the unembedding, as if
it were the last residual (nostalgebraist's logit lens; VISIT section 3). The Projector reads any
number of vectors at once, in chunks whose logits stay small, and never loops over vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.architectures import Architecture
from visit.flow import Reading, TargetReading, TokenProbability
from visit.precision import reading_dtype
from visit.tokens import Tokens

CHUNK_LOGITS = 1 << 22
"""How many logits a chunk may hold: 16 MiB in float32, about what a core's caches keep."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The readings of a batch of vectors, before tokens are spelled out.

    Attributes:
        top_ids: The most probable tokens, best first; ``top_probs`` goes with it.
        bottom_ids: The least probable tokens, least first; ``bottom_probs`` goes with it.
        target_logit: Of the target.
        target_prob: Its probability.
        target_rank: 1 plus the number of tokens with a higher logit.
        entropy: In bits.
        norm: L2, of the vector itself.
    """

    top_ids: Int[Tensor, "vector top"]
    top_probs: Float[Tensor, "vector top"]
    bottom_ids: Int[Tensor, "vector top"]
    bottom_probs: Float[Tensor, "vector top"]
    target_logit: Float[Tensor, " vector"]
    target_prob: Float[Tensor, " vector"]
    target_rank: Int[Tensor, " vector"]
    entropy: Float[Tensor, " vector"]
    norm: Float[Tensor, " vector"]


class Projector:
    """Reads vectors of the residual space in the model's vocabulary."""

    def __init__(
        self, architecture: Architecture, tokens: Tokens, *, chunk_logits: int = CHUNK_LOGITS
    ) -> None:
        # A lens in half precision would round the words away: read through a float32 copy.
        unembedding = architecture.unembedding.to(reading_dtype(architecture.unembedding.dtype))
        self._architecture = replace(architecture, unembedding=unembedding)
        self._tokens = tokens
        self._chunk = max(1, chunk_logits // architecture.sizes.d_vocab)

    def logits(self, vectors: Float[Tensor, "vector d_model"]) -> Float[Tensor, "vector d_vocab"]:
        """The vectors through the final norm and the unembedding."""
        architecture = self._architecture
        return architecture.logits(architecture.final_norm(vectors.to(architecture.unembedding)))

    def read(
        self,
        vectors: Float[Tensor, "vector d_model"],
        target_id: int,
        top_k: int,
        on_part: Callable[[float], None] = lambda part: None,
    ) -> tuple[Reading, ...]:
        """What each vector says, in order. No result depends on the chunking.

        Args:
            vectors: Any vectors of the residual space.
            target_id: The token whose rank and probability are asked for.
            top_k: How many tokens to list at either end; at most the whole vocabulary.
            on_part: Called with the part that is read, 0 to 1; what it raises ends the reading.
        """
        if not len(vectors):
            return ()
        top_k = min(top_k, self._architecture.sizes.d_vocab)
        with torch.inference_mode():
            parts, chunks = vectors.split(self._chunk), []
            for done, part in enumerate(parts):
                on_part(done / len(parts))
                chunks.append(measure(self.logits(part), part.norm(dim=-1), target_id, top_k))
        names = Measured.__slots__
        return self._in_words(
            Measured(**{name: torch.cat([getattr(c, name) for c in chunks]) for name in names})
        )

    def read_logits(
        self,
        logits: Float[Tensor, "vector d_vocab"],
        norm: Float[Tensor, " vector"],
        target_id: int,
        top_k: int,
    ) -> tuple[Reading, ...]:
        """The same for logits that need no lens, such as the model's own, with norms to report."""
        top_k = min(top_k, self._architecture.sizes.d_vocab)
        return self._in_words(measure(logits, norm, target_id, top_k))

    def _in_words(self, measured: Measured) -> tuple[Reading, ...]:
        tops = self._listings(measured.top_ids, measured.top_probs)
        bottoms = self._listings(measured.bottom_ids, measured.bottom_probs)
        targets = zip(
            measured.target_prob.tolist(),
            measured.target_rank.tolist(),
            measured.target_logit.tolist(),
            strict=True,
        )
        rows = zip(
            tops, bottoms, targets, measured.entropy.tolist(), measured.norm.tolist(), strict=True
        )
        return tuple(
            Reading(top, bottom, TargetReading(*target), entropy, norm)
            for top, bottom, target, entropy, norm in rows
        )

    def _listings(
        self, ids: Int[Tensor, "vector top"], probs: Float[Tensor, "vector top"]
    ) -> list[tuple[TokenProbability, ...]]:
        text = self._tokens.text
        return [
            tuple(TokenProbability(i, text(i), p) for i, p in zip(*row, strict=True))
            for row in zip(ids.tolist(), probs.tolist(), strict=True)
        ]


def measure(
    logits: Float[Tensor, "vector d_vocab"],
    norm: Float[Tensor, " vector"],
    target_id: int,
    top_k: int,
) -> Measured:
    """What a batch of logits says, before tokens are spelled out."""
    log_probs = logits - logits.logsumexp(-1, keepdim=True)
    top, bottom = log_probs.topk(top_k), log_probs.topk(top_k, largest=False)
    target = logits[:, target_id]
    # x·exp(x) tends to 0 as x falls, but -inf · 0 is not a number.
    weighed = log_probs.exp() * log_probs.clamp_min(torch.finfo(logits.dtype).min)
    return Measured(
        top_ids=top.indices,
        top_probs=top.values.exp(),
        bottom_ids=bottom.indices,
        bottom_probs=bottom.values.exp(),
        target_logit=target,
        target_prob=log_probs[:, target_id].exp(),
        target_rank=1 + (logits > target.unsqueeze(-1)).sum(-1),
        entropy=(-weighed.sum(-1) / math.log(2)).clamp_min(0),
        norm=norm,
    )

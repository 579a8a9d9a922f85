"""How far a reading's logits spread, without computing them: the Gram matrix of the unembedding.

A normed vector ``n`` has the logits ``U·n + b``. Take the mean over the vocabulary away from the
columns of ``U`` and from ``b``, which leaves ``C`` and ``c``; the logits then deviate from their
own mean by ``C·n + c``, and the mean square of that is ``n·G·n + 2·n·h + e`` with ``G = Cᵀ·C``,
``h = Cᵀ·c`` and ``e = c·c``, each over the size of the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.models.architectures import Architecture
from visit.tracing.precision import ledger_dtype

_TOKENS_AT_ONCE = 1 << 13


@dataclass(frozen=True, slots=True)
class Gram:
    """The lens's logits, as far as their spread goes: all of them before a soft-cap.

    Attributes:
        gram: ``G``.
        cross: ``h``.
        constant: ``e``.
    """

    gram: Float[Tensor, "d_model d_model"]
    cross: Float[Tensor, " d_model"]
    constant: Float[Tensor, ""]

    @classmethod
    def of(cls, architecture: Architecture) -> Gram:
        """The lens's, in the dtype of ledgers."""
        unembedding, bias = architecture.unembedding, architecture.unembedding_bias
        wide = ledger_dtype(unembedding)
        d_model, d_vocab = unembedding.shape
        mean = unembedding.mean(-1, keepdim=True, dtype=wide)
        gram = torch.zeros(d_model, d_model, dtype=wide, device=unembedding.device)
        cross, constant = torch.zeros_like(gram[0]), torch.zeros_like(gram[0, 0])
        for start in range(0, d_vocab, _TOKENS_AT_ONCE):
            tokens = slice(start, start + _TOKENS_AT_ONCE)
            columns = (unembedding[:, tokens].to(wide) - mean) * architecture.logit_scale
            gram += columns @ columns.T
            if bias is not None:
                biases = bias[tokens].to(wide) - bias.mean(dtype=wide)
                cross += columns @ biases
                constant += biases @ biases
        return cls(gram / d_vocab, cross / d_vocab, constant / d_vocab)

    def spread(self, normed: Float[Tensor, "row d_model"]) -> Float[Tensor, " row"]:
        """The standard deviation of each normed vector's logits over the vocabulary."""
        wide = normed.to(self.gram)
        squares = ((wide @ self.gram + 2 * self.cross) * wide).sum(-1) + self.constant
        return squares.clamp_min(0).sqrt()

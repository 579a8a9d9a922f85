"""The lens, and the Projector that reads vectors through it in batches.

A reading is what a vector says when it is sent through the final norm and the unembedding, as if
it were the last residual (nostalgebraist's logit lens; VISIT section 3). The Projector measures any
number of vectors at once, in chunks whose logits stay small, and never loops over vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.lens.measured import Measured, find_ends, measure, ranks
from visit.models.architectures import Architecture
from visit.tracing.precision import reading_dtype

CHUNK_LOGITS = 13 << 20
"""How many logits a chunk may hold: 52 MiB in float32 (docs/performance.md says why)."""

_SCRATCH_LOGITS = 1 << 20
"""How many logits the statistics go over at once: with what they make of them, 12 MiB."""

_TOGETHER = 64
"""So many vectors are multiplied in every product, the last of them repeated where there are fewer.
BLAS sums other numbers of rows in another order, and a reading's last digit would then depend on
how many vectors are read with it."""

_EIGHT = 8
"""The fewest, where the vocabulary is so large that the logits of more would not fit a chunk."""

FEWEST_LISTED = 10
"""Readings list so many tokens at least, and a rank may go by them, however many more there are."""

_PANEL_ELEMENTS, _PANEL_TOKENS = 1 << 20, 1 << 10
"""A product on the CPU goes over the vocabulary in panels of some 4 MiB of the unembedding, which
stay in the cache while every vector meets them; of at least so many tokens."""

_PAIRED = 1 << 19

_Taken = TypeVar("_Taken")


@dataclass(frozen=True, slots=True)
class Targeted:
    """What each vector of a batch says of one token.

    Attributes:
        logit: Of the token.
        prob: Its probability.
        rank: 1 plus the number of tokens with a higher logit.
    """

    logit: Float[Tensor, " vector"]
    prob: Float[Tensor, " vector"]
    rank: Int[Tensor, " vector"]


class Projector:
    """Measures vectors of the residual space in the model's vocabulary.

    Attributes:
        chunk: How many vectors are multiplied at once.
    """

    def __init__(self, architecture: Architecture, *, chunk_logits: int = CHUNK_LOGITS) -> None:
        # Half precision would round small differences away: read through a float32 copy.
        unembedding = architecture.unembedding.to(reading_dtype(architecture.unembedding.dtype))
        self._architecture = replace(architecture, unembedding=unembedding)
        d_model, d_vocab = unembedding.shape
        # Of the vocabulary alone, so that no digit depends on the chunking.
        self._together = min(_TOGETHER, max(_EIGHT, CHUNK_LOGITS // d_vocab // _EIGHT * _EIGHT))
        self.chunk = max(1, chunk_logits // d_vocab // self._together) * self._together
        is_cached = unembedding.device.type == "cpu"
        self._panel = max(_PANEL_TOKENS, _PANEL_ELEMENTS // d_model) if is_cached else d_vocab

    @property
    def d_vocab(self) -> int:
        """How many tokens there are."""
        return self._architecture.sizes.d_vocab

    def cast(self, vectors: Float[Tensor, "vector d_model"]) -> Float[Tensor, "vector d_model"]:
        """The vectors in the dtype and on the device that they are measured in."""
        return vectors.to(self._architecture.unembedding)

    def measure(
        self,
        vectors: Float[Tensor, "vector d_model"],
        top_k: int,
        on_part: Callable[[float], None] = lambda part: None,
    ) -> Measured:
        """What each vector says, in order. No row depends on the others or on the chunking.

        Args:
            vectors: At least one, each of the residual space.
            top_k: How many tokens to list at either end; all of them if there are fewer.
            on_part: Called with the part that is measured, 0 to 1; what it raises ends the work.
        """
        return Measured.join(list(self.measure_in_parts(vectors, top_k, on_part)))

    def measure_in_parts(
        self,
        vectors: Float[Tensor, "vector d_model"],
        top_k: int,
        on_part: Callable[[float], None] = lambda part: None,
    ) -> Iterator[Measured]:
        """The same in batches of as many vectors as are multiplied at once: less memory."""
        vectors, top_k = self.cast(vectors), min(top_k, self.d_vocab)
        # Touching newly allocated memory costs as much as the pass over it.
        height = min(self.chunk, math.ceil(len(vectors) / self._together) * self._together)
        logits = vectors.new_empty(height, self.d_vocab)
        step = min(height, max(1, _SCRATCH_LOGITS // self.d_vocab))
        scratch = vectors.new_empty(2, step, self.d_vocab)
        parts = vectors.split(self.chunk)
        for done, part in enumerate(parts):
            on_part(done / len(parts))
            yield self._measure_part(part, top_k, logits, scratch)  # of which nothing is held here

    @torch.inference_mode()
    def read(
        self,
        vectors: Float[Tensor, "vector d_model"],
        take: Callable[[Float[Tensor, "some d_vocab"], slice], _Taken],
    ) -> list[_Taken]:
        """What is taken of the logits of some vectors after others.

        Args:
            vectors: At least one.
            take: Given the logits of as many vectors as are multiplied at once, in order, and
                which vectors they are of; it may change the logits, and keeps none of them.
        """
        vectors = self.cast(vectors)
        height = min(self.chunk, math.ceil(len(vectors) / self._together) * self._together)
        logits = vectors.new_empty(height, self.d_vocab)
        return [
            take(self._logits(part, logits), slice(start, start + len(part)))
            for start, part in zip(
                range(0, len(vectors), self.chunk), vectors.split(self.chunk), strict=True
            )
        ]

    def top(
        self, vectors: Float[Tensor, "vector d_model"], count: int
    ) -> Int[Tensor, "vector top"]:
        """The most probable tokens of each vector, best first: what ``measure`` lists of them."""
        count = min(count, self.d_vocab)
        return torch.cat(self.read(vectors, lambda logits, _: find_ends(logits, count)))

    @torch.inference_mode()
    def _measure_part(
        self,
        vectors: Float[Tensor, "vector d_model"],
        top_k: int,
        logits: Float[Tensor, "height d_vocab"],
        scratch: Float[Tensor, "2 step d_vocab"],
    ) -> Measured:
        found = self._logits(vectors, logits)
        codes = torch.empty(found.shape, dtype=torch.int16, device=found.device)
        step = scratch.shape[1]
        pieces = zip(found.split(step), codes.split(step), strict=True)
        return Measured.join_around([measure(*piece, top_k, scratch) for piece in pieces], codes)

    @torch.inference_mode()
    def target(
        self, vectors: Float[Tensor, "vector d_model"], measured: Measured, target_id: int
    ) -> Targeted:
        """What each measured vector says of one token, without a product with the unembedding.

        The logit is the one that was measured, to the last digit: of the same product, with the one
        panel of the unembedding that holds the token.
        """
        vectors = self.cast(vectors)
        parts = [self._logit_of(part, target_id) for part in vectors.split(self.chunk)]
        logit, normed = torch.cat(parts), self._architecture.final_norm(vectors)

        def logits_of(rows: Tensor, token_ids: Tensor) -> Tensor:
            step = max(1, _PAIRED // normed.shape[1])
            pairs = zip(rows.split(step), token_ids.split(step), strict=True)
            logit = self._architecture.logits_of_tokens
            return torch.cat([logit(normed[row], token_id) for row, token_id in pairs])

        rank = ranks(measured.codes, target_id, logits_of)
        # Those logits are other sums of the same products; the listed tokens' are the measured.
        above = 1 + (measured.top_logits[:, :FEWEST_LISTED] > logit.unsqueeze(1)).sum(-1)
        is_listed = (measured.top_ids[:, :FEWEST_LISTED] == target_id).any(-1)
        return Targeted(
            logit=logit,
            prob=measured.probs(logit.unsqueeze(1)).squeeze(1),
            rank=torch.where(is_listed, above, rank.maximum(above)),
        )

    def _logits(
        self, vectors: Float[Tensor, "vector d_model"], out: Float[Tensor, "height d_vocab"]
    ) -> Float[Tensor, "vector d_vocab"]:
        """The vectors through the final norm and the unembedding."""
        normed = self._norm(vectors)
        out = out[: len(normed)]
        panels = self._architecture.unembedding.split(self._panel, dim=1)
        for panel, part in zip(panels, out.split(self._panel, dim=1), strict=True):
            self._multiply(normed, panel, part)
        bias = self._architecture.unembedding_bias
        return self._architecture.logits_from(out, bias)[: len(vectors)]

    def _logit_of(
        self, vectors: Float[Tensor, "vector d_model"], token_id: int
    ) -> Float[Tensor, " vector"]:
        """One column of those logits."""
        normed, start = self._norm(vectors), token_id // self._panel * self._panel
        tokens = slice(start, start + self._panel)
        panel, bias = self._architecture.unembedding[:, tokens], self._architecture.unembedding_bias
        out = normed.new_empty(len(normed), panel.shape[1])
        self._multiply(normed, panel, out)
        logits = self._architecture.logits_from(out, None if bias is None else bias[tokens])
        return logits[: len(vectors), token_id - start]

    def _norm(
        self, vectors: Float[Tensor, "vector d_model"]
    ) -> Float[Tensor, "padded_vector d_model"]:
        """The vectors through the final norm, as many more as make the last product full."""
        missing = -len(vectors) % self._together
        padding = vectors[:1].expand(missing, -1)
        return self._architecture.final_norm(torch.cat([vectors, padding]))

    def _multiply(
        self,
        normed: Float[Tensor, "padded_vector d_model"],
        panel: Float[Tensor, "d_model panel"],
        out: Float[Tensor, "padded_vector panel"],
    ) -> None:
        """Products of one shape, whatever is multiplied."""
        rows = zip(normed.split(self._together), out.split(self._together), strict=True)
        for some, into in rows:
            torch.mm(some, panel, out=into)

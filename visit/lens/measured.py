"""What logits say, whatever the target: pure tensor functions, one pass over the vocabulary.

A measured vector keeps a 16-bit code of each logit, from which the exact rank of any target follows
later without multiplying the vector by the unembedding again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int, Int16
from torch import Tensor

from visit.tracing.ties import find_greatest

_LOWEST, _HIGHEST = -(1 << 15), (1 << 15) - 1
_FARTHEST = 1000.0
"""In nats below the top logit: anything lower has a probability of zero, and all share one code."""

_BLOCK = 64

_COUNTED_AT_ONCE = 1 << 21
"""How many codes are compared at once: 4 MiB, and as much for what comes of it."""

_MOST_WORDS = (1 << 15) - 1
"""How many words of four 16-bit flags are added up at once, so that none of four sums overflows."""

LogitsOf = Callable[[Int[Tensor, " pair"], Int[Tensor, " pair"]], Float[Tensor, " pair"]]
"""The exact logits of some pairs of a vector (by its place in the batch) and a token."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What each vector of a batch says, whatever the target.

    Attributes:
        top_ids: The most probable tokens, best first, of equal ones by their ids.
        top_logits: Of those; the first is the highest of all.
        bottom_ids: The least probable tokens, least first, of equal ones by their ids.
        bottom_logits: Of those.
        log_total: The log-sum-exp of its logits less the highest of them, 0 or more. The highest is
            kept apart: next to a logit of 2,000, float32 has four digits left for a logarithm.
        entropy: In bits.
        codes: Its logits on a scale of 65,536 steps from its lowest to its highest. Of two tokens
            with different codes the greater has the higher logit.
    """

    top_ids: Int[Tensor, "vector top"]
    top_logits: Float[Tensor, "vector top"]
    bottom_ids: Int[Tensor, "vector top"]
    bottom_logits: Float[Tensor, "vector top"]
    log_total: Float[Tensor, " vector"]
    entropy: Float[Tensor, " vector"]
    codes: Int16[Tensor, "vector d_vocab"]

    def __len__(self) -> int:
        return len(self.log_total)

    @property
    def n_bytes(self) -> int:
        """The memory it takes, almost all of it codes."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def probs(self, logits: Float[Tensor, "vector some"]) -> Float[Tensor, "vector some"]:
        """The probabilities of some of each vector's tokens, by their logits; none is above 1."""
        return (logits - self.top_logits[:, :1] - self.log_total.unsqueeze(1)).exp()

    def at(self, rows: Tensor | slice) -> Measured:
        """Some of the vectors."""
        return Measured(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def listing(self, most: int) -> Measured:
        """The same, with no more tokens listed at either end."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        listed = {
            name: column[:, :most].contiguous()
            for name, column in columns.items()
            if name != "codes" and column.ndim == 2
        }
        return Measured(**{**columns, **listed})

    @classmethod
    def join_around(
        cls, parts: Sequence[Measured], codes: Int16[Tensor, "vector d_vocab"]
    ) -> Measured:
        """Batches one after another whose codes are in one tensor already."""
        names = [field.name for field in fields(cls) if field.name != "codes"]
        return cls(
            codes=codes,
            **{name: torch.cat([getattr(part, name) for part in parts]) for name in names},
        )

    @classmethod
    def join(cls, parts: Sequence[Measured]) -> Measured:
        """Batches one after another."""
        if len(parts) == 1:
            return parts[0]
        return cls.join_around(parts, torch.cat([part.codes for part in parts]))


def entropy_of(log_probs: Float[Tensor, "vector d_vocab"]) -> Float[Tensor, " vector"]:
    """The entropy of probabilities by their logarithms, in bits; one of zero adds nothing."""
    bits: Tensor = log_probs.exp() * log_probs.clamp_min(-_FARTHEST)
    return -bits.sum(-1) / math.log(2)


def measure_alone(logits: Float[Tensor, "vector d_vocab"], top_k: int) -> Measured:
    """What a few logits say, in memory of their own."""
    codes = torch.empty(logits.shape, dtype=torch.int16, device=logits.device)
    return measure(logits, codes, top_k, logits.new_empty(2, *logits.shape))


def measure(
    logits: Float[Tensor, "vector d_vocab"],
    codes: Int16[Tensor, "vector d_vocab"],
    top_k: int,
    scratch: Float[Tensor, "2 height d_vocab"],
) -> Measured:
    """What a batch of logits says. A row depends on no other row.

    Args:
        logits: None is NaN; minus infinity is a token that cannot be.
        codes: What becomes of them; overwritten.
        top_k: How many tokens to list at either end, 1 or more; at most the whole vocabulary.
        scratch: Of at least as many rows; overwritten.
    """
    top_ids, bottom_ids = find_ends(logits, top_k), find_ends(logits, top_k, least=True)
    top, bottom = logits.gather(1, top_ids), logits.gather(1, bottom_ids)
    high, low = top[:, :1], bottom[:, :1]
    # Logits far below the top contribute nothing; and -inf · 0 would be NaN.
    if not bool((high - low <= _FARTHEST).all()):
        low = low.maximum(high - _FARTHEST)
        logits = logits.maximum(low)
    below, weights = scratch[0, : len(logits)], scratch[1, : len(logits)]
    torch.sub(logits, high, out=below)
    # Not to the power of 2: torch's exp2 has another last digit where a thread's work ends.
    torch.exp(below, out=weights)
    # The top token's weight is 1. Added in the end, it drowns none of the others.
    others = _sum_rows(weights.scatter_(1, top_ids[:, :1], 0.0))
    log_total = others.log1p()
    # Entropy is log_total less the mean logit, both of them counted from the highest logit.
    mean = _sum_rows(below.mul_(weights)) / (1 + others)
    return Measured(
        top_ids=top_ids,
        top_logits=top,
        bottom_ids=bottom_ids,
        bottom_logits=bottom,
        log_total=log_total,
        entropy=(log_total - mean) / math.log(2),
        codes=codes.copy_(_scale(logits, low, high, into=weights)),
    )


def _sum_rows(rows: Float[Tensor, "vector d_vocab"]) -> Float[Tensor, " vector"]:
    """Each row's sum. Of one row alone, torch adds up each thread's part: in another order."""
    return rows.expand(2, -1).sum(-1)[:1] if len(rows) == 1 else rows.sum(-1)


def find_ends(
    logits: Float[Tensor, "vector d_vocab"], count: int, *, least: bool = False
) -> Int[Tensor, "vector top"]:
    """The tokens of the greatest or least logits in order, of equal ones by their ids.

    The ``count`` greatest lie in the ``count`` blocks whose greatest are greatest; of blocks with
    equal ones, in the first. Finding those takes one quick pass, and only their tokens are sorted.
    """
    d_vocab = logits.shape[1]
    n_blocks = d_vocab // _BLOCK
    if n_blocks < 2 * count:
        return find_greatest(logits, count, least=least)
    blocks = _blocks(logits)
    ends = blocks.amin(-1) if least else blocks.amax(-1)
    chosen = find_greatest(ends, count, least=least).sort(-1).values.unsqueeze(-1) * _BLOCK
    within = torch.arange(_BLOCK, device=logits.device)
    leftover = torch.arange(n_blocks * _BLOCK, d_vocab, device=logits.device)
    token_ids = torch.cat([(chosen + within).flatten(1), leftover.expand(len(logits), -1)], dim=1)
    return token_ids.gather(1, find_greatest(logits.gather(1, token_ids), count, least=least))


def _blocks(rows: Tensor, size: int = _BLOCK) -> Tensor:
    """Rows in blocks, without the few columns that are left over at the end."""
    n_blocks = rows.shape[1] // size
    blocks: Tensor = rows[:, : n_blocks * size].unflatten(1, (n_blocks, size))
    return blocks


def _scale(
    logits: Float[Tensor, "vector d_vocab"],
    low: Float[Tensor, "vector 1"],
    high: Float[Tensor, "vector 1"],
    *,
    into: Float[Tensor, "vector d_vocab"],
) -> Float[Tensor, "vector d_vocab"]:
    """Logits as codes that still have decimals, which the conversion to integers cuts off.

    No step here, nor that conversion, changes the order of two logits.
    """
    span = high - low
    step = (_HIGHEST - _LOWEST) / span.where(span > 0, torch.ones_like(span))
    return torch.sub(logits, low, out=into).mul_(step).add_(_LOWEST)


def ranks(
    codes: Int16[Tensor, "vector d_vocab"], target_id: int, logits_of: LogitsOf
) -> Int[Tensor, " vector"]:
    """The target's rank in each vector: 1 plus the number of tokens with a higher logit. Exact.

    Tokens of a higher code than the target's are counted; the few that share its code are told
    apart by their logits.
    """
    d_vocab = codes.shape[1]
    step, width = max(1, _COUNTED_AT_ONCE // d_vocab), math.ceil(d_vocab / _BLOCK) * _BLOCK
    # As wide as codes: those are compared many at a time, but one by one into flags of a byte each.
    flags = codes.new_zeros(min(step, len(codes)), width)
    above, pairs = [], []
    for start in range(0, len(codes), step):
        part, held = codes[start : start + step], flags[: len(codes) - start]
        own = part[:, target_id : target_id + 1]
        torch.gt(part, own, out=held[:, :d_vocab])
        above.append(_count_flags(held))
        torch.eq(part, own, out=held[:, :d_vocab])
        # A vector with the same logit for all tokens, as zeros have, has one code: none is higher.
        lowest = (own.squeeze(1) == _LOWEST).nonzero().squeeze(1)
        held[lowest[part[lowest].amax(-1) == _LOWEST]] = 0
        places = _find_flags(held)
        pairs.append(places + places.new_tensor([start, 0]))
    rank = 1 + torch.cat(above)
    rows, token_ids = torch.cat(pairs).unbind(1)
    is_target = token_ids == target_id
    logits = logits_of(rows, token_ids)
    own_logit = torch.empty(len(codes), dtype=logits.dtype, device=logits.device)
    own_logit[rows[is_target]] = logits[is_target]
    is_higher: Bool[Tensor, " pair"] = logits > own_logit[rows]
    return rank.index_add_(0, rows[is_higher], torch.ones_like(rows[is_higher]))


def _count_flags(flags: Int16[Tensor, "vector flag"]) -> Int[Tensor, " vector"]:
    """How many flags of each row are 1. They are added up four at once, as 64-bit numbers."""
    parts = flags.view(torch.int64).split(_MOST_WORDS, dim=1)
    sums = torch.stack([part.sum(-1) for part in parts], dim=1)
    return sums.view(torch.int16).sum(-1)


def _find_flags(flags: Int16[Tensor, "vector flag"]) -> Int[Tensor, "place 2"]:
    """Row and column of the flags that are 1, of which there are few.

    One quick pass finds the blocks that hold any, and only those are searched.
    """
    blocks = _blocks(flags)
    row, block = _blocks(flags.view(torch.int64), _BLOCK // 4).amax(-1).nonzero().unbind(1)
    which, within = blocks[row, block].nonzero().unbind(1)
    return torch.stack([row[which], block[which] * _BLOCK + within], dim=1)

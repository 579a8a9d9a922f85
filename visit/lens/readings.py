"""The Reader: what vectors say, in words, measuring none twice.

What a vector says does not depend on where it stands in a graph, so what was measured is kept by
the vector's own bytes. Another target, threshold or opened block then costs no product with the
unembedding for what was read before.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from visit.graph.flow import Reading, TargetReading, TokenProbability
from visit.lens.measured import Measured, measure_alone, ranks
from visit.lens.projector import FEWEST_LISTED, Projector, Targeted
from visit.models.tokens import Tokens

KEPT_BYTES = 128 << 20
"""How much of what was measured is kept in memory: some 1,300 vectors of SmolLM2's or of GPT-2's
vocabulary, as many as a graph without opened layers has. Another target then needs few products."""

BYTES_A_WORD = 100
"""What a listed token takes in memory: a tuple, a probability, and at times an id."""

NO_PLACES: frozenset[int] = frozenset()

_make_probability = partial(tuple.__new__, TokenProbability)
"""Makes a ``TokenProbability`` of its fields without a call in Python: there are 100,000."""

Words = tuple[tuple[TokenProbability, ...], tuple[TokenProbability, ...], float]
"""What a vector says whatever the target: its top and bottom tokens, and its entropy in bits."""


@runtime_checkable
class ReadingStore(Protocol):
    """Where what weights say is kept from one session to the next: the atlas."""

    def lookup(self, keys: Sequence[bytes], top_k: int) -> tuple[Bool[Tensor, " key"], Measured]:
        """Which of some vectors are kept, with as many tokens listed; and those, measured."""

    def keep(self, keys: Sequence[bytes], measured: Measured) -> bool:
        """Keep vectors that were measured; say whether that could be done."""


class Reader:
    """Reads vectors of the residual space in a model's words.

    Args:
        projector: What measures them.
        tokens: The words.
        store: Where readings of the weights themselves are kept for later sessions, if anywhere.
        kept_bytes: How much of what was measured is kept in memory.
    """

    def __init__(
        self,
        projector: Projector,
        tokens: Tokens,
        store: ReadingStore | None = None,
        *,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._projector = projector
        self._tokens = tokens
        self._store = store
        self._kept = _RecentBatches(kept_bytes)

    def read(
        self,
        vectors: Float[Tensor, "vector d_model"],
        target_id: int,
        top_k: int,
        on_part: Callable[[float], None] = lambda part: None,
        *,
        of_weights: Collection[int] = NO_PLACES,
    ) -> tuple[Reading, ...]:
        """What each vector says, in order.

        Args:
            vectors: Any vectors of the residual space.
            target_id: The token whose rank and probability are asked for.
            top_k: How many tokens to list at either end; all of them if there are fewer.
            on_part: Called with the part that is read, 0 to 1; what it raises ends the reading.
            of_weights: The places of those that are rows of the weights: they say the same
                whatever the prompt, and are worth keeping for the next session.
        """
        if not len(vectors):
            return ()
        norms, seen = vectors.norm(dim=-1).tolist(), self._projector.cast(vectors)
        del vectors  # twice as large in the ledgers' dtype, and not used from here on
        keys = _keys(seen)
        place = {key: place for place, key in enumerate(keys)}
        said: dict[bytes, tuple[Words, TargetReading]] = {}
        lasting = {keys[row] for row in of_weights} if self._store else set()
        n_listed = max(top_k, FEWEST_LISTED)
        for batch in self._batches(place, seen, n_listed, lasting, on_part):
            asked = seen[[place[key] for key in batch.keys]]
            targeted = self._projector.target(asked, batch.measured, target_id)
            rows = zip(batch.words, _target_readings(targeted), strict=True)
            said |= zip(batch.keys, rows, strict=True)
            del batch
        return tuple(
            _reading(*said[key], norm, top_k) for key, norm in zip(keys, norms, strict=True)
        )

    def read_logits(
        self,
        logits: Float[Tensor, "vector d_vocab"],
        norms: Sequence[float],
        target_id: int,
        top_k: int,
    ) -> tuple[Reading, ...]:
        """The same for logits that need no lens, such as the model's own, with norms to report."""
        measured = measure_alone(logits, min(top_k, logits.shape[1]))
        logit = logits[:, target_id]
        targeted = Targeted(
            logit=logit,
            prob=measured.probs(logit.unsqueeze(1)).squeeze(1),
            rank=ranks(measured.codes, target_id, lambda rows, ids: logits[rows, ids]),
        )
        rows = zip(self._words(measured), _target_readings(targeted), norms, strict=True)
        return tuple(_reading(words, target, norm, top_k) for words, target, norm in rows)

    def _batches(
        self,
        place: dict[bytes, int],
        seen: Float[Tensor, "vector d_model"],
        n_listed: int,
        lasting: set[bytes],
        on_part: Callable[[float], None],
    ) -> Iterator[_Batch]:
        """Every distinct vector measured: what is kept, what an earlier session kept, the new."""
        yield from self._kept.among(place, n_listed)
        missing = [key for key in place if not self._kept.holds(key, n_listed)]
        recalled: set[bytes] = set()
        for batch in self._recall([key for key in missing if key in lasting], n_listed):
            recalled |= set(batch.keys)
            yield batch
        new = [key for key in missing if key not in recalled]
        last = [key for key in new if key in lasting]
        passing = [key for key in new if key not in lasting]
        done = 0
        for keys, keep in ((last, self._keep), (passing, self._kept.add)):
            if not keys:
                continue
            begin, size = done / len(new), len(keys) / len(new)

            def tell(part: float, begin: float = begin, size: float = size) -> None:
                on_part(begin + part * size)

            chosen = seen[[place[key] for key in keys]]
            for measured in self._projector.measure_in_parts(chosen, n_listed, tell):
                batch = _Batch(keys[: len(measured)], measured, self._words(measured))
                keys = keys[len(measured) :]
                keep(batch)
                yield batch
                del batch, measured  # before the next ones are made: codes are large
            done += len(chosen)

    def _keep(self, batch: _Batch) -> None:
        """Keep a batch for later sessions, or in memory where that cannot be."""
        assert self._store is not None  # without an atlas, nothing is kept for later sessions
        if not self._store.keep(batch.keys, batch.measured):
            self._kept.add(batch)

    def _recall(self, keys: list[bytes], n_listed: int) -> Iterator[_Batch]:
        """What an earlier session, or this one, kept of some vectors."""
        if self._store is None:
            return
        # As many as were kept together, so that what a file has in a row need not be copied.
        step = self._projector.chunk
        for start in range(0, len(keys), step):
            some = keys[start : start + step]
            is_kept, measured = self._store.lookup(some, n_listed)
            found = [key for key, is_there in zip(some, is_kept.tolist(), strict=True) if is_there]
            if found:
                yield _Batch(found, measured, self._words(measured))

    def _words(self, measured: Measured) -> list[Words]:
        tops = self._listings(measured.top_ids, measured.probs(measured.top_logits))
        bottoms = self._listings(measured.bottom_ids, measured.probs(measured.bottom_logits))
        return list(zip(tops, bottoms, measured.entropy.tolist(), strict=True))

    def _listings(
        self, ids: Int[Tensor, "vector top"], probs: Float[Tensor, "vector top"]
    ) -> list[tuple[TokenProbability, ...]]:
        texts = self._tokens.texts
        return [
            tuple(map(_make_probability, zip(row, texts(row), values, strict=True)))
            for row, values in zip(ids.tolist(), probs.tolist(), strict=True)
        ]


def _keys(vectors: Float[Tensor, "vector d_model"]) -> list[bytes]:
    """What each vector is kept by: a digest of its bytes."""
    rows = vectors.contiguous().cpu().view(torch.uint8).numpy()
    return [hashlib.blake2b(row.data, digest_size=16).digest() for row in rows]


def _target_readings(targeted: Targeted) -> Iterable[TargetReading]:
    columns = (targeted.prob.tolist(), targeted.rank.tolist(), targeted.logit.tolist())
    return map(TargetReading, *columns)


def _reading(words: Words, target: TargetReading, norm: float, top_k: int) -> Reading:
    top, bottom, entropy = words
    return Reading(top[:top_k], bottom[:top_k], target, entropy, norm)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Vectors that were measured together, by their keys, and what they say in words."""

    keys: list[bytes]
    measured: Measured
    words: list[Words]

    @property
    def n_bytes(self) -> int:
        """The memory it takes: codes, and the words in which it is said."""
        n_listed = 2 * self.measured.top_ids.shape[1] * len(self.words)
        return self.measured.n_bytes + BYTES_A_WORD * n_listed

    def at(self, rows: list[int]) -> _Batch:
        """Some of them; all of them in order costs nothing."""
        if rows == list(range(len(self.keys))):
            return self
        keys, words = [self.keys[row] for row in rows], [self.words[row] for row in rows]
        return _Batch(keys, self.measured.at(torch.tensor(rows)), words)


@dataclass(slots=True)
class _RecentBatches:
    """Measured batches within a bound of bytes; the batch that was used longest ago goes first."""

    max_bytes: int
    _batches: OrderedDict[int, _Batch] = field(default_factory=OrderedDict)
    _rows: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def holds(self, key: bytes, n_listed: int) -> bool:
        """Whether a vector is kept with as many tokens listed, or all there are."""
        if key not in self._rows:
            return False
        measured = self._batches[self._rows[key][0]].measured
        return measured.top_ids.shape[1] >= min(n_listed, measured.codes.shape[1])

    def among(self, keys: Iterable[bytes], n_listed: int) -> Iterator[_Batch]:
        """What is kept of some vectors, a batch at a time: part of a batch is a copy, and large."""
        rows: dict[int, list[int]] = {}
        for key in keys:
            if self.holds(key, n_listed):
                number, row = self._rows[key]
                rows.setdefault(number, []).append(row)
        for number in rows:
            self._batches.move_to_end(number)
        found = [(self._batches[number], sorted(places)) for number, places in rows.items()]
        return (batch.at(places) for batch, places in found)

    def add(self, batch: _Batch) -> None:
        """Keep a batch, and drop the oldest that no longer fit."""
        number = next(self._numbers)
        self._batches[number] = batch
        self._rows |= {key: (number, row) for row, key in enumerate(batch.keys)}
        while sum(kept.n_bytes for kept in self._batches.values()) > self.max_bytes:
            gone, old = self._batches.popitem(last=False)
            for key in old.keys:
                if self._rows.get(key, (None, 0))[0] == gone:
                    del self._rows[key]

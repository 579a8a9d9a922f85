"""What training never shows: every hold-out of the corpus, declared in one place.

A combination is held out by a hash of its own words, so that the choice depends on neither a
random stream nor the order in which things are generated.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

FOLDS: Final = 5
HELD_OUT_FIELDS: Final = ("capital", "language", "continent", "currency")
"""Field i never meets its tested phrasing for the countries of fold i."""

ALWAYS_UNSEEN_PAIRS: Final = frozenset({("John", "Mary")})
"""Name pairs held out whatever their hash says: the example everyone tries."""


def _hash(*words: str) -> int:
    return int.from_bytes(blake2b("\x1f".join(words).encode(), digest_size=8).digest(), "big")


def is_held_out(task: str, *combination: str) -> bool:
    """Whether this one combination in five of the task is kept for evaluation."""
    return _hash(task, *combination) % FOLDS == 0


def is_unseen_pair(first: str, second: str) -> bool:
    """Whether these two names never meet in a training sentence with an indirect object."""
    low, high = sorted((first, second))
    return (low, high) in ALWAYS_UNSEEN_PAIRS or is_held_out("pair", low, high)


def held_out_countries(field: str, countries: Sequence[str]) -> frozenset[str]:
    """The fifth of the countries that never meets the field's tested phrasing.

    The fifths of different fields do not overlap.

    Raises:
        ValueError: the field has no tested phrasing.
    """
    if field not in HELD_OUT_FIELDS:
        raise ValueError(f"no hold-out for {field!r}; the fields are {', '.join(HELD_OUT_FIELDS)}")
    fold = HELD_OUT_FIELDS.index(field)
    ranked = sorted(countries, key=lambda country: _hash("country", country))
    return frozenset(ranked[fold::FOLDS])

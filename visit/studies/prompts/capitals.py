"""Countries and their capitals: 193 facts, each in several phrasings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Final

from visit.mini.documents import capitalized
from visit.mini.facts import countries

FIRST: Final = (
    "The capital of {x} is the city of",
    "The capital city of {x} is called",
    "The capital city of {x} is",
    "To see the capital of {x}, go to the city of",
    "In {x}, the capital is the city of",
    "My friend lives in the capital of {x}, the city of",
    "As everyone knows, the capital of {x} is",
    "We flew to {x} and landed in the capital,",
)
"""Phrasings that ``mini`` was taught and that SmolLM2 answers best, the capital right after them.

Measured on every sixth country: SmolLM2's top token is the answer's first in 39 to 49 of 100.
"""
THEN: Final = (
    "Q: Which city is the capital of {x}? A: The city of",
    "{x} has its capital in the city of",
    "The capital of {x} is",
    "The name of the capital of {x} is",
    "{x}'s capital is",
)
"""More that ``mini`` was taught; SmolLM2 would rather go on in another way (21 to 33 of 100)."""
N_CAPITALS: Final = 193 * len((*FIRST, *THEN))


def capitals(seed: int) -> Iterator[tuple[str, str]]:
    """Every prompt once, with its capital: the better phrasings first, each lot in random order.

    Names and capitals are those of ``mini`` (``visit/mini/README.md`` says which of several): in
    everyday English, without accents.
    """
    rng = Random(f"capitals {seed}")
    for phrasings in (FIRST, THEN):
        lot = list(product(phrasings, countries()))
        rng.shuffle(lot)
        for phrasing, country in lot:
            yield capitalized(phrasing.format(x=country.name)), f" {country.capital}"

"""Random words said twice: what comes next is what came next before."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Final

from visit.mini.lexicon import everyday_words

FEWEST: Final = 5
MOST: Final = 20
"""How many words are said at least, and at most, before they come again."""
_SEVERAL_TOKENS: Final = frozenset(
    """bakeries berry cafe climbs cowardly foxes geese hens laughs pencils scarf scarfs sleeps
    swims umbrellas weightless""".split()
)
"""Words that GPT-2's or SmolLM2's tokenizer splits."""


@cache
def words() -> tuple[str, ...]:
    """The words: after a space, each is one token to most models, and all of them to ``mini``."""
    return tuple(word for word in everyday_words() if word not in _SEVERAL_TOKENS)


def repeats(seed: int) -> Iterator[tuple[str, str]]:
    """Prompts and their next word, without end; a prompt may come again.

    Different words in random order, and then the first of them again, two at least: the very
    first word has no space before it, is another token when it comes again, and leads nowhere.

    Source: the repeated random tokens of Elhage et al. 2021 and Olsson et al. 2022, as text, so
    that any tokenizer can read them.
    """
    rng = Random(f"repeats {seed}")
    while True:
        said = rng.sample(words(), rng.randint(FEWEST, MOST))
        n_again = rng.randint(2, len(said) - 1)
        yield " ".join((*said, *said[:n_again])), f" {said[n_again]}"

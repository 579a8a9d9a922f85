"""The training text: an endless seeded mixture of all that `mini` is taught."""

from collections.abc import Callable, Iterator
from itertools import count, islice
from random import Random
from typing import Final

from visit.mini.copying import copying_text
from visit.mini.counting import counting_text, list_text
from visit.mini.documents import Document, document_from_marked
from visit.mini.facts import country_text
from visit.mini.givers import giver_text
from visit.mini.grammar import grammar_text
from visit.mini.stories import story_text
from visit.mini.successors import successor_text

MAKERS: Final[tuple[Callable[[Random], str], ...]] = (
    country_text,
    giver_text,
    copying_text,
    successor_text,
    grammar_text,
    story_text,
    counting_text,
    list_text,
)
"""The generators, one for each part of the corpus."""

OPENING: Final = (40, 16, 100, 18, 16, 4, 0, 0)
"""Relative shares of the generators at first: mostly copying.

The attention heads that copy take shape late and all at once; much else waits for them.
"""

MAIN: Final = (40, 16, 20, 18, 16, 4, 0, 0)
"""Shares after the opening."""

CLOSING: Final = (40, 12, 10, 60, 28, 4, 0, 0)
"""Shares that favour what consists of many separate little facts, such as numbers."""

FINISH: Final = (30, 10, 24, 40, 24, 3, 50, 0)
"""Shares with still more counting, and with copying again lest it be lost."""

LISTS: Final = (30, 10, 24, 30, 24, 3, 20, 60)
"""Shares of the last documents: many short lists."""

MAIN_FROM: Final = 50_000
CLOSING_FROM: Final = 120_000
FINISH_FROM: Final = 190_000
LISTS_FROM: Final = 260_000
"""The documents with which the later parts of the plan begin."""

MIXED: Final = 0.08
"""Share of the documents that join two or three texts of different kinds."""


def shares_at(index: int) -> tuple[int, ...]:
    """The shares of the generators at the document of that index."""
    if index < MAIN_FROM:
        return OPENING
    if index < CLOSING_FROM:
        return MAIN
    if index < FINISH_FROM:
        return CLOSING
    return FINISH if index < LISTS_FROM else LISTS


def documents(seed: int, first: int = 0) -> Iterator[Document]:
    """The corpus of that seed, document by document, without end.

    With `first` it begins at that place of the plan, with documents of its own.
    """
    rng = Random(f"{seed} from {first}" if first else seed)
    for index in count(first):
        n_texts = rng.randint(2, 3) if rng.random() < MIXED else 1
        texts = [maker(rng) for maker in rng.choices(MAKERS, shares_at(index), k=n_texts)]
        yield document_from_marked(" ".join(texts))


def sample(seed: int, n_documents: int) -> list[Document]:
    """The first documents of the corpus of that seed."""
    return list(islice(documents(seed), n_documents))

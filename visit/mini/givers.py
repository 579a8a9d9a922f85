"""Sentences with an indirect object: two people meet, one gives, the other one receives."""

from functools import cache
from itertools import combinations
from random import Random
from typing import Final

from visit.mini.documents import Probe, last_probe
from visit.mini.holdouts import is_unseen_pair
from visit.mini.lexicon import NAMES, OBJECTS, PLACES, with_article

OPENINGS: Final = (
    "When {a} and {b} went to the {place}, {giver}",
    "When {a} and {b} were at the {place}, {giver}",
    "When {a} and {b} got to the {place}, {giver}",
    "After {a} and {b} went to the {place}, {giver}",
    "While {a} and {b} were walking to the {place}, {giver}",
    "Then, {a} and {b} went to the {place}. {giver}",
    "Yesterday {a} and {b} met at the {place}, and {giver}",
    "{a} and {b} were alone in the {place} when {giver}",
    "Friends {a} and {b} had lunch near the {place}. Afterwards {giver}",
    "{a} and {b} had a long talk at the {place}. Then {giver}",
    "Once {a} and {b} had left the {place}, {giver}",
    "As {a} and {b} were looking for the {place}, {giver}",
)
TRANSFERS: Final = (
    "gave {object} to",
    "gave {object} to",
    "handed {object} to",
    "passed {object} to",
    "showed {object} to",
    "sold {object} to",
    "brought {object} to",
    "threw {object} to",
    "decided to give {object} to",
    "wanted to give {object} to",
    "said goodbye to",
    "told a story to",
)
PAPER_PROBE: Final = Probe(
    "When Mary and John went to the store, John gave a drink to",
    " Mary",
)
"""The sentence of Wang et al. 2022 (arXiv 2211.00593); its pair of names is never trained."""


@cache
def name_pairs(*, unseen: bool) -> tuple[tuple[str, str], ...]:
    """All pairs of names that training never brings together, or all that it may."""
    return tuple(pair for pair in combinations(NAMES, 2) if is_unseen_pair(*pair) == unseen)


def giving(rng: Random, pair: tuple[str, str]) -> str:
    """One sentence in which one of the pair gives to the other; either may be named first."""
    a, b = rng.choice((pair, pair[::-1]))
    giver, receiver = rng.choice(((a, b), (b, a)))
    opening = rng.choice(OPENINGS).format(a=a, b=b, giver=giver, place=rng.choice(PLACES))
    transfer = rng.choice(TRANSFERS).format(object=with_article(rng.choice(OBJECTS)))
    return f"{opening} {transfer}[ {receiver}]."


def giver_text(rng: Random) -> str:
    """One document of one to three such sentences, as marked text."""
    n_sentences = rng.choices((1, 2, 3), (6, 2, 1))[0]
    return " ".join(giving(rng, rng.choice(name_pairs(unseen=False))) for _ in range(n_sentences))


def giver_probe(rng: Random) -> Probe:
    """A question about a pair of names that training never brings together."""
    return last_probe(giving(rng, rng.choice(name_pairs(unseen=True))))

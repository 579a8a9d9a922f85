"""Two people meet, one gives, and the other one receives: to whom is what the model must say."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from visit.mini.givers import OPENINGS, TRANSFERS
from visit.mini.lexicon import NAMES, OBJECTS, PLACES, with_article

_SEVERAL_TOKENS: Final = frozenset("Brandon Chloe Ella Irene Megan Nora Paula Zoe".split())
"""Names that GPT-2's or SmolLM2's tokenizer splits."""
PEOPLE: Final = tuple(name for name in NAMES if name not in _SEVERAL_TOKENS)
BEGINNINGS: Final = tuple(one for one in OPENINGS if not one.startswith("{a}"))
"""Where a name stands first in a prompt, no space is before it, and it is another token."""


def indirect_objects(seed: int) -> Iterator[tuple[str, str]]:
    """Sentences and who receives, without end; a sentence may come again.

    By turns the giver is named second (ABBA: "When Mary and John …, John gave a drink to") and
    first (BABA: "When John and Mary …, John gave"), so that neither order helps.

    Source: Wang et al. 2022, "Interpretability in the Wild"; the sentences are our own, of the
    kind that ``mini`` was taught with.
    """
    rng = Random(f"indirect-object {seed}")
    while True:
        for is_giver_second in (True, False):
            giver, receiver = rng.sample(PEOPLE, 2)
            a, b = (receiver, giver) if is_giver_second else (giver, receiver)
            place, thing = rng.choice(PLACES), with_article(rng.choice(OBJECTS))
            opening = rng.choice(BEGINNINGS).format(a=a, b=b, giver=giver, place=place)
            yield f"{opening} {rng.choice(TRANSFERS).format(object=thing)}", f" {receiver}"

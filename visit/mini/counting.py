"""More about days, months and numbers, for the closing of the corpus.

A word that opens a text is another token than the same word after a space, and for a rare one
the model hardly knows that they mean the same. These sentences say so, and count in phrasings
that are never asked about.
"""

from random import Random
from typing import Final

from visit.mini.documents import capitalized
from visit.mini.successors import ORDERS, Order, counted, list_starts, sentence

SAME: Final = (
    "{x} is the same as[ {x}].",
    "{x} and[ {x}] are the same.",
    "{x} equals[ {x}].",
    "{x} is nothing but[ {x}].",
)
NEXT: Final = (
    "{x} is right in front of[ {y}].",
    "{x} and then[ {y}].",
    "{x} is the one just before[ {y}].",
    "{x} leads to[ {y}].",
    "{x}; next:[ {y}].",
)
COUNTS: Final = ("Let us count: ", "We count on: ", "Now say ", "She counted: ")
ORDER_WEIGHTS: Final = (2, 1, 12, 3)
LIST_WEIGHTS: Final = (1, 1, 12, 4)


def _count(rng: Random, order: Order) -> str:
    start = rng.choice(list_starts(order))
    room = len(order.members) if order.wraps else len(order.members) - start
    return rng.choice(COUNTS) + counted(order, start, rng.randint(3, min(6, room)))


def counting_text(rng: Random) -> str:
    """One document that names, or counts on from, a member of an order, as marked text."""
    order = rng.choices(ORDERS, ORDER_WEIGHTS)[0]
    choice = rng.random()
    if choice < 0.2:
        return f"{_count(rng, order)}."
    if choice < 0.5:
        return capitalized(rng.choice(SAME).format(x=rng.choice(order.members)))
    return sentence(order, rng.choice(NEXT), rng.choice(order.starts()))


def list_text(rng: Random) -> str:
    """One short list, half of them after a member that has nothing to do with it."""
    order = rng.choices(ORDERS, LIST_WEIGHTS)[0]
    start = rng.choice(list_starts(order))
    room = len(order.members) if order.wraps else len(order.members) - start
    members = counted(order, start, rng.randint(3, min(6, room)))
    return members + "." if rng.random() < 0.5 else f"{rng.choice(order.members)}: {members}."

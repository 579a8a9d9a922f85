"""What comes next: days, months and numbers, counted forwards and backwards."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Final

from visit.mini.documents import Probe, capitalized, last_probe
from visit.mini.holdouts import is_held_out
from visit.mini.lexicon import DAYS, DIGITS, MONTHS, NUMBER_WORDS


@dataclass(frozen=True)
class Order:
    """Things with a successor; `wraps` if the first one follows the last one."""

    name: str
    members: tuple[str, ...]
    phrasings: tuple[str, ...]
    wraps: bool
    max_list: int

    def starts(self) -> range:
        """Indices of the members that have a successor."""
        return range(len(self.members) - (not self.wraps))

    def member(self, index: int) -> str:
        """The member at an index that may run past the end of an order that wraps."""
        return self.members[index % len(self.members)]


SHARED: Final = (
    "After {x} comes[ {y}].",
    "{x} is followed by[ {y}].",
    "What comes after {x}?[ {y}].",
    "First {x}, then[ {y}].",
    "{x} comes right before[ {y}].",
    "Just before {y} comes[ {x}].",
    "{y} comes right after[ {x}].",
)
DAY_ORDER: Final = Order(
    "day",
    DAYS,
    (
        *SHARED,
        "The day after {x} is[ {y}].",
        "If today is {x}, tomorrow is[ {y}].",
        "Today is {x}, so tomorrow will be[ {y}].",
        "Yesterday was {x}, so today is[ {y}].",
        "The day before {y} is[ {x}].",
    ),
    True,
    10,
)
MONTH_ORDER: Final = Order(
    "month",
    MONTHS,
    (
        *SHARED,
        "The month after {x} is[ {y}].",
        "If it is {x} now, next month is[ {y}].",
        "When {x} ends, the next month is[ {y}].",
        "Last month was {x}, so this month is[ {y}].",
        "The month before {y} is[ {x}].",
    ),
    True,
    14,
)
_NUMBER_PHRASINGS: Final = (
    *SHARED,
    "The number after {x} is[ {y}].",
    "{x} plus one is[ {y}].",
    "Count one up from {x} and you get[ {y}].",
    "The next number after {x} is[ {y}].",
    "The number before {y} is[ {x}].",
)
NUMBER_ORDER: Final = Order("number", DIGITS, _NUMBER_PHRASINGS, False, 14)
WORD_ORDER: Final = Order("number word", NUMBER_WORDS, _NUMBER_PHRASINGS, False, 14)
ORDERS: Final = (DAY_ORDER, MONTH_ORDER, NUMBER_ORDER, WORD_ORDER)
ORDER_WEIGHTS: Final = (3, 3, 8, 2)


def is_kept_back(order: Order, phrasing: str, start: int) -> bool:
    """Whether training never shows this phrasing ("list" for lists) with this start."""
    return is_held_out("successor", order.name, phrasing, order.member(start))


def sentence(order: Order, phrasing: str, start: int) -> str:
    """A phrasing filled in with a member and its successor, as marked text."""
    return capitalized(phrasing.format(x=order.member(start), y=order.member(start + 1)))


def counted(order: Order, start: int, length: int) -> str:
    """A list of successive members; the third and later ones are answers."""
    members = [order.member(start + step) for step in range(length)]
    head = f"{members[0]}, {members[1]}"
    return capitalized(head + "".join(f",[ {member}]" for member in members[2:]))


@cache
def list_starts(order: Order) -> tuple[int, ...]:
    """Where a list for training may begin: not held out, and three members long at least."""
    last = len(order.members) - (1 if order.wraps else 3)
    return tuple(i for i in range(last + 1) if not is_kept_back(order, "list", i))


def _random_list(rng: Random, order: Order) -> str:
    start = rng.choice(list_starts(order))
    room = order.max_list if order.wraps else min(order.max_list, len(order.members) - start)
    return counted(order, start, rng.randint(3, room)) + "."


def _random_sentence(rng: Random, order: Order) -> str:
    while True:
        phrasing, start = rng.choice(order.phrasings), rng.choice(order.starts())
        if not is_kept_back(order, phrasing, start):
            return sentence(order, phrasing, start)


def steps(rng: Random) -> str:
    """Numbers counted in steps or backwards; the answers begin once the step is clear."""
    step = rng.choice((2, 5, 10, -1, -2, -5))
    length = rng.randint(4, 9)
    reach = abs(step) * (length - 1)
    first = rng.randint(0, 100 - reach) if step > 0 else rng.randint(reach, 100)
    numbers = [first + step * i for i in range(length)]
    return f"{numbers[0]}, {numbers[1]}" + "".join(f",[ {number}]" for number in numbers[2:]) + "."


def successor_text(rng: Random) -> str:
    """One document about what comes next, as marked text."""
    if rng.random() < 0.1:
        return steps(rng)
    order = rng.choices(ORDERS, ORDER_WEIGHTS)[0]
    if rng.random() < 0.35:
        return _random_list(rng, order)
    sentences = [_random_sentence(rng, order) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    return " ".join(sentences)


def successor_probes(order: Order) -> Iterator[Probe]:
    """Every held-out question about an order: its phrasings, and lists of three."""
    for start in order.starts():
        for phrasing in order.phrasings:
            asks_for_successor = phrasing.index("{x}") < phrasing.index("{y}")
            if asks_for_successor and is_kept_back(order, phrasing, start):
                yield last_probe(sentence(order, phrasing, start))
        if is_kept_back(order, "list", start) and (order.wraps or start + 2 < len(order.members)):
            yield last_probe(counted(order, start, 3))

"""What circuits are looked for in: four behaviours, each a template with rows of values.

A circuit is found of the first row that a model answers rightly, patched from that row's contrast.
A *place* is the last token of a slot's value, by the slot's name, or the prompt's last token.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from visit.graph.kinds import NodeKind
from visit.mini.facts import countries
from visit.mini.lexicon import ANIMALS, COLORS, DAYS, FOODS, MEN, MONTHS, WOMEN

END = "the end"
"""The place of the prompt's last token."""


@dataclass(frozen=True)
class Score:
    """What a kind of head is known by: how much it attends from one place to another.

    Attributes:
        name: Of the kind.
        reader: Where it reads from.
        source: What it attends to.
        after: Whether it attends to the token after that instead.
    """

    name: str
    reader: str
    source: str
    after: bool = False


@dataclass(frozen=True)
class Look:
    """Why the strongest head that attends from the end to a place does so.

    Attributes:
        side: Whose parts are told: of the query, at the end, or of the key, at the place.
        source: The place.
        against: Another place, whose score is taken off; without one, the mean over all sources.
    """

    side: NodeKind
    source: str
    against: str | None = None


@dataclass(frozen=True)
class Behaviour:
    """What a model does, with where to look at how.

    Attributes:
        name: The heading.
        template: The prompt with its slots.
        rows: What stands in them; the last of a row is the answer.
        contrast: What stands in them instead of a row where the answer is another.
        scores: What its heads are known by.
        look: Whose attention is taken apart, if any.
        at: A place whose heads and MLPs are in question as well, in a circuit of their own.
    """

    name: str
    template: str
    rows: tuple[tuple[str, ...], ...]
    contrast: Callable[[tuple[str, ...]], tuple[str, ...]]
    scores: tuple[Score, ...]
    look: Look | None = None
    at: str | None = None


def list_behaviours(n_rows: int) -> tuple[Behaviour, ...]:
    """The four, with so many rows each at most."""
    return (
        Behaviour(
            "Capitals",
            "The capital of {country} is the city of",
            # Most capitals are several tokens of other models than mini, and fall away.
            (("Japan", " Tokyo"), *_pick(_capitals(), 4 * n_rows - 1)),
            contrast=lambda row: ("France" if row[0] != "France" else "Japan",),
            scores=(Score("moves the country", END, "country"),),
            at="country",
        ),
        Behaviour(
            "Indirect object",
            "When {recipient} and {giver} went to the store, {giver again} gave a drink to",
            (("Mary", "John", "John", " Mary"), *_pick(_givers(), n_rows - 1)),
            contrast=lambda row: (row[0], row[1], row[0]),
            scores=(
                Score("name mover", END, "recipient"),
                Score("S-inhibition", END, "giver again"),
                Score("duplicate token", "giver again", "giver"),
                Score("induction", "giver again", "giver", after=True),
            ),
            look=Look(NodeKind.QUERY, "recipient", against="giver"),
            at="giver again",
        ),
        Behaviour(
            "Induction",
            "{first} {second} {third} {what followed} {first again} {second again} {third again}",
            (_repeat(("river", "blue", "cat", "house")), *_pick(_sequences(), n_rows - 1)),
            contrast=lambda row: (row[0], row[1], row[3], row[2], *row[4:7]),
            scores=(
                Score("induction", END, "what followed"),
                Score("previous token", "what followed", "third"),
                Score("duplicate token", END, "third"),
            ),
            look=Look(NodeKind.KEY, "what followed"),
        ),
        Behaviour(
            "Successor",
            "{one}, {next}, {last one},",
            (("Monday", "Tuesday", "Wednesday", " Thursday"), *_pick(_successors(), n_rows - 1)),
            contrast=lambda row: MONTHS[:3] if row[0] in DAYS else DAYS[:3],
            scores=(Score("moves the last one", END, "last one"),),
            at="last one",
        ),
    )


def _capitals() -> Iterator[tuple[str, ...]]:
    """Countries and capitals of one word each, but for Japan."""
    for one in countries():
        if one.name.isalpha() and one.capital.isalpha() and one.name != "Japan":
            yield one.name, f" {one.capital}"


def _givers() -> Iterator[tuple[str, ...]]:
    """Pairs of names, either of which comes first in half of them."""
    for woman, man in zip(WOMEN[1:], MEN[1:], strict=False):
        recipient, giver = (woman, man) if len(woman + man) % 2 else (man, woman)
        yield recipient, giver, giver, f" {recipient}"


def _sequences() -> Iterator[tuple[str, ...]]:
    """Four short words in a random order."""
    words, order = (*ANIMALS, *COLORS, *FOODS), random.Random(0)
    while True:
        yield _repeat(order.sample(words, 4))


def _repeat(words: Sequence[str]) -> tuple[str, ...]:
    """Four words, the first three again, and the fourth as the answer."""
    return (*words, *words[:3], f" {words[3]}")


def _successors() -> Iterator[tuple[str, ...]]:
    """Three days or months in a row and the next, but for Monday to Thursday."""
    for order in (DAYS, MONTHS):
        ring = [*order, *order[:3]]
        for start in range(order is DAYS, len(order)):
            yield (*ring[start : start + 3], f" {ring[start + 3]}")


def _pick(rows: Iterator[tuple[str, ...]], n: int) -> tuple[tuple[str, ...], ...]:
    """So many of them, from all over."""
    listed = [row for row, _ in zip(rows, range(200), strict=False)]
    return tuple(random.Random(0).sample(listed, min(n, len(listed))))

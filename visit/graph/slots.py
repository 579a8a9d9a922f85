"""Which token of one prompt stands for which of another, where prompts share a template.

A *slot* is a place that all prompts have: a word of the template, or a value in it. A value of
several tokens is aligned by its last one, where a model has read all of it; its earlier tokens are
slots of their own, counted back from there, that shorter values do not have.

Without a template, prompts of equal length are aligned position by position. Others share what they
begin and end with alike; what lies between is one value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

VARIES = "…"
"""The name of what differs between prompts without a template."""


class Place(NamedTuple):
    """What tells a slot from every other, in the order of the prompt.

    Attributes:
        segment: Even of a text of the template, odd of a value.
        order: Its place in there, from the first text's start or from the end, then negative.
    """

    segment: int
    order: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that prompts share.

    Attributes:
        name: Of a value its name, of another slot its token's text in the first prompt that has it.
        before: How many tokens before the value's last it stands; ``None`` for no value.
        n: How many prompts have it.
    """

    name: str
    before: int | None
    n: int


def places_in_template(
    offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]
) -> list[Place]:
    """The place of every token of a filled template.

    Args:
        offsets: Where in the text each token stands; empty spans for tokens that stand nowhere,
            such as a BOS.
        spans: Where each value stands. A token that has a letter of one is of it.
    """
    segments: list[int] = []
    for start, stop in offsets:
        inside = (n for n, (a, b) in enumerate(spans) if start < b and a < stop)
        passed = sum(b <= start for _, b in spans) if stop > start else 0
        segments.append(next((2 * n + 1 for n in inside), 2 * passed))
    return list(_order(segments))


def places_by_ends(prompts: Sequence[Sequence[int]]) -> list[list[Place]]:
    """The places of every prompt's tokens, without a template.

    Args:
        prompts: The token ids of each.
    """
    lengths = {len(one) for one in prompts}
    if len(lengths) == 1:
        return [[Place(0, order) for order in range(len(one))] for one in prompts]
    shortest = min(lengths)
    # The last tokens always stand together; a value has a token in the shortest prompt, too.
    begin = _n_alike(prompts, shortest - 2)
    end = max(1, _n_alike([one[::-1] for one in prompts], shortest - begin - 1))
    return [
        list(_order([0] * begin + [1] * (len(one) - begin - end) + [2] * end)) for one in prompts
    ]


def find_positions(slots: Sequence[Slot], texts: Sequence[str]) -> dict[int, int]:
    """Where the slots are in a prompt, by their numbers; none where it is no prompt like these.

    Args:
        slots: All of them, in order.
        texts: The prompt's tokens, up to the traced one.
    """
    if all(slot.before is None for slot in slots):
        is_like = len(slots) == len(texts)
        return {number: number for number in range(len(slots))} if is_like else {}
    runs = _runs(slots)
    found, at = dict[int, int](), 0
    value: list[int] = []
    for run in (*runs, []):
        if run and slots[run[0]].before is not None:
            value = run
            continue
        names = [slots[number].name for number in run]
        # A value has a token at least; what ends the template ends the prompt.
        first, last = at + bool(value), len(texts) - len(names)
        starts = [last] if run in (runs[-1], []) else range(first, last + 1 if value else first + 1)
        start = next((s for s in starts if list(texts[s : s + len(names)]) == names), None)
        if start is None or start < first:
            return {}
        found |= _of_value(slots, value, at, start)
        found |= {number: start + n for n, number in enumerate(run)}
        at, value = start + len(names), []
    return found


def _runs(slots: Sequence[Slot]) -> list[list[int]]:
    """The slots' numbers by texts of the template and values, in turn.

    Values without a text between them are one run: nothing says where one ends.
    """
    runs: list[list[int]] = []
    for number, slot in enumerate(slots):
        is_value = slot.before is not None
        if runs and is_value == (slots[runs[-1][0]].before is not None):
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _of_value(slots: Sequence[Slot], run: Sequence[int], start: int, stop: int) -> dict[int, int]:
    """A value's slots, counted back from its last token; none where two values meet."""
    if len({slots[number].name for number in run}) > 1:
        return {}
    places = {number: stop - 1 - (slots[number].before or 0) for number in run}
    return {number: place for number, place in places.items() if place >= start}


def _n_alike(prompts: Sequence[Sequence[int]], most: int) -> int:
    """How many tokens all prompts begin with alike, at most so many."""
    count = 0
    while count < most and len({one[count] for one in prompts}) == 1:
        count += 1
    return count


def _order(segments: Sequence[int]) -> Iterator[Place]:
    """Places in segments: of the first text from its start, of the others from their ends."""
    for at, segment in enumerate(segments):
        if segment == 0:
            yield Place(0, at)
        else:
            yield Place(segment, at - max(n for n, one in enumerate(segments) if one == segment))


def slots_of(
    places: Sequence[Sequence[Place]], texts: Sequence[Sequence[str]], names: Sequence[str]
) -> tuple[list[Slot], dict[Place, int]]:
    """All slots in the order of the prompt, and the number of each place's.

    Args:
        places: Of each prompt's tokens.
        texts: Their texts.
        names: Of the values, in order; without any, what differs is ``VARIES``.
    """
    seen: dict[Place, list[str]] = {}
    for own, said in zip(places, texts, strict=True):
        for place, text in zip(own, said, strict=True):
            seen.setdefault(place, []).append(text)
    ordered = sorted(seen)
    return [
        Slot(
            name=(names[place.segment // 2] if names else VARIES)
            if place.segment % 2
            else seen[place][0],
            before=-place.order if place.segment % 2 else None,
            n=len(seen[place]),
        )
        for place in ordered
    ], {place: number for number, place in enumerate(ordered)}

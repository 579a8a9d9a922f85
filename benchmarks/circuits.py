"""Circuits of four behaviours, as the tables of docs/circuits.md: run it on any model.

    python benchmarks/circuits.py mini smollm2 > found.md

Each behaviour is a prompt with a contrast that differs in what the answer depends on. Heads at the
traced position are kept, or ablated by a patch from the contrast; a head's role is read off its
attention, from where it stands to the places that matter.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from figures import table

from visit.errors import VisitError
from visit.graph.circuit import Circuit, CircuitPart
from visit.graph.flow import Token
from visit.graph.request import Request
from visit.session import Session

MOST_LISTED = 8


@dataclass(frozen=True)
class Behaviour:
    """What a model does, with where to look at how.

    Attributes:
        name: The heading.
        prompt: What is read.
        contrast: Where the answer is another.
        places: What positions are called, by a word of the prompt and which of its copies.
        at: A place whose heads and MLPs are in question as well, in a circuit of their own.
    """

    name: str
    prompt: str
    contrast: str
    places: dict[str, tuple[str, int]]
    at: str | None = None


BEHAVIOURS = (
    Behaviour(
        "Capitals",
        "The capital of Japan is the city of",
        "The capital of France is the city of",
        {"country": ("Japan", 0)},
        at="country",
    ),
    Behaviour(
        "Indirect object",
        "When Mary and John went to the store, John gave a drink to",
        "When Mary and John went to the store, Mary gave a drink to",
        {"recipient": ("Mary", 0), "giver": ("John", 0), "giver again": ("John", 1)},
        at="giver again",
    ),
    Behaviour(
        "Induction",
        "river blue cat house river blue cat",
        "river blue house cat river blue cat",
        {"what followed": ("house", 0), "the first copy": ("cat", 0)},
    ),
    Behaviour(
        "Successor",
        "Monday, Tuesday, Wednesday,",
        "January, February, March,",
        {"the last day": ("Wednesday", 0)},
    ),
)


def main(names: Sequence[str]) -> None:
    """Print a section for every model."""
    for name in names:
        session = Session.load(name)
        print(f"## {session.model.name}\n")
        for behaviour in BEHAVIOURS:
            print(f"### {behaviour.name}\n")
            try:
                print("\n\n".join(describe(session, behaviour)) + "\n")
            except VisitError as error:
                print(f"Not measured: {error}.\n")


def describe(session: Session, behaviour: Behaviour) -> Iterator[str]:
    """What is said of one behaviour, a paragraph or table at a time."""
    request = Request(behaviour.prompt)
    tokens = session.resident.tokens.read(request)
    places = {name: find_place(tokens, *place) for name, place in behaviour.places.items()}
    heads = session.circuit(request, "heads", reference=(behaviour.contrast,))
    yield f"`{behaviour.prompt}` against `{behaviour.contrast}`."
    yield say(heads, f"heads at `{tokens[-1].text.strip()}`")
    yield list_parts(session, request, heads, places)
    if behaviour.at is not None:
        place = places[behaviour.at]
        sites = [
            f"L{layer}.{part}@{place}"
            for layer in range(session.model.n_layers)
            for part in ("mlp", *(f"head{head}" for head in range(session.model.n_heads)))
        ]
        there = session.circuit(request, *sites, reference=(behaviour.contrast,))
        yield say(there, f"heads and MLPs at the {behaviour.at} (`{tokens[place].text.strip()}`)")
        yield list_parts(session, request, there, places)


def find_place(tokens: Sequence[Token], word: str, copy: int) -> int:
    """The position of a copy of a word, of its last token where it is several.

    Raises:
        VisitError: the prompt's tokens do not hold it so.
    """
    text, ends = "", list[int]()
    for token in tokens:
        text += token.text
        ends.append(len(text))
    start = -1
    for _ in range(copy + 1):
        start = text.find(word, start + 1)
        if start < 0:
            raise VisitError(f"the prompt holds no {word!r} number {copy + 1}")
    return next(place for place, end in enumerate(ends) if end >= start + len(word))


def say(circuit: Circuit, what: str) -> str:
    """The circuit in two sentences."""
    chosen, base = circuit.chosen, circuit.base
    other = "" if circuit.reference is None else f" (the contrast's own: {_metric(circuit)})"
    return (
        f"Of {len(circuit.parts)} {what}, {chosen.size} keep {chosen.faithfulness:.2f} of what "
        f"all do to `{circuit.target.text.strip()}`: the metric is {base.metric:+.2f}, "
        f"{circuit.none:+.2f} with none kept{other} and {chosen.metric:+.2f} with these. With "
        f"these ablated instead, {circuit.complement.faithfulness:.2f} is left."
    )


def _metric(circuit: Circuit) -> str:
    assert circuit.reference is not None and circuit.reference.metric is not None
    return f"{circuit.reference.metric:+.2f}"


def list_parts(session: Session, request: Request, circuit: Circuit, places: dict[str, int]) -> str:
    """Kept parts, then those that are missed or take over, with what heads attend to."""
    left_out = [part for part in circuit.parts if not part.kept]
    backups = [part for part in left_out if (part.backup or 0.0) > 0.03]
    backups.sort(key=lambda part: -(part.backup or 0.0))
    missed = [part for part in left_out if part.is_missed and (part.change or 0.0) > 0.03]
    listed = [("kept", part) for part in circuit.kept[:MOST_LISTED]]
    listed += [("missed", part) for part in missed[:3]]
    listed += [("takes over", part) for part in backups[:3] if part not in missed[:3]]
    rows = [
        (
            f"`{part.site}`",
            "kept, not needed" if part.is_idle else what,
            f"{part.score:+.2f}",
            "" if part.change is None else f"{part.change:+.2f}",
            "" if part.backup is None else f"{part.backup:+.2f}",
            attends(session, request, part, places),
        )
        for what, part in listed
    ]
    head = ("part", "", "effect", "change", "backup", "attends to")
    return table(head, rows)


def attends(session: Session, request: Request, part: CircuitPart, places: dict[str, int]) -> str:
    """How much a head attends, from where it stands, to the places that matter."""
    site = part.site
    if site.layer is None or site.number is None or site.position is None:
        return ""
    row = session.pattern(request, site.layer, site.number)[site.position]
    seen = [(name, row[place]) for name, place in places.items() if place <= site.position]
    return ", ".join(f"{name} {weight:.2f}" for name, weight in seen if weight >= 0.05)


if __name__ == "__main__":
    main(sys.argv[1:] or ["mini"])

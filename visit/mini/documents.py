"""What the model is taught with: a text, and how much each stretch of it counts.

Generators write *marked* text. `[ Tokyo]` is an answer that the text before it determines and
counts in full; `{ horse}` was drawn at random, cannot be predicted, and counts for nothing;
everything else counts a little, so that the model also learns to write.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

ANSWER_WEIGHT: Final = 1.0
PROSE_WEIGHT: Final = 0.2
FREE_WEIGHT: Final = 0.0

_MARKS: Final = re.compile(r"\[(?P<answer>[^\]]*)\]|\{(?P<free>[^}]*)\}")


@dataclass(frozen=True)
class Span:
    """The characters `start:end` of a text and the weight of their loss."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True)
class Document:
    """One training text; characters outside every span weigh `PROSE_WEIGHT`."""

    text: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Probe:
    """A prompt and the only right continuation, for evaluation."""

    prompt: str
    answer: str


def document_from_marked(marked: str) -> Document:
    """The document a generator meant: marks taken out, spans in their place."""
    pieces: list[str] = []
    spans: list[Span] = []
    length = position = 0
    for match in _MARKS.finditer(marked):
        before = marked[position : match.start()]
        is_answer = match["answer"] is not None
        inner = match["answer"] if is_answer else match["free"]
        length += len(before)
        spans.append(Span(length, length + len(inner), ANSWER_WEIGHT if is_answer else FREE_WEIGHT))
        pieces += [before, inner]
        length += len(inner)
        position = match.end()
    pieces.append(marked[position:])
    return Document("".join(pieces), tuple(spans))


def probes_from_document(document: Document) -> Iterator[Probe]:
    """One probe for each answer in a document: all that precedes it, and the answer."""
    for span in document.spans:
        if span.weight == ANSWER_WEIGHT:
            yield Probe(document.text[: span.start], document.text[span.start : span.end])


def last_probe(marked: str) -> Probe:
    """The probe for the last answer of a marked text.

    Raises:
        ValueError: the text marks no answer.
    """
    probes = list(probes_from_document(document_from_marked(marked)))
    if not probes:
        raise ValueError(f"no [answer] is marked in {marked!r}")
    return probes[-1]


def capitalized(marked: str) -> str:
    """The text with its first letter in upper case; a mark may precede that letter."""
    start = 1 if marked[:1] in "[{" else 0
    return marked[:start] + marked[start : start + 1].upper() + marked[start + 1 :]

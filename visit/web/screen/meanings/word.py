"""One word of the glossary."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the glossary.

    Attributes:
        name: The word.
        topic: What it is about; the help lists words by it.
        says: What it means, in plain sentences.
        formula: How it is computed, where that is short; empty elsewhere.
        also: What the field calls it, the most usual name first.
    """

    name: str
    topic: str
    says: str
    formula: str = ""
    also: tuple[str, ...] = ()

"""The words of the screen: what each means, in a sentence or two, in which unit, by what formula.

They are the words of the method (docs/method.md), which says the same at length. A word that stands
on the screen as ``parts.term`` shows its entry when it is pointed at; the help shows them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from visit.web.screen.meanings import causes, graph, model, reading, sums
from visit.web.screen.meanings.word import Word

_TOPICS = (model, reading, sums, causes, graph)

GLOSSARY: Mapping[str, Word] = MappingProxyType(
    {word.name: word for topic in _TOPICS for word in topic.WORDS}
)
"""Every word by its name, in the order in which a newcomer would read them."""


def by_topic() -> dict[str, list[Word]]:
    """The words under what they are about."""
    topics: dict[str, list[Word]] = {}
    for word in GLOSSARY.values():
        topics.setdefault(word.topic, []).append(word)
    return topics

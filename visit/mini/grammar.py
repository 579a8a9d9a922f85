"""Opposites, plurals, and the agreement of verbs and pronouns."""

from collections.abc import Iterator
from random import Random
from typing import Final

from visit.mini.documents import Probe, capitalized, last_probe
from visit.mini.holdouts import is_held_out
from visit.mini.lexicon import (
    IRREGULAR_PLURALS,
    MEN,
    OPPOSITES,
    REGULAR_NOUNS,
    VERBS,
    WOMEN,
    plural_of,
    third_person,
    with_article,
)

OPPOSITE_PHRASINGS: Final = (
    "The opposite of {x} is[ {y}].",
    "The opposite of the word {x} is the word[ {y}].",
    "What is the opposite of {x}?[ {y}].",
    "{x} is the opposite of[ {y}].",
    "It was not {x}, it was quite the opposite:[ {y}].",
    "If it is not {x}, then it is[ {y}].",
    "{x} and its opposite,[ {y}].",
    "The words {x} and[ {y}] are opposites.",
)
PLURAL_PHRASINGS: Final = (
    "The plural of {x} is[ {y}].",
    "One {x}, two[ {y}].",
    "First there was one {x}, then there were three[ {y}].",
    "I have {ax}, and my friend has many[ {y}].",
    "More than one {x}: several[ {y}].",
    "There is {ax} here, and over there are more[ {y}].",
    "What do you call many of {ax}?[ {y}].",
)
SINGULAR_PHRASINGS: Final = (
    "The singular of {y} is[ {x}].",
    "Two {y}, one[ {x}].",
    "Of all the {y}, I saw only one[ {x}].",
)
NOUN_AGREEMENT: Final = (
    ("Right now, the {n}[ is] here.", "Right now, the {n}[ are] here."),
    ("Yesterday the {n}[ was] here.", "Yesterday the {n}[ were] here."),
    ("For a long time, the {n}[ has] been here.", "For a long time, the {n}[ have] been here."),
    ("Today the {n} near the {m}[ is] mine.", "Today the {n} near the {m}[ are] mine."),
    ("I think that the {n}[ is] new.", "I think that the {n}[ are] new."),
    ("Last year the {n} by the {m}[ was] new.", "Last year the {n} by the {m}[ were] new."),
)
"""Singular and plural form of each phrasing; {m} is a noun of either number in between."""

PERSON_AGREEMENT: Final = (
    ("{name} said that[ he] was tired.", "{name} said that[ she] was tired."),
    ("{name} hurt[ himself] again.", "{name} hurt[ herself] again."),
    ("{name} came home with[ his] brother.", "{name} came home with[ her] brother."),
    ("I like {name} because[ he] is kind.", "I like {name} because[ she] is kind."),
    ("I saw {name} and waved to[ him].", "I saw {name} and waved to[ her]."),
)
"""Masculine and feminine form of each phrasing."""

VERB_AGREEMENT: Final = (
    "I {v} every day, and he[ {s}] every day.",
    "They {v} well, and she[ {s}] well.",
    "She {s} in the morning, and they[ {v}] in the evening.",
    "He {s} at home. We[ {v}] at home too.",
    "You {v} a lot. Your friend[ {s}] a lot too.",
)
PRONOUN_VERBS: Final = (
    "I[ am] here, you[ are] here, and he[ is] here.",
    "She[ is] here, we[ are] here, and they[ are] here.",
    "I[ was] there, they[ were] there, and she[ was] there.",
    "We[ have] time, but he[ has] no time.",
    "He[ has] time, but they[ have] no time.",
    "They[ do] not know, and he[ does] not know either.",
    "She[ does] not know, and I[ do] not know either.",
)
NOUNS: Final = (*REGULAR_NOUNS, *IRREGULAR_PLURALS)
COUNTABLE: Final = tuple(noun for noun in NOUNS if plural_of(noun) != noun)
OPPOSITE_WORDS: Final = tuple(
    both for x, y in OPPOSITES for both in ((x, y), (y, x)) if sum(x in p for p in OPPOSITES) == 1
)
"""Each word and its opposite, both ways round, for words with one opposite only."""


def _opposite(phrasing: str, x: str, y: str) -> str:
    return capitalized(phrasing.format(x=x, y=y))


def _number(phrasing: str, noun: str) -> str:
    return capitalized(phrasing.format(x=noun, y=plural_of(noun), ax=with_article(noun)))


def _noun_agreement(phrasing: int, noun: str, is_plural: bool, between: str) -> str:
    word = plural_of(noun) if is_plural else noun
    return NOUN_AGREEMENT[phrasing][is_plural].format(n=word, m=between)


def _person_agreement(phrasing: int, name: str) -> str:
    return PERSON_AGREEMENT[phrasing][name in WOMEN].format(name=name)


def _verb_agreement(phrasing: str, verb: str) -> str:
    return phrasing.format(v=verb, s=third_person(verb))


def _between(rng: Random) -> str:
    noun = rng.choice(COUNTABLE)
    return plural_of(noun) if rng.random() < 0.5 else noun


def opposite_sentence(rng: Random) -> str:
    """A sentence with a word and its opposite."""
    while True:
        phrasing, (x, y) = rng.choice(OPPOSITE_PHRASINGS), rng.choice(OPPOSITE_WORDS)
        if not is_held_out("opposite", phrasing, x):
            return _opposite(phrasing, x, y)


def plural_sentence(rng: Random) -> str:
    """A sentence with one and many of a thing."""
    while True:
        phrasing = rng.choice((*PLURAL_PHRASINGS, *SINGULAR_PHRASINGS))
        noun = rng.choice(NOUNS)
        if not is_held_out("plural", phrasing, noun):
            return _number(phrasing, noun)


def agreement_sentence(rng: Random) -> str:
    """A sentence whose verb or pronoun agrees with a noun, a name or a pronoun."""
    while True:
        kind = rng.randrange(4)
        if kind == 0:
            return rng.choice(PRONOUN_VERBS)
        if kind == 1:
            phrasing, name = rng.randrange(len(PERSON_AGREEMENT)), rng.choice((*MEN, *WOMEN))
            if not is_held_out("person", str(phrasing), name):
                return _person_agreement(phrasing, name)
        if kind == 2:
            form, verb = rng.choice(VERB_AGREEMENT), rng.choice(VERBS)
            if not is_held_out("verb", form, verb):
                return _verb_agreement(form, verb)
        if kind == 3:
            phrasing, noun = rng.randrange(len(NOUN_AGREEMENT)), rng.choice(COUNTABLE)
            if not is_held_out("noun", str(phrasing), noun):
                return _noun_agreement(phrasing, noun, rng.random() < 0.5, _between(rng))


def grammar_text(rng: Random) -> str:
    """One document of one to three such sentences, as marked text."""
    makers = (opposite_sentence, plural_sentence, agreement_sentence)
    maker = rng.choices(makers, (4, 3, 3))[0]
    return " ".join(maker(rng) for _ in range(rng.choice((1, 1, 2, 3))))


def opposite_probes() -> Iterator[Probe]:
    """Every held-out combination of a phrasing and a word."""
    for phrasing in OPPOSITE_PHRASINGS:
        for x, y in OPPOSITE_WORDS:
            if is_held_out("opposite", phrasing, x):
                yield last_probe(_opposite(phrasing, x, y))


def plural_probes() -> Iterator[Probe]:
    """Every held-out combination of a phrasing and a noun whose answer is the plural."""
    for phrasing in PLURAL_PHRASINGS:
        for noun in NOUNS:
            if is_held_out("plural", phrasing, noun):
                yield last_probe(_number(phrasing, noun))


def agreement_probes() -> Iterator[Probe]:
    """Every held-out combination of a phrasing and a noun, name or verb."""
    rng = Random("agreement")
    for phrasing in range(len(PERSON_AGREEMENT)):
        for name in (*MEN, *WOMEN):
            if is_held_out("person", str(phrasing), name):
                yield last_probe(_person_agreement(phrasing, name))
    for form in VERB_AGREEMENT:
        for verb in VERBS:
            if is_held_out("verb", form, verb):
                yield last_probe(_verb_agreement(form, verb))
    for phrasing in range(len(NOUN_AGREEMENT)):
        for noun in COUNTABLE:
            if is_held_out("noun", str(phrasing), noun):
                for is_plural in (False, True):
                    yield last_probe(_noun_agreement(phrasing, noun, is_plural, _between(rng)))

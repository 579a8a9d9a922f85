"""Random sequences that repeat themselves: the second time round, every word is known."""

from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Final

from visit.mini.documents import Probe, document_from_marked, probes_from_document
from visit.mini.facts import countries
from visit.mini.lexicon import DAYS, DIGITS, MONTHS, NAMES, everyday_words

MAX_LENGTH: Final = 30
"""Longest stretch of words that is repeated, in training and in evaluation."""

SHORT: Final = 8
"""Longest of the short stretches, on which copying is learned first."""

ALPHABETS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789",
    "!?#$%&*+-/=<>@^_~|;:",
    "áàâäãåæçéèêëíîïñóôöøúûüýßœ",
    "абвгдежзийклмнопрстуфхцчшщыэюя",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "的一是不了人我在有他这中大来上国",
    "🙂🎉🚀❤✨🌍🐱🍎",
)
"""Characters of the made-up words, so that no byte of UTF-8 stays a stranger."""


@cache
def vocabulary() -> tuple[str, ...]:
    """The words random sequences are drawn from; each is one token after a space."""
    one_word = [
        word
        for country in countries()
        for word in (country.name, country.capital, country.language)
        if word.isalpha()
    ]
    return tuple(dict.fromkeys([*everyday_words(), *NAMES, *DAYS, *MONTHS, *DIGITS, *one_word]))


def made_up_word(rng: Random) -> str:
    """A word that means nothing, from one script."""
    alphabet = rng.choice(ALPHABETS)
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 4)))


def repeated(words: Sequence[str], separator: str) -> str:
    """The words twice over, as marked text: all but the first of the repeat are answers."""
    first = "".join(f"{{{separator}{word}}}" for word in words[1:])
    again = "".join(f"[{separator}{word}]" for word in words[1:])
    return f"{{{words[0]}}}{first}{separator}{words[0]}{again}"


def recalled(words: Sequence[str], rng: Random) -> str:
    """The words, then stretches of them in any order: what followed a word follows it again."""
    parts = [words[0], *(f"{{ {word}}}" for word in words[1:])]
    for _ in range(rng.randint(2, 5)):
        start = rng.randrange(len(words) - 1)
        stop = min(len(words), start + rng.randint(2, 6))
        parts.append(f"{{ {words[start]}}}")
        parts += [f"[ {word}]" for word in words[start + 1 : stop]]
    return "".join(parts)


def random_words(rng: Random, n_words: int) -> list[str]:
    """Different words in random order."""
    return rng.sample(vocabulary(), n_words)


def copying_text(rng: Random) -> str:
    """One document whose second part repeats its first, as marked text."""
    choice = rng.random()
    if choice < 0.1:
        words = list(dict.fromkeys(made_up_word(rng) for _ in range(rng.randint(3, 8))))
        return repeated(words, " ")
    if choice < 0.5:
        return repeated(random_words(rng, rng.randint(2, SHORT)), " ")
    words = random_words(rng, rng.randint(4, MAX_LENGTH))
    if choice < 0.7:
        return recalled(words, rng)
    return repeated(words, " ")


def copying_probes(rng: Random) -> list[Probe]:
    """One new random sequence, a probe for each word of its repeat but the first."""
    words = random_words(rng, rng.randint(5, MAX_LENGTH))
    return list(probes_from_document(document_from_marked(repeated(words, " "))))

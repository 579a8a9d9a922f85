"""What kind of word a token is: English function words, content words, pieces, punctuation.

A function word says how the others belong together (the, of, and); there are few, and most of a
text is made of them. All others name something: content words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

DETERMINERS: Final = frozenset(
    """a an the this that these those my your his her its our their some any no every each either
    neither all both half several few fewer many much more most less least enough such another
    other what which whose whatever whichever""".split()
)
PREPOSITIONS: Final = frozenset(
    """of in to for with on at from by about as into like through after over between out against
    during without before under around among across along behind beyond beneath beside besides
    below above near off up down onto upon toward towards within throughout until till since
    despite except inside outside per than via amid amongst alongside unlike underneath versus
    concerning regarding""".split()
)
CONJUNCTIONS: Final = frozenset(
    """and or but nor so yet if because although though while whereas unless whether once when
    where why how whenever wherever however lest""".split()
)
PRONOUNS: Final = frozenset(
    """i you he she it we they me him us them mine yours hers ours theirs myself yourself himself
    herself itself ourselves yourselves themselves oneself who whom whoever whomever one ones none
    someone somebody something anyone anybody anything everyone everybody everything nobody nothing
    there here""".split()
)
AUXILIARIES: Final = frozenset(
    """be am is are was were been being have has had having do does did doing done can could will
    would shall should may might must ought cannot""".split()
)
PARTICLES: Final = frozenset(
    """not yes too also just only even very quite rather then thus hence therefore still already
    again ever never else away""".split()
)
"""Negation, focus and degree; and the adverbs that join sentences or stand for ``then``."""
CLITICS: Final = frozenset("'s 't 'm 're 've 'd 'll n't".split())
"""What is left of a function word that leans on the word before it."""

FUNCTION_WORDS: Final = (
    DETERMINERS | PREPOSITIONS | CONJUNCTIONS | PRONOUNS | AUXILIARIES | PARTICLES | CLITICS
)
"""English only: of any other language, every word counts as a content word."""
_NAMES: Final = frozenset("US IT WHO May Will".split())
"""What is spelled like a function word, and seldom is one with these capitals."""


class WordClass(StrEnum):
    """The kind of word that a token is."""

    FUNCTION = "function"
    """An English function word after a space, or a clitic like ``'s`` and ``n't``."""
    CONTENT = "content"
    """Any other word in Latin letters after a space; it may be the beginning of a longer one."""
    PIECE = "piece"
    """Letters without a space before: a part of a word, or a word that begins a text."""
    PUNCTUATION = "punctuation"
    """Marks and signs alone, a space before them or not."""
    NUMBER = "number"
    """Digits, with what stands between them."""
    OTHER = "other"
    """Spaces alone, lone bytes and letters, other scripts, special tokens, and mixtures."""


_LETTERS: Final = r"A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_KINDS: Final = re.compile(
    rf"""(?P<CONTENT>\s+[{_LETTERS}](?:[{_LETTERS}'\u2019-]*[{_LETTERS}])?\Z)
    | (?P<PIECE>['\u2019-]?[{_LETTERS}](?:[{_LETTERS}'\u2019-]*[{_LETTERS}])?\Z)
    | (?P<NUMBER>\s*\d+(?:[.,:/]\d+)*\Z)
    | (?P<PUNCTUATION>\s*(?:[^\w\s\ufffd]|_)+\s*\Z)
    """,
    re.VERBOSE,
)


def word_classes(texts: Iterable[str]) -> tuple[WordClass, ...]:
    r"""The kind of word of each token, as of a whole vocabulary.

    A space before it says that a word begins; the same letters without one are a piece, whatever
    they spell: only a text would tell. Capitals make no difference, but for a few words that are
    names or shortenings then ("US", "May").

    Args:
        texts: The tokens', each with its leading space, lone bytes as the package writes them
            (``\xe6``).
    """
    classes = list[WordClass]()
    for text in texts:
        found = _KINDS.match(text)
        kind = WordClass.OTHER if found is None else WordClass[str(found.lastgroup)]
        if kind is WordClass.CONTENT:
            word = text.lstrip()
            if word.lower() in FUNCTION_WORDS:
                kind = kind if word in _NAMES else WordClass.FUNCTION
            elif len(word) == 1:
                kind = WordClass.OTHER
        elif kind is WordClass.PIECE and text.lower().replace("\u2019", "'") in CLITICS:
            kind = WordClass.FUNCTION
        classes.append(kind)
    return tuple(classes)


def word_class(text: str) -> WordClass:
    """The kind of word that one token is; see ``word_classes``."""
    return word_classes((text,))[0]

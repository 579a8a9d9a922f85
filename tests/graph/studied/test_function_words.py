"""What kind of word a token is, by its text."""

from __future__ import annotations

from time import process_time

import pytest

from visit.graph.studied import function_words
from visit.graph.studied.function_words import FUNCTION_WORDS, WordClass, word_class, word_classes

CLASSES = {
    WordClass.FUNCTION: [
        " the", " The", " THE", " of", " and", " I", " a", "'s", "n't", "\u2019ll", " not", " us",
        "\nThe", " may", " cannot",
    ],
    WordClass.CONTENT: [
        " Tokyo", " run", " naïve", " well-known", " US", " May", " IT", " der", " oclock'd",
        "\thouse", " Ther",
    ],
    WordClass.PIECE: ["ing", "the", "The", "I", "-like", "s", "ß"],
    WordClass.PUNCTUATION: [",", ".", " (", '."', "...", " _", "—", "\u3002", ".\n", " =", "$"],
    WordClass.NUMBER: ["4", " 1990", "3.14", " 1,000", "12:30"],
    WordClass.OTHER: [
        "", " ", "\n\n", "\\xe6", " \\xe4\\xb8", "ab\\xe6", " B", "<|endoftext|>", "<unk>", "[PAD]",
        " Москва", "東京", "x2", "3rd", "\ufffd", " the-", "don't.",
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", WordClass)
def test_a_token_is_of_the_class_that_its_text_says(kind: WordClass):
    assert {text: word_class(text) for text in CLASSES[kind]} == dict.fromkeys(CLASSES[kind], kind)


def test_every_class_of_function_words_is_part_of_all_and_written_small():
    classes = [
        getattr(function_words, name)
        for name in (
            "DETERMINERS", "PREPOSITIONS", "CONJUNCTIONS", "PRONOUNS", "AUXILIARIES", "PARTICLES",
            "CLITICS",
        )
    ]  # fmt: skip
    assert frozenset().union(*classes) == FUNCTION_WORDS
    assert all(word == word.lower() == word.strip() for word in FUNCTION_WORDS)
    assert {"the", "of", "and", "to", "in", "is", "it", "that", "not"} < FUNCTION_WORDS
    assert len(FUNCTION_WORDS) > 200


def test_a_vocabulary_of_fifty_thousand_is_sorted_out_at_once():
    texts = [text for texts in CLASSES.values() for text in texts]
    texts = (texts * 1000)[:50_000]
    took = []
    for _ in range(3):
        start = process_time()
        found = word_classes(texts)
        took.append(process_time() - start)
    assert len(found) == 50_000
    assert min(took) < 0.2

"""The bundled tokenizer: any text comes back, and common words are one token."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from visit.mini import FOLDER
from visit.mini.facts import countries
from visit.mini.lexicon import DAYS, MONTHS, NAMES

HARD_TEXTS = (
    "",
    " ",
    "   two  spaces   ",
    "line\nbreak\r\n\ttab",
    "NUL \x00 inside",
    "👩‍👩‍👧‍👦 and 🇯🇵",
    "مرحبا بالعالم",
    "right to left \u202e override",
    "zero\u200bwidth \ufeff mark",
    "日本の首都は東京です。",
    "Ünïcödé ñ ß œ",
    "e\u0301 is not é",
    "I ' m , do n't . won 't !",
    "a <|endoftext|> inside",
    "[UNK] </s> <s> [PAD]",
    "\U0001d518 astral \U0010ffff",
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    """The bundled tokenizer as any user loads it."""
    return AutoTokenizer.from_pretrained(FOLDER)


@pytest.mark.parametrize("text", HARD_TEXTS, ids=ascii)
def test_a_hard_text_comes_back_byte_for_byte(
    text: str, tokenizer: PreTrainedTokenizerBase
) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_any_text_comes_back_byte_for_byte(tokenizer: PreTrainedTokenizerBase) -> None:
    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(st.text(st.characters(codec="utf-8")))
    def comes_back(text: str) -> None:
        assert tokenizer.decode(tokenizer.encode(text)) == text

    comes_back()


def test_nothing_is_put_before_or_after_a_prompt(tokenizer: PreTrainedTokenizerBase) -> None:
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode(" Tokyo")) == ["ĠTokyo"]


def test_every_common_word_is_one_token(tokenizer: PreTrainedTokenizerBase) -> None:
    facts = [(country.name, country.capital, country.language) for country in countries()]
    words = [
        *(word for fact in facts for word in fact if re.fullmatch(r"\w+", word)),
        *NAMES,
        *DAYS,
        *MONTHS,
        *map(str, range(101)),
        *("city", "capital", "language", "country", "drink", "store"),
    ]
    assert [word for word in words if len(tokenizer.encode(f" {word}")) != 1] == []


def test_the_end_of_text_is_one_token_and_closes_every_answer(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    assert tokenizer.encode("<|endoftext|>") == [tokenizer.eos_token_id] == [tokenizer.bos_token_id]


def test_training_the_tokenizer_again_gives_the_same_one(
    tokenizer: PreTrainedTokenizerBase, fresh_tokenizer: PreTrainedTokenizerBase
) -> None:
    assert fresh_tokenizer.get_vocab() == tokenizer.get_vocab()

"""Tokens are spelled as they are, and a target is exactly one of them."""

from __future__ import annotations

import pytest
from models import save_tiny_model
from transformers import AutoTokenizer

from visit.errors import RequestError
from visit.tokens import Tokens

HARD = [
    "plain text",
    " two  spaces",
    "tab\tand\nnewline",
    "日本 🗼",
    "عربى",
    "\u202eright to left",
    "\x00\x07",
]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    tokenizer = AutoTokenizer.from_pretrained(save_tiny_model(tmp_path_factory.mktemp("tiny")))
    return Tokens(tokenizer, len(tokenizer))


def test_a_tokens_text_keeps_its_leading_space(tokens: Tokens):
    ids = tokens.ids("The capital of Japan")
    assert "".join(tokens.text(id_) for id_ in ids) == "The capital of Japan"
    assert tokens.text(tokens.single(" Japan", "target")) == " Japan"


@pytest.mark.parametrize("text", HARD)
def test_lone_bytes_are_written_as_escapes_and_nothing_is_lost(tokens: Tokens, text: str):
    spelled = "".join(tokens.text(id_) for id_ in tokens.ids(text))
    raw = spelled.encode("utf-8", "surrogateescape").decode("utf-8")
    if raw != text:
        assert (
            raw.encode("latin-1", "backslashreplace")
            .decode("unicode_escape")
            .encode("latin-1")
            .decode("utf-8")
            == text
        )


def test_an_id_beyond_the_vocabulary_is_called_unused(tokens: Tokens):
    assert tokens.text(99_999) == "<unused 99999>"


def test_a_target_without_its_space_is_offered_with_it(tokens: Tokens):
    with pytest.raises(RequestError, match=r"target 'Tokyo' is \d tokens .* such as ' Tokyo'"):
        tokens.single("Tokyo", "target")


def test_a_misspelt_target_is_offered_the_nearest(tokens: Tokens):
    with pytest.raises(RequestError, match="such as ' capital'"):
        tokens.single(" captial", "target")


def test_a_target_unlike_any_token_is_refused_with_its_pieces(tokens: Tokens):
    with pytest.raises(RequestError, match=r"is 2 tokens \('z' \+ 'q'\); give a single token$"):
        tokens.single("zq", "target")


def test_an_empty_target_is_refused(tokens: Tokens):
    with pytest.raises(RequestError, match="target '' is 0 tokens"):
        tokens.single("", "target")

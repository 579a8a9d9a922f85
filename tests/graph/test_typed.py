"""A token that is typed is exactly what it says, and every token can be typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visit.graph.typed import quote_typed, token_from_typed, typed_from_token


@pytest.mark.parametrize(
    ("typed", "token"),
    [
        (" Tokyo", " Tokyo"),
        ("·", "·"),  # no space
        ("∅", "∅"),
        ("日", "日"),
        ("#7", "#7"),
        ("<|im_end|>", "<|im_end|>"),
        (r"\n\r\t", "\n\r\t"),
        (r"\xe6", "\\xe6"),
        (r" \xE6\x97", " \\xe6\\x97"),
        (r"\xe6\x97\xa5", "日"),
        (r"\x41\x20b", "A b"),
        (r"\u00b7\U0001f469", "·👩"),
        (r"\ud800", "\\ud800"),
        (r"\U00110000", "\\U00110000"),
        (r"\\n", "\\n"),
        ("\\", "\\"),
        (r"\frac", "\\frac"),
        (r"\#163", 163),
        (r"a\#163", "a\\#163"),
        (r"\\#163", "\\#163"),
        (r"\#", "\\#"),
        (r"\#٣", "\\#٣"),
    ],
)
def test_typed_text_is_exactly_what_it_says(typed: str, token: str | int):
    assert token_from_typed(typed) == token
    assert token_from_typed(typed_from_token(token)) == token


texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text("\\n#x7e6u 日·↵\n\u200b")


@given(texts | st.integers(0, 10**6))
def test_every_token_can_be_typed_and_nothing_in_it_hides(token: str | int):
    """But for a text that spells out bytes which make a character: no token's is so."""
    typed = typed_from_token(token)
    assert typed.isprintable()
    assert token_from_typed(typed) == token


@given(st.binary(max_size=6))
def test_every_token_of_bytes_can_be_typed(raw: bytes):
    text = raw.decode("utf-8", "backslashreplace")
    if "\\" not in raw.decode("latin-1"):
        assert token_from_typed(typed_from_token(text)) == text


def test_a_message_has_a_token_as_it_is_typed():
    assert quote_typed(" \\xe6\n") == r"' \xe6\n'"

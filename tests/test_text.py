import re
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visit import text as text_module
from visit.text import (
    counted,
    join_neighbours,
    n_columns,
    one_line,
    pad,
    shorten,
    visible,
    visible_neighbours,
)

anything = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" Tokyo", "·Tokyo"),
        ("", "∅"),
        ("a\n\r\t", "a↵␍⇥"),
        ("\u00a0", "⍽"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\u3000", "\\u3000"),
        ("·", "\\u00b7"),  # no space
        ("l·l", "l\\u00b7l"),
        ("∅", "\\u2205"),
        ("\u00ad", "\\u00ad"),
        ("\x9f", "\\u009f"),
        ("\\x9f", "\\x9f"),  # a byte
        ("\u200b", "\\u200b"),
        ("\u3164", "\\u3164"),
        ("❤\ufe0f", "❤\\ufe0f"),
        ("\u202eabc", "\\u202eabc"),
        ("\udc80", "\\udc80"),
        ("\U000e0001", "\\U000e0001"),
        ("日本é", "日本é"),
    ],
)
def test_a_token_is_shown_so_that_nothing_in_it_hides(token: str, shown: str):
    assert visible(token) == shown


@given(anything)
def test_nothing_shown_can_move_a_cursor_or_turn_the_line(text: str):
    for shown in (visible(text), one_line(text)):
        assert shown.isprintable()


def test_no_character_that_is_blank_by_its_name_is_shown_as_it_is():
    """Python has fillers, joiners and selectors for printable."""
    blank = re.compile(
        "(HANGUL|KHITAN).* FILLER|VARIATION SELECTOR|GRAPHEME JOINER|VOWEL INHERENT|PATTERN BLANK"
    )
    for code in range(sys.maxunicode + 1):
        if blank.search(unicodedata.name(chr(code), "")):
            for shown in (visible(chr(code)), one_line(chr(code))):
                assert shown in (f"\\U{code:08x}", f"\\u{code:04x}")


def in_bytes(text: str, *sizes: int) -> list[str]:
    """A text in tokens of so many bytes each, as a byte-level vocabulary spells them."""
    raw, tokens = text.encode(), []
    for size in sizes or (1,) * len(raw):
        tokens.append(raw[:size].decode("utf-8", "backslashreplace"))
        raw = raw[size:]
    return [*tokens, raw.decode("utf-8", "backslashreplace")] if raw else tokens


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [
        (in_bytes("日"), ["日 1/3", "日 2/3", "日 3/3"]),
        (in_bytes("é日"), ["é 1/2", "é 2/2", "日 1/3", "日 2/3", "日 3/3"]),
        (in_bytes(" 日本", 2, 3), ["·日 1/3", "日本 2/3", "本 3/3"]),
        (in_bytes("👩\u200d", 2, 2, 1), ["👩 1/2", "👩 2/2", "\\u200d 1/2", "\\u200d 2/2"]),
        ([*in_bytes("日")[:2], " a"], ["\\xe6", "\\x97", "·a"]),
        (["\\xe6", "a", "\\x97", "\\xa5"], ["\\xe6", "a", "\\x97", "\\xa5"]),
        (["\\xe6\\x97\\xa5", "\\xc0", "\\x80"], ["\\xe6\\x97\\xa5", "\\xc0", "\\x80"]),
        ([" ", "", "·", "1/2"], ["·", "∅", "\\u00b7", "1/2"]),
        ([], []),
    ],
)
def test_the_bytes_of_a_character_are_shown_as_it_and_marked_as_its_pieces(
    tokens: list[str], shown: list[str]
):
    assert visible_neighbours(tokens) == tuple(shown)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\")), st.data())
def test_however_a_text_is_cut_into_tokens_it_reads_as_it_is(text: str, data: st.DataObject):
    sizes = data.draw(st.lists(st.integers(1, 6), max_size=8))
    tokens = in_bytes(text, *sizes) if sizes else in_bytes(text)
    assert join_neighbours(tokens) == text
    assert all(shown.isprintable() for shown in visible_neighbours(tokens))


def test_one_line_keeps_its_spaces():
    assert one_line("The capital\nof Japan") == "The capital↵of Japan"
    assert one_line("col·lecció") == "col·lecció"
    assert one_line("") == ""
    assert one_line(one_line("a\n\u200b")) == "a↵\\u200b"


def test_wide_characters_take_two_columns_and_combining_ones_none():
    assert n_columns("日本") == 4
    assert n_columns("e\u0301") == 1
    assert pad("日本", 6) == "日本  "


@given(anything.map(one_line), st.integers(-2, 8))
def test_shortened_text_fits(text: str, width: int):
    assert n_columns(shorten(text, width)) <= max(width, 0)


def test_a_long_text_is_shortened_in_a_few_readings_of_it(monkeypatch: pytest.MonkeyPatch):
    """One letter less at a time, each time measured again, took 33 s for 16,000 letters."""
    read = 0

    def count(text: str) -> int:
        nonlocal read
        read += len(text)
        return n_columns(text)

    monkeypatch.setattr(text_module, "n_columns", count)
    prompt = "日本 e\u0301 " * 500
    assert shorten(prompt, 10) == "日本 e\u0301 日…"
    assert shorten(prompt, n_columns(prompt) - 1).endswith(" …")
    assert read < 30 * len(prompt)


@pytest.mark.parametrize(
    "text", ["\u1039\u10df\u0fcf\u0f12", "\u108a\u105e\u0f10\u0965\u0d31\u0966"]
)
def test_marks_that_change_each_others_width_are_shortened_to_fit_too(text: str):
    assert all(n_columns(shorten(text, width)) <= width for width in range(8))


def test_what_is_one_character_to_a_reader_is_never_cut():
    family = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
    assert n_columns(family) == 2
    assert shorten(f"{family}{family}{family}", 5) == f"{family}{family}…"
    assert shorten("e\u0301e\u0301e\u0301", 2) == "e\u0301…"


def test_text_that_fits_is_not_shortened():
    assert shorten("日本", 4) == "日本"
    assert shorten("日本国", 4) == "日…"


@pytest.mark.parametrize("text", ["🇯🇵" * 8_000, "x\u0301" * 8_000, "\u200d" * 16_000])
def test_sixteen_thousand_letters_of_any_script_are_cut_at_once(text: str):
    """Measuring flags takes the square of their number: this took half a minute."""
    start = time.process_time()
    assert n_columns(shorten(text, 20)) <= 20
    assert time.process_time() - start < 0.5


def test_one_of_a_thing_is_singular():
    assert [counted(number, "part") for number in (0, 1, 2)] == ["0 parts", "1 part", "2 parts"]

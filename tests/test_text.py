import pytest
from hypothesis import given
from hypothesis import strategies as st

from visit import text as text_module
from visit.text import n_columns, one_line, pad, shorten, visible

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


def test_one_line_keeps_its_spaces():
    assert one_line("The capital\nof Japan") == "The capital↵of Japan"
    assert one_line("") == ""


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

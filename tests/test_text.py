import pytest
from hypothesis import given
from hypothesis import strategies as st

from visit.text import n_columns, one_line, padded, shortened, visible

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
    assert padded("日本", 6) == "日本  "


@given(anything.map(one_line), st.integers(-2, 8))
def test_shortened_text_fits(text: str, width: int):
    assert n_columns(shortened(text, width)) <= max(width, 0)


def test_text_that_fits_is_not_shortened():
    assert shortened("日本", 4) == "日本"
    assert shortened("日本国", 4) == "日…"

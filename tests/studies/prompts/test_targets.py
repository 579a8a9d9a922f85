"""Where an answer gets a space before it."""

from __future__ import annotations

import pytest

from visit.studies.prompts import spaced_target


@pytest.mark.parametrize(
    ("prompt", "target", "expected"),
    [
        ("It lies in the continent of", "Antarctica", " Antarctica"),
        ("Two and two make", "4", " 4"),
        ("Egypt's capital,", "Cairo", " Cairo"),
        ("Question: who? Answer:", "Élise", " Élise"),
        ('He is called a "superior"', "father", " father"),
        ("Столица России —", "Москва", " Москва"),
        ("Japan -", "Tokyo", " Tokyo"),
        ("2 + 2 =", "4", " 4"),
        ("It is the dogs'", "bone", " bone"),
    ],
)
def test_a_word_that_follows_a_word_gets_a_space(prompt: str, target: str, expected: str):
    assert spaced_target(prompt, target) == expected


@pytest.mark.parametrize(
    ("prompt", "target"),
    [
        ("One is ", "two"),  # the space is there
        ("One is\n", "two"),
        ("One is", " two"),
        ("One is one", "."),
        ("That is John", "'s"),
        ("The word (", "so"),
        ('He said "', "no"),
        ('He said ("', "no"),
        ("He said “", "no"),
        ("A well-", "known"),
        ("and/", "or"),
        ("snake_", "case"),
        ("It costs $", "5"),
        ("日本の首都は", "東京"),
        ("เมืองหลวงของไทยคือ", "กรุงเทพ"),
        ("One is", ""),
        ("", "One"),
    ],
)
def test_any_other_answer_is_left_as_it_is(prompt: str, target: str):
    assert spaced_target(prompt, target) == target

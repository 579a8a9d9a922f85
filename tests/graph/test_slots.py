"""Templates, and which token of one prompt stands for which of another."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visit.errors import RequestError
from visit.graph.slots import (
    VARIES,
    Place,
    Slot,
    find_positions,
    places_by_ends,
    places_in_template,
    slots_of,
)
from visit.graph.template import Template


def test_a_template_says_where_each_value_stands():
    template = Template.parse("From {a} to {b}.")
    text, spans = template.fill(("Rome", "Oslo"))
    assert text == "From Rome to Oslo."
    assert [text[start:stop] for start, stop in spans] == ["Rome", "Oslo"]
    assert str(template) == "From {a} to {b}."


@pytest.mark.parametrize("text", ["no slot", "an {} empty one", "one { too many {a}"])
def test_what_is_no_template_is_refused(text: str):
    with pytest.raises(RequestError, match="has no slot, or a brace too many"):
        Template.parse(text)


def test_a_value_is_aligned_by_its_last_token_and_what_follows_by_its_own():
    template = Template.parse("In {a} is")
    places = []
    for value, cuts in (("Oslo", (0, 2, 7, 10)), ("New York", (0, 2, 6, 11, 14))):
        _, spans = template.fill((value,))
        offsets = [(0, 0), *pairwise(cuts)]
        places.append(places_in_template(offsets, spans))
    assert places[0] == [Place(0, 0), Place(0, 1), Place(1, 0), Place(2, 0)]
    assert places[1] == [Place(0, 0), Place(0, 1), Place(1, -1), Place(1, 0), Place(2, 0)]
    texts = [["<s>", "In", " Oslo", " is"], ["<s>", "In", " New", " York", " is"]]
    slots, numbers = slots_of(places, texts, template.names)
    assert slots == [
        Slot("<s>", None, 2), Slot("In", None, 2), Slot("a", 1, 1), Slot("a", 0, 2),
        Slot(" is", None, 2),
    ]  # fmt: skip
    assert [numbers[place] for place in places[0]] == [0, 1, 3, 4]


def test_without_a_template_equal_lengths_stand_by_position_and_others_by_their_ends():
    assert places_by_ends([[1, 2], [3, 4]]) == [[Place(0, 0), Place(0, 1)]] * 2
    short, long = places_by_ends([[1, 2, 7, 4], [1, 2, 8, 9, 4]])
    assert short == [Place(0, 0), Place(0, 1), Place(1, 0), Place(2, 0)]
    assert long == [Place(0, 0), Place(0, 1), Place(1, -1), Place(1, 0), Place(2, 0)]
    slots, _ = slots_of([short, long], [list("abcd"), list("abxyd")], ())
    assert [slot.name for slot in slots] == ["a", "b", VARIES, VARIES, "d"]


@pytest.mark.parametrize("prompts", [[[1], [1, 2]], [[5, 6], [7, 8, 9]], [[1, 1], [1, 1, 1]]])
def test_the_last_tokens_stand_together_however_short_a_prompt_is(prompts: list[list[int]]):
    places = places_by_ends(prompts)
    assert [len(own) for own in places] == [len(one) for one in prompts]
    assert len({own[-1] for own in places}) == 1
    assert all(sorted(set(own)) == own for own in places)


WORDS = st.sampled_from(["Oslo", "New York", "Rio de Janeiro", "Sao Tome"])
TEMPLATES = ("In {a} is", "{a} is", "From {a} to {b}", "of {a} and {b} so", "One {a} so {a}", "{a}")


def tokens_of(text: str) -> list[tuple[int, int]]:
    """A token for each word, its space before it."""
    return [found.span() for found in re.finditer(r" ?[^ ]+", text)]


@given(st.sampled_from(TEMPLATES), st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4))
def test_every_prompt_has_its_slots_where_they_were_put(typed: str, values: list[tuple[str, str]]):
    template = Template.parse(typed)
    names = dict.fromkeys(template.names)
    places, texts = [], []
    for row in values:
        own = dict(zip(names, row, strict=False))
        text, spans = template.fill([own[name] for name in template.names])
        offsets = tokens_of(text)
        places.append(places_in_template([(0, 0), *offsets], spans))
        texts.append(["<s>", *(text[a:b] for a, b in offsets)])
    slots, numbers = slots_of(places, texts, template.names)
    for own_places, own_texts in zip(places, texts, strict=True):
        wanted = {numbers[place]: at for at, place in enumerate(own_places)}
        assert find_positions(slots, own_texts) == wanted


def test_a_prompt_of_no_such_template_has_none_of_the_slots():
    slots = [Slot("In", None, 2), Slot("a", 1, 1), Slot("a", 0, 2), Slot(" is", None, 2)]
    assert find_positions(slots, ["In", " Oslo", " is"]) == {0: 0, 2: 1, 3: 2}
    assert find_positions(slots, ["In", " Rio", " de", " Janeiro", " is"]) == {
        0: 0, 1: 2, 2: 3, 3: 4,
    }  # fmt: skip
    for other in (["At", " Oslo", " is"], ["In", " Oslo", " was"], ["In", " is"], []):
        assert find_positions(slots, other) == {}
    # Nothing says where one value ends and the next begins.
    meeting = [Slot("a", 0, 2), Slot("b", 0, 2), Slot(" is", None, 2)]
    assert find_positions(meeting, ["Rio", " Oslo", " is"]) == {2: 2}


def test_without_a_template_a_prompt_as_long_has_a_slot_at_every_position():
    slots = [Slot("One", None, 2), Slot(" is", None, 2)]
    assert find_positions(slots, ["Two", " are"]) == {0: 0, 1: 1}
    assert find_positions(slots, ["Two"]) == {}


@pytest.mark.parametrize(
    ("typed", "prompt", "values"),
    [
        ("In {a} is", "In Oslo is", ("Oslo",)),
        ("{a} is", "In Oslo is", ("In Oslo",)),
        ("In {a} is", "In Oslo was", None),
        ("In {a} is", "In   is", (" ",)),
        ("In {a} is", "In is", None),
        ("{a} and {b}; {b}", "x and y; y", ("x", "y", "y")),
        ("{a} and {b}; {b}", "x and y; x", None),
        ("a.{b}", "axc", None),
    ],
)
def test_a_template_reads_what_stands_in_its_slots(
    typed: str, prompt: str, values: tuple[str, ...] | None
):
    template = Template.parse(typed)
    assert template.read(prompt) == values
    if values is not None:
        assert template.fill(values)[0] == prompt

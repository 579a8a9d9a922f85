"""What can be chosen of a question, read from texts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pytest

from visit.engine.explorables import EXPLORABLES, Explorable
from visit.engine.options import option, options_of, question_from_texts
from visit.engine.questions import Question
from visit.errors import RequestError
from visit.graph.explored.answer import Table
from visit.graph.request import CountFromOne, Request

REQUEST = Request("Rome is")


class _Way(StrEnum):
    FAST, EXACT = "fast", "exact"


@dataclass(frozen=True)
class Weigh(Question[int]):
    """A question with an option of every sort."""

    way: _Way = option(_Way.FAST, "Way", "how")
    count: CountFromOne = option(3, "Count", "how many")
    seed: int | None = option(None, "Seed", "where it starts", letter="S")
    others: tuple[str, ...] = option((), "Others", "more prompts", lines=True)
    plain: bool = option(False, "Plain", "nothing else")
    hidden: int = 5


def test_options_are_the_fields_that_are_made_so_with_their_defaults():
    found = {one.name: (one.said, one.choices, one.takes) for one in options_of(Weigh)}
    assert found == {
        "way": ("fast", ("fast", "exact"), _Way),
        "count": ("3", (), int),
        "seed": ("", (), int),
        "others": ("", (), str),
        "plain": ("false", (), bool),
    }


def test_what_is_typed_is_read_as_the_field_takes_it_and_nothing_as_the_default():
    typed = {"way": "exact", "count": "7", "seed": "", "others": "a, b\n\nc d\n", "plain": "true"}
    asked = question_from_texts(Weigh, REQUEST, typed)
    assert asked == Weigh(REQUEST, _Way.EXACT, 7, None, ("a, b", "c d"), True)
    assert question_from_texts(Weigh, REQUEST, {}) == Weigh(REQUEST)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"way": "slow"}, "way is 'slow'; give fast or exact"),
        ({"count": "0"}, "count is 0; give 1 or more"),
        ({"count": "many"}, "count is 'many'; give a whole number"),
        ({"plain": "maybe"}, "plain is 'maybe'; give true or false"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_what_can(typed: dict[str, str], said: str):
    with pytest.raises(RequestError, match=said):
        question_from_texts(Weigh, REQUEST, typed)


@pytest.mark.parametrize("explorable", EXPLORABLES.values(), ids=lambda one: one.name)
def test_every_explorable_can_be_asked_with_nothing_chosen(explorable: Explorable):
    assert question_from_texts(explorable.question, REQUEST, {}) == explorable.question(REQUEST)
    for one in options_of(explorable.question):
        assert one.label and one.says and not one.says.endswith(".")
        assert one.read(one.said) == one.default


def test_a_table_has_a_cell_a_column():
    with pytest.raises(ValueError, match="table heads: a row has other columns"):
        Table("heads", ("layer", "head"), ((1,),))
    with pytest.raises(ValueError, match="table heads: 1 nodes, 2 rows"):
        Table("heads", ("layer",), ((1,), (2,)), ("L1.head0@3",))

"""The prompts to begin with."""

import pytest

from visit.graph.request import Request
from visit.session import Session
from visit.web.app import DEFAULT_PROMPT
from visit.web.screen.examples import EXAMPLES, menu


@pytest.fixture(scope="module")
def mini() -> Session:
    return Session.load("mini")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_bundled_model_answers_each_example_rightly(mini, example):
    flow = mini.explain(Request(example.prompt, layers="none"))
    assert flow.target.text == example.answer
    assert flow.target.prob > 0.9


def test_each_example_says_in_one_sentence_what_to_look_for():
    assert len(menu()) == len({example.prompt for example in EXAMPLES}) == 5
    for example in EXAMPLES:
        assert example.look.endswith(".") and ". " not in example.look
        assert len(example.look) < 100


def test_the_first_example_is_what_a_page_opens_on():
    assert EXAMPLES[0].prompt == DEFAULT_PROMPT


def test_the_indirect_object_is_compared_with_the_subject():
    """The name that is given against the name that was said twice."""
    asked = {example.name: example.asked for example in EXAMPLES}
    assert asked["Indirect object"]["data-typed"] == " Mary vs  John"
    assert asked["Fact recall"]["data-typed"] == ""

"""The settings: every field that says how much is drawn, its words, and its texts."""

from __future__ import annotations

import pytest

from visit.errors import RequestError
from visit.graph.request import DRAWN, RankBy, Request
from visit.graph.settings import SETTINGS, problems_in, texts_beside, values_from_texts


def test_every_field_that_says_how_much_is_drawn_is_a_setting_and_no_other_is():
    assert SETTINGS.keys() == DRAWN


def test_a_setting_knows_its_type_its_default_and_its_choices_from_the_request():
    assert (SETTINGS["heads"].takes, SETTINGS["heads"].default) == (int, 10)
    assert SETTINGS["rank_by"].choices == ("flow", "effect", "logit", "share", "norm")
    assert (SETTINGS["outcome"].takes, SETTINGS["outcome"].choices) == (bool, ("true", "false"))


def test_texts_say_what_is_set_otherwise_and_are_read_back():
    served = Request("a", heads=3)
    asked = Request("b", heads=10, rank_by=RankBy.NORM, threshold=0.5, outcome=False)
    texts = texts_beside(served, asked)
    assert texts == {"heads": "10", "rank_by": "norm", "threshold": "0.5", "outcome": "false"}
    assert values_from_texts(texts) == {
        "heads": 10, "rank_by": RankBy.NORM, "threshold": 0.5, "outcome": False
    }  # fmt: skip
    back = texts_beside(asked, Request("c"))
    assert back["outcome"] == "" and values_from_texts(back)["outcome"] is None


def test_each_wrong_text_has_a_line_of_its_own_and_the_right_ones_none():
    typed = {
        "heads": "-1",
        "threshold": "2",
        "layers": "5-3",
        "metric": "log",
        "memories": "7",
        "no_field": "x",
    }
    assert problems_in(typed) == {
        "heads": "heads is -1; give 0 or more",
        "threshold": "threshold is 2.0; give a number from 0 to 1",
        "layers": "layers '5-3' run backwards; give 3-5",
        "metric": "metric is 'log'; give choice, centred or logit",
    }
    with pytest.raises(RequestError, match="metric is 'log'"):
        values_from_texts(typed)

"""What an address says of a request is what it asks for when it is read."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

import pytest

from visit.errors import RequestError
from visit.graph.metric import MetricChoice
from visit.graph.request import RankBy, Request
from visit.web.state.address import Asked, asked_by_address, texts_for_address

DEFAULT = Request("Paris is", model="mini")


def test_settings_are_said_where_they_are_others_than_served():
    served = replace(DEFAULT, heads=3, rank_by=RankBy.SHARE)
    read = asked_by_address("?prompt=a&memories=4&outcome=false&layers=none", served).request
    assert read == replace(served, prompt="a", memories=4, outcome=False, layers="none")
    assert texts_for_address(replace(served, heads=10, position=2), served=served) == {
        "prompt": "Paris is", "model": "mini", "position": "2", "heads": "10"
    }  # fmt: skip


def test_a_setting_that_cannot_be_read_is_refused_in_one_line():
    with pytest.raises(RequestError, match="top_k is 'x'; give a whole number"):
        asked_by_address("?prompt=a&top_k=x", DEFAULT)


@pytest.mark.parametrize(
    "request_",
    [
        Request("a b&c=d", "lab/a", " you", "é·", 1),
        Request("a", "mini", bos=False),
        Request("a", "mini", bos=True, chat=True),
        Request("a", "mini", prompt_ids=(5, 600), target="x", target_id=7, versus_id=0),
        Request("", "mini", prompt_ids=(5,), position=0),
        Request("a", "mini", threshold=0.25, metric=MetricChoice.LOGIT, outcome=True, top_k=3),
    ],
)
def test_what_an_address_says_is_read_back_whatever_is_served(request_: Request):
    served = Request("Rome", "mini", "z", "y", 3, bos=True, chat=True, target_id=4)
    search = "?" + urlencode(texts_for_address(request_, served=served))
    assert asked_by_address(search, served) == Asked(request_)


def test_ids_are_read_or_refused_and_never_passed_over():
    """Without them the same address would ask another question."""
    read = asked_by_address("?prompt_ids=5,6&target_id=7&versus_id=8", DEFAULT).request
    assert (read.prompt_ids, read.target_id, read.versus_id) == ((5, 6), 7, 8)
    with pytest.raises(RequestError, match=r"prompt_ids\[1\] is 'x'; give a whole number"):
        asked_by_address("?prompt=a&prompt_ids=5,x", DEFAULT)
    with pytest.raises(RequestError, match="target_id is -1; give a token's id"):
        asked_by_address("?prompt=a&target_id=-1", DEFAULT)

"""What the pane may ask of a server that many share."""

from __future__ import annotations

import pytest

from visit.engine.explorables import EXPLORABLES
from visit.errors import RequestError
from visit.graph.limits import LONGEST_OF_MANY, LONGEST_PROMPT
from visit.graph.request import Request
from visit.web.explore.asking import ask_explorable

REQUEST = Request("a b")


@pytest.mark.parametrize(
    ("name", "option", "allowed", "said"),
    [
        ("contexts", "text", "x" * LONGEST_PROMPT, "text has 500,001 letters; this server reads"),
        ("maps", "others", "x" * LONGEST_OF_MANY, "others has 301 letters in a line; this server"),
        ("query-key", "others", "a\n" + "x" * LONGEST_OF_MANY, "at most 300: shorten it"),
        ("watch", "tokens", "x" * LONGEST_OF_MANY, "or use visit explore"),
    ],
)
def test_what_is_longer_than_a_server_reads_is_refused_in_one_line(
    name: str, option: str, allowed: str, said: str
):
    asked = EXPLORABLES[name]
    ask_explorable(asked, REQUEST, {option: allowed})
    with pytest.raises(RequestError, match=said) as problem:
        ask_explorable(asked, REQUEST, {option: allowed + "x"})
    assert "\n" not in str(problem.value)


def test_more_rows_of_random_tokens_than_are_of_use_are_refused():
    ask_explorable(EXPLORABLES["heads"], REQUEST, {"repeats": "100"})
    with pytest.raises(RequestError, match=r"repeats is .*1000000000.*1 to 100"):
        ask_explorable(EXPLORABLES["heads"], REQUEST, {"repeats": "1000000000"})

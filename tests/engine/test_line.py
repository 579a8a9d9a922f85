"""The line: looks before traces, askers in turn, and no more than may wait."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visit.engine.line import LOOKS_IN_A_ROW, Line
from visit.errors import RequestError


@dataclass(eq=False)
class One:
    """What stands in a line here."""

    asker: object = "a"
    is_look: bool = False
    name: str = ""


def lined_up(*ones: One) -> Line[One]:
    line: Line[One] = Line(most=1000, most_of_one=1000)
    for one in ones:
        line.join(one)
    return line


def all_of(line: Line[One]) -> list[One]:
    taken = []
    while (one := line.take()) is not None:
        taken.append(one)
    return taken


def test_nobody_is_next_in_an_empty_line():
    line: Line[One] = Line()
    assert line.take() is None and line.order() == [] and len(line) == 0


def test_a_page_that_asks_much_waits_for_those_that_ask_little():
    many, few = [One("many", name=str(n)) for n in range(4)], [One("few"), One("other")]
    assert all_of(lined_up(*many, *few)) == [many[0], *few, *many[1:]]


def test_an_asker_who_was_served_comes_after_those_who_were_not():
    first, second, late = One("a"), One("b"), One("a")
    line = lined_up(first, second)
    assert line.take() is first
    line.join(late)
    assert all_of(line) == [second, late]


def test_looks_go_before_traces_and_still_let_a_trace_through():
    traces = [One(n) for n in range(2)]
    looks = [One(n, is_look=True) for n in range(LOOKS_IN_A_ROW + 2)]
    assert all_of(lined_up(*traces, *looks)) == [
        *looks[:LOOKS_IN_A_ROW], traces[0], *looks[LOOKS_IN_A_ROW:], traces[1]
    ]  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30),
    st.integers(0, LOOKS_IN_A_ROW + 2),
)
def test_the_order_that_is_told_is_the_order_that_is_served(who, n_before):
    line = lined_up(*(One(asker, is_look) for asker, is_look in who))
    for _ in range(n_before):
        line.take()
    order = line.order()
    assert len(line) == len(order)
    assert all_of(line) == order


def test_whoever_leaves_is_not_served_and_may_leave_twice():
    stays, leaves = One("a"), One("a")
    line = lined_up(leaves, stays)
    line.leave(leaves)
    line.leave(leaves)
    assert all_of(line) == [stays]


def test_one_asker_s_part_and_the_whole_line_are_bounded_in_words():
    line: Line[One] = Line(most=3, most_of_one=2)
    line.join(One("a")), line.join(One("a"))
    with pytest.raises(RequestError, match=r"^2 of your questions wait already.*or cancel$"):
        line.join(One("a"))
    line.join(One("b"))
    with pytest.raises(RequestError, match=r"^3 questions wait here already.*in a moment$"):
        line.join(One("c"))
    line.join(One("a", is_look=True))  # looks have room of their own
    assert len(line) == 4

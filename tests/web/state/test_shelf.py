"""The shelf: graphs and what was answered about them, within a bound."""

from __future__ import annotations

import threading
import time
from math import ceil

import pytest
from sample import FakeEngine, make_flow

from visit.engine.questions import Explain, ReadLens, ReadPattern
from visit.graph.flow import Node
from visit.graph.index import Index
from visit.graph.request import Request
from visit.web.state.graphs import Graphs
from visit.web.state.shelf import VALUES_AN_ELEMENT, Shelf, n_elements
from visit.web.state.view import View

REQUEST = Request("The capital of Japan")
FLOW = make_flow(REQUEST, opened=())
ELEMENTS = ceil(n_elements(FLOW))


def test_the_graph_that_was_used_longest_ago_falls_off_first():
    shelf = Shelf(max_elements=2 * ELEMENTS)
    first, second = shelf.put(FLOW), shelf.put(FLOW)
    assert shelf.get(first) is not None
    third = shelf.put(FLOW)
    assert [shelf.get(key) is not None for key in (first, second, third)] == [True, False, True]


def test_a_graph_larger_than_the_shelf_stands_there_alone():
    shelf = Shelf(max_elements=ELEMENTS // 2)
    first = shelf.put(FLOW)
    assert shelf.get(first) is not None
    second = shelf.put(FLOW)
    assert shelf.get(first) is None and shelf.get(second) is not None


def test_answers_take_room_too():
    engine, shelf = FakeEngine(), Shelf(max_elements=2 * ELEMENTS)
    first, second = shelf.put(FLOW), shelf.put(FLOW)
    question = ReadLens(REQUEST, (0, 1))
    nodes = shelf.answer(second, question, lambda: engine.ask(question))
    assert len(nodes) > 0
    assert shelf.get(first) is None
    assert shelf.get(second) is not None


def test_a_graph_that_grows_needs_room_only_for_what_it_became():
    shelf = Shelf(max_elements=3 * ELEMENTS)
    first, second = shelf.put(FLOW), shelf.put(FLOW)
    shelf.keep(second, Index(FLOW))
    assert shelf.get(first) is not None and shelf.get(second) is not None


def test_an_answer_is_asked_for_once_while_there_is_room_for_it():
    shelf, asked = Shelf(max_elements=2 * ELEMENTS), []
    question = ReadPattern(REQUEST, 0, 1)

    def ask() -> tuple[tuple[float, ...], ...]:
        asked.append(question)
        return ((1.0,),)

    key = shelf.put(FLOW)
    for _ in range(2):
        assert shelf.answer(key, question, ask) == ((1.0,),)
        shelf.keep(key, Index(FLOW))  # as when a block is opened in it
    assert len(asked) == 1
    shelf.put(FLOW), shelf.put(FLOW)
    assert shelf.answer(key, question, ask) == ((1.0,),)
    assert len(asked) == 2


def test_answers_about_one_graph_take_no_more_room_than_there_is():
    shelf, asked = Shelf(max_elements=2 * ELEMENTS), []
    key = shelf.put(FLOW)

    def ask(position: int) -> None:
        def make() -> tuple[Node, ...]:
            asked.append(position)
            return FLOW.nodes

        assert shelf.answer(key, ReadLens(REQUEST, (position,)), make) == FLOW.nodes

    for position in range(20):
        ask(position)
    ask(19)
    assert asked == [*range(20)]  # the newest is there
    ask(0)
    assert asked == [*range(20), 0]  # the oldest is not


def test_callbacks_that_wait_for_one_answer_ask_once():
    shelf, asked = Shelf(), []
    key, question = shelf.put(FLOW), ReadPattern(REQUEST, 0, 1)

    def ask() -> tuple[tuple[float, ...], ...]:
        asked.append(question)
        time.sleep(0.1)
        return ((1.0,),)

    threads = [threading.Thread(target=shelf.answer, args=(key, question, ask)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_answers_of_any_type_are_measured():
    engine = FakeEngine()
    nodes = engine.ask(ReadLens(REQUEST, (0, 1)))
    assert n_elements(nodes) == len(nodes)
    pattern = ((1.0, 0.0), (0.25, 0.75))
    assert n_elements(pattern) == pytest.approx(4 / VALUES_AN_ELEMENT)
    flow = engine.ask(Explain(REQUEST))
    assert n_elements(flow) == pytest.approx(len(flow.nodes) + len(flow.edges), rel=0.1)
    assert 0 < n_elements("a word") < 1


def test_no_engine_is_asked_about_a_graph_that_came_from_a_document():
    engine, shelf = FakeEngine(), Shelf()
    view, question = View(shelf.put(FLOW), REQUEST), ReadLens(REQUEST, (0,))
    assert Graphs(engine, shelf).answer(view, question) == engine.ask(question)
    fixed = View(view.key, REQUEST, fixed=True)
    assert Graphs(engine, shelf).answer(fixed, question) is None
    assert Graphs(None, shelf).answer(view, question) is None

"""The shelf: graphs and what was answered about them, within a bound."""

from __future__ import annotations

import asyncio
import time
from math import ceil

import pytest
from sample import FakeEngine, make_flow

from visit.engine.questions import Explain, ReadLens, ReadPattern
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
    shelf.keep_answer(second, question, engine.ask(question))
    kept = shelf.get_answer(second, question)
    assert kept is not None and len(kept[0]) > 0
    assert shelf.get(first) is None
    assert shelf.get(second) is not None


def test_a_graph_that_grows_needs_room_only_for_what_it_became():
    shelf = Shelf(max_elements=3 * ELEMENTS)
    first, second = shelf.put(FLOW), shelf.put(FLOW)
    shelf.keep(second, Index(FLOW))
    assert shelf.get(first) is not None and shelf.get(second) is not None


class Counting(FakeEngine):
    """Says which patterns and lenses it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[object] = []

    def pattern(self, request, layer, head):
        self.asked.append((layer, head))
        time.sleep(0.05)
        return super().pattern(request, layer, head)

    def lens(self, request, positions):
        self.asked.append(positions)
        return FLOW.nodes


def test_an_answer_is_asked_for_once_while_there_is_room_for_it():
    engine, shelf = Counting(), Shelf(max_elements=2 * ELEMENTS)
    graphs, question = Graphs(engine, shelf), ReadPattern(REQUEST, 0, 1)
    view = View(shelf.put(FLOW), REQUEST)
    for _ in range(2):
        assert asyncio.run(graphs.answer(view, question)) == engine.ask(question)
        shelf.keep(view.key, Index(FLOW))  # as when a block is opened in it
    assert len(engine.asked) == 1 + 2
    shelf.put(FLOW), shelf.put(FLOW)
    asyncio.run(graphs.answer(view, question))
    assert len(engine.asked) == 2 + 2


def test_answers_about_one_graph_take_no_more_room_than_there_is():
    engine, shelf = Counting(), Shelf(max_elements=2 * ELEMENTS)
    graphs, view = Graphs(engine, shelf), View(shelf.put(FLOW), REQUEST)

    def ask(position: int) -> None:
        question = ReadLens(REQUEST, (position,))
        assert asyncio.run(graphs.answer(view, question)) == FLOW.nodes

    for position in range(20):
        ask(position)
    ask(19)
    assert engine.asked == [(n,) for n in range(20)]  # the newest is there
    ask(0)
    assert engine.asked == [(n,) for n in (*range(20), 0)]  # the oldest is not


def test_callbacks_that_wait_for_one_answer_ask_once():
    engine, shelf = Counting(), Shelf()
    graphs, view = Graphs(engine, shelf), View(shelf.put(FLOW), REQUEST)

    async def wait() -> None:
        question = ReadPattern(REQUEST, 0, 1)
        await asyncio.gather(*(graphs.answer(view, question) for _ in range(4)))

    asyncio.run(wait())
    assert len(engine.asked) == 1


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
    assert asyncio.run(Graphs(engine, shelf).answer(view, question)) == engine.ask(question)
    fixed = View(view.key, REQUEST, fixed=True)
    assert asyncio.run(Graphs(engine, shelf).answer(fixed, question)) is None
    assert asyncio.run(Graphs(None, shelf).answer(view, question)) is None

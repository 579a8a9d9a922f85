"""The shelf: graphs and what was answered about them, within a bound."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from dataclasses import replace

import pytest
from loops import run
from sample import FakeEngine, make_flow, with_flow

from visit.engine.questions import ReadLens, ReadPattern
from visit.formats.document import flow_from_json, json_from_flow
from visit.graph.effect import Effect
from visit.graph.flow import FlowGraph, Outcome, TokenFlow, TokenProbability
from visit.graph.index import Index
from visit.graph.interventions import SITE_KINDS, Site
from visit.graph.request import Request
from visit.graph.sizes import n_bytes
from visit.web.state.graphs import Graphs
from visit.web.state.shelf import Shelf
from visit.web.state.view import View

REQUEST = Request("The capital of Japan")
FLOW = make_flow(REQUEST, opened=())
BYTES = n_bytes(FLOW)


def with_outcomes(flow: FlowGraph) -> FlowGraph:
    """The graph with an outcome on every node, of five tokens either way."""
    listed = tuple(TokenFlow(n, f" word{n}", n / 7) for n in range(5))
    flowing = with_flow(flow)
    nodes = tuple(replace(node, outcome=Outcome(listed, listed)) for node in flowing.nodes)
    return replace(flowing, nodes=nodes)


def with_effects(flow: FlowGraph) -> FlowGraph:
    """The graph with an effect on every node that can be removed."""
    flowing = with_flow(flow)
    nodes = tuple(
        replace(node, effect=Effect((Site.from_node(node.id),), n / 7, n / 9, n / 11, n / 13))
        if node.id.kind in SITE_KINDS
        else node
        for n, node in enumerate(flowing.nodes)
    )
    return replace(flowing, nodes=nodes)


def test_the_graph_that_was_used_longest_ago_falls_off_first():
    shelf = Shelf(max_bytes=2 * BYTES)
    first, second = shelf.put(FLOW), shelf.put(FLOW)
    assert shelf.get(first) is not None
    third = shelf.put(FLOW)
    assert [shelf.get(key) is not None for key in (first, second, third)] == [True, False, True]


def test_a_graph_larger_than_the_shelf_stands_there_alone():
    shelf = Shelf(max_bytes=BYTES // 2)
    first = shelf.put(FLOW)
    assert shelf.get(first) is not None
    second = shelf.put(FLOW)
    assert shelf.get(first) is None and shelf.get(second) is not None


def test_answers_take_room_too():
    engine, shelf = FakeEngine(), Shelf(max_bytes=2 * BYTES)
    first, second = shelf.put(FLOW), shelf.put(FLOW)
    question = ReadLens(REQUEST, (0, 1))
    shelf.keep_answer(second, question, engine.ask(question))
    kept = shelf.get_answer(second, question)
    assert kept is not None and len(kept[0]) > 0
    assert shelf.get(first) is None
    assert shelf.get(second) is not None


def test_a_graph_that_grows_needs_room_only_for_what_it_became():
    shelf = Shelf(max_bytes=3 * BYTES)
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
    engine, shelf = Counting(), Shelf(max_bytes=2 * BYTES)
    graphs, question = Graphs(engine, shelf), ReadPattern(REQUEST, 0, 1)
    view = View(shelf.put(FLOW), REQUEST)
    for _ in range(2):
        assert run(graphs.answer(view, question)) == engine.ask(question)
        shelf.keep(view.key, Index(FLOW))  # as when a block is opened in it
    assert len(engine.asked) == 1 + 2
    shelf.put(FLOW), shelf.put(FLOW)
    run(graphs.answer(view, question))
    assert len(engine.asked) == 2 + 2


def test_answers_about_one_graph_take_no_more_room_than_there_is():
    engine, shelf = Counting(), Shelf(max_bytes=2 * BYTES)
    graphs, view = Graphs(engine, shelf), View(shelf.put(FLOW), REQUEST)

    def ask(position: int) -> None:
        question = ReadLens(REQUEST, (position,))
        assert run(graphs.answer(view, question)) == FLOW.nodes

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

    run(wait())
    assert len(engine.asked) == 1


def test_answers_of_any_type_are_weighed():
    engine = FakeEngine()
    nodes = engine.ask(ReadLens(REQUEST, (0, 1)))
    assert n_bytes(nodes) > sum(n_bytes(node.reading.top) for node in nodes)
    node, effect = nodes[0], Effect((Site.parse("L5.head3@7"),), 1.0, 2.0, 3.0, 4.0)
    assert n_bytes(replace(node, effect=effect)) > n_bytes(node) + 200
    assert n_bytes(((1.0, 0.0), (0.25, 0.75))) < n_bytes("a word" * 50) < n_bytes(nodes)


@pytest.mark.parametrize(
    "flow",
    [
        make_flow(n_layers=1),
        with_outcomes(make_flow(n_layers=1)),
        with_effects(make_flow(n_layers=1)),
    ],
)
def test_a_graph_weighs_on_the_shelf_what_it_takes_in_memory(flow: FlowGraph):
    """By tracemalloc, the look-ups of its index with it."""
    text = json_from_flow(flow)
    flow_from_json(text)  # what is made once for all documents
    tracemalloc.start()
    try:
        index = Index(flow_from_json(text))
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert n_bytes(index) == pytest.approx(taken, rel=0.35)


def test_a_node_that_lists_ten_thousand_tokens_weighs_more_than_one_that_lists_ten():
    """They took the same room, so that a shelf of 500 MB held gigabytes."""
    node = FLOW.nodes[0]
    listed = tuple(TokenProbability(i, "x" * 20, 0.1) for i in range(10_000))
    long = replace(node, reading=replace(node.reading, top=listed))
    assert n_bytes(long) > 1_000_000 > 100 * n_bytes(node)


def test_no_engine_is_asked_about_a_graph_that_came_from_a_document():
    engine, shelf = FakeEngine(), Shelf()
    view, question = View(shelf.put(FLOW), REQUEST), ReadLens(REQUEST, (0,))
    assert run(Graphs(engine, shelf).answer(view, question)) == engine.ask(question)
    fixed = View(view.key, REQUEST, fixed=True)
    assert run(Graphs(engine, shelf).answer(fixed, question)) is None
    assert run(Graphs(None, shelf).answer(view, question)) is None

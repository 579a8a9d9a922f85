"""What a page may ask of a server that many share."""

from __future__ import annotations

from dataclasses import replace

import pytest
from loops import run
from sample import FakeEngine, make_flow

from visit.engine.questions import ReadLens
from visit.errors import RequestError
from visit.graph.flow import NodeId, NodeKind
from visit.graph.limits import LONGEST_PROMPT, MOST_COUNTED, MOST_OPENED
from visit.graph.request import Request
from visit.web.state.bounds import Bounds, n_listed
from visit.web.state.graphs import Graphs
from visit.web.state.shelf import Shelf
from visit.web.state.view import View

REQUEST = Request("a b")


def test_what_the_app_asks_for_is_allowed():
    Bounds().check(REQUEST)
    assert n_listed(REQUEST) == 10 * ((10 + 40) * 7 + 2 * 25 + 25)


@pytest.mark.parametrize("name", MOST_COUNTED)
def test_a_count_that_is_too_large_is_refused_with_what_is_allowed(name: str):
    """A ``top_k`` of 3816 took 1.35 GB, and with every other count large 18 GB."""
    most = MOST_COUNTED[name]
    with pytest.raises(RequestError, match=f"^{name} is 3816; this server draws at most {most}: "):
        Bounds().check(replace(REQUEST, **{name: 3816}))


def test_counts_that_are_allowed_one_by_one_are_not_all_allowed_together():
    with pytest.raises(RequestError, match=r"lists 2,777,600 tokens; .* at most 20,000: lower"):
        Bounds().check(replace(REQUEST, **MOST_COUNTED))


def test_whoever_starts_a_server_with_more_may_ask_it_for_as_much():
    own = replace(REQUEST, top_k=500)
    Bounds(own).check(own)
    with pytest.raises(RequestError, match="top_k is 501; this server draws at most 500"):
        Bounds(own).check(replace(own, top_k=501))


def test_a_prompt_of_megabytes_is_refused():
    with pytest.raises(RequestError, match=r"the prompt is 500,001 long; .* at most 500,000"):
        Bounds().check(Request("x" * (LONGEST_PROMPT + 1)))


def test_every_head_of_a_whole_model_may_be_open_at_one_position():
    heads = tuple(NodeId(NodeKind.HEAD, 0, layer, head=h) for layer in range(96) for h in range(64))
    Bounds().check_view(View("k", REQUEST, heads))


def test_no_engine_is_asked_for_a_view_that_is_out_of_bounds():
    """Whoever speaks to the websocket can write any view."""
    engine, shelf = FakeEngine(), Shelf()
    graphs = Graphs(engine, shelf, bounds=Bounds(REQUEST))
    wide = View("gone", replace(REQUEST, top_k=3816))
    many = tuple(NodeId(NodeKind.ATTN, n, 0) for n in range(MOST_OPENED + 1))
    for ask in (
        lambda: graphs.find(wide),
        lambda: graphs.answer(wide, ReadLens(wide.request, (0,))),
        lambda: graphs.find_opened(View(shelf.put(make_flow()), REQUEST, many)),
    ):
        with pytest.raises(RequestError, match="at most"):
            run(ask())
    assert engine.explained == [] and engine.opened == []

"""Maps of real prompts: every residual, at every depth, on the same axes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from visit.engine.exploring import MapQueryKey, MapResiduals
from visit.errors import RequestError
from visit.graph.request import Request
from visit.session import Session
from visit.web.explore.view import Shown
from visit.web.explore.views.maps import draw_maps
from visit.web.theme import GROUPS, LIGHT

REQUEST = Request("The capital of Japan is the city of")
OTHER = "The capital of Peru is"


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.mark.parametrize("lengths", [False, True])
def test_every_residual_has_its_place_among_all(session: Session, lengths: bool):
    found = session.ask(MapResiduals(REQUEST, others=(OTHER,), first_token=True, lengths=lengths))
    traces = [session.resident.trace(one, lambda *_: None) for one in (REQUEST, Request(OTHER))]
    depths = []
    for depth in range(session.resident.info.n_layers + 1):
        x = torch.cat([trace.residuals[depth] for trace in traces])
        x = x if lengths else torch.nn.functional.normalize(x, dim=-1)
        x = x - x.mean(0)
        depths.append(x if lengths else x / x.square().sum(1).mean().sqrt())
    x = torch.stack(depths, 1).flatten(0, 1).numpy()
    own = PCA(2, random_state=0).fit_transform(x)
    places = [place for point in found.points for place in point.path]
    np.testing.assert_allclose(np.array(places), own, atol=1e-3 * abs(own).max())
    assert found.n_depths == session.resident.info.n_layers + 1 and found.n_prompts == 2
    assert [point.token.text for point in found.points][:2] == ["The", " capital"]
    assert len(found.points) == sum(len(trace.token_ids) for trace in traces)


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("ask", [MapResiduals, MapQueryKey])
def test_a_prompt_of_ids_alone_is_mapped_beside_others(session: Session, ask: Any, bos: bool):
    """What a continuation's step is: it has no text to tokenize again. The others begin as it."""
    plain = replace(REQUEST, bos=bos)
    ids = session.resident.trace(plain, lambda *_: None).token_ids
    of_ids, of_text = (
        session.ask(ask(request, others=(OTHER,)))
        for request in (Request("", prompt_ids=tuple(ids)), plain)
    )
    assert of_ids == replace(of_text, request=of_ids.request)


def test_a_token_whose_twin_is_in_another_prompt_is_still_compared_with_the_others(
    session: Session,
):
    found = session.ask(MapResiduals(REQUEST, others=(REQUEST.prompt,)))
    x = torch.stack([one for one in session.resident.trace(REQUEST, lambda *_: None).residuals])
    unit = torch.nn.functional.normalize(x[-1, 1:].double(), dim=-1)
    most = (unit @ unit.T).fill_diagonal_(-1).max()
    assert f"cosine {most:.3f}" in found.findings()[1]


def test_what_is_the_same_everywhere_is_no_map(session: Session):
    with pytest.raises(RequestError, match="the same residuals"):
        session.ask(MapResiduals(Request("The capital"), others=("The capital",)))


def test_the_first_tokens_are_left_out_and_a_shared_beginning_is_no_finding(session: Session):
    found = session.ask(MapResiduals(REQUEST, others=(OTHER,)))
    assert found.left_out and min(point.token.position for point in found.points) == 1
    assert "cosine 1.000" not in found.findings()[1]
    table = found.tables()[0]
    assert len(table.rows) == len(found.points)


def test_tokens_are_grouped_by_their_texts_whatever_space_is_before_them(session: Session):
    groups = ("country: Japan, Peru", r"small: of, is,the, \u002c")
    found = session.ask(MapResiduals(REQUEST, others=(OTHER,), groups=groups, first_token=True))
    by_text = {point.token.text.strip(): point.group for point in found.points}
    named = {"Japan": 0, "Peru": 0, "of": 1, "is": 1, "the": 1}
    assert by_text == {text: named.get(text) for text in by_text}
    assert {point.token.text for point in found.points if point.group == 0} == {" Japan", " Peru"}
    table = found.tables()[0]
    at = table.columns.index("group")
    assert {row[at] for row in table.rows} == {"country", "small", None}
    assert "Groups: country 2 tokens, small " in found.findings()[2]
    id_ = found.points[1].token.id
    by_id = session.ask(MapResiduals(REQUEST, groups=(rf"one: \#{id_}",), first_token=True))
    assert [point.token.id for point in by_id.points if point.group == 0] == [id_]


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (("country",), "groups has 'country'; give a name and its tokens, like 'country: Japan"),
        (("a: b,",), "groups has 'a: b,'; give a name and its tokens"),
        (("a: b", "a: c"), "two groups are called 'a'; put their tokens in one line"),
        (tuple(f"{n}: b" for n in range(7)), "7 groups are given; give 6 at most"),
    ],
)
def test_a_line_that_is_no_group_is_refused(groups: tuple[str, ...], said: str):
    with pytest.raises(RequestError, match=said):
        MapResiduals(REQUEST, groups=groups)


def test_the_figure_is_coloured_by_groups_where_there_are_some_and_names_them(session: Session):
    found = session.ask(MapResiduals(REQUEST, groups=("<b>: Japan", "small: of, is")))
    figure = draw_maps(Shown(found, {}, LIGHT, 800))
    colours = figure["data"][0]["marker"]["color"]
    hues = (*GROUPS[:2], LIGHT.page)
    assert colours == [hues[2 if p.group is None else p.group] for p in found.points]
    (legend,) = figure["layout"]["annotations"]
    assert GROUPS[0] in legend["text"] and "&lt;b&gt;" in legend["text"]
    by_position = draw_maps(Shown(found, {"coloured_by": "position"}, LIGHT, 800))
    assert by_position["data"][0]["marker"]["color"] == [p.token.position for p in found.points]
    assert not by_position["layout"]["annotations"]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (MapResiduals(REQUEST, others=("a b",) * 50), "50 other prompts are given; 49 are mapped"),
        (MapResiduals(Request(" Japan")), "0 tokens are no map; give a longer prompt"),
    ],
)
def test_what_cannot_be_mapped_is_refused(session: Session, question: MapResiduals, said: str):
    with pytest.raises(RequestError, match=said):
        session.ask(question)

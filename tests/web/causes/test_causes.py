"""What the screen says of causes is what was measured, number by number."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hostile import hostile_flow, texts_of
from loops import run

from visit.engine.patching import contrast, patch_everywhere
from visit.engine.questions import Explain, Measure
from visit.errors import RequestError
from visit.graph.effects import Effects
from visit.graph.flow import FlowGraph, NodeId
from visit.graph.index import Index
from visit.graph.interventions import Site
from visit.graph.request import Request
from visit.session import Session
from visit.web.causes.agreement import PARTS, PREDICTIONS, agreement_figure, say_agreement
from visit.web.causes.callbacks import ask_without, find_plain
from visit.web.causes.controls import WAYS
from visit.web.causes.difference import differences, mark_differences
from visit.web.causes.patching import HEADS, RESIDUALS, patching_figure, say_patching
from visit.web.causes.sites import name_site, site_of
from visit.web.causes.without import measured, say_together, sources
from visit.web.flow import elements
from visit.web.state.graphs import Graphs
from visit.web.state.shelf import Shelf
from visit.web.state.view import View
from visit.web.theme import LIGHT
from visit.web.trees import html_from_tree, trees
from visit.web.words import percent, signed

REQUEST = Request("The capital of Japan is the city of", layers="none")
SECOND = "The capital of France is the city of"
HEAD = Site.parse("L5.head2@7")


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.fixture(scope="module")
def flow(session: Session) -> FlowGraph:
    return session.explain(REQUEST)


def text_of(parts: list[Any]) -> str:
    return re.sub(r"<[^>]+>", " ", "".join(map(html_from_tree, trees(parts))))


@pytest.mark.parametrize("way", [way.value for way in WAYS])
def test_the_tab_says_the_numbers_of_the_command(session: Session, flow: FlowGraph, way: str):
    asked = session.ask(ask_without(REQUEST, HEAD, way, SECOND))
    reference = (SECOND,) if way in ("resample", "patch") else ()
    (effect,) = session.measure(REQUEST, str(HEAD), how=way, reference=reference).effects
    (shown,) = asked.effects
    for name in ("measured", "direct", "flow", "estimate"):
        assert getattr(shown, name) == pytest.approx(getattr(effect, name), abs=1e-9)
    said = text_of(measured(asked, flow, HEAD))
    assert effect.measured is not None and effect.after is not None
    assert signed(effect.measured) in said and percent(effect.after.prob) in said
    assert effect.after.gains[0].text.strip() in said
    if effect.flag:
        assert str(effect.flag).capitalize() in said


def test_a_source_is_knocked_out_and_a_way_without_its_prompt_is_refused():
    question = ask_without(REQUEST, Site.parse("L5.head2@7<3"), "zero", None)
    assert (question.parts, question.how) == (("L5.head2@7<3",), "knockout")
    changed = replace(REQUEST, interventions=("L4.mlp@7",))
    assert ask_without(changed, HEAD, "zero", None).request == REQUEST
    with pytest.raises(RequestError, match="patch takes its values from a second prompt"):
        ask_without(REQUEST, HEAD, "patch", None)


def test_every_source_is_listed_with_its_own_knock_out(session: Session, flow: FlowGraph):
    parts = tuple(f"L5.head2@7<{source}" for source in range(8))
    effects = session.measure(REQUEST, *parts, how="knockout")
    made = trees(sources(effects, flow))
    html = "".join(map(html_from_tree, made))
    assert re.findall(r'data-collect="([^"]+)"', html) == [
        f"L5.head2@7&lt;{source} knockout" for source in range(8)
    ]
    by_source = {one.sites[0].source: one.measured for one in effects.effects}
    numbers = re.findall(r'class="number">([^<]+)<', html)
    assert numbers == [signed(by_source[source] or 0.0) for source in range(8)]


def test_sites_are_named_as_researchers_write_them(flow: FlowGraph):
    named = {
        "L5.head2@7": "5.2",
        "L5.mlp@7": "L5 MLP",
        "L4.memory17.value@7": "4.17",
        "L5.head2@7<3": "5.2 ← ·Japan",
        "L2.head1@3": "2.1 at ·Japan",
        "L2.attn@*": "L2 attention everywhere",
        "embed@0": "embedding at The",
    }
    assert {text: name_site(Site.parse(text), flow) for text in named} == named
    found = {
        "L5.head2.value@3": "L5.head2@7<3",
        "L5.memory17.key@7": "L5.memory17.value@7",
        "L5.head2.query@7": None,
        "output@7": None,
        "L5.mlp@7": "L5.mlp@7",
    }
    for node, site in found.items():
        made = site_of(NodeId.parse(node), 7)
        assert (None if made is None else str(made)) == site


@pytest.fixture(scope="module")
def compared(session: Session) -> Effects:
    return session.ask(Measure(REQUEST, PARTS))


@pytest.mark.parametrize("predicted", PREDICTIONS)
def test_the_scatter_has_a_point_for_every_part(compared: Effects, flow: FlowGraph, predicted: str):
    figure = agreement_figure(compared, flow, predicted, LIGHT)
    points = {
        id_: (x, y)
        for trace in figure["data"]
        for id_, x, y in zip(trace["customdata"], trace["x"], trace["y"], strict=True)
    }
    assert points == {
        str(one.sites[0]): (one.measured, getattr(one, predicted)) for one in compared.effects
    }
    assert len(points) == flow.model.n_layers * (flow.model.n_heads + 1)
    agreement = compared.agreement[predicted]
    said = text_of(say_agreement(compared, predicted))
    assert agreement.pearson is not None and signed(agreement.pearson) in said
    assert str(agreement.n) in said


def test_the_maps_say_how_far_each_patch_goes(session: Session, flow: FlowGraph):
    other = session.explain(replace(REQUEST, prompt=SECOND))
    asked = contrast(REQUEST, other.target.id, flow.target.id)
    residuals, heads = (
        session.ask(patch_everywhere(asked, SECOND, parts)) for parts in (RESIDUALS, HEADS)
    )
    above, below = patching_figure(residuals, heads, flow, other, LIGHT)["data"]
    n_layers = flow.model.n_layers
    far = {str(one.sites[0]): one.normalised for one in (*residuals.effects, *heads.effects)}
    for position, row in enumerate(above["z"]):
        entering = ["embed", *(f"L{layer}.resid_post" for layer in range(n_layers - 1))]
        assert row == [far[f"{name}@{position}"] for name in entering]
    for head, row in enumerate(below["z"]):
        assert row == [far[f"L{layer}.head{head}@*"] for layer in range(n_layers)]
    assert above["z"][3][0] == pytest.approx(1, abs=1e-4)  # all that differs is ·Japan, ·France
    assert above["customdata"][3][1] == "L0.resid_post@3"
    assert below["customdata"][2][5] == "L5.head2@7"
    said = text_of(say_patching(residuals, flow, other))
    assert "·Paris" in said and "·Tokyo" in said


def test_nodes_of_a_changed_pass_bear_the_difference(session: Session, flow: FlowGraph):
    changed = session.explain(replace(REQUEST, interventions=(str(HEAD), "L5.mlp@7")))
    moved = differences(changed, flow)
    now = {str(node.id): node.flow for node in changed.nodes}
    before = {str(node.id): node.flow for node in flow.nodes}
    assert len(moved) > 20
    for id_, value in moved.items():
        assert value == pytest.approx(now[id_] - before[id_], abs=1e-9)
    index = Index(changed)
    made = mark_differences(elements.draw(index)[1], index, flow)
    levels = {e["data"]["id"]: e["data"]["difference"] for e in made if "difference" in e["data"]}
    assert levels and levels.keys() <= moved.keys()
    assert all((levels[id_] - 0.5) * moved[id_] >= 0 for id_ in levels)
    plainly = elements.draw(index)[1]
    assert mark_differences(plainly, index, None) == elements.draw(index)[1]


def test_the_plain_graph_of_a_changed_view_is_kept(session: Session, flow: FlowGraph):
    graphs = Graphs(session, Shelf())
    view = View("k", replace(REQUEST, interventions=(str(HEAD),)))
    found = run(find_plain(view, graphs))
    assert found is not None and found.metric == flow.metric
    assert run(find_plain(replace(view, request=REQUEST), graphs)) is None
    assert graphs.can_ask(view) and not graphs.can_ask(replace(view, fixed=True))
    assert run(find_plain(view, graphs)) is found
    assert Explain(REQUEST).request.interventions == ()


def test_what_all_do_together_is_one_line(session: Session, flow: FlowGraph):
    effects = session.measure(REQUEST, str(HEAD), "L5.mlp@7", how="mean", together=True)
    said = text_of(say_together(effects, flow))
    (effect,) = effects.effects
    assert effect.measured is not None and effect.after is not None
    assert f"Δ {signed(effect.measured)}" in said
    assert percent(effect.after.prob) in said


def test_hostile_tokens_are_shown_as_text(session: Session):
    flow = hostile_flow()
    parts = tuple(f"L5.head2@7<{source}" for source in range(8))
    effects = session.measure(REQUEST, *parts)
    texts = texts_of(agreement_figure(effects, flow, "flow", LIGHT))
    assert not [text for text in texts if "<a " in text or "<img" in text]
    html = "".join(html_from_tree(tree) for tree in trees(sources(effects, flow)))
    assert "javascript" in html and "<a " not in html and "<img" not in html

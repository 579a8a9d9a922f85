"""The ranked parts as columns, what is asked for them, and the panel that they fill."""

import asyncio
import json
from concurrent.futures import Future
from dataclasses import replace

import pytest
from loops import run
from sample import FakeEngine, make_effects, make_flow, make_ranking, with_flow

from visit.engine.questions import Measure, RankParts
from visit.graph.effects import Flag
from visit.graph.flow import Ledger, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import SOURCES
from visit.graph.parts import By
from visit.text import visible
from visit.web import inspector
from visit.web.flow.elements import choose
from visit.web.look import Look
from visit.web.ranking.needs import all_parts, effects_of, find_measured, is_cheap, is_measured
from visit.web.ranking.panel import MEASURES
from visit.web.ranking.rows import SORTS, Known, columns, effect_columns
from visit.web.state.graphs import Graphs
from visit.web.state.shelf import Shelf
from visit.web.state.view import View
from visit.web.trees import html_from_tree, trees
from visit.web.words import name_part

INDEX = Index(with_flow(make_flow(mixtures=(2,))))
RANKING = make_ranking(INDEX.flow)


def digits(value: float) -> float:
    return pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("node_id", "name"),
    [
        ("L23.head4@7", "23.4"),
        ("L28.mlp@7", "L28 MLP"),
        ("L28.memory1078.value@7", "28.1078"),
        ("L2.attn@7", "L2 Attention"),
        ("embed@7", "Embedding"),
    ],
)
def test_a_part_is_called_as_researchers_write_it(node_id: str, name: str):
    assert name_part(NodeId.parse(node_id)) == name


def test_every_column_has_a_value_for_every_row_and_json_holds_them():
    made = columns(INDEX, RANKING)
    assert json.loads(json.dumps(made)) == made
    n_rows = len(made["id"])
    shared = {"known", "n_layers", "n_heads", "traced", "target", "prompt", "next"}
    assert {len(made[name]) for name in made.keys() - shared} == {n_rows}
    assert len(set(made["id"])) == n_rows


def test_without_an_engine_the_graphs_own_parts_are_listed_with_their_numbers():
    made = columns(INDEX)
    assert made["known"] == Known.DRAWN and made["next"] == []
    assert set(made["id"]) == {str(n) for n in INDEX.nodes if n.kind in SORTS}
    for row, name in enumerate(made["id"]):
        node = INDEX.nodes[NodeId.parse(name)]
        assert made["flow"][row] == (None if node.flow is None else digits(node.flow))
        logit = INDEX.direct_logit(node.id)
        assert made["logit"][row] == (None if logit is None else digits(logit))
        lines = [e for e in INDEX.lines(node.id, Ledger.SOURCES) if e.source.kind in SOURCES]
        if lines:
            most = max(lines, key=lambda e: abs(e.flow))
            assert made["source"][row] == most.source.position
            assert made["attention"][row] == digits(most.attention)


def test_what_was_measured_with_the_graph_is_known_without_an_engine():
    site = "L1.head1@7"
    node = INDEX.nodes[NodeId.parse(site)]
    effect = make_effects(INDEX.flow, (site,)).effects[0]
    nodes = (*(n for n in INDEX.flow.nodes if n.id != node.id), replace(node, effect=effect))
    index = Index(replace(INDEX.flow, nodes=nodes))
    for made in (columns(index), columns(index, RANKING)):
        row = made["id"].index(site)
        assert made["effect"][row] == digits(effect.measured)
        assert made["estimate"][row] == digits(effect.estimate)
        assert made["flag"][row] == effect.flag
        assert sum(one is not None for one in made["effect"]) == 1


def test_the_engines_numbers_take_the_place_of_the_graphs_and_add_what_it_lacks():
    made = columns(INDEX, RANKING)
    rows = {name: row for row, name in enumerate(made["id"])}
    assert {str(part.id) for part in RANKING.parts} <= rows.keys()
    assert {str(n) for n in INDEX.nodes if n.kind in SORTS} <= rows.keys()
    for part in RANKING.parts:
        row = rows[str(part.id)]
        for name, value in (
            ("flow", part.flow),
            ("logit", part.direct),
            ("share", part.share),
            ("norm", part.norm),
        ):
            assert made[name][row] == digits(value)
        assert made["tokens"][row] == [digits(one) for one in part.tokens]
        assert made["source"][row] == part.source
        promoted = [visible(token.text) for token in part.outcome.promotes]
        assert made["promotes"][row] == promoted[:3]
    assert made["next"] == [visible(token.text) for token in RANKING.tokens]


def test_effects_are_those_measured_by_the_parts_id():
    question = effects_of(INDEX.flow.request, RANKING)
    assert question.parts == tuple(str(part.id) for part in RANKING.parts)
    effects = make_effects(INDEX.flow, question.parts)
    made = effect_columns(effects)
    for one in effects.effects:
        site = str(one.sites[0])
        assert made["effect"][site] == digits(one.measured)
        assert made["estimate"][site] == digits(one.estimate)
        assert made["flag"].get(site) == (None if one.flag is None else str(one.flag))
    assert {Flag.REVERSED} <= {one.flag for one in effects.effects}
    only = effect_columns(make_effects(INDEX.flow, question.parts, estimate_only=True))
    assert set(only["effect"].values()) == {None} and not only["flag"]


def test_effects_are_measured_unbidden_where_that_takes_seconds():
    small = replace(INDEX.flow.model, n_layers=30, d_model=576, d_mlp=1536)
    thousand = replace(RANKING, parts=RANKING.parts[:1] * 1050)
    assert is_cheap(small, thousand)  # SmolLM2-135M
    large = replace(small, n_layers=48, d_model=1600, d_mlp=6400)
    assert not is_cheap(large, replace(RANKING, parts=RANKING.parts[:1] * 2448))  # GPT-2 XL


def test_the_panel_can_be_ranked_by_every_measure_and_says_what_each_means():
    made = trees(inspector.about(INDEX))
    page = "".join(map(html_from_tree, made))
    for name in MEASURES:
        assert f'<option value="{name}">' in page and f'data-rank="{name}"' in page
    for place in ("rank-map", "rank-rows", "rank-tokens", "rank-said"):
        assert f'id="{place}"' in page


def test_a_question_is_asked_while_another_about_the_same_graph_is_answered():
    """A measurement takes seconds; a tap on the graph must not wait for it."""
    engine = FakeEngine()
    shelf = Shelf()
    view = View(shelf.put(INDEX.flow), INDEX.flow.request)
    graphs = Graphs(engine, shelf)

    async def ask_both() -> list[str]:
        done: list[str] = []
        slow = asyncio.Event()
        real = engine.submit

        def submit(question, *args, **kwargs):
            future = real(question, *args, **kwargs)
            if not isinstance(question, Measure):
                return future
            waiting = Future()
            asyncio.get_running_loop().create_task(give(waiting, future))
            return waiting

        async def give(waiting, future):
            await slow.wait()
            waiting.set_result(future.result())

        async def measure():
            await graphs.answer(view, effects_of(view.request, RANKING))
            done.append("effects")

        engine.submit = submit
        task = asyncio.create_task(measure())
        await asyncio.sleep(0)
        assert await graphs.answer(view, all_parts(view.request)) == make_ranking(INDEX.flow)
        done.append("parts")
        slow.set()
        await task
        return done

    assert run(ask_both()) == ["parts", "effects"]


def test_hostile_tokens_stay_text_in_the_columns():
    words = ("<img src=x onerror=alert(1)>", "\u202ekcab", *(f"w{i}" for i in range(30)))
    index = Index(make_flow(words=words))
    made = columns(index, make_ranking(index.flow))
    assert "\u202e" not in json.dumps(made, ensure_ascii=False)


def test_the_question_is_asked_of_every_sort_that_can_be_ranked():
    assert all_parts(INDEX.flow.request) == RankParts(INDEX.flow.request)
    kinds = {NodeId.parse(name).kind for name in columns(INDEX, RANKING)["id"]}
    assert {NodeKind.HEAD, NodeKind.MLP, NodeKind.MEMORY_VALUE, NodeKind.EXPERT} <= kinds


def test_by_effect_the_strongest_are_fetched_and_drawn_and_a_changed_pass_is_left_by_flow():
    shelf, flow = Shelf(), with_flow(make_flow(opened=()))
    graphs, look = Graphs(FakeEngine(lambda _: flow), shelf), Look(by=By.EFFECT, count=3)
    view = View(shelf.put(flow), flow.request)
    index = shelf.get(view.key)
    assert not is_measured(view, graphs)
    found = run(find_measured(view, index, look, graphs))
    assert is_measured(view, graphs)
    parts = tuple(str(part.id) for part in make_ranking(flow).parts)
    effects = {one.sites[0].node: one.measured for one in make_effects(flow, parts).effects}
    drawn = [part for part in effects if part.kind in (NodeKind.HEAD, NodeKind.MLP)]
    drawn.sort(key=lambda part: -abs(effects[part]))
    assert set(choose(found, (), look).places) == set(drawn[:3])
    assert any(part not in index.nodes for part in drawn[:3])  # else nothing had to be fetched
    changed = replace(flow.request, interventions=("L0.mlp@7 zero",))
    assert run(find_measured(replace(view, request=changed), index, look, graphs)) is index
    assert choose(index, (), look).by is By.FLOW

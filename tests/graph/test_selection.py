"""What is drawn: the strongest parts, the threads that join them, and whatever was asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample import PROMPT, make_block, make_flow, with_flow

from visit.graph.effect import Effect
from visit.graph.flow import Ledger, NodeId, NodeKind
from visit.graph.flows import find_strongest
from visit.graph.index import Index, merge
from visit.graph.interventions import Site
from visit.graph.kinds import RESIDUALS
from visit.graph.parts import By, Choice, count_parts, find_strength, rank_parts
from visit.graph.request import Request
from visit.graph.selection import THREADED, Selection, select

INDEX = Index(with_flow(make_flow(opened=(1, 2))))


def ids(*texts: str) -> list[NodeId]:
    return [NodeId.parse(text) for text in texts]


def drawn_ids(drawn: Selection) -> set[str]:
    return {str(node.id) for node in drawn.nodes}


@pytest.mark.parametrize("count", [0, 1, 5, 20, 1000])
def test_as_many_parts_as_asked_for_are_drawn_the_strongest_first(count):
    ranked = sorted(
        (
            node.id
            for node in INDEX.flow.nodes
            if node.id.kind in (NodeKind.HEAD, NodeKind.MLP)
            or (node.id.kind is NodeKind.ATTN and not INDEX.lines(node.id, Ledger.HEADS))
        ),
        key=lambda part: -abs(INDEX.nodes[part].flow or 0.0),
    )
    drawn = select(INDEX, (), Choice(count))
    parts = {n.id for n in drawn.nodes if n.id.kind not in THREADED}
    assert parts == set(ranked[:count]) == set(drawn.places)
    assert drawn.n_parts == len(ranked) == len(rank_parts(INDEX))


def measured(**effects: float) -> Index:
    """The graph with what was measured of some parts, by their ids."""
    return INDEX.with_effects(
        Effect((Site.parse(name),), effect, None, None, None) for name, effect in effects.items()
    )


def test_by_effect_the_strongest_of_what_was_measured_is_drawn_whatever_its_flow():
    weakest = min(rank_parts(INDEX), key=lambda part: abs(INDEX.nodes[part].flow or 0.0))
    heads = [n for n in INDEX.nodes if n.kind is NodeKind.HEAD and n != weakest][:2]
    effects = dict(zip([weakest, *heads], (-3.0, 2.0, -1.0), strict=True))
    index = measured(**{str(node): effect for node, effect in effects.items()})
    assert list(rank_parts(index, By.EFFECT)) == list(effects)
    drawn = select(index, (), Choice(2, by=By.EFFECT))
    assert set(drawn.places) == {weakest, heads[0]} and drawn.by is By.EFFECT
    # It speaks for the target where the metric loses without it.
    assert find_strength(index, weakest, By.EFFECT) == 3.0 == find_strongest(index, drawn)
    assert find_strength(index, heads[0], By.EFFECT) == -2.0
    unmeasured = next(n for n in INDEX.nodes if n.kind is NodeKind.MLP and n not in effects)
    assert find_strength(index, unmeasured, By.EFFECT) is None
    assert select(index, (), Choice(99, by=By.EFFECT)).count == len(effects)
    assert rank_parts(index) == rank_parts(INDEX)  # by flow all is as before


def test_an_attention_is_no_part_by_effect_since_its_heads_are():
    attn = next(p for p in rank_parts(INDEX) if p.kind is NodeKind.ATTN)
    assert rank_parts(measured(**{str(attn): -9.0}), By.EFFECT) == {}


def test_how_many_are_the_strongest_does_not_count_what_is_kept_or_opened():
    kept = frozenset({NodeId(NodeKind.HEAD, 7, 1, head=2)})
    drawn = select(INDEX, ids("L2.mlp@7"), Choice(3, kept))
    assert drawn.count == 3 < len(drawn.places)


def test_the_forward_pass_has_a_head_or_mlp_for_each_layer_position_and_head():
    assert count_parts(INDEX) == 8 * 3 * (3 + 1)


def test_a_thread_has_a_junction_wherever_a_part_writes_to_it_or_is_fed_by_it():
    drawn = select(INDEX, (), Choice(6))
    for part in drawn.places:
        written = next(line for line in drawn.lines if line.source == part)
        assert written.target.kind in RESIDUALS and written.target.position == part.position
        assert written.flow == pytest.approx(
            next(e.flow for e in INDEX.out_of[part] if e.ledger in (Ledger.RESIDUAL, Ledger.HEADS))
        )
    threads = [line for line in drawn.lines if line.is_thread]
    for row in drawn.rows:
        along = [line for line in threads if line.source.position == row]
        assert along[0].source == NodeId(NodeKind.EMBED, row)
        assert [a.target for a in along[:-1]] == [b.source for b in along[1:]]
    assert threads[-1].target == NodeId(NodeKind.OUTPUT, 7)


def test_a_head_reads_the_threads_of_its_sources_just_before_its_layer():
    head = NodeId(NodeKind.HEAD, 7, 1, head=1)
    drawn = select(INDEX, (), Choice(0, kept=frozenset({head})))
    read = [line for line in drawn.lines if line.target == head]
    values = [e for e in INDEX.lines(head, Ledger.SOURCES) if e.source.kind is NodeKind.VALUE]
    strongest = max(values, key=lambda edge: abs(edge.flow or 0.0))
    assert read[0].source == NodeId(NodeKind.RESID_POST, strongest.source.position, 0)
    assert read[0].flow == strongest.flow
    assert {line.source.position for line in read} <= set(drawn.rows)


@pytest.mark.parametrize(
    "kept", ["L1.head2@7", "L0.mlp@3", "L2.resid_mid@5", "final_norm@7", "L1.memory0.key@7"]
)
def test_what_is_kept_is_drawn_though_nothing_else_is(kept):
    node_id = next(n for n in INDEX.nodes if str(n) == kept or kept.startswith("L1.memory"))
    if kept.startswith("L1.memory"):
        node_id = next(n for n in INDEX.nodes if n.kind is NodeKind.MEMORY_KEY and n.layer == 1)
    drawn = select(INDEX, (), Choice(0, kept=frozenset({node_id})))
    assert str(node_id) in drawn_ids(drawn)


def test_a_kept_node_that_the_graph_lacks_changes_nothing():
    kept = frozenset(ids("L0.head2@3"))
    assert select(INDEX, (), Choice(3, kept)) == select(INDEX, (), Choice(3))


@pytest.mark.parametrize("count", [0, 5])
def test_an_opened_mlp_shows_all_of_its_memories_however_few_parts_are_drawn(count):
    drawn = select(INDEX, ids("L1.mlp@7"), Choice(count))
    held = [n for n in INDEX.nodes if n.kind is NodeKind.MEMORY_VALUE and n.layer == 1]
    assert len(held) == 25 and set(map(str, held)) <= drawn_ids(drawn)
    assert "L1.mlp@7" in drawn_ids(drawn)


def test_an_opened_attention_shows_its_heads_which_then_add_up_to_it():
    drawn = select(INDEX, ids("L1.attn@7"), Choice(0))
    into = {str(line.source) for line in drawn.lines if str(line.target) == "L1.attn@7"}
    heads = {"L1.head0@7", "L1.head1@7", "L1.head2@7"}
    assert heads | {"L1.heads_rest@7"} <= into


def test_an_opened_head_shows_its_query_keys_and_values():
    drawn = select(INDEX, ids("L1.head1@7"), Choice(0))
    kinds = [node.id.kind for node in drawn.nodes if node.id.head == 1]
    assert kinds.count(NodeKind.KEY) == kinds.count(NodeKind.VALUE) == 2
    assert kinds.count(NodeKind.QUERY) == kinds.count(NodeKind.SOURCES_REST) == 1


def test_neurons_are_drawn_inside_their_opened_attention_alone():
    both = select(INDEX, ids("L1.attn@7", "L1.neurons_rest@7"))
    assert {"L1.attn_neuron24@7", "L1.neurons_rest@7"} <= drawn_ids(both)
    assert "L1.attn_neuron24@7" not in drawn_ids(select(INDEX, ids("L1.attn@7")))
    assert select(INDEX, ids("L1.neurons_rest@7"), Choice(3)) == select(INDEX, (), Choice(3))


def test_layers_without_a_part_have_no_column_unless_they_are_unfolded():
    mlp = NodeId(NodeKind.MLP, 7, 2)
    drawn = select(INDEX, (), Choice(0, kept=frozenset({mlp})))
    assert drawn.layers == {2}
    unfolded = select(INDEX, (), Choice(0, frozenset({mlp}), frozenset({0})))
    assert unfolded.layers == {0, 2}
    assert "L0.resid_post@7" in drawn_ids(unfolded)


def test_a_graph_without_flow_is_drawn_by_what_its_parts_carry():
    index = Index(make_flow())
    drawn = select(index, (), Choice(4))
    weakest = min(index.carries[part] for part in drawn.places)
    others = rank_parts(index).keys() - drawn.places.keys()
    assert all(index.carries[part] <= weakest for part in others)
    assert all(line.flow == line.carried for line in drawn.lines if not line.is_thread)


def test_a_query_whose_head_the_graph_lacks_is_not_drawn():
    """A key is read from another position too, so the query still led on, and had no row."""
    request = Request(PROMPT)
    flow = merge(make_flow(request), make_block(1, 5, request))
    head = NodeId(NodeKind.HEAD, 5, 1, head=0)
    edges = tuple(e for e in flow.edges if head not in (e.source, e.target))
    lacking = Index(replace(flow, nodes=tuple(n for n in flow.nodes if n.id != head), edges=edges))
    drawn = select(lacking, [n for n in lacking.nodes if n.kind is NodeKind.HEAD])
    assert "L1.head0.query@5" not in drawn_ids(drawn)

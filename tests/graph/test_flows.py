"""What is explained: the picture, the slider and the number by one rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample import make_flow, with_flow

from visit.graph.flow import Edge, EdgeKind, FlowGraph, Ledger, NodeId, NodeKind
from visit.graph.flows import explain, list_counts, unexplained
from visit.graph.index import Index
from visit.graph.kinds import RESIDUALS
from visit.graph.parts import Choice, rank_parts
from visit.graph.selection import select
from visit.web.look import WIDTHS
from visit.web.screen.graph_panels import build_counts, note

INDEX = Index(with_flow(make_flow()))


def make_small() -> FlowGraph:
    """One layer, one token: 1 of the embedding, 3 of an attention, 2 of an MLP that reads 1.5."""
    plain = make_flow(opened=())
    embed, mid = NodeId(NodeKind.EMBED, 0), NodeId(NodeKind.RESID_MID, 0, 0)
    attn, mlp = NodeId(NodeKind.ATTN, 0, 0), NodeId(NodeKind.MLP, 0, 0)
    post, norm = NodeId(NodeKind.RESID_POST, 0, 0), NodeId(NodeKind.FINAL_NORM, 0)
    output = NodeId(NodeKind.OUTPUT, 0)
    flows = {embed: 4.0, mid: 4.0, attn: 3.0, mlp: 1.5, post: 4.0, norm: 4.0, output: 4.0}
    reading = plain.nodes[0].reading
    nodes = tuple(replace(plain.nodes[0], id=n, reading=reading, flow=f) for n, f in flows.items())
    edges = (
        Edge(embed, mid, EdgeKind.ADDS, Ledger.RESIDUAL, flow=1.0),
        Edge(attn, mid, EdgeKind.ADDS, Ledger.RESIDUAL, flow=3.0),
        Edge(mid, post, EdgeKind.ADDS, Ledger.RESIDUAL, flow=2.5),
        Edge(mid, mlp, EdgeKind.READS, flow=1.5),
        Edge(mlp, post, EdgeKind.ADDS, Ledger.RESIDUAL, flow=1.5),
        Edge(embed, attn, EdgeKind.ADDS, Ledger.POSITIONS, flow=3.0),
        Edge(post, norm, EdgeKind.NORMALIZES, flow=4.0),
        Edge(norm, output, EdgeKind.UNEMBEDS, flow=4.0),
    )
    model = replace(plain.model, n_layers=1, n_heads=2)
    metric = replace(plain.metric, value=4.0, absolute_flow=4.0)
    return replace(
        plain,
        tokens=plain.tokens[:1],
        nodes=nodes,
        edges=edges,
        model=model,
        metric=metric,
    )


def test_what_enters_the_threads_by_parts_that_are_not_drawn_is_unexplained():
    small = Index(make_small())
    nothing = explain(small, select(small, (), Choice(0)))
    # 4 by the token; 3 more than what left it arrive at the end.
    assert nothing.unexplained == pytest.approx(3 / 7) and nothing.net == pytest.approx(3)
    assert nothing.n_folded == 1 * 1 * (2 + 1)
    with_attention = explain(small, select(small, (), Choice(1)))
    # The token 4, of which the attention reads 3 and writes 3; the MLP's 1.5 is folded.
    assert with_attention.unexplained == pytest.approx(1.5 / (4 + 3 + 3 + 1.5))
    both = explain(small, select(small, (), Choice(2)))
    assert both.unexplained == pytest.approx(0, abs=1e-12) and both.net == pytest.approx(0)


@pytest.mark.parametrize("count", [0, 3, 10, 60])
def test_the_number_follows_from_what_the_drawing_itself_says(count):
    drawn = select(INDEX, (), Choice(count))
    entered = left = 0.0
    for node in drawn.nodes:
        if node.id.kind not in {*RESIDUALS, NodeKind.HEAD, NodeKind.ATTN}:
            continue
        into = [line for line in drawn.lines if line.target == node.id]
        folded = (node.flow or 0.0) - sum(line.flow for line in into)
        entered += abs(folded) + sum(abs(line.flow) for line in into if not line.is_thread)
        left += 0.0 if node.id.kind is NodeKind.EMBED else abs(folded)
    assert explain(INDEX, drawn).unexplained == pytest.approx(left / entered, abs=1e-12)


def test_the_slider_offers_every_small_number_and_all_and_its_panel_says_the_same():
    counts = list_counts(len(rank_parts(INDEX)))
    n_parts = min(len(rank_parts(INDEX)), 120)
    assert counts[:21] == list(range(21)) and counts[-1] == n_parts
    assert counts == sorted(set(counts))
    around = build_counts(INDEX)
    said = unexplained(INDEX, Choice(), counts)
    assert around["counts"] == counts
    assert around["unexplained"] == pytest.approx(said, abs=1e-4)


def test_the_note_says_what_is_folded_and_tells_the_browser_what_is_drawn():
    drawn = select(INDEX, (), Choice(5))
    *scales, said = note(INDEX, drawn)
    explained = explain(INDEX, drawn)
    assert said.children.startswith(f"{explained.n_folded:,} parts folded, net ")
    assert getattr(said, "data-drawn") == "5"
    assert float(getattr(said, "data-unexplained")) == pytest.approx(
        explained.unexplained, abs=1e-4
    )
    assert [scale.children.split(":")[0] for scale in scales] == [*["widest"] * len(WIDTHS), "bar"]
    *_, plain = note(Index(make_flow()), select(Index(make_flow())))
    assert "net" not in plain.children

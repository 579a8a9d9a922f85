"""What ``RankParts`` answers: the same numbers as the graph's nodes and the effects have."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from specimens import FEW, TOKEN_IDS, builder, specimen

from visit.assemble.flows import candidate_flows
from visit.assemble.ranking import rank_parts
from visit.attribution.candidate_flow import find_candidate_flow
from visit.engine.questions import Measure, RankParts
from visit.graph.flow import Ledger, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.interventions import Intervention
from visit.graph.ranking import Part, Ranking
from visit.graph.request import Request
from visit.session import Session
from visit.tracing.interventions import edits_from
from visit.tracing.trace import record

LAST = len(TOKEN_IDS) - 1
FAMILIES = ("gpt2", "gemma2", "gpt-j", "llama-biases", "llama-gqa", "olmo2", "qwen2-moe", "qwen3")
"""With and without biases, output norms, parallel blocks, shared key heads and mixtures."""
PROMPT = "The capital of Japan is the city of"
ALL = replace(FEW, heads=99, sources=99, memories=9, anti_memories=9, candidates=14)


def ranking_of(name: str) -> Ranking:
    asked = builder(name, torch.float64).resolve(specimen(name, torch.float64).trace, ALL)
    return rank_parts(asked, str, n_memories=4)


@pytest.mark.parametrize("name", FAMILIES)
def test_each_part_has_the_graphs_own_numbers(name: str):
    ranking, flow = (
        ranking_of(name),
        builder(name, torch.float64).whole(
            specimen(name, torch.float64).trace, ALL, lambda *_: None
        ),
    )
    index = Index(flow)
    compared = {NodeKind.HEAD: 0, NodeKind.MLP: 0, NodeKind.MEMORY_VALUE: 0, NodeKind.EXPERT: 0}
    for part in ranking.parts:
        node = index.nodes.get(part.id)
        if node is None:
            continue
        compared[part.id.kind] += 1
        assert part.flow == pytest.approx(node.flow, abs=1e-9, rel=1e-9), part.id
        assert part.direct == pytest.approx(index.direct_logit(part.id), abs=1e-9, rel=1e-9)
        line = next(e for e in index.out_of[part.id] if e.share is not None)
        assert part.share == pytest.approx(line.share, abs=1e-9, rel=1e-9), part.id
        assert part.norm == pytest.approx(line.norm, abs=1e-9, rel=1e-9), part.id
        if part.id.kind is NodeKind.HEAD:
            check_source(index, part)
    n_layers = flow.model.n_layers
    assert compared[NodeKind.HEAD] == n_layers * flow.model.n_heads
    assert compared[NodeKind.MLP] == n_layers
    assert compared[NodeKind.MEMORY_VALUE] + compared[NodeKind.EXPERT] > 0


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "qwen2-moe"])
@pytest.mark.parametrize(
    "text", [f"L1.memory3.value@{LAST}", f"L1.memory3.value@{LAST - 1} scale:0.5"]
)
def test_in_a_changed_pass_each_part_has_its_graphs_own_flow(name: str, text: str):
    """A memory that is off hands nothing on; the ranking went on as if it did."""
    tiny, own = specimen(name, torch.float64), builder(name, torch.float64)
    edits = edits_from(Intervention.parse(text), LAST, lambda _: None)
    trace = record(tiny.model, tiny.architecture, TOKEN_IDS, edits=edits, plain=tiny.trace)
    request = replace(ALL, interventions=(text,))
    index = Index(own.whole(trace, request, lambda *_: None))
    parts = rank_parts(own.resolve(trace, request), str, n_memories=4).parts
    known = [part for part in parts if part.id in index.nodes]
    assert len(known) >= 20
    for part in known:
        assert part.flow == pytest.approx(index.nodes[part.id].flow, abs=1e-9, rel=1e-9), part.id


def check_source(index: Index, head: Part) -> None:
    lines = [e for e in index.lines(head.id, Ledger.SOURCES) if e.source.kind is NodeKind.VALUE]
    most = max(lines, key=lambda line: abs(line.flow))
    assert head.source == most.source.position
    assert head.attention == pytest.approx(most.attention, abs=1e-9)


@pytest.mark.parametrize("name", ["gpt2", "gemma2", "gpt-j", "qwen2-moe", "llama-gqa"])
def test_what_a_part_does_to_each_token_is_its_flow_to_that_candidate(name: str):
    """By a sweep over every position, which the ranking does without."""
    own = builder(name, torch.float64)
    asked = own.resolve(specimen(name, torch.float64).trace, ALL)
    ranking = ranking_of(name)
    heads = [part for part in ranking.parts if part.id.kind is NodeKind.HEAD]
    vectors = {}
    for part in heads:
        layer = asked.trace.layers[part.id.layer]
        w_o = asked.architecture.blocks[part.id.layer].attention.w_o
        vector = layer.z[LAST, part.id.head] @ w_o[part.id.head]
        vectors[part.id] = vector if layer.attn_gain is None else vector * layer.attn_gain[LAST]
    found = find_candidate_flow(asked.architecture, asked.trace, LAST, asked.candidates, (LAST,))
    flows = candidate_flows(asked, [found], vectors, {})
    assert len(ranking.tokens) >= 10
    for part in heads:
        row = flows[part.id]
        chosen = [float(row[asked.candidates.index(token.id)]) for token in ranking.tokens]
        assert part.tokens == pytest.approx(chosen, abs=1e-9, rel=1e-9)
        assert part.outcome.promotes[0].flow == pytest.approx(float(row.max()), abs=1e-9)
        assert part.outcome.suppresses[0].flow == pytest.approx(float(row.min()), abs=1e-9)


def test_with_the_metric_choice_a_parts_flow_to_the_target_is_its_flow():
    session = Session.load("mini", dtype="float64")
    ranking = session.ask(RankParts(Request(PROMPT)))
    target = session.explain(Request(PROMPT)).target.id
    place = [token.id for token in ranking.tokens].index(target)
    for part in ranking.parts:
        assert part.tokens[place] == pytest.approx(part.flow, abs=1e-9)


def test_the_target_is_among_the_tokens_whatever_its_rank_and_effects_are_of_the_same_parts():
    session = Session.load("mini", dtype="float64")
    request = Request(PROMPT, target=" the")
    ranking = session.ask(RankParts(request))
    sites = Measure(request, ("heads", "mlp", "memories"), estimate_only=True)
    effects = {str(one.sites[0]): one for one in session.ask(sites).effects}
    assert " the" in [token.text for token in ranking.tokens]
    assert {str(part.id) for part in ranking.parts} == effects.keys()
    for part in ranking.parts:
        effect = effects[str(part.id)]
        assert effect.flow == pytest.approx(-part.flow, abs=1e-9)
        assert effect.direct == pytest.approx(-part.direct, abs=1e-9)


def test_parts_of_an_earlier_position_are_those_written_there():
    session = Session.load("mini", dtype="float64")
    request = Request(PROMPT, position=4)
    parts = session.ask(RankParts(request, memories=0)).parts
    assert {part.id.position for part in parts} == {4}
    assert all(part.source <= 4 for part in parts if part.id.kind is NodeKind.HEAD)
    assert parts[0].id == NodeId(NodeKind.HEAD, 4, 0, head=0)

"""Ranked by effect, what is drawn is what changes the metric most when it is really removed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial

import pytest
import torch
from specimens import FEW, TOKEN_IDS, Specimen, builder, specimen

from visit.assemble import measured_parts as module
from visit.assemble.measured_parts import measure_parts
from visit.assemble.strongest import Measured, Part, find_strongest
from visit.assemble.traced_request import TracedRequest
from visit.attribution.effects import measure_metric
from visit.engine.questions import Measure
from visit.graph.flow import FlowGraph, NodeKind
from visit.graph.interventions import Site
from visit.graph.request import RankBy, Request
from visit.session import Session
from visit.tracing.interventions import Edit
from visit.tracing.sites import count_of
from visit.tracing.sweep import Resumed, resume

LAST, LAYER = len(TOKEN_IDS) - 1, 1
BY_EFFECT = replace(FEW, layers=str(LAYER), rank_by=RankBy.EFFECT)


def tiny(name: str) -> Specimen:
    return specimen(name, torch.float64)


def resolve(name: str, request: Request, measured: Measured | None = None) -> TracedRequest:
    return builder(name).resolve(tiny(name).trace, request, measured)


def measured_parts(name: str, request: Request) -> Measured:
    return measure_parts(resolve(name, request), partial(resume_at, name), lambda *_: None)


def resume_at(name: str, start: int) -> Resumed:
    own = tiny(name)
    return resume(own.model, own.architecture, TOKEN_IDS, start, lambda n: own.trace.layers[n].ln1)


def explain(name: str, request: Request) -> FlowGraph:
    measured = measured_parts(name, request)
    return builder(name).whole(tiny(name).trace, request, lambda *_: None, measured=measured)


def effects_of_all(name: str, kind: NodeKind, layer: int) -> dict[int, float]:
    """What removing each of a kind in one layer does at the traced position."""
    own, asked = tiny(name), resolve(name, BY_EFFECT)
    numbers = range(count_of(own.architecture, own.architecture.outline[layer], kind))
    if kind is NodeKind.EXPERT:
        numbers = own.trace.layers[layer].routed[LAST].tolist()
    unembedding = asked.metric.unembedding(own.architecture, own.trace.logits.dtype)
    variants = [(Edit(Site(kind, LAST, layer, number)),) for number in numbers]
    moved = measure_metric(
        own.architecture, partial(resume_at, name), variants, unembedding, lambda _: None
    )
    return dict(zip(numbers, moved, strict=True))


def drawn(flow: FlowGraph, kind: NodeKind, position: int = LAST) -> set[int]:
    return {
        node.id.number
        for node in flow.nodes
        if node.id.kind is kind and node.id.layer == LAYER and node.id.position == position
    }


def strongest_of(effects: dict[int, float], n_supporting: int, n_opposing: int) -> set[int]:
    """Those whose removal takes most from the metric, and those whose removal adds most to it."""
    order = sorted(effects, key=effects.__getitem__)
    supporting = [one for one in order[:n_supporting] if effects[one] < 0]
    opposing = [one for one in order[::-1][:n_opposing] if effects[one] > 0]
    return {*supporting, *opposing}


@pytest.mark.parametrize("name", ["gpt2", "gpt-j", "gemma2", "qwen2-moe"])
def test_the_heads_of_an_opened_layer_are_those_of_largest_effect(name: str):
    effects = effects_of_all(name, NodeKind.HEAD, LAYER)
    best = sorted(effects, key=lambda head: -abs(effects[head]))[: FEW.heads]
    assert drawn(explain(name, BY_EFFECT), NodeKind.HEAD) == set(best)


@pytest.mark.parametrize("name", ["gpt2", "gpt-j", "gemma2"])
def test_memories_are_those_whose_removal_changes_the_metric_most_either_way(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_MEASURED_FOR_EACH", 50)
    effects = effects_of_all(name, NodeKind.MEMORY_VALUE, LAYER)
    wanted = strongest_of(effects, FEW.memories, FEW.anti_memories)
    assert drawn(explain(name, BY_EFFECT), NodeKind.MEMORY_VALUE) == wanted


def test_attention_neurons_are_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MEASURED_FOR_EACH", 50)
    effects = effects_of_all("gpt2", NodeKind.ATTN_NEURON, LAYER)
    wanted = strongest_of(effects, FEW.attn_neurons, FEW.anti_attn_neurons)
    assert drawn(explain("gpt2", BY_EFFECT), NodeKind.ATTN_NEURON) == wanted


def test_of_memories_twice_as_many_as_are_drawn_are_measured_and_no_other_is_drawn():
    measured = measured_parts("gpt2", BY_EFFECT).parts(NodeKind.MEMORY_VALUE, LAYER)
    numbers = {part.number for _, part in measured}
    assert len(numbers) == 2 * (FEW.memories + FEW.anti_memories)
    assert drawn(explain("gpt2", BY_EFFECT), NodeKind.MEMORY_VALUE) < numbers


def test_the_expert_of_a_mixture_is_the_one_whose_removal_does_most():
    effects = effects_of_all("qwen2-moe", NodeKind.EXPERT, LAYER)
    best = max(effects, key=lambda expert: abs(effects[expert]))
    flow = explain("qwen2-moe", replace(BY_EFFECT, memories=1))
    assert drawn(flow, NodeKind.EXPERT) == {best}


def test_the_strongest_parts_of_the_whole_are_by_effect_where_measured_and_elsewhere_by_flow():
    asked = resolve("gpt2", BY_EFFECT)
    strength: dict[Part, float] = {}
    for layer, flows in enumerate(asked.flow.layers):
        at_last = effects_of_all("gpt2", NodeKind.HEAD, layer)
        for position in range(LAST + 1):
            own = at_last if position == LAST else dict(enumerate(flows.heads[position].tolist()))
            strength |= {
                Part(NodeKind.HEAD, layer, position, head): abs(one) for head, one in own.items()
            }
    parts = resolve_strongest("gpt2", replace(BY_EFFECT, strongest=9))
    heads = [part for part in parts if part.kind is NodeKind.HEAD]
    weakest = min(strength[head] for head in heads)
    assert {part for part, one in strength.items() if one > weakest + 1e-12} <= set(heads)
    assert {part.position == LAST for part in heads} == {True, False}


def resolve_strongest(name: str, request: Request) -> tuple[Part, ...]:
    measured = measured_parts(name, request)
    return (
        builder(name)
        .resolve(specimen(name, torch.float64).trace, request, measured)
        .strongest.parts
    )


def test_the_strongest_memories_of_the_traced_position_are_by_effect(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(module, "_MEASURED_FOR_EACH", 50)
    request = replace(BY_EFFECT, layers="none", strongest_memories=3)
    memories = [p for p in resolve_strongest("gpt2", request) if p.kind is NodeKind.MEMORY_VALUE]
    n_layers = tiny("gpt2").architecture.sizes.n_layers
    effects = {
        (layer, number): one
        for layer in range(n_layers)
        for number, one in effects_of_all("gpt2", NodeKind.MEMORY_VALUE, layer).items()
    }
    best = sorted(effects, key=lambda one: -abs(effects[one]))
    at_last = {(part.layer, part.number) for part in memories if part.position == LAST}
    assert len(memories) == 3 and at_last
    assert at_last == set(best[: len(at_last)])


def test_an_effect_takes_the_place_of_a_flow_among_the_strongest():
    asked = resolve("gpt2", FEW)
    part = Part(NodeKind.MLP, 0, LAST, 0)
    huge = Measured.from_parts([(part, -1e6)])
    assert find_strongest(asked.flow, 1, 0, huge).parts == (part,)
    gone = Measured.from_parts([(find_strongest(asked.flow, 1, 0).parts[0], 0.0)])
    assert find_strongest(asked.flow, 1, 0, gone).parts != find_strongest(asked.flow, 1, 0).parts


def test_parts_of_an_earlier_position_rank_by_flow():
    request = replace(BY_EFFECT, strongest=0)
    own, asked = builder("gpt2"), resolve("gpt2", request)
    early = replace(asked, opened=frozenset({(LAYER, 2)}))
    measured = measure_parts(early, partial(resume_at, "gpt2"), lambda *_: None)
    assert measured == Measured()
    by_effect = own.block(tiny("gpt2").trace, request, LAYER, 2, measured)
    by_flow = own.block(tiny("gpt2").trace, replace(request, rank_by=RankBy.FLOW), LAYER, 2)
    assert by_effect.nodes == by_flow.nodes and by_effect.edges == by_flow.edges


def test_every_ledger_still_adds_up():
    flow = explain("gpt2", replace(BY_EFFECT, strongest=6, strongest_memories=3))
    groups = defaultdict(list)
    for edge in flow.edges:
        if edge.ledger is not None:
            groups[edge.target, edge.ledger].append(edge.share)
    assert all(sum(shares) == pytest.approx(1, abs=1e-9) for shares in groups.values())


# ------------------------------------------------------------------ as it is asked for


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini", dtype="float64")


ASKED = Request(
    "The capital of Japan is the city of", rank_by=RankBy.EFFECT, layers="2", heads=2, memories=3,
    anti_memories=2, attn_neurons=2, anti_attn_neurons=1,
)  # fmt: skip


def test_what_is_drawn_by_its_effect_says_it(session: Session):
    flow = session.explain(ASKED)
    kinds = (
        NodeKind.HEAD, NodeKind.MLP, NodeKind.ATTN, NodeKind.MEMORY_VALUE, NodeKind.ATTN_NEURON
    )  # fmt: skip
    there = {
        str(node.id): node.effect
        for node in flow.nodes
        if node.id.kind in kinds and node.id.position == flow.position
    }
    assert all(there.values())
    found = session.ask(Measure(ASKED, tuple(there))).effects
    for one in found:
        for way in ("measured", "direct", "flow", "estimate"):
            own = getattr(there[str(one.sites[0])], way)
            assert own == pytest.approx(getattr(one, way), abs=1e-9)


def test_a_block_is_opened_by_effect_as_the_whole_graph_opens_it(session: Session):
    whole, block = session.explain(ASKED), session.open(ASKED, 2, -1)
    for kind in (NodeKind.MEMORY_VALUE, NodeKind.ATTN_NEURON):
        of_whole, of_block = (
            {node.id for node in flow.nodes if node.id.kind is kind and node.id.layer == 2}
            for flow in (whole, block)
        )
        assert of_whole == of_block


def test_a_changed_pass_is_ranked_by_flow(session: Session):
    changed = replace(ASKED, interventions=("L1.head0@7 zero",))
    by_effect = session.explain(changed)
    by_flow = session.explain(replace(changed, rank_by=RankBy.FLOW))
    assert by_effect.nodes == by_flow.nodes


def test_progress_says_that_parts_are_ranked_and_never_goes_back(session: Session):
    told: list[tuple[str, float]] = []
    session.resident.answers.clear()
    session.explain(replace(ASKED, prompt="Rome is"), lambda *said: told.append(said))
    assert [part for _, part in told] == sorted(part for _, part in told)
    assert "ranking" in {stage for stage, _ in told}

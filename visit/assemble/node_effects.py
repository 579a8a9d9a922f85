"""Flow graph -> the same with effects: what each part drawn at the traced position really does.

Each is set to zero and the rest of the pass run again, all of them in one sweep. By default that is
done of as many parts, the strongest by flow first, as take about half as long as the graph: told by
a count of multiplications, so that the same request always has the same answer. Where parts rank by
effect all that are drawn are measured, most of them before (``measured_parts``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from visit.assemble.flows import first_with_outcome
from visit.assemble.residency import Resident
from visit.assemble.strongest import Part
from visit.assemble.traced_request import TracedRequest
from visit.attribution import effects as arithmetic
from visit.attribution.estimates import live_gradients, predict
from visit.engine.progress import Progress
from visit.graph.effect import Effect, agreement_of
from visit.graph.flow import FlowGraph, Node, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.interventions import Site
from visit.graph.request import RankBy
from visit.tracing.interventions import Edit
from visit.tracing.precision import reading_dtype
from visit.tracing.sweep import Resumed, Variant

MEASURED = frozenset({NodeKind.HEAD, NodeKind.MEMORY_VALUE, NodeKind.ATTN, NodeKind.MLP})
"""The kinds of node that get an effect."""
_SWEEPS_OF_EFFECTS = 1
"""Passes over the prompt beside the changed ones: it is run up to the traced position, where all
else begins."""
_SWEEPS_OF_GRAPH = 2
"""The pass itself, and the flow's sweep back."""
_PART_OF_GRAPH = 0.12
"""Of the graph's multiplications, those that effects may take by default. That is half of its time:
readings that are known already are counted too, and effects' products are smaller."""


@torch.inference_mode()
def with_effects(
    flow: FlowGraph, resident: Resident, asked: TracedRequest, tell: Progress
) -> FlowGraph:
    """The graph, its parts at the traced position measured as far as that is asked for.

    Args:
        flow: The graph.
        resident: The model.
        asked: What the graph answers.
        tell: Told how far the ``effects`` are, 0 to 1.
    """
    nodes = _choose(flow, asked)
    if not nodes:
        return flow
    unembedding = asked.metric.unembedding(
        asked.architecture, reading_dtype(asked.trace.logits.dtype)
    )
    resume = partial(resident.resume, asked.trace, asked.position)
    moved = {node.id: one for node in nodes if (one := _measured_before(asked, node)) is not None}
    left = [node for node in nodes if node.id not in moved]
    found_now = arithmetic.measure_metric(
        asked.architecture,
        resume,
        [_zero(node) for node in left],
        unembedding,
        lambda part: tell("effects", part),
    )
    moved |= {node.id: measured for node, measured in zip(left, found_now, strict=True)}
    estimates = _estimate(asked, nodes, unembedding, resume(asked.position))
    index = Index(flow)
    found: dict[NodeId, Effect] = {}
    for node, estimate in zip(nodes, estimates, strict=True):
        measured, direct = moved[node.id], index.direct_logit(node.id)
        if math.isfinite(measured) and direct is not None and node.flow is not None:
            sites = (Site.from_node(node.id),)
            found[node.id] = Effect(sites, measured, 0.0 - direct, 0.0 - node.flow, estimate)
    return replace(
        flow,
        nodes=tuple(replace(node, effect=found.get(node.id)) for node in flow.nodes),
        agreement=agreement_of(found.values()) if found else None,
    )


def _estimate(
    asked: TracedRequest,
    nodes: Sequence[Node],
    unembedding: Float[Tensor, " d_model"],
    resumed: Resumed,
) -> list[float]:
    """What the live pass's gradient predicts for each."""
    places = defaultdict[int | None, list[int]](list)
    for place, node in enumerate(nodes):
        places[node.id.layer].append(place)
    estimates, lowest = [0.0] * len(nodes), min(node.id.layer or 0 for node in nodes)
    architecture, trace = asked.architecture, asked.trace
    live = live_gradients(architecture, trace, asked.position, unembedding, resumed)
    for layer, at in live:
        for place in places[layer]:
            estimates[place] = predict(architecture, trace, _zero(nodes[place]), at)
        if layer == lowest:
            break  # nothing is changed below
    return estimates


def _zero(node: Node) -> Variant:
    """The edit that sets a node of one position to zero."""
    return (Edit(Site.from_node(node.id)),)


def _measured_before(asked: TracedRequest, node: Node) -> float | None:
    """A node's effect where the graph's parts were ranked by it."""
    id_ = node.id
    if id_.layer is None:
        return None
    return asked.measured.get(Part(id_.kind, id_.layer, id_.position, id_.number or 0))


def _choose(flow: FlowGraph, asked: TracedRequest) -> list[Node]:
    """The nodes to measure, the strongest by flow first; of a pass that is changed, none."""
    request, position = asked.request, asked.position
    if request.effects is False or request.interventions:
        return []
    there = [
        node
        for node in flow.nodes
        if node.id.position == position
        and (node.id.kind in MEASURED or _measured_before(asked, node) is not None)
    ]
    there.sort(key=lambda node: (-abs(node.flow or 0.0), str(node.id)))
    if request.effects or request.rank_by is RankBy.EFFECT:
        return there
    left = _budget(asked, len(flow.nodes))
    layer, n_layers = _cost_of_layer(asked), asked.architecture.sizes.n_layers
    costs = accumulate((n_layers - (node.id.layer or 0)) * layer for node in there)
    return [node for node, cost in zip(there, costs, strict=True) if cost <= left]


def _budget(asked: TracedRequest, n_nodes: int) -> int:
    """The multiplications that effects may take by default: the graph's, less the fixed part."""
    sizes, n_positions = asked.architecture.sizes, asked.position + 1
    outcomes = len(asked.candidates) * (n_positions - first_with_outcome(asked))
    n_rows = (_SWEEPS_OF_GRAPH - _SWEEPS_OF_EFFECTS) * n_positions + outcomes
    layers = n_rows * sizes.n_layers * _cost_of_layer(asked)
    return int(_PART_OF_GRAPH * (layers + n_nodes * sizes.d_model * sizes.d_vocab))


def _cost_of_layer(asked: TracedRequest) -> int:
    """The multiplications of one layer at the traced position: weights, scores and mixes."""
    sizes = asked.architecture.sizes
    heads = sizes.n_heads + sizes.n_kv_heads
    attention = 2 * sizes.d_head * (heads * sizes.d_model + sizes.n_heads * (asked.position + 1))
    return attention + 3 * sizes.d_model * sizes.d_mlp * (sizes.n_routed or 1)

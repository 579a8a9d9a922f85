"""What flows through every drawn node, and what each does to the candidates in the end.

A node stands for a vector that is written somewhere; its flow is that vector's dot product with the
metric's gradient there, and with a candidate's gradient it is the part's flow to that candidate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

from visit.assemble.traced_request import TracedRequest
from visit.attribution.flow import sweep_back
from visit.attribution.metric import candidate_unembeddings, pull_back_through_final_norm
from visit.attribution.projections import values_by_source
from visit.graph.flow import NodeId, NodeKind, Outcome, TokenFlow
from visit.graph.kinds import EXPERTS, RESIDUALS
from visit.models.tokens import Tokens

N_TOKENS = 5
"""How many candidates an outcome lists at either end."""
CHEAP_ROWS = 6_400
"""Candidates times positions up to which outcomes are taken unasked: they cost as much as a forward
pass of that many tokens."""
_COLUMN_ELEMENTS = 1 << 25
"""How many numbers a layer's widest gradient may hold: 128 MiB in float32."""

_WRITTEN_BY_ATTENTION = frozenset({
    NodeKind.ATTN, NodeKind.HEAD, NodeKind.HEADS_REST, NodeKind.SOURCES_REST, NodeKind.ATTN_BIAS,
    NodeKind.NEURONS_REST, NodeKind.POSITIONS_REST, NodeKind.ATTN_NEURON,
})  # fmt: skip
_WRITTEN_BY_MLP = EXPERTS | {
    NodeKind.MLP, NodeKind.MLP_BIAS, NodeKind.MEMORIES_REST, NodeKind.MEMORY_VALUE,
    NodeKind.EXPERTS_REST,
}  # fmt: skip
_ROWS = frozenset({NodeKind.ATTN_NEURON, NodeKind.MEMORY_VALUE})
"""Their nodes stand for a weight row with its coefficient's sign; what flows is the whole of it."""
_WITH_OUTCOME = RESIDUALS | {
    NodeKind.ATTN, NodeKind.HEAD, NodeKind.VALUE, NodeKind.ATTN_NEURON, NodeKind.MLP,
    NodeKind.MEMORY_VALUE,
} | EXPERTS  # fmt: skip

Gradients = Mapping[tuple[int, NodeKind], Tensor]
Vectors = Mapping[NodeId, Float[Tensor, " d_model"]]


def find_node_flows(
    asked: TracedRequest, vectors: Vectors, activations: Mapping[NodeId, float]
) -> dict[NodeId, float]:
    """The flow of every node that more than steers.

    Args:
        asked: What is asked.
        vectors: What each node stands for.
        activations: The coefficients of rows.
    """
    flows: dict[NodeId, float] = {}
    for place, ids in _by_place(vectors).items():
        positions = [id_.position for id_ in ids]
        gradients = asked.gradients_at(_gradient_at(asked, place), positions)
        stacked = torch.stack([vectors[id_] for id_ in ids])
        sums = (gradients * stacked).sum(-1).tolist()
        flows |= {
            id_: flow * _amount(id_, activations) for id_, flow in zip(ids, sums, strict=True)
        }
    for id_ in vectors:
        if id_.layer is not None and id_.position <= asked.position:
            flow = _flow_measured(asked, id_.layer, id_)
            if flow is not None:
                flows[id_] = flow
    return flows


def _flow_measured(asked: TracedRequest, layer: int, id_: NodeId) -> float | None:
    """The flow of a node whose vector is read rather than written."""
    flows, block = asked.flow.layers[layer], asked.architecture.outline[layer]
    if id_.kind is NodeKind.VALUE:
        return float(flows.values[id_.head, id_.position])
    if id_.kind is NodeKind.LN1:
        own = flows.ln1[id_.position]
        return float(own + flows.ln2[id_.position] if block.ln2 is block.ln1 else own)
    return float(flows.ln2[id_.position]) if id_.kind is NodeKind.LN2 else None


def _by_place(ids: Iterable[NodeId]) -> dict[tuple[int, NodeKind], list[NodeId]]:
    """Nodes by the place that their vectors are written at: a depth, and what writes there."""
    places: dict[tuple[int, NodeKind], list[NodeId]] = defaultdict(list)
    for id_ in ids:
        if id_.kind is NodeKind.EMBED:
            places[0, NodeKind.RESID_POST].append(id_)
        elif id_.layer is None:
            continue
        elif id_.kind in _WRITTEN_BY_ATTENTION or id_.kind is NodeKind.RESID_MID:
            places[id_.layer, NodeKind.ATTN].append(id_)
        elif id_.kind in _WRITTEN_BY_MLP or id_.kind is NodeKind.RESID_POST:
            places[id_.layer + 1, NodeKind.RESID_POST].append(id_)
    return places


def _gradient_at(asked: TracedRequest, place: tuple[int, NodeKind]) -> Tensor:
    depth, kind = place
    return asked.flow.mid[depth] if kind is NodeKind.ATTN else asked.flow.residual[depth]


def _amount(id_: NodeId, activations: Mapping[NodeId, float]) -> float:
    return abs(activations[id_]) if id_.kind in _ROWS else 1.0


def takes_outcomes(asked: TracedRequest) -> bool:
    """Whether nodes get outcomes: where they are asked for, or cost little."""
    if asked.request.outcome is not None:
        return asked.request.outcome
    return len(asked.candidates) * (asked.position + 1) <= CHEAP_ROWS


def find_outcomes(
    asked: TracedRequest,
    tokens: Tokens,
    vectors: Vectors,
    activations: Mapping[NodeId, float],
) -> dict[NodeId, Outcome]:
    """Which candidates each part lifts and lowers over their mean, in the end.

    Args:
        asked: What is asked.
        tokens: Spells the candidates.
        vectors: What each node stands for.
        activations: The coefficients of rows.
    """
    seen = {id_: vector for id_, vector in vectors.items() if id_.position <= asked.position}
    ids = [id_ for id_ in seen if id_.kind in _WITH_OUTCOME]
    flows = candidate_flows(asked, {id_: seen[id_] for id_ in ids}, activations)
    texts = [tokens.text(id_) for id_ in asked.candidates]
    return {
        id_: outcome_from_flows(asked.candidates, texts, row)
        for id_, row in zip(flows, torch.stack([*flows.values()]), strict=True)
    }


def candidate_flows(
    asked: TracedRequest, vectors: Vectors, activations: Mapping[NodeId, float]
) -> dict[NodeId, Float[Tensor, " candidate"]]:
    """Every part's flow to each candidate's logit, less its mean over them."""
    architecture, trace = asked.architecture, asked.trace
    resid = trace.residuals[-1][asked.position].to(asked.direction)
    ids = torch.tensor(asked.candidates, device=resid.device)
    columns = candidate_unembeddings(architecture, ids, resid.dtype)
    directions = pull_back_through_final_norm(architecture, resid, columns)
    width = (asked.position + 1) * max(architecture.sizes.d_mlp, architecture.sizes.d_model)
    found: dict[NodeId, list[Tensor]] = defaultdict(list)
    for some in directions.split(max(1, _COLUMN_ELEMENTS // width)):
        for id_, flow in _flows_of(asked, some, vectors, activations):
            found[id_].append(flow)
    return {id_: torch.cat(flows) for id_, flows in found.items()}


def _flows_of(
    asked: TracedRequest,
    directions: Float[Tensor, "column d_model"],
    vectors: Vectors,
    activations: Mapping[NodeId, float],
) -> Iterator[tuple[NodeId, Float[Tensor, " column"]]]:
    places = _by_place(vectors)
    values = defaultdict[int, list[NodeId]](list)
    for id_ in vectors:
        if id_.kind is NodeKind.VALUE and id_.layer is not None:
            values[id_.layer].append(id_)
    for layer, at in sweep_back(asked.architecture, asked.trace, asked.position, directions):
        for place, gradient in (
            ((layer + 1, NodeKind.RESID_POST), at.post),
            ((layer, NodeKind.ATTN), at.mid),
            *([((0, NodeKind.RESID_POST), at.pre)] if layer == 0 else []),
        ):
            yield from _dots(gradient, places.get(place, ()), vectors, activations)
        if values[layer]:
            read = values_by_source(asked.architecture, asked.trace, layer).v
            for id_ in values[layer]:
                gradient = at.v[:, id_.head, id_.position].to(read)
                yield id_, gradient @ read[id_.head, id_.position]


def _dots(
    gradient: Float[Tensor, "column pos d_model"],
    ids: Sequence[NodeId],
    vectors: Vectors,
    activations: Mapping[NodeId, float],
) -> Iterator[tuple[NodeId, Float[Tensor, " column"]]]:
    by_position = sorted(ids, key=lambda id_: id_.position)
    for position, group in groupby(by_position, key=lambda id_: id_.position):
        some = list(group)
        stacked = torch.stack([vectors[id_] for id_ in some])
        dots = stacked @ gradient[:, position].to(stacked).T
        for id_, row in zip(some, dots, strict=True):
            yield id_, row * _amount(id_, activations)


def outcome_from_flows(
    candidates: Sequence[int], texts: Sequence[str], flows: Float[Tensor, " candidate"]
) -> Outcome:
    """The candidates that a part lifts most, and those that it lowers most."""
    order = flows.argsort(descending=True, stable=True).tolist()
    sizes = flows.tolist()

    def listed(places: Iterable[int]) -> tuple[TokenFlow, ...]:
        return tuple(TokenFlow(candidates[n], texts[n], sizes[n]) for n in places)

    return Outcome(
        listed(n for n in order[:N_TOKENS] if sizes[n] > 0),
        listed(n for n in order[: -N_TOKENS - 1 : -1] if sizes[n] < 0),
    )

"""What flows through every drawn node, and what each does to the candidates in the end.

A node stands for a vector that is written somewhere; its flow is that vector's dot product with the
metric's gradient there, and with a candidate's gradient it is the part's flow to that candidate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from visit.assemble.traced_request import TracedRequest
from visit.attribution.candidate_flow import CandidateFlow
from visit.graph.flow import NodeId, NodeKind, Outcome, TokenFlow
from visit.graph.kinds import EXPERTS, RESIDUALS
from visit.models.tokens import Tokens

N_TOKENS = 5
"""How many candidates an outcome lists at either end."""
CHEAP_ROWS = 6_400
"""Candidates times positions up to which outcomes are taken unasked: they cost as much as a forward
pass of that many tokens."""
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
_CHOSEN = _ROWS | EXPERTS
"""What is drawn of a block by choice, and so many that no sweep takes the flow of each."""

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
    found: CandidateFlow,
    vectors: Vectors,
    activations: Mapping[NodeId, float],
) -> dict[NodeId, Outcome]:
    """Which candidates each part lifts and lowers over their mean, in the end.

    Args:
        asked: What is asked.
        tokens: Spells the candidates.
        found: What of each candidate passes through every part.
        vectors: What each node stands for.
        activations: The coefficients of rows.
    """
    flows = candidate_flows(asked, found, vectors, activations)
    texts = tokens.texts(asked.candidates)
    return {
        id_: outcome_from_flows(asked.candidates, texts, row)
        for id_, row in zip(flows, torch.stack([*flows.values()]), strict=True)
    }


def positions_chosen(asked: TracedRequest, ids: Iterable[NodeId]) -> set[int]:
    """Where a candidate's gradient is needed: at rows and experts, and at the traced position."""
    chosen = {id_.position for id_ in ids if id_.kind in _CHOSEN}
    return {position for position in chosen if position <= asked.position} | {asked.position}


def candidate_flows(
    asked: TracedRequest,
    found: CandidateFlow,
    vectors: Vectors,
    activations: Mapping[NodeId, float],
) -> dict[NodeId, Float[Tensor, " candidate"]]:
    """Every part's flow to each candidate's logit, less its mean over them.

    None of parts after the traced position, nor of those that only steer. ``find_outcomes`` says
    what is given.
    """
    return {
        id_: _candidate_flow(found, id_, vector) * _amount(id_, activations)
        for id_, vector in vectors.items()
        if id_.kind in _WITH_OUTCOME and id_.position <= asked.position
    }


def _candidate_flow(
    found: CandidateFlow, id_: NodeId, vector: Float[Tensor, " d_model"]
) -> Float[Tensor, " candidate"]:
    """One part's; a row's, taken once. Of a shape of its own, whatever else is drawn."""
    layer, position = id_.layer, id_.position
    if layer is None:
        return found.embed[:, position]
    match id_.kind:
        case NodeKind.HEAD:
            return found.heads[layer, :, position, id_.head]
        case NodeKind.VALUE:
            return found.values[layer, :, id_.head, position]
        case NodeKind.ATTN:
            return found.attn[layer, :, position]
        case NodeKind.MLP:
            return found.mlp[layer, :, position]
        case NodeKind.RESID_MID:
            return found.mid[layer, :, position]
        case NodeKind.RESID_POST:
            return found.post[layer, :, position]
    of_attention = id_.kind is NodeKind.ATTN_NEURON
    gradients = found.mid_gradients if of_attention else found.post_gradients
    return gradients[layer, :, found.positions.index(position)].to(vector) @ vector


def outcome_from_flows(
    candidates: Sequence[int], texts: Sequence[str], flows: Float[Tensor, " candidate"]
) -> Outcome:
    """The candidates that a part lifts most, and those that it lowers most."""
    order = flows.argsort(descending=True, stable=True).tolist()
    sizes = flows.tolist()

    lifted = [n for n in order[:N_TOKENS] if sizes[n] > 0]
    lowered = [n for n in order[: -N_TOKENS - 1 : -1] if sizes[n] < 0]
    return Outcome(
        *(
            tuple(TokenFlow(candidates[n], texts[n], sizes[n]) for n in places)
            for places in (lifted, lowered)
        )
    )

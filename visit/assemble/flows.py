"""What flows through every drawn node, and what each does to the candidates in the end.

A node stands for a vector that is written somewhere; its flow is that vector's dot product with the
metric's gradient there, and with a candidate's gradient it is the part's flow to that candidate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from visit.assemble.kept import Kept
from visit.assemble.traced_request import TracedRequest
from visit.attribution.candidate_flow import CandidateFlow, find_candidate_flow
from visit.attribution.metric import find_candidates
from visit.graph.flow import NodeId, NodeKind, Outcome, TokenFlow
from visit.graph.kinds import EXPERTS, RESIDUALS
from visit.models.tokens import Tokens

N_TOKENS = 5
"""How many candidates an outcome lists at either end."""
CHEAP_ROWS = 1_600
"""Candidates times positions that outcomes are taken of unasked, the latest positions first: they
cost as much as a forward pass of that many tokens."""
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


def first_with_outcome(asked: TracedRequest) -> int:
    """The position from which on nodes get outcomes; where none do, the one after the traced.

    All do where outcomes are asked for, else the latest of which they cost little.
    """
    if asked.request.outcome:
        return 0
    count = CHEAP_ROWS // len(asked.candidates) if asked.request.outcome is None else 0
    return max(0, asked.position + 1 - count)


def takes_outcomes(asked: TracedRequest) -> bool:
    """Whether any node gets an outcome."""
    return first_with_outcome(asked) <= asked.position


def find_outcomes(
    asked: TracedRequest,
    tokens: Tokens,
    kept: Kept,
    vectors: Vectors,
    activations: Mapping[NodeId, float],
) -> dict[NodeId, Outcome]:
    """Which candidates each part lifts and lowers over their mean, in the end.

    None of what comes before the first position that has outcomes or after the traced one, nor of
    parts that only steer.

    Args:
        asked: What is asked.
        tokens: Spells the candidates.
        kept: What was found of traces lately.
        vectors: What each node stands for.
        activations: The coefficients of rows.
    """
    first, last = first_with_outcome(asked), asked.position
    parts = {
        id_: vector
        for id_, vector in vectors.items()
        if id_.kind in _WITH_OUTCOME and first <= id_.position <= last
    }
    # Gradients are kept at the traced position, where nearly all rows are. Rows elsewhere need a
    # sweep that keeps theirs, and begins at them.
    rows = [id_ for id_ in parts if id_.kind in _CHOSEN and id_.position != last]
    elsewhere = {id_: parts.pop(id_) for id_ in rows}
    positions = sorted({id_.position for id_ in elsewhere})
    flows: dict[NodeId, Tensor] = {}
    if parts:
        found = sweep_candidates(asked, kept, first, (last,))
        flows |= candidate_flows(asked, found, parts, activations)
    if elsewhere:
        found = sweep_candidates(asked, kept, positions[0], tuple(positions))
        flows |= candidate_flows(asked, found, elsewhere, activations)
    texts = tokens.texts(asked.candidates)
    return {id_: outcome_from_flows(asked.candidates, texts, row) for id_, row in flows.items()}


def sweep_candidates(
    asked: TracedRequest, kept: Kept, first: int, positions: tuple[int, ...]
) -> tuple[CandidateFlow, ...]:
    """What of each candidate passes through every part: of the likeliest, and of any other.

    Another is one that is named and unlikely. It has a sweep of its own, so that the flows of the
    likeliest serve whatever target is named.

    Args:
        asked: What is asked.
        kept: What was found of traces lately.
        first: The position from which on parts are measured.
        positions: Where gradients are kept.
    """
    trace, last = asked.trace, asked.position
    likeliest = find_candidates(trace.plain_logits[last], len(asked.candidates))
    others = [(id_,) for id_ in asked.candidates if id_ not in likeliest]

    def sweep(candidates: tuple[int, ...]) -> CandidateFlow:
        return find_candidate_flow(
            asked.architecture, trace, last, candidates, positions, centre=likeliest, first=first
        )

    return tuple(
        kept.find(
            trace, ("candidates", last, likeliest, some, first, positions), partial(sweep, some)
        )
        for some in (likeliest, *others)
    )


def candidate_flows(
    asked: TracedRequest,
    found: Sequence[CandidateFlow],
    vectors: Vectors,
    activations: Mapping[NodeId, float],
) -> dict[NodeId, Float[Tensor, " candidate"]]:
    """Every part's flow to each candidate's logit, less its mean over them.

    Args:
        asked: What is asked.
        found: What of each candidate passes through every part; of more candidates than are asked
            for, perhaps.
        vectors: What each part writes, those of kinds that have an outcome.
        activations: The coefficients of rows.
    """
    swept = [id_ for one in found for id_ in one.candidates]
    places = [swept.index(id_) for id_ in asked.candidates]
    flows: dict[NodeId, Tensor] = {}
    for id_, vector in vectors.items():
        flow = torch.cat([_candidate_flow(one, id_, vector) for one in found])
        flows[id_] = flow * _amount(id_, activations)
        if places != list(range(len(swept))):
            flows[id_] = flows[id_][places] - flows[id_][places].mean()
    return flows


def _candidate_flow(
    found: CandidateFlow, id_: NodeId, vector: Float[Tensor, " d_model"]
) -> Float[Tensor, " candidate"]:
    """One part's; a row's, taken once. Of a shape of its own, whatever else is drawn."""
    layer, at = id_.layer, id_.position - found.first
    if layer is None:
        return found.embed[:, at]
    match id_.kind:
        case NodeKind.HEAD:
            return found.heads[layer, :, at, id_.head]
        case NodeKind.VALUE:
            return found.values[layer, :, id_.head, at]
        case NodeKind.ATTN:
            return found.attn[layer, :, at]
        case NodeKind.MLP:
            return found.mlp[layer, :, at]
        case NodeKind.RESID_MID:
            return found.mid[layer, :, at]
        case NodeKind.RESID_POST:
            return found.post[layer, :, at]
    of_attention = id_.kind is NodeKind.ATTN_NEURON
    gradients = found.mid_gradients if of_attention else found.post_gradients
    return gradients[layer, :, found.positions.index(id_.position)].to(vector) @ vector


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

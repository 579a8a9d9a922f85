"""A mixture of experts opened at one position: what each expert wrote there, whole.

The parts are as many of the routed experts as ``Request.memories`` allows, the strongest first, the
shared expert, and the other routed experts as a rest. An expert to which this position was not
routed wrote nothing and is not a part.
"""

from __future__ import annotations

import torch

from visit.assemble.draft import Draft
from visit.assemble.traced_request import TracedRequest, read_by_mlp_id
from visit.attribution import circuits
from visit.attribution.ledgers import apply_gain, audit_residual, lines_from_vectors
from visit.attribution.projections import experts_at
from visit.graph.flow import Edge, EdgeKind, Ledger, NodeId, NodeKind


def draw_experts(draft: Draft, asked: TracedRequest, layer: int, position: int) -> None:
    """Draw the experts ledger of a mixture, and what its experts read.

    Args:
        draft: Drawn on; holds the mixture's node and what it reads already.
        asked: What is asked.
        layer: The layer; its MLP is a mixture.
        position: The position.
    """
    recorded = asked.trace.layers[layer]
    assert recorded.routed is not None
    weights, outputs = experts_at(asked.architecture, asked.trace, layer, position)
    parts = apply_gain(outputs, recorded.mlp_gain, position)
    numbers = recorded.routed[position].tolist()
    n_routed = len(numbers)
    mlp = NodeId(NodeKind.MLP, position, layer)
    whole = draft.vectors[mlp]
    draft.note_error(audit_residual(parts.sum(0), whole))
    lines = lines_from_vectors(
        parts, whole, asked.direction_at(position), asked.gradient_of_mlp(layer, position)
    )
    ranked = lines.select(torch.arange(n_routed))
    effects = asked.measured.among(NodeKind.EXPERT, layer, position, numbers, ranked.norm)
    strength = ranked.strength(asked.request.rank_by, effects)
    chosen = circuits.strongest(strength, asked.request.memories)
    left_out = circuits.others(chosen, n_routed)

    drawn = [
        (place, NodeId(NodeKind.EXPERT, position, layer, index=numbers[place]))
        for place in chosen.tolist()
    ]
    if len(parts) > n_routed:
        drawn.append((n_routed, NodeId(NodeKind.SHARED_EXPERT, position, layer)))
    places = torch.tensor([place for place, _ in drawn], dtype=torch.long)
    activations = weights[places].tolist()
    ids = [
        draft.add_node(id_, parts[place], activation=activation)
        for (place, id_), activation in zip(drawn, activations, strict=True)
    ]
    draft.add_ledger(Ledger.EXPERTS, mlp, ids, lines.select(places), activations=activations)
    rest_id = NodeId(NodeKind.EXPERTS_REST, position, layer)
    draft.add_rest(Ledger.EXPERTS, mlp, rest_id, lines.select(left_out), parts[left_out].sum(0))
    read = read_by_mlp_id(asked, layer, position)
    assert lines.flow is not None
    flows = lines.flow[places].tolist()  # an expert has no biases: what it gives, it got
    for id_, flow in zip(ids, flows, strict=True):
        draft.add_edge(Edge(read, id_, EdgeKind.READS, flow=flow))

"""Weight rows times coefficients: attention in rows of ``W_O``, an MLP in its memories.

A row's node stands for the row itself, with its coefficient's sign; its edge says how much of it is
added here.

Source: Katz & Belinkov 2023, section 3: memories, and VISIT's attention neurons.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.assemble.draft import Draft
from visit.assemble.traced_request import TracedRequest, read_by_mlp_id
from visit.attribution import circuits
from visit.attribution.ledgers import apply_gain, audit_residual, sum_rows
from visit.graph.flow import Edge, EdgeKind, Ledger, NodeId, NodeKind
from visit.models.architectures.base import Mlp


def draw_neurons(draft: Draft, asked: TracedRequest, layer: int, position: int) -> None:
    """The neurons ledger of attn: the rows of ``W_O`` times the heads' concatenated ``z``."""
    recorded, attention = asked.trace.layers[layer], asked.architecture.blocks[layer].attention
    whole = NodeId(NodeKind.ATTN, position, layer)
    coefficients = recorded.z[position].to(draft.vectors[whole]).flatten()
    counts = (asked.request.attn_neurons, asked.request.anti_attn_neurons)
    _draw_rows(
        draft, asked, Ledger.NEURONS, whole, coefficients,
        attention.w_o.flatten(0, 1), attention.b_o, recorded.attn_gain, counts,
        (NodeKind.ATTN_NEURON, NodeKind.ATTN_BIAS, NodeKind.NEURONS_REST),
        asked.gradient_of_attn(layer, position),
    )  # fmt: skip


def draw_memories(
    draft: Draft,
    asked: TracedRequest,
    mlp: Mlp,
    layer: int,
    position: int,
    counts: tuple[int, int],
) -> None:
    """The memories ledger of the MLP, and each drawn memory's key before its value.

    Args:
        draft: Drawn on; holds the MLP and what its keys read already.
        asked: What is asked.
        mlp: The MLP's weights.
        layer: The block.
        position: The position.
        counts: How many memories of either sign are drawn beside those that are among the
            strongest of all.
    """
    recorded = asked.trace.layers[layer]
    assert recorded.activation is not None
    whole = NodeId(NodeKind.MLP, position, layer)
    values = draft.vectors[whole]
    coefficients = recorded.activation[position].to(values)
    named = asked.strongest.memories_at(layer, position)
    chosen = _draw_rows(
        draft, asked, Ledger.MEMORIES, whole, coefficients,
        mlp.w_out, mlp.b_out, recorded.mlp_gain, counts,
        (NodeKind.MEMORY_VALUE, NodeKind.MLP_BIAS, NodeKind.MEMORIES_REST),
        asked.gradient_of_mlp(layer, position), named,
    )  # fmt: skip
    read = read_by_mlp_id(asked, layer, position)
    keys = mlp.w_in[:, chosen].to(values).T
    matches = keys @ recorded.ln2[position].to(values)
    if mlp.b_in is not None:
        matches = matches + mlp.b_in[chosen].to(values)
    directions = keys * torch.where(matches < 0, -1.0, 1.0).to(values).unsqueeze(1)
    activations = coefficients[chosen].tolist()
    for row, memory in enumerate(chosen.tolist()):
        activation = activations[row]
        key = draft.add_node(
            NodeId(NodeKind.MEMORY_KEY, position, layer, index=memory),
            directions[row],
            activation=activation,
        )
        value = NodeId(NodeKind.MEMORY_VALUE, position, layer, index=memory)
        for source, target in ((read, key), (key, value)):
            draft.add_edge(Edge(source, target, EdgeKind.ACTIVATES, activation=activation))


def _draw_rows(
    draft: Draft,
    asked: TracedRequest,
    ledger: Ledger,
    whole_id: NodeId,
    coefficients: Float[Tensor, " row"],
    rows: Float[Tensor, "row d_model"],
    bias: Float[Tensor, " d_model"] | None,
    gains: Float[Tensor, "pos d_model"] | None,
    counts: tuple[int, int],
    kinds: tuple[NodeKind, NodeKind, NodeKind],
    gradient: Float[Tensor, " d_model"],
    named: Sequence[int] = (),
) -> Int[Tensor, " chosen"]:
    """Draw a ledger of weight rows times coefficients; return the rows that were chosen.

    A row's node stands for the row itself with its coefficient's sign; what flows from it, for
    the row times the coefficient.

    Args:
        draft: Drawn on.
        asked: What is asked.
        ledger: The ledger.
        whole_id: What the rows, the bias and the rest add up to; drawn already.
        coefficients: Of each row.
        rows: The weight rows.
        bias: Added to them once, or ``None``.
        gains: What lies between their sum and the whole at every position, coordinate by
            coordinate, or ``None``.
        counts: How many rows of positive and of negative coefficient to draw.
        kinds: Of a row's node, the bias's and the rest's.
        gradient: The metric's at the whole.
        named: Rows that are drawn whatever their strength.
    """
    row_kind, bias_kind, rest_kind = kinds
    position, layer = whole_id.position, whole_id.layer
    whole, direction = draft.vectors[whole_id], asked.direction_at(position)
    gain = None if gains is None else gains[position].to(coefficients)
    added = sum_rows(coefficients, rows, gain, whole, direction, gradient)
    total = added.total
    if bias is not None:
        once = sum_rows(torch.ones_like(whole[:1]), bias[None], gain, whole, direction, gradient)
        total = total + once.total
        bias_id = draft.add_node(NodeId(bias_kind, position, layer), once.total)
        draft.add_ledger(ledger, whole_id, [bias_id], once.lines)
    draft.note_error(audit_residual(total, whole))
    effects = asked.measured.among(row_kind, layer, position, range(len(rows)), coefficients)
    signed = added.lines.signed(asked.request.rank_by, coefficients, effects)
    chosen = circuits.strongest_of_either_sign(signed, *counts)
    chosen = add_chosen(chosen, named)
    signs = torch.where(coefficients[chosen] < 0, -1.0, 1.0).to(coefficients).unsqueeze(1)
    drawn = apply_gain(rows[chosen].to(coefficients), gains, position)
    directions, activations = drawn * signs, coefficients[chosen].tolist()
    ids = [
        draft.add_node(
            NodeId(row_kind, position, layer, index=index),
            directions[place],
            activation=activations[place],
        )
        for place, index in enumerate(chosen.tolist())
    ]
    draft.add_ledger(ledger, whole_id, ids, added.lines.select(chosen))
    left_out = circuits.others(chosen, len(rows))
    rest = added.total - coefficients[chosen] @ drawn
    rest_id = NodeId(rest_kind, position, layer)
    draft.add_rest(ledger, whole_id, rest_id, added.lines.select(left_out), rest)
    return chosen


def add_chosen(chosen: Int[Tensor, " chosen"], named: Sequence[int]) -> Int[Tensor, " all_chosen"]:
    """Those that were chosen, and after them those that are named and were not."""
    there = set(chosen.tolist())
    more = [number for number in named if number not in there]
    return torch.cat([chosen, chosen.new_tensor(more, dtype=chosen.dtype)])

"""The route: every position's residuals that carry the traced one, and the attention between them.

From the last residual of the traced position backwards, a reader's load is split among the parts
of its residual by ``|share|``; the MLP hands its part to the residual it reads, and attention's is
split among the positions that attention reads, again by ``|share|``. An edge between positions is
drawn when it carries at least the threshold; what carries less is folded into ``positions_rest``.
Loads of one depth add up to at most 1, so no more than ``1 / threshold`` edges enter any layer,
however long the prompt. ``graph.index`` works out the same loads from a document's shares.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from visit.assemble.draft import Draft
from visit.assemble.traced_request import TracedRequest, resid_pre_id, residual_before_mlp_id
from visit.attribution import circuits
from visit.attribution.ledgers import Lines, audit_residual
from visit.attribution.positions import PositionLedgers, position_ledgers
from visit.attribution.projections import SourceValues
from visit.graph.flow import Edge, EdgeKind, Ledger, NodeId, NodeKind
from visit.tracing.precision import ledger_dtype

Loads = dict[int, float]
"""What part of the traced residual each position carries at one depth, 0 to 1."""

_Nodes = tuple[list[NodeId], Tensor]
"""One kind of node for every reader, and its vector at every position."""


_LEDGER_ELEMENTS = 1 << 21
"""How many sources of readers are taken at once: a few numbers each, 16 MiB for every number."""


def draw_layer(
    draft: Draft,
    asked: TracedRequest,
    layer: int,
    loads: Loads,
    values: SourceValues,
    on_part: Callable[[float], None] = lambda part: None,
) -> Loads:
    """Draw one layer at every position on the route, and return the loads that enter it.

    Args:
        draft: Drawn on.
        asked: What is asked.
        layer: The layer.
        loads: What each position carries as it leaves the layer.
        values: The layer's (``projections.values_by_source``).
        on_part: Called with the part of the readers that is drawn, 0 to 1; what it raises ends it.
    """
    readers = sorted(loads)
    load = values.v.new_tensor([loads[reader] for reader in readers])
    to_pre, to_attn = _draw_residuals(draft, asked, layer, readers, load)

    attn_out = asked.trace.layers[layer].attn_out
    entering = load.new_zeros(len(attn_out))
    entering[readers] = to_pre
    on_route, step = set(readers), max(1, _LEDGER_ELEMENTS // len(attn_out))
    for start in range(0, len(readers), step):
        on_part(start / len(readers))
        some = readers[start : start + step]
        ledgers = position_ledgers(
            asked.architecture, asked.trace, layer, some, values, asked.direction
        )
        draft.note_error(audit_residual(ledgers.sums, attn_out[some].to(ledgers.sums)))
        reached = to_attn[start : start + step].unsqueeze(1)
        carried = reached * circuits.normalize_to_one(ledgers.share.abs())[:, :-1]
        kept = (carried >= asked.request.threshold) & (carried > 0)
        _draw_positions(draft, asked, layer, some, ledgers, kept, values)
        entering += (carried * kept).sum(0)
        on_route |= set(kept.any(0).nonzero().flatten().tolist())
    return {position: float(entering[position]) for position in sorted(on_route)}


def _draw_residuals(
    draft: Draft,
    asked: TracedRequest,
    layer: int,
    readers: list[int],
    load: Float[Tensor, " reader"],
) -> tuple[Float[Tensor, " reader"], Float[Tensor, " reader"]]:
    """Draw a layer's residuals and what adds up to them; return what resid_pre and attn carry."""
    recorded = asked.trace.layers[layer]

    def nodes(kind: NodeKind, vectors: Tensor) -> _Nodes:
        return [NodeId(kind, reader, layer) for reader in readers], vectors

    pre = [resid_pre_id(layer, reader) for reader in readers], recorded.resid_pre
    post = nodes(NodeKind.RESID_POST, recorded.resid_post)
    attn = nodes(NodeKind.ATTN, recorded.attn_out)
    mlp = nodes(NodeKind.MLP, recorded.mlp_out)
    for reader in readers:
        if (layer, reader) not in asked.opened:
            read = residual_before_mlp_id(asked, layer, reader)
            draft.add_edge(Edge(read, NodeId(NodeKind.MLP, reader, layer), EdgeKind.READS))
    if recorded.resid_mid is None:
        to_pre, to_attn, to_mlp = _draw_sum(draft, asked, readers, post, [pre, attn, mlp], load)
        return to_pre + to_mlp, to_attn
    mid = nodes(NodeKind.RESID_MID, recorded.resid_mid)
    to_mid, to_mlp = _draw_sum(draft, asked, readers, post, [mid, mlp], load)
    to_pre, to_attn = _draw_sum(draft, asked, readers, mid, [pre, attn], to_mid + to_mlp)
    return to_pre, to_attn


def _draw_sum(
    draft: Draft,
    asked: TracedRequest,
    readers: list[int],
    whole: _Nodes,
    addends: list[_Nodes],
    load: Float[Tensor, " reader"],
) -> tuple[Tensor, ...]:
    """Draw the residual ledger of every reader; return the load that each addend carries."""
    dtype = ledger_dtype(whole[1])
    wholes = whole[1][readers].to(dtype)
    parts = torch.stack([vectors[readers] for _, vectors in addends], dim=1).to(dtype)
    draft.note_error(audit_residual(parts.sum(1), wholes))
    norm, share = parts.norm(dim=-1), circuits.shares(parts, wholes)
    logit, proximity = parts @ asked.direction, circuits.proximities(parts, wholes)
    for row, reader in enumerate(readers):
        target = draft.add_node(whole[0][row], wholes[row])
        sources = [
            draft.add_node(ids[row], part)
            for (ids, _), part in zip(addends, parts[row], strict=True)
        ]
        traced_logit = logit[row] if reader == asked.position else None
        lines = Lines(norm[row], share[row], traced_logit, proximity[row])
        draft.add_ledger(Ledger.RESIDUAL, target, sources, lines)
    return (load.unsqueeze(1) * circuits.normalize_to_one(share.abs())).unbind(1)


def _draw_positions(
    draft: Draft,
    asked: TracedRequest,
    layer: int,
    readers: list[int],
    ledgers: PositionLedgers,
    kept: Bool[Tensor, "reader source"],
    values: SourceValues,
) -> None:
    """Draw the positions ledger of every reader that keeps a source."""
    recorded, like = asked.trace.layers[layer], values.v
    bias = asked.architecture.blocks[layer].attention.b_o
    for row, reader in enumerate(readers):
        sources = kept[row].nonzero().flatten()
        if not len(sources):
            continue
        pattern = recorded.attention[:, reader].to(like)
        gain = None if recorded.attn_gain is None else recorded.attn_gain[reader].to(like)
        lines = ledgers.lines(row, traced=reader == asked.position)
        attn = NodeId(NodeKind.ATTN, reader, layer)
        ids = [
            draft.add_node(resid_pre_id(layer, s), recorded.resid_pre[s].to(like))
            for s in sources.tolist()
        ]
        attention = pattern[:, sources].mean(0).tolist()
        draft.add_ledger(Ledger.POSITIONS, attn, ids, lines.select(sources), attention)
        if bias is not None:
            bias_vector = bias.to(like) if gain is None else bias.to(like) * gain
            bias_id = draft.add_node(NodeId(NodeKind.ATTN_BIAS, reader, layer), bias_vector)
            draft.add_ledger(Ledger.POSITIONS, attn, [bias_id], lines.select(torch.tensor([-1])))
        left_out = ~kept[row] & (pattern.amax(0) > 0)
        if left_out.any():
            vector = values.mix(pattern * left_out)
            vector = vector if gain is None else vector * gain
            rest_id = draft.add_node(NodeId(NodeKind.POSITIONS_REST, reader, layer), vector)
            rest = lines.select(left_out.nonzero().flatten()).fold(vector)
            draft.add_ledger(Ledger.POSITIONS, attn, [rest_id], rest)

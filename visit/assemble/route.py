"""The route: the residuals of every position that matters, and the attention between them.

It goes from the last residual of the traced position backwards. An edge between positions is drawn
when it carries at least the threshold; what carries less is folded into ``positions_rest``. Every
position that an edge reaches is drawn down to its embedding.

What an edge carries is its ``|flow|``, as a part of the metric's absolute flow. With
``RouteBy.SHARE`` it is a load instead: a reader's is split among the parts of its residual by
``|share|``, the MLP hands its part to the residual it reads, and attention's is split among the
positions that attention reads, again by ``|share|``. Loads of one depth add up to at most 1.
``graph.index`` works out the same from a document's numbers.
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
from visit.graph.request import RouteBy
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
            asked.architecture, asked.trace, layer, some, values, asked.direction,
            asked.gradients_at(asked.flow.mid[layer], some),
        )  # fmt: skip
        draft.note_error(audit_residual(ledgers.sums, attn_out[some].to(ledgers.sums)))
        carried = _find_carried(asked, ledgers, to_attn[start : start + step])
        kept = (carried >= asked.request.threshold) & (carried > 0)
        _keep_due(asked, layer, carried, kept, on_route)
        _draw_positions(draft, asked, layer, some, ledgers, kept, values)
        entering += (carried * kept).sum(0)
        on_route |= set(kept.any(0).nonzero().flatten().tolist())
    return {position: float(entering[position]) for position in sorted(on_route)}


def _find_carried(
    asked: TracedRequest, ledgers: PositionLedgers, loads: Float[Tensor, " reader"]
) -> Float[Tensor, "reader source"]:
    """What part each source's edge carries: of the metric's absolute flow, or of the residual."""
    if asked.request.route is RouteBy.FLOW:
        return circuits.parts_of(ledgers.flow[:, :-1].abs(), asked.flow.largest)
    return loads.unsqueeze(1) * circuits.normalize_to_one(ledgers.share.abs())[:, :-1]


def _keep_due(
    asked: TracedRequest,
    layer: int,
    carried: Float[Tensor, "reader source"],
    kept: Bool[Tensor, "reader source"],
    on_route: set[int],
) -> None:
    """Keep the best edge of positions whose strongest parts come next and that nothing reaches yet.

    Args:
        asked: What is asked.
        layer: The layer that reads.
        carried: By every edge into it.
        kept: Which of them are drawn; changed in place.
        on_route: The positions that are reached already.
    """
    reached = on_route | set(kept.any(0).nonzero().flatten().tolist())
    for position in sorted(asked.strongest.positions_at(layer - 1).keys() - reached):
        kept[carried[:, position].argmax(), position] = True


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
            mlp_id = NodeId(NodeKind.MLP, reader, layer)
            flow = asked.flow_at(asked.flow.layers[layer].into_mlp, reader)
            draft.add_edge(Edge(read, mlp_id, EdgeKind.READS, flow=flow))
    at_post, at_mid = asked.flow.residual[layer + 1], asked.flow.mid[layer]
    if recorded.resid_mid is None:
        parts = [pre, attn, mlp]
        to_pre, to_attn, to_mlp = _draw_sum(draft, asked, readers, post, parts, load, at_post)
        return to_pre + to_mlp, to_attn
    mid = nodes(NodeKind.RESID_MID, recorded.resid_mid)
    to_mid, to_mlp = _draw_sum(draft, asked, readers, post, [mid, mlp], load, at_post)
    loads = to_mid + to_mlp
    to_pre, to_attn = _draw_sum(draft, asked, readers, mid, [pre, attn], loads, at_mid)
    return to_pre, to_attn


def _draw_sum(
    draft: Draft,
    asked: TracedRequest,
    readers: list[int],
    whole: _Nodes,
    addends: list[_Nodes],
    load: Float[Tensor, " reader"],
    gradient: Float[Tensor, "pos d_model"],
) -> tuple[Tensor, ...]:
    """Draw the residual ledger of every reader; return the load that each addend carries.

    The gradient is the metric's at the wholes.
    """
    dtype = ledger_dtype(whole[1])
    wholes = whole[1][readers].to(dtype)
    parts = torch.stack([vectors[readers] for _, vectors in addends], dim=1).to(dtype)
    draft.note_error(audit_residual(parts.sum(1), wholes))
    norm, share = parts.norm(dim=-1), circuits.shares(parts, wholes)
    logit, proximity = parts @ asked.direction, circuits.proximities(parts, wholes)
    flow = (parts @ asked.gradients_at(gradient, readers).unsqueeze(-1)).squeeze(-1)
    for row, reader in enumerate(readers):
        target = draft.add_node(whole[0][row], wholes[row])
        sources = [
            draft.add_node(ids[row], part)
            for (ids, _), part in zip(addends, parts[row], strict=True)
        ]
        traced_logit = logit[row] if reader == asked.position else None
        lines = Lines(norm[row], share[row], traced_logit, proximity[row], flow=flow[row])
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

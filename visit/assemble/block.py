"""One block opened at one position: all that VISIT draws of it, with rests so that it adds up.

Attention in heads, each with its query and its strongest sources' keys and values; attention in
the strongest rows of ``W_O`` (VISIT's attention neurons); the MLP in its strongest memories, or a
mixture in its experts (``assemble.experts``).

Source: Katz & Belinkov 2023, section 3 and figure 1, with rest nodes added.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from visit.assemble.draft import Draft
from visit.assemble.experts import draw_experts
from visit.assemble.rows import add_chosen, draw_memories, draw_neurons
from visit.assemble.traced_request import (
    TracedRequest,
    read_by_attention_id,
    read_by_mlp_id,
    resid_pre_id,
    residual_before_mlp_id,
)
from visit.attribution import circuits
from visit.attribution.ledgers import (
    Lines,
    apply_gain,
    audit_residual,
    lines_from_vectors,
)
from visit.attribution.projections import (
    SourceValues,
    keys_by_source,
    pull_back_through_norm,
    queries_at,
    value_gain,
)
from visit.graph.flow import Edge, EdgeKind, Ledger, NodeId, NodeKind
from visit.models.architectures.base import Experts, Mlp
from visit.tracing.precision import WIDENED_ELEMENTS, ledger_dtype, reading_dtype

Drawn = dict[int, tuple[list[int], list[float]]]
"""Of each drawn head, the sources that are drawn of it and the attention to each."""


def open_block(
    draft: Draft, asked: TracedRequest, layer: int, position: int, values: SourceValues
) -> None:
    """Draw the inside of one block at one position on the route.

    Args:
        draft: Drawn on; holds the block's residuals, attn and mlp already (``route.draw_layer``).
        asked: What is asked.
        layer: The block.
        position: The position.
        values: The layer's (``projections.values_by_source``).
    """
    draw_norms(draft, asked, layer, position)
    draw_heads(draft, asked, layer, position, values, asked.request.heads)
    draw_neurons(draft, asked, layer, position)
    mlp = asked.architecture.blocks[layer].mlp
    if isinstance(mlp, Experts):
        draw_experts(draft, asked, layer, position)
    else:
        counts = (asked.request.memories, asked.request.anti_memories)
        draw_memories(draft, asked, mlp, layer, position, counts)


def draw_strongest(draft: Draft, asked: TracedRequest, layer: int, values: SourceValues) -> None:
    """Draw those of the strongest parts of the whole model whose block is not opened.

    Heads come with their queries, sources and rest, memories with their keys and rest; an MLP's
    own node is on the route.

    Args:
        draft: Drawn on; the positions are on the route already.
        asked: What is asked.
        layer: The layer.
        values: The layer's.
    """
    mlp = asked.architecture.blocks[layer].mlp
    for position, kinds in sorted(asked.strongest.positions_at(layer).items()):
        if (layer, position) in asked.opened:
            continue
        inside = kinds - {NodeKind.MLP}
        if inside:
            draw_norms(draft, asked, layer, position, inside)
        if NodeKind.HEAD in kinds:
            draw_heads(draft, asked, layer, position, values, 0)
        if NodeKind.MEMORY_VALUE in kinds and isinstance(mlp, Mlp):
            draw_memories(draft, asked, mlp, layer, position, (0, 0))


def draw_norms(
    draft: Draft,
    asked: TracedRequest,
    layer: int,
    position: int,
    inside: Set[NodeKind] = frozenset({NodeKind.HEAD, NodeKind.MEMORY_VALUE}),
) -> None:
    """Draw what is read through norms; a model without one has no node for it.

    Args:
        draft: Drawn on.
        asked: What is asked.
        layer: The block.
        position: The position.
        inside: Whether heads are drawn, which read the first norm, or memories, the second.
    """
    recorded, flows = asked.trace.layers[layer], asked.flow.layers[layer]
    ln1, ln2 = read_by_attention_id(asked, layer, position), read_by_mlp_id(asked, layer, position)
    into_attn, into_mlp = (asked.flow_at(of, position) for of in (flows.into_attn, flows.into_mlp))
    into_ln1 = into_attn + into_mlp if ln1 == ln2 else into_attn
    before_mlp = residual_before_mlp_id(asked, layer, position)
    for reader, id_, normed, source, flow in (
        (NodeKind.HEAD, ln1, recorded.ln1, resid_pre_id(layer, position), into_ln1),
        (
            NodeKind.MEMORY_VALUE,
            ln2,
            recorded.ln2,
            before_mlp,
            into_ln1 if ln1 == ln2 else into_mlp,
        ),
    ):
        if reader in inside and id_ != source:
            vector = normed[position].to(ledger_dtype(normed))
            draft.add_node(id_, vector)
            size = float(vector.norm())
            draft.add_edge(Edge(source, id_, EdgeKind.NORMALIZES, norm=size, flow=flow))


def draw_heads(
    draft: Draft,
    asked: TracedRequest,
    layer: int,
    position: int,
    values: SourceValues,
    count: int,
) -> None:
    """The heads ledger of attn, and in each drawn head its query and its sources ledger.

    Args:
        draft: Drawn on; holds the attn already.
        asked: What is asked.
        layer: The block.
        position: The position.
        values: The layer's.
        count: How many heads are drawn beside those that are among the strongest of all.
    """
    recorded, attention = asked.trace.layers[layer], asked.architecture.blocks[layer].attention
    like = values.v
    outputs = circuits.head_outputs(recorded.z[position].to(like), values.w_o)
    outputs = apply_gain(outputs, recorded.attn_gain, position)
    bias = attention.b_o
    if bias is not None:
        bias = apply_gain(bias.to(like), recorded.attn_gain, position)
    n_heads, whole = len(outputs), recorded.attn_out[position].to(like)
    parts = outputs if bias is None else torch.cat([outputs, bias[None]])
    draft.note_error(audit_residual(parts.sum(0), whole))
    gradient = asked.gradient_of_attn(layer, position)
    lines = lines_from_vectors(parts, whole, asked.direction_at(position), gradient)
    attn = NodeId(NodeKind.ATTN, position, layer)
    ranked = lines.select(torch.arange(n_heads))
    effects = asked.measured.among(NodeKind.HEAD, layer, position, range(n_heads), ranked.norm)
    strength = ranked.strength(asked.request.rank_by, effects)
    chosen = circuits.strongest(strength, count)
    chosen = add_chosen(chosen, asked.strongest.heads_at(layer, position))

    ids = [
        draft.add_node(NodeId(NodeKind.HEAD, position, layer, head=head), outputs[head])
        for head in chosen.tolist()
    ]
    draft.add_ledger(Ledger.HEADS, attn, ids, lines.select(chosen))
    if bias is not None:
        bias_id = draft.add_node(NodeId(NodeKind.ATTN_BIAS, position, layer), bias)
        draft.add_ledger(Ledger.HEADS, attn, [bias_id], lines.select(torch.tensor([n_heads])))
    left_out = circuits.others(chosen, n_heads)
    rest_id = NodeId(NodeKind.HEADS_REST, position, layer)
    draft.add_rest(Ledger.HEADS, attn, rest_id, lines.select(left_out), outputs[left_out].sum(0))
    drawn = _draw_sources(draft, asked, layer, position, set(chosen.tolist()), outputs, values)
    _draw_queries(draft, asked, layer, position, drawn)


def _draw_queries(
    draft: Draft, asked: TracedRequest, layer: int, position: int, drawn: Drawn
) -> None:
    """Draw some heads' query directions, and the keys of their drawn sources that they match."""
    attention = asked.architecture.blocks[layer].attention
    queries = queries_at(asked.architecture, asked.trace, layer, position)
    read_from = sorted({source for sources, _ in drawn.values() for source in sources})
    keys = keys_by_source(asked.architecture, asked.trace, layer, read_from)
    read = read_by_attention_id(asked, layer, position)
    # Directions are read, not added up: the lens's dtype is wide enough for them.
    dtype = reading_dtype(attention.w_q.dtype)
    for head, (sources, attentions) in drawn.items():
        kv_head = head * len(keys) // len(queries)  # as circuits.repeat_kv_heads has it
        w_k = pull_back_through_norm(attention.w_k[kv_head].to(dtype), attention.k_norm, kv_head)
        w_q = pull_back_through_norm(attention.w_q[head].to(dtype), attention.q_norm, head)
        offered = keys[kv_head, [read_from.index(source) for source in sources]].to(dtype)
        seeks = circuits.query_directions(queries[head, None].to(dtype), w_k[None])[0]
        found_by = circuits.key_directions(offered[None], w_q[None])[0]
        query = draft.add_node(NodeId(NodeKind.QUERY, position, layer, head=head), seeks)
        draft.add_edge(Edge(read, query, EdgeKind.READS))
        _draw_scores(draft, query, sources, found_by, attentions)


def _draw_sources(
    draft: Draft,
    asked: TracedRequest,
    layer: int,
    position: int,
    heads: set[int],
    outputs: Float[Tensor, "head d_model"],
    values: SourceValues,
) -> Drawn:
    """The sources ledgers of some heads, whose parts are ``attention · v · W_O``.

    Args:
        draft: Holds the heads already.
        asked: What is asked.
        layer: The block.
        position: The position.
        heads: Which are drawn.
        outputs: What every head of the layer writes.
        values: The layer's.
    """
    recorded, direction = asked.trace.layers[layer], asked.direction_at(position)
    gradient = asked.gradient_of_attn(layer, position)
    gain = value_gain(asked.architecture, asked.trace, layer)
    n_sources, drawn = position + 1, Drawn()
    step = max(1, WIDENED_ELEMENTS // (n_sources * outputs.shape[1]))
    for start in range(0, len(outputs), step):
        some = slice(start, start + step)
        chosen = sorted(heads & set(range(len(outputs))[some]))
        if not chosen:
            continue
        rows = torch.tensor(chosen, device=outputs.device) - start
        pattern = recorded.attention[some, position, :n_sources]
        given = values.write(slice(n_sources), some)
        written = apply_gain(given, recorded.attn_gain, position)
        parts = pattern.to(written).unsqueeze(2) * written
        draft.note_error(audit_residual(parts.sum(1), outputs[some]))
        lines = lines_from_vectors(parts, outputs[some], direction, gradient).select(rows)
        ids = [NodeId(NodeKind.HEAD, position, layer, head=head) for head in chosen]
        read = given[rows] if gain is None else given[rows] * gain
        ledgers = _draw_sources_of(draft, asked, ids, lines, pattern[rows], read, parts[rows])
        drawn |= zip(chosen, ledgers, strict=True)
    return drawn


def _draw_sources_of(
    draft: Draft,
    asked: TracedRequest,
    heads: list[NodeId],
    lines: Lines,
    pattern: Float[Tensor, "head source"],
    read: Float[Tensor, "head source d_model"],
    parts: Float[Tensor, "head source d_model"],
) -> list[tuple[list[int], list[float]]]:
    """The ledger of each head; returns the sources that are drawn, and the attention to each.

    Args:
        draft: Holds the heads already.
        asked: What is asked.
        heads: Whose ledgers they are.
        lines: Of every part.
        pattern: The attention to each source.
        read: The vector that each value is read as, which is the same for every reader.
        parts: What each source adds to its head.
    """
    chosen = circuits.strongest(lines.strength(asked.request.rank_by), asked.request.sources)
    left_out = circuits.others(chosen, parts.shape[1])
    rests = parts.take_along_dim(left_out.unsqueeze(2), dim=1).sum(1)
    chosen_lines, rest_lines = lines.gather(chosen), lines.gather(left_out)
    found = list(zip(chosen.tolist(), pattern.gather(1, chosen).tolist(), strict=True))
    for row, (head, (sources, attentions)) in enumerate(zip(heads, found, strict=True)):
        ids = [
            draft.add_node(
                NodeId(NodeKind.VALUE, source, head.layer, head=head.head), read[row, source]
            )
            for source in sources
        ]
        draft.add_ledger(Ledger.SOURCES, head, ids, chosen_lines.select(row), attentions)
        rest_id = replace(head, kind=NodeKind.SOURCES_REST)
        draft.add_rest(Ledger.SOURCES, head, rest_id, rest_lines.select(row), rests[row])
    return found


def _draw_scores(
    draft: Draft,
    query: NodeId,
    sources: list[int],
    found_by: Float[Tensor, "source d_model"],
    attentions: list[float],
) -> None:
    """One query's drawn keys, and how they lead to their values."""
    layer, head = query.layer, query.head
    assert layer is not None
    for row, (source, attention) in enumerate(zip(sources, attentions, strict=True)):
        key = draft.add_node(NodeId(NodeKind.KEY, source, layer, head=head), found_by[row])
        value = NodeId(NodeKind.VALUE, source, layer, head=head)
        draft.add_edge(Edge(resid_pre_id(layer, source), key, EdgeKind.READS))
        draft.add_edge(Edge(query, key, EdgeKind.SCORES, attention=attention))
        # Every reader of the source shares this edge, so no reader's attention stands on it.
        draft.add_edge(Edge(key, value, EdgeKind.WEIGHS))

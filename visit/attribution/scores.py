"""Why a head attends: one score as a sum over the parts upstream, on the query's and key's side.

1. A score is ``q · R_i R_jᵀ · k · scale``, plus what the model adds for the positions. With the
   scales of all norms held (the layer's, and those of queries and keys) a query is linear in the
   residual at the reader, and a key in the residual at the source.
2. Both residuals are sums of what was written there: the embedding, every earlier head, attention's
   biases and MLPs. The norm's bias and the projection's own are parts as well.
3. So each part of the query has a share of the score, and each part of the key, and each pair.
4. Softmax sees only differences. A score here, and a part of one, is taken against its mean over
   the sources that the reader sees, so that what all sources share is gone.

A score's soft-cap (Gemma 2) is no sum; what is taken apart is the score before it.

Source: the QK circuit, Elhage et al. 2021; path patching to queries and keys, Wang et al. 2022.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from visit.attribution.circuits import head_outputs
from visit.attribution.ledgers import apply_gain
from visit.attribution.scored import ScoredHead
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.models.architectures import Architecture
from visit.models.architectures.base import Block, Norm
from visit.tracing.hooks import LayerTrace
from visit.tracing.trace import Trace

NUMBERS_AT_ONCE = 2**20
"""How many numbers of parts' queries, or of their keys, are made at once at most."""

_Parts = tuple[Float[Tensor, "reader part d_head"], Float[Tensor, "source part d_head"]]


@dataclass(frozen=True, slots=True)
class ScoreSplit:
    """The scores of one head's readers, by part; all against their mean over what a reader sees.

    Attributes:
        scores: Of each source, before any cap.
        bias: What of that is for the positions alone; zero where the model adds nothing.
        query: What each part of the reader's query adds. With ``bias`` they are the score.
        key: Likewise each part of the source's key.
        pairs: Of the one source that was named, what each part of the query makes with each of the
            key: a row adds to the query's part, a column to the key's. ``None`` if none was named.
    """

    scores: Float[Tensor, "reader source"]
    bias: Float[Tensor, "reader source"]
    query: Float[Tensor, "reader part source"]
    key: Float[Tensor, "reader part source"]
    pairs: Float[Tensor, "reader query_part key_part"] | None


def list_parts(
    architecture: Architecture, layer: int, head: int, position: int, side: NodeKind
) -> list[NodeId]:
    """What a head's query, or key, is made of at a position, in the order of ``ScoreSplit``.

    The norm of the layer stands for its bias, and the query or key for its own.

    Args:
        architecture: The model.
        layer: The head's layer.
        head: Its number.
        position: Where the query or the key is.
        side: Which it is: ``NodeKind.QUERY`` or ``NodeKind.KEY``.
    """
    parts = [NodeId(NodeKind.EMBED, position)]
    for number, block in enumerate(architecture.outline[:layer]):
        heads = range(architecture.sizes.n_heads)
        parts += [NodeId(NodeKind.HEAD, position, number, head=each) for each in heads]
        if block.attention.b_o is not None:
            parts.append(NodeId(NodeKind.ATTN_BIAS, position, number))
        parts.append(NodeId(NodeKind.MLP, position, number))
    ln1 = architecture.outline[layer].ln1
    if ln1 is not None and ln1.bias is not None:
        parts.append(NodeId(NodeKind.LN1, position, layer))
    if _has_own_bias(architecture.outline[layer]):
        parts.append(NodeId(side, position, layer, head=head))
    return parts


def is_constant(part: NodeId) -> bool:
    """Whether a part of ``list_parts`` is a bias that no residual holds."""
    return part.kind in (NodeKind.LN1, NodeKind.QUERY, NodeKind.KEY)


def _has_own_bias(block: Block) -> bool:
    attention = block.attention
    norms = [norm.bias for norm in (attention.q_norm, attention.k_norm) if norm is not None]
    return any(bias is not None for bias in (attention.b_q, attention.b_k, *norms))


def split_scores(
    architecture: Architecture,
    trace: Trace,
    scored: ScoredHead,
    readers: Sequence[int],
    source: int | None = None,
) -> ScoreSplit:
    """The scores of some readers of one head, taken apart, for every source.

    Sources are all positions up to the last reader. What a reader does not see means nothing.

    Args:
        architecture: The model.
        trace: The forward pass.
        scored: The head (``scored.score_head``).
        readers: The positions that read.
        source: The one that pairs are taken of.
    """
    n_sources, rows = max(readers) + 1, list(readers)
    seen = scored.seen[rows, :n_sources]
    q, k = scored.query.whole[rows] * scored.scale, scored.key.whole[:n_sources] * scored.scale
    mean = seen.to(k) / seen.sum(-1, keepdim=True)
    offered = (k - (mean @ k).unsqueeze(1)).transpose(1, 2)
    n_parts = len(list_parts(architecture, scored.layer, scored.head, 0, NodeKind.QUERY))
    query = q.new_empty(len(rows), n_parts, n_sources)
    key = q.new_empty(len(rows), n_sources, n_parts)
    queries, keys, done = list[Tensor](), list[Tensor](), 0
    for q_parts, k_parts in _project(architecture, trace, scored, rows, n_sources):
        some = slice(done, done + q_parts.shape[1])
        torch.bmm(q_parts, offered, out=query[:, some])
        key[:, :, some] = (q @ k_parts.flatten(0, 1).T).unflatten(1, k_parts.shape[:2])
        done = some.stop
        if source is not None:
            queries.append(q_parts)
            keys.append(k_parts[source] - torch.einsum("rs,spd->rpd", mean, k_parts))
    pairs: Tensor | None = None
    if source is not None:
        pairs = torch.einsum("rpd,rqd->rpq", torch.cat(queries, 1), torch.cat(keys, 1))
        pairs *= scored.scale
    key -= mean.unsqueeze(1) @ key
    return ScoreSplit(
        scores=less_mean(scored.scores[rows, :n_sources], seen),
        bias=less_mean(scored.bias[rows, :n_sources], seen),
        query=query,
        key=key.transpose(1, 2),
        pairs=pairs,
    )


def less_mean(
    scores: Float[Tensor, "*any source"], seen: Bool[Tensor, "*some source"]
) -> Float[Tensor, "*any source"]:
    """Scores less their mean over the sources that are seen."""
    mean = (scores * seen).sum(-1, keepdim=True) / seen.sum(-1, keepdim=True)
    return scores - mean


def written_at(
    architecture: Architecture, trace: Trace, layer: int, position: int, dtype: torch.dtype
) -> Float[Tensor, "part d_model"]:
    """What was written into the residual that a layer reads at a position.

    The parts of ``list_parts`` in its order, without those that no residual holds.
    """
    written = [trace.residuals[0][position].to(dtype).unsqueeze(0)]
    for number in range(layer):
        attention, recorded = architecture.blocks[number].attention, trace.layers[number]
        parts = head_outputs(recorded.z[position].to(dtype), attention.w_o.to(dtype))
        if attention.b_o is not None:
            parts = torch.cat([parts, attention.b_o.to(parts).unsqueeze(0)])
        parts = apply_gain(parts, recorded.attn_gain, position)
        written += [parts, recorded.mlp_out[position].to(dtype).unsqueeze(0)]
    return torch.cat(written)


def _project(
    architecture: Architecture,
    trace: Trace,
    scored: ScoredHead,
    readers: list[int],
    n_sources: int,
) -> Iterator[_Parts]:
    """Every part's query at the readers and its key at the sources, some parts at a time."""
    sources = list(range(n_sources))
    query, key = scored.query, scored.key

    def finish(parts: list[Float[Tensor, "_pos part _wide"]]) -> _Parts:
        of_query, of_key = parts if len(parts) > 1 else parts[0].chunk(2, -1)
        return query.finish(of_query, readers), key.finish(of_key, sources)

    jobs = [(query.weight, readers), (key.weight, sources)]
    if readers == sources:  # the weights of layers are then read once for both
        jobs = [(torch.cat([query.weight, key.weight], 1), sources)]
    embeddings = trace.residuals[0].to(query.weight)
    yield finish([(embeddings[places] @ weight).unsqueeze(1) for weight, places in jobs])
    for layers in _at_once(architecture, scored.layer, n_sources):
        n_written = [_count_written(architecture.outline[number]) for number in layers]
        made = [weight.new_empty(len(at), sum(n_written), weight.shape[1]) for weight, at in jobs]
        of_layers = zip(*(parts.split(n_written, dim=1) for parts in made), strict=True)
        for number, of_layer in zip(layers, of_layers, strict=True):
            block, recorded = architecture.blocks[number], trace.layers[number]
            for (weight, places), parts in zip(jobs, of_layer, strict=True):
                _project_layer(block, recorded, weight, places, parts)
        yield finish(made)
    if len(query.constants):
        yield query.constant_parts(readers), key.constant_parts(sources)


def _at_once(architecture: Architecture, n_layers: int, n_positions: int) -> Iterator[range]:
    """The layers below one, so many at a time as ``NUMBERS_AT_ONCE`` allows."""
    sizes = architecture.sizes
    step = max(1, NUMBERS_AT_ONCE // (n_positions * (sizes.n_heads + 2) * sizes.d_head))
    for begin in range(0, n_layers, step):
        yield range(begin, min(begin + step, n_layers))


def _count_written(block: Block) -> int:
    """How many parts a layer writes: its heads, attention's bias if it has one, and its MLP."""
    return len(block.attention.w_o) + (block.attention.b_o is not None) + 1


def _project_layer(
    block: Block,
    recorded: LayerTrace,
    weight: Float[Tensor, "d_model wide"],
    positions: list[int],
    parts: Float[Tensor, "some_pos part wide"],
) -> None:
    """What a layer wrote at some positions, times weights: heads, attention's bias, MLP.

    Of many positions, the weights are multiplied with each other first, so that no head's vector is
    made anywhere; of few, that would be the longer way.

    Args:
        block: The layer.
        recorded: What it wrote.
        weight: Of queries, of keys, or of both side by side.
        positions: Where.
        parts: What it is written into.
    """
    attention, places = block.attention, _as_slice(positions)
    gain, scale = _gain_and_scale(block.attn_norm, block.write_scale, recorded.attn_gain)
    gained = weight if gain is None else weight * gain.to(weight).unsqueeze(1)
    w_o, bias = attention.w_o.to(weight), attention.b_o
    z = recorded.z[places].to(weight).transpose(0, 1)
    (n_heads, d_value, _), width = w_o.shape, weight.shape[1]
    heads = parts[:, :n_heads].transpose(0, 1)
    if len(positions) * (d_value + width) < d_value * width:
        heads[:] = z @ w_o @ gained
    else:
        through = (w_o.flatten(0, 1) @ gained).unflatten(0, (n_heads, d_value))
        torch.bmm(z, through, out=heads)
    if bias is not None:
        parts[:, n_heads] = gained.T @ bias.to(weight)
    if scale is not None:
        parts[:, :-1] *= scale[places].to(parts).view(-1, 1, 1)
    torch.mm(recorded.mlp_out[places].to(weight), weight, out=parts[:, -1])


def _as_slice(positions: list[int]) -> slice | list[int]:
    """Positions that follow each other as a slice, which copies nothing."""
    first, last = positions[0], positions[-1]
    return slice(first, last + 1) if positions == list(range(first, last + 1)) else positions


def _gain_and_scale(
    norm: Norm | None, write_scale: float, recorded: Float[Tensor, "pos d_model"] | None
) -> tuple[Tensor | None, Tensor | None]:
    """What lies behind an output projection, as one gain and each position's own scale."""
    if recorded is None:
        return None, None
    gain = torch.full_like(recorded[0], write_scale)
    if norm is not None:
        gain = gain * norm.gain.to(gain)
    return gain, recorded @ gain / (gain @ gain)

"""Whether a head says what the residual stream says: the vectors of one layer, and how to compare.

Source: Katz & Belinkov 2023, sections 3 and 4, appendix D: ``I_k(a, b)``.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.attribution.circuits import (
    head_outputs,
    key_directions,
    query_directions,
    repeat_kv_heads,
    strongest,
)
from visit.attribution.projections import (
    keys_of,
    pull_back_through_norm,
    queries_of,
    values_of,
)
from visit.models.architectures.base import Attention, Block
from visit.tracing.padded import Padded, PaddedLayer


def overlap(a: Int[Tensor, "*batch k"], b: Int[Tensor, "*batch_of_b k"]) -> Float[Tensor, " *all"]:
    """The part of the tokens of one list that stand in the other too: ``|a ∩ b| / k``.

    Args:
        a: Token ids, none twice in a row.
        b: Likewise; its leading axes are broadcast.
    """
    leading = torch.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    ordered = b.sort(-1).values.expand(*leading, -1).contiguous()
    sought = a.expand(*leading, -1).contiguous()
    place = torch.searchsorted(ordered, sought).clamp_(max=ordered.shape[-1] - 1)
    shared: Tensor = (ordered.gather(-1, place) == sought).sum(-1)
    return shared / a.shape[-1]


def write_heads(
    block: Block, prompts: Padded, layer: PaddedLayer
) -> Float[Tensor, "prompt head d_model"]:
    """What each head writes into the residual stream at the last positions."""
    z = prompts.last(layer.z)
    return _through(prompts, layer, head_outputs(z, block.attention.w_o.to(z)))


def bare_heads(
    block: Block, prompts: Padded, layer: PaddedLayer
) -> Float[Tensor, "prompt head d_model"] | None:
    """Each head before ``W_O``: its ``z`` where it stands among the others', zero elsewhere.

    ``None`` where the heads together are not as wide as the residual stream.
    """
    z = prompts.last(layer.z)
    n_heads, d_head = z.shape[1:]
    if n_heads * d_head != layer.resid_pre.shape[-1]:
        return None
    apart: Tensor = torch.eye(n_heads).to(z).unsqueeze(-1) * z.unsqueeze(-2)
    return apart.flatten(-2)


def attended(prompts: Padded, layer: PaddedLayer, count: int) -> Int[Tensor, "prompt head rank"]:
    """The sources that each head attends to most from the last positions, most first."""
    return strongest(_patterns_at_last(prompts, layer), count)


def write_values(
    block: Block, prompts: Padded, layer: PaddedLayer, sources: Int[Tensor, "prompt head rank"]
) -> Float[Tensor, "prompt head rank d_model"]:
    """What each head would write if it attended to one of those sources alone: ``v · W_O``."""
    n_prompts, n_positions = layer.ln1.shape[:2]
    v = values_of(block.attention, layer.ln1.flatten(0, 1)).unflatten(1, (n_prompts, n_positions))
    v = v.transpose(0, 1)
    taken = v.gather(2, sources.unsqueeze(-1).expand(-1, -1, -1, v.shape[-1]))
    written = torch.einsum("phrd,hdm->phrm", taken, block.attention.w_o.to(taken))
    return _through(prompts, layer, written)


def match_keys(
    block: Block, prompts: Padded, layer: PaddedLayer, sources: Int[Tensor, "prompt head"]
) -> tuple[Float[Tensor, "prompt head d_model"], Float[Tensor, "prompt head d_model"]]:
    """What each head looks for at the last positions, and what a source of it offers to that.

    Both are directions among normed residuals, the rotation left out.
    """
    attention = block.attention
    n_prompts, n_positions = layer.ln1.shape[:2]
    q = queries_of(attention, prompts.last(layer.ln1))
    k = keys_of(attention, layer.ln1.flatten(0, 1)).unflatten(1, (n_prompts, n_positions))
    k = repeat_kv_heads(k, len(q))
    taken = k.gather(2, sources.T[..., None, None].expand(-1, -1, 1, k.shape[-1])).squeeze(2)
    w_k, w_q = _pulled_back(attention, q)
    seeks = torch.stack([query_directions(one, w_k) for one in q.unbind(1)])
    offered = key_directions(taken, w_q).transpose(0, 1)
    return seeks, offered


def _pulled_back(attention: Attention, like: Tensor) -> tuple[Tensor, Tensor]:
    """Key and query weights of every head, with the gains of the norms behind them."""
    n_heads = len(attention.w_q)
    w_k = [
        pull_back_through_norm(one.to(like), attention.k_norm, kv_head)
        for kv_head, one in enumerate(attention.w_k)
    ]
    w_q = [
        pull_back_through_norm(one.to(like), attention.q_norm, head)
        for head, one in enumerate(attention.w_q)
    ]
    return repeat_kv_heads(torch.stack(w_k), n_heads), torch.stack(w_q)


def _patterns_at_last(prompts: Padded, layer: PaddedLayer) -> Float[Tensor, "prompt head source"]:
    return prompts.last(layer.attention.transpose(1, 2))


def _through(prompts: Padded, layer: PaddedLayer, parts: Tensor) -> Tensor:
    """Parts of what attention makes as parts of what it writes, past an output norm's scale."""
    if layer.attn_gain is None:
        return parts
    gain = prompts.last(layer.attn_gain).to(parts)
    return parts * gain.view(len(gain), *(1,) * (parts.ndim - 2), -1)

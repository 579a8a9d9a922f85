"""Pure tensor functions on the circuits of a transformer.

They compute what heads look for and sources offer (QK), and what each part writes (OV, MLP).

Nothing here knows a model, a hook or a graph. Weights are always ``x @ W``. Axes are named as in
design.md: ``position source layer head kv_head d_model d_head d_mlp``.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from visit.tracing.ties import find_greatest


def repeat_kv_heads(
    per_kv_head: Float[Tensor, " kv_head *rest"], n_heads: int
) -> Float[Tensor, " head *rest"]:
    """One entry per query head, where several query heads share a key-value head (GQA, MQA).

    Raises:
        ValueError: the query heads do not divide evenly among the key-value heads.
    """
    n_kv_heads = len(per_kv_head)
    if n_heads % n_kv_heads:
        raise ValueError(f"{n_heads} query heads cannot share {n_kv_heads} key-value heads evenly")
    return per_kv_head.repeat_interleave(n_heads // n_kv_heads, dim=0)


def query_directions(
    q: Float[Tensor, "head d_head"], w_k: Float[Tensor, "key_head d_model d_head"]
) -> Float[Tensor, "head d_model"]:
    """What each head looks for, as a direction in the (normed) residual stream.

    Its dot product with a source's normed residual is the attention score before the score's
    scale (mostly 1/sqrt(d_head)), without the key bias and before any rotary embedding.

    Raises:
        ValueError: the head counts differ; repeat the key heads first (GQA).

    Source: the QK circuit, Elhage et al. 2021. Upstream VISIT transposes w_k for GPT-2.
    """
    if len(q) != len(w_k):
        raise ValueError(
            f"{len(q)} query heads but {len(w_k)} key heads; repeat the key heads first"
        )
    return (w_k @ q.unsqueeze(-1)).squeeze(-1)


def key_directions(
    k: Float[Tensor, "head source d_head"], w_q: Float[Tensor, "query_head d_model d_head"]
) -> Float[Tensor, "head source d_model"]:
    """What each source offers to be found by, as directions in the (normed) residual stream.

    Its dot product with the reader's normed residual is the score before the score's scale,
    without the query bias and before any rotary embedding.

    Raises:
        ValueError: the head counts differ; repeat the key heads first (GQA).

    Source: the QK circuit, Elhage et al. 2021. Upstream VISIT transposes w_q for nn.Linear models.
    """
    if len(k) != len(w_q):
        raise ValueError(
            f"{len(k)} key heads but {len(w_q)} query heads; repeat the key heads first"
        )
    return k @ w_q.transpose(1, 2)


def head_outputs(
    z: Float[Tensor, "*batch head d_head"], w_o: Float[Tensor, "head d_head d_model"]
) -> Float[Tensor, "*batch head d_model"]:
    """What each head writes into the residual stream, without the output bias.

    Source: Elhage et al. 2021, "attention heads are independent and additive".
    """
    return (z.unsqueeze(-2) @ w_o).squeeze(-2)


def source_values(
    v: Float[Tensor, "head source d_head"], w_o: Float[Tensor, "head d_head d_model"]
) -> Float[Tensor, "head source d_model"]:
    """What each head would write if it attended to one source alone: ``v · W_O``.

    Source: the OV circuit, Elhage et al. 2021.
    """
    return v @ w_o


def position_parts(
    attention: Float[Tensor, "reader head source"],
    values: Float[Tensor, "head source d_model"],
) -> Float[Tensor, "reader source d_model"]:
    """What each reader gets from each source through all heads together, without the bias."""
    return torch.einsum("rhs,hsm->rsm", attention, values)


def shares(
    parts: Float[Tensor, "*batch part d_model"], whole: Float[Tensor, "*batch d_model"]
) -> Float[Tensor, "*batch part"]:
    """The signed part of the whole that each part makes: ``<part, whole> / <whole, whole>``.

    They add up to 1 where the parts add up to the whole. A whole of zero has shares of zero.
    """
    size = (whole * whole).sum(-1, keepdim=True)
    along = (parts @ whole.unsqueeze(-1)).squeeze(-1)
    return torch.where(size > 0, along / size.where(size > 0, torch.ones_like(size)), 0.0)


def proximities(
    parts: Float[Tensor, "*batch part d_model"], whole: Float[Tensor, "*batch d_model"]
) -> Float[Tensor, "*batch part"]:
    """How close each part alone comes to the whole: ``max(‖y‖₁ - ‖y - part‖₁, 0)``, adding to 1.

    All are zero if no part alone is closer to the whole than zero is.

    Source: Ferrando & Voita 2024, equations 4 and 5; the LLM Transparency Tool.
    """
    return normalize_to_one(closeness(parts, whole))


def closeness(
    parts: Float[Tensor, "*batch part d_model"], whole: Float[Tensor, "*batch d_model"]
) -> Float[Tensor, "*batch part"]:
    """The same before it is made to add to 1, so that some parts can be taken without the rest."""
    distance: Tensor = torch.linalg.vector_norm(whole.unsqueeze(-2) - parts, ord=1, dim=-1)
    return (whole.abs().sum(-1, keepdim=True) - distance).clamp_min(0)


def normalize_to_one(amounts: Float[Tensor, "*batch part"]) -> Float[Tensor, "*batch part"]:
    """Amounts, none negative, as parts of their sum; all zero where that is zero."""
    total = amounts.sum(-1, keepdim=True)
    return amounts / total.where(total > 0, torch.ones_like(total))


def parts_of(amounts: Float[Tensor, "*batch part"], total: float) -> Float[Tensor, "*batch part"]:
    """Amounts as parts of a total, none above 1; all zero where that is zero."""
    return (amounts / total).clamp_max(1.0) if total > 0 else torch.zeros_like(amounts)


def strongest(strength: Float[Tensor, "*batch part"], count: int) -> Int[Tensor, "*batch chosen"]:
    """The ``count`` parts of greatest strength, strongest first; fewer where there are fewer.

    Of parts that are equally strong, the first.
    """
    return find_greatest(strength, count)


def strongest_of_either_sign(
    signed: Float[Tensor, " part"], n_positive: int, n_negative: int
) -> Int[Tensor, " chosen"]:
    """The strongest parts that push along, then the strongest that push against.

    A part of zero pushes in neither direction and is never chosen.

    Source: VISIT draws the 18 most positive and the 7 most negative memories.
    """
    along, against = strongest(signed, n_positive), strongest(-signed, n_negative)
    return torch.cat([along[signed[along] > 0], against[signed[against] < 0]])


def others(chosen: Int[Tensor, "*batch chosen"], count: int) -> Int[Tensor, "*batch other"]:
    """The places from 0 to ``count`` that were not chosen, in order. None is chosen twice."""
    is_other = torch.ones((*chosen.shape[:-1], count), dtype=torch.bool, device=chosen.device)
    places = is_other.scatter_(-1, chosen, value=False).nonzero()[:, -1]
    return places.view(*chosen.shape[:-1], count - chosen.shape[-1])

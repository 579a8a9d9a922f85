"""The shapes that transformers keeps weights in, read in the one orientation of ``base``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor

from visit.models.architectures.base import Attention, Mlp, Norm


def layer_norm(module: Any) -> Norm:
    """An ``nn.LayerNorm``."""
    return Norm(module, module.weight, module.bias, module.eps, centers=True)


def rms_norm(module: Any, *, offset: float = 0.0) -> Norm:
    """An RMSNorm; Gemma's keep the gain less one, an ``offset`` of 1."""
    epsilon = getattr(module, "variance_epsilon", None) or module.eps
    gain = module.weight + offset if offset else module.weight
    return Norm(module, gain, None, epsilon, centers=False)


def weight_by_head(linear: Any, d_head: int) -> Float[Tensor, "any_head d_model d_head"]:
    """``nn.Linear`` keeps ``[head d_head, d_model]``; we want ``[head, d_model, d_head]``."""
    weight: Tensor = linear.weight.unflatten(0, (-1, d_head)).transpose(1, 2)
    return weight


def bias_by_head(linear: Any, d_head: int) -> Float[Tensor, "any_head d_head"] | None:
    """The bias of the same, or ``None``."""
    return None if linear.bias is None else linear.bias.unflatten(0, (-1, d_head))


def separate_attention(
    module: Any,
    output: Any,
    d_head: int,
    *,
    score_scale: float,
    rotary: bool,
    q_norm: Norm | None = None,
    k_norm: Norm | None = None,
    interleaved: bool = False,
    score_cap: float | None = None,
) -> Attention:
    """Attention whose ``q_proj``, ``k_proj`` and ``v_proj`` are ``nn.Linear`` each."""
    return Attention(
        module=module,
        output=output,
        w_q=weight_by_head(module.q_proj, d_head),
        w_k=weight_by_head(module.k_proj, d_head),
        w_v=weight_by_head(module.v_proj, d_head),
        w_o=output.weight.T.unflatten(0, (-1, d_head)),
        b_q=bias_by_head(module.q_proj, d_head),
        b_k=bias_by_head(module.k_proj, d_head),
        b_v=bias_by_head(module.v_proj, d_head),
        b_o=output.bias,
        score_scale=score_scale,
        rotary=rotary,
        q_norm=q_norm,
        k_norm=k_norm,
        interleaved=interleaved,
        score_cap=score_cap,
    )


def fused_attention(
    module: Any,
    output: Any,
    fused: Any,
    n_groups: int,
    d_head: int,
    *,
    score_scale: float,
    rotary: bool,
    alibi_scale: float | None = None,
) -> Attention:
    """Attention with one ``nn.Linear`` whose rows are, group by group, queries, a key, a value.

    A group is the query heads that share a key-value head; each head is its own group where none
    do (GPT-NeoX, BLOOM), all are one in multi-query attention (Falcon-7B).
    """

    def split(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grouped = rows.unflatten(0, (n_groups, -1, d_head))
        return grouped[:, :-2].flatten(0, 1), grouped[:, -2], grouped[:, -1]

    w_q, w_k, w_v = (weight.transpose(1, 2) for weight in split(fused.weight))
    b_q, b_k, b_v = (None, None, None) if fused.bias is None else split(fused.bias)
    return Attention(
        module=module,
        output=output,
        w_q=w_q,
        w_k=w_k,
        w_v=w_v,
        w_o=output.weight.T.unflatten(0, (-1, d_head)),
        b_q=b_q,
        b_k=b_k,
        b_v=b_v,
        b_o=output.bias,
        score_scale=score_scale,
        rotary=rotary,
        alibi_scale=alibi_scale,
    )


def linear_mlp(
    first: Any, output: Any, act: Callable[[Tensor], Tensor], up: Any | None = None
) -> Mlp:
    """An MLP of ``nn.Linear``.

    Args:
        first: Its projection that says which memories fire: the gate, where there is one. Gate and
            up-projection may be one matrix, the gate first.
        output: Its output projection.
        act: Its activation function.
        up: Its up-projection, if that is a matrix of its own.
    """
    d_mlp = output.weight.shape[1]
    w_up, b_up = None, None
    if up is not None:
        w_up, b_up = up.weight.T, up.bias
    elif len(first.weight) == 2 * d_mlp:
        w_up, b_up = first.weight[d_mlp:].T, None if first.bias is None else first.bias[d_mlp:]
    return Mlp(
        input=first,
        output=output,
        w_in=first.weight[:d_mlp].T,
        w_out=output.weight.T,
        b_in=None if first.bias is None else first.bias[:d_mlp],
        b_out=output.bias,
        act=act,
        w_up=w_up,
        b_up=b_up,
    )

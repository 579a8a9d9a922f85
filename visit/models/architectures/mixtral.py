"""Mixtral and its like: Llama with a mixture of experts in place of the MLP, in some layers or all.

transformers 5 keeps a layer's experts as two 3-D parameters, transformers 4 as a list of modules,
and only in the former does the router hand on its choice; both are read here, as views.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from visit.errors import ModelError
from visit.models.architectures.base import (
    Architecture,
    Expert,
    Experts,
    Family,
    Mlp,
    Routing,
    SharedExpert,
)
from visit.models.architectures.llama import block_with, like_llama
from visit.models.architectures.weights import linear_mlp, rms_norm


def lay_open(model: Any) -> Architecture:
    """The architecture of a Mixtral, Qwen-MoE or OLMoE model.

    Raises:
        ModelError: it clips queries, keys and values, which no released OLMoE does.
    """
    if getattr(model.config, "clip_qkv", None) is not None:
        raise ModelError(
            "OLMoE models that clip queries, keys and values (clip_qkv) are not supported; give "
            "one that does not"
        )
    return like_mixtral(model, FAMILY.name, _mlp)


def like_mixtral(model: Any, family: str, mlp_of: Callable[[Any], Mlp | Experts]) -> Architecture:
    """The architecture of a model that is put together like Mixtral, whatever its mixtures are.

    Args:
        model: The model.
        family: The family's name.
        mlp_of: What stands in a layer's MLP's place.
    """
    blocks = tuple(block_with(block, mlp_of(block)) for block in model.model.layers)
    opened = like_llama(model, family, blocks, rms_norm(model.model.norm))
    mixtures = [block.mlp for block in blocks if isinstance(block.mlp, Experts)]
    if not mixtures:
        return opened
    dense = [block.mlp for block in blocks if isinstance(block.mlp, Mlp)]
    width = dense[0].w_in.shape[1] if dense else mixtures[0].experts[0].w_gate.shape[1]
    sizes = replace(
        opened.sizes,
        d_mlp=width,
        n_experts=len(mixtures[0].experts),
        n_routed=model.config.num_experts_per_tok,
    )
    return replace(opened, sizes=sizes)


def _mlp(block: Any) -> Mlp | Experts:
    # transformers 4 calls Mixtral's mixture otherwise.
    mlp = block.block_sparse_moe if hasattr(block, "block_sparse_moe") else block.mlp
    if hasattr(mlp, "experts"):
        return _mixture(mlp)
    return linear_mlp(mlp.gate_proj, mlp.down_proj, mlp.act_fn, mlp.up_proj)


def _mixture(mlp: Any) -> Experts:
    is_list = isinstance(mlp.experts, nn.ModuleList)

    def routing(said: Any) -> Routing:
        if isinstance(said, tuple):
            _, weights, routed = said
            return weights, routed
        return _routing_from_logits(said, mlp.top_k, getattr(mlp, "norm_topk_prob", True))

    return Experts(
        module=mlp,
        router=mlp.gate,
        routing=routing,
        experts=tuple(map(_read_expert, mlp.experts)) if is_list else stacked_experts(mlp.experts),
        shared=_read_shared_expert(mlp) if hasattr(mlp, "shared_expert") else None,
    )


def _routing_from_logits(logits: Tensor, n_routed: int, renormalised: bool) -> Routing:
    """The choice as transformers 4 makes it of its router's logits, operation by operation.

    Its dtype is float32 there, and the model's own again in the end; a float64 model stays in it.
    """
    wide = torch.float64 if logits.dtype is torch.float64 else torch.float32
    weights, routed = logits.softmax(-1, dtype=wide).topk(n_routed, dim=-1)
    if renormalised:
        weights = weights / weights.sum(-1, keepdim=True)
    return weights.to(logits.dtype), routed


def stacked_experts(experts: Any) -> tuple[Expert, ...]:
    """The experts of a module that stacks their weights."""
    return experts_from_stacks(experts.gate_up_proj, experts.down_proj, experts.act_fn)


def experts_from_stacks(
    gate_up: Float[Tensor, "expert gate_and_up d_model"],
    down: Float[Tensor, "expert d_model d_expert"],
    act: Callable[[Tensor], Tensor],
) -> tuple[Expert, ...]:
    """Experts from stacked weights, each ``nn.Linear``'s way up, gate and up in one."""
    width = down.shape[-1]
    return tuple(
        Expert(one_gate_up[:width].T, one_gate_up[width:].T, one_down.T, act)
        for one_gate_up, one_down in zip(gate_up, down, strict=True)
    )


def _read_expert(expert: Any) -> Expert:
    """An expert that is a module of three ``nn.Linear``; Mixtral's are only numbered."""
    names = ("w1", "w3", "w2") if hasattr(expert, "w1") else ("gate_proj", "up_proj", "down_proj")
    gate, up, down = (getattr(expert, name).weight.T for name in names)
    return Expert(gate, up, down, expert.act_fn)


def _read_shared_expert(mlp: Any) -> SharedExpert:
    return SharedExpert(_read_expert(mlp.shared_expert), mlp.shared_expert_gate.weight[0])


LIMITS = "experts are shown whole, not opened into memories"
FAMILY = Family(
    "Mixtral",
    "Mixtral, Qwen 1.5, 2 and 3 MoE, OLMoE",
    ("mixtral", "qwen2_moe", "qwen3_moe", "olmoe"),
    lay_open,
    limits=LIMITS,
)

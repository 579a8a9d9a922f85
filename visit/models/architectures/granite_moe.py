"""Granite's mixtures of experts: Mixtral with Granite's multipliers and a router of its own.

The router takes the softmax of the chosen logits alone. transformers 5 hands the choice on and
keeps the experts as Mixtral's; transformers 4 keeps them in two modules and tells only the logits.
"""

from __future__ import annotations

from typing import Any

import torch

from visit.models.architectures.base import Architecture, Experts, Family, Routing
from visit.models.architectures.granite import add_multipliers
from visit.models.architectures.mixtral import (
    LIMITS,
    experts_from_stacks,
    like_mixtral,
    stacked_experts,
)


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``GraniteMoeForCausalLM``."""
    return add_multipliers(like_mixtral(model, FAMILY.name, _mixture), model.config)


def _mixture(block: Any) -> Experts:
    mixture = block.block_sparse_moe
    if hasattr(mixture, "experts"):
        experts, router = stacked_experts(mixture.experts), mixture.router
    else:
        gate_up, down = mixture.input_linear.weight, mixture.output_linear.weight
        experts, router = (
            experts_from_stacks(gate_up, down, mixture.activation),
            mixture.router.layer,
        )

    def routing(said: Any) -> Routing:
        if isinstance(said, tuple):
            _, weights, routed = said
            return weights, routed
        wide = torch.float64 if said.dtype is torch.float64 else torch.float32
        logits, routed = said.to(wide).topk(mixture.router.top_k, dim=-1)
        return logits.softmax(-1).to(said.dtype), routed

    return Experts(module=mixture, router=router, routing=routing, experts=experts, shared=None)


FAMILY = Family("Granite MoE", "Granite 3 MoE", ("granitemoe",), lay_open, limits=LIMITS)

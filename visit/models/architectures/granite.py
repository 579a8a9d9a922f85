"""Granite: Llama with multipliers on the embedding, the scores, what is written, and the logits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from visit.models.architectures import llama
from visit.models.architectures.base import Architecture, Family


def lay_open(model: Any) -> Architecture:
    """The architecture of a ``GraniteForCausalLM``."""
    return add_multipliers(replace(llama.lay_open(model), family=FAMILY.name), model.config)


def add_multipliers(opened: Architecture, config: Any) -> Architecture:
    """An architecture with Granite's multipliers on what its layers write and on its logits."""
    return replace(
        opened,
        blocks=tuple(
            replace(block, write_scale=config.residual_multiplier) for block in opened.blocks
        ),
        logit_scale=1 / config.logits_scaling,
    )


FAMILY = Family("Granite", "Granite 3 and later, dense", ("granite",), lay_open)

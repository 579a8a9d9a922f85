"""Prompts of any lengths in one forward pass, looked at layer by layer.

The shorter ones are filled up on the right, behind what is read of them. A causal model's position
reads none that comes after it, so what stands there changes nothing of the prompt itself, in any
family: no attention mask and no positions have to be given, which every family takes in its own
way. What a mixture routes, it routes position by position.

Nothing is kept but what the caller keeps, so that memory does not grow with the layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from visit.models.architectures import Architecture
from visit.models.architectures.base import Block
from visit.tracing.hooks import Call, Catches, catch_block, run_like, tensors_from_catches
from visit.tracing.precision import reading_dtype


@dataclass(frozen=True, slots=True)
class PaddedLayer:
    """What one layer read and wrote of every prompt, as ``LayerTrace`` has it of one.

    What stands behind a prompt's last position is not its own.
    """

    resid_pre: Float[Tensor, "prompt pos d_model"]
    ln1: Float[Tensor, "prompt pos d_model"]
    attention: Float[Tensor, "prompt head pos pos"]
    z: Float[Tensor, "prompt pos head d_head"]
    attn_out: Float[Tensor, "prompt pos d_model"]
    attn_gain: Float[Tensor, "prompt pos d_model"] | None
    resid_mid: Float[Tensor, "prompt pos d_model"] | None
    ln2: Float[Tensor, "prompt pos d_model"]
    activation: Float[Tensor, "prompt pos d_mlp"] | None
    mlp_out: Float[Tensor, "prompt pos d_model"]
    mlp_gain: Float[Tensor, "prompt pos d_model"] | None
    resid_post: Float[Tensor, "prompt pos d_model"]


@dataclass(frozen=True, slots=True)
class HeldMemories:
    """Memories of a layer that are held at an activation: zero, or their mean.

    Attributes:
        places: Which they are.
        activation: Of each.
    """

    places: Int[Tensor, " memory"]
    activation: Float[Tensor, " memory"]


OnLayer = Callable[[int, Block, PaddedLayer], None]
"""Told of each layer as it ends: its number, its weights, and what it read and wrote."""


@dataclass(frozen=True, slots=True)
class Padded:
    """Prompts that run together.

    Attributes:
        ids: Their tokens, filled up with the first token of the vocabulary.
        lengths: How many are a prompt's own.
    """

    ids: Int[Tensor, "prompt pos"]
    lengths: Int[Tensor, " prompt"]

    @classmethod
    def of(cls, prompts: Sequence[Sequence[int]], home: torch.device) -> Padded:
        """Prompts by their token ids, each with one token at least."""
        lengths = torch.tensor([len(one) for one in prompts], device=home)
        ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.long)
        for row, one in zip(ids, prompts, strict=True):
            row[: len(one)] = torch.tensor(list(one))
        return cls(ids.to(home), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def last(self, values: Float[Tensor, "prompt pos *rest"]) -> Float[Tensor, " prompt *rest"]:
        """What has a row a position, at each prompt's last one."""
        taken: Tensor = values[torch.arange(len(values), device=values.device), self.lengths - 1]
        return taken

    def is_own(self) -> Tensor:
        """Whether a position is a prompt's own, ``[prompt, pos]``."""
        places = torch.arange(self.ids.shape[1], device=self.ids.device)
        return places < self.lengths.unsqueeze(1)


def run_padded(
    model: Any,
    architecture: Architecture,
    prompts: Padded,
    on_layer: OnLayer | None = None,
    held: Mapping[int, HeldMemories] | None = None,
    *,
    everywhere: bool = False,
) -> Float[Tensor, "prompt *pos d_vocab"]:
    """Run prompts together.

    Args:
        model: A loaded Hugging Face causal language model with eager attention.
        architecture: The same model, laid open.
        prompts: What it reads.
        on_layer: Told of every layer.
        held: By layer, the memories that have the same activation at every position.
        everywhere: Whether logits are worked out at every position.

    Returns:
        The logits at each prompt's last position, or ``[prompt, pos, d_vocab]``.
    """
    home = architecture.unembedding.device
    with ExitStack() as stack:
        for number, memories in (held or {}).items():
            mlp = architecture.outline[number].mlp
            hold = mlp.output.register_forward_pre_hook(partial(_hold, memories))
            stack.callback(hold.remove)
        if on_layer is not None:
            for number, block in enumerate(architecture.outline):
                take = partial(_take, number, architecture, prompts, on_layer)
                stack.enter_context(catch_block(block, home, take))
        if not everywhere:
            # The unembedding reads every prompt's last residual alone, in one product.
            hook = model.get_output_embeddings().register_forward_pre_hook(
                lambda _, given: (prompts.last(given[0]).unsqueeze(1), *given[1:])
            )
            stack.callback(hook.remove)
        stack.enter_context(run_like(architecture.unembedding))
        logits = model(input_ids=prompts.ids, use_cache=False).logits
    found: Tensor = logits.to(home, reading_dtype(logits.dtype))
    return found if everywhere else found[:, 0]


def _hold(memories: HeldMemories, module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    held = given[0].clone()
    held[..., memories.places] = memories.activation.to(held)
    changed: tuple[Any, ...] = (held, *given[1:])
    return changed


def _take(
    number: int,
    architecture: Architecture,
    prompts: Padded,
    on_layer: OnLayer,
    catches: Catches,
    call: Call,
) -> None:
    block = architecture.blocks[number]
    tensors: dict[str, Any] = {
        name: None if value is None else value.unflatten(0, (len(prompts), -1))
        for name, value in tensors_from_catches(block, catches).items()
    }
    on_layer(
        number, block, PaddedLayer(attention=catches.patterns(block.attention.module), **tensors)
    )

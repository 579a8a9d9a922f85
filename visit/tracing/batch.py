"""Several prompts of equal length in one pass, recorded as one: their positions one after another.

None of them sees another, so whatever is worked out of the layers by position holds for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.cache_utils import DynamicCache

from visit.models.architectures import Architecture
from visit.tracing.hooks import Call, LayerTrace, run_like, watch
from visit.tracing.precision import reading_dtype
from visit.tracing.sweep import Resumed, kept_of_cache, naming_cache, resume


@dataclass(frozen=True, slots=True)
class Batch:
    """One pass of several prompts up to their traced positions, which are their last.

    Attributes:
        token_ids: Of each prompt.
        layers: In order; the positions of all prompts one after another.
        last: What leaves the last layer, at the traced positions.
        logits: The model's own there.
    """

    token_ids: tuple[tuple[int, ...], ...]
    layers: tuple[LayerTrace, ...]
    last: Float[Tensor, "prompt d_model"]
    logits: Float[Tensor, "prompt d_vocab"]

    @property
    def n_positions(self) -> int:
        """How many positions each prompt has."""
        return len(self.token_ids[0])

    def by_prompt(self, values: Float[Tensor, " row *rest"]) -> Float[Tensor, "prompt pos *rest"]:
        """What has a row for each position, prompt by prompt."""
        taken: Tensor = values.unflatten(0, (len(self.token_ids), self.n_positions))
        return taken


def record_batch(model: Any, architecture: Architecture, prompts: Sequence[Sequence[int]]) -> Batch:
    """Run prompts of equal length together and keep what every layer read and wrote.

    Args:
        model: A loaded Hugging Face causal language model with eager attention.
        architecture: The same model, laid open.
        prompts: The token ids of each, up to its traced position.
    """
    home, layers = architecture.unembedding.device, list[LayerTrace]()

    def take(layer: LayerTrace, call: Call) -> None:
        layers.append(layer)

    ids = torch.tensor([list(one) for one in prompts], device=home)
    with ExitStack() as stack:
        for block in architecture.outline:
            stack.enter_context(watch(block, home, take))
        stack.enter_context(run_like(architecture.unembedding))
        stack.enter_context(_one_product(model))
        logits = model(input_ids=ids, use_cache=False, **_last_logits(model)).logits[:, -1]
    n_prompts, n_positions = ids.shape
    return Batch(
        token_ids=tuple(map(tuple, prompts)),
        layers=tuple(layers),
        last=layers[-1].resid_post.unflatten(0, (n_prompts, n_positions))[:, -1],
        logits=logits.to(home, reading_dtype(logits.dtype)),
    )


def resume_batch(model: Any, architecture: Architecture, batch: Batch) -> Resumed:
    """How the blocks run at the traced positions of a batch, as ``sweep.resume`` has it of one.

    The blocks are called as for the first prompt: masks and positions are those of all.
    """
    start = batch.n_positions - 1
    one = resume(model, architecture, batch.token_ids[0], start, lambda n: batch.layers[n].ln1)
    entering = tuple(batch.by_prompt(layer.resid_pre)[:, start:] for layer in batch.layers)
    remembered = one.remembered
    if start and len(batch.token_ids) > 1:
        cache = DynamicCache(config=model.config)
        ids = torch.tensor([list(one) for one in batch.token_ids])[:, :start]
        with run_like(architecture.unembedding), _one_product(model):
            model(
                input_ids=ids.to(architecture.unembedding.device), use_cache=True,
                **{naming_cache(model): cache}, **_last_logits(model),
            )  # fmt: skip
        remembered = tuple(kept_of_cache(cache, n) for n in range(architecture.sizes.n_layers))
    return Resumed(start, one.calls, (), remembered, entering)


@contextmanager
def _one_product(model: Any) -> Iterator[None]:
    """Have the unembedding read all prompts' last residuals in one product.

    They are every so many rows of a tensor, of which torch would make a product a prompt, each with
    the whole unembedding.
    """
    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, given: (given[0].contiguous(), *given[1:]))
    try:
        yield
    finally:
        hook.remove()


def _last_logits(model: Any) -> dict[str, int]:
    """What has a model work out the last position's logits alone, where it can be asked."""
    name = "logits_to_keep"
    return {name: 1} if name in signature(model.forward).parameters else {}

"""Many changed passes at once, at the cost of little more than their matrix products.

What a change at some positions does to the traced one is found by running the positions from the
first changed one on: attention there reads the recorded keys and values of those before. The
changed passes are rows of a batch, which grows as each layer adds the passes that are first changed
in it; until then they are the plain one. The plain pass is the first row, so that a changed one is
compared with numbers of the same rounding.

1. ``resume`` runs the prompt up to the first changed position and goes on from there, which gives
   each block's arguments and the keys and values of the positions before.
2. ``run_changed`` takes the rows through the blocks in chunks that bound the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.cache_utils import Cache, DynamicCache

from visit.models.architectures import Architecture
from visit.models.architectures.base import Sizes
from visit.tracing.hooks import Call, named_arguments, run_like
from visit.tracing.interventions import Edit, Window, edit
from visit.tracing.precision import reading_dtype

CHUNK_ELEMENTS = 1 << 25
"""How many numbers of a layer are alive at once: 128 MiB in float32."""

Variant = tuple[Edit, ...]
"""The edits of one changed pass."""


class _Remembered(DynamicCache):
    """Keys and values as they were recorded, before those that a block adds; it keeps nothing."""

    def __init__(self, before: Sequence[tuple[Tensor, Tensor] | None], n_before: int) -> None:
        super().__init__()
        self._recorded, self._n_before = before, n_before

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **named: Any
    ) -> tuple[Tensor, Tensor]:
        recorded = self._recorded[layer_idx]
        if recorded is None:
            return key_states, value_states
        # A view where it is of one prompt; of several, each in its turn, as the rows have them.
        times = len(key_states) // len(recorded[0])
        keys, values = (
            part.expand(times, -1, -1, -1) if len(part) == 1 else part.repeat(times, 1, 1, 1)
            for part in recorded
        )
        return torch.cat([keys, key_states], -2), torch.cat([values, value_states], -2)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self._n_before


@dataclass(frozen=True, slots=True)
class Resumed:
    """How the blocks run from some position on.

    Attributes:
        start: The position.
        calls: What each block was called with there, by name.
        before: What attention reads at the earlier positions, a tensor for each layer.
        remembered: Each layer's keys and values of the earlier positions.
        entering: Of several prompts of equal length that run together: what enters each layer at
            the positions that are run. Of one, the calls have it.
    """

    start: int
    calls: tuple[dict[str, Any], ...]
    before: tuple[Tensor, ...]
    remembered: tuple[tuple[Tensor, Tensor] | None, ...]
    entering: tuple[Float[Tensor, "prompt pos d_model"], ...] = ()

    def enter(self, layer: int) -> Float[Tensor, "prompt pos d_model"]:
        """What enters a layer in the plain pass of each prompt."""
        residual: Tensor = self.calls[layer]["hidden_states"]
        return self.entering[layer] if self.entering else residual

    @property
    def n_prompts(self) -> int:
        """How many prompts run together."""
        return len(self.entering[0]) if self.entering else 1

    @property
    def n_positions(self) -> int:
        """How many positions are run."""
        residual: Tensor = self.calls[0]["hidden_states"]
        return residual.shape[1]

    @property
    def n_bytes(self) -> int:
        """About the memory it takes; what blocks share is left out."""
        residuals = [call["hidden_states"] for call in self.calls]
        remembered = [part for pair in self.remembered if pair is not None for part in pair]
        return sum(part.nbytes for part in (*residuals, *self.before, *remembered))

    @property
    def as_called(self) -> tuple[Call, ...]:
        """How each block was called, so that it can be called again."""
        own = (self.named(n, call["hidden_states"]) for n, call in enumerate(self.calls))
        return tuple(Call((), named) for named in own)

    def named(self, layer: int, hidden: Float[Tensor, "row pos d_model"]) -> dict[str, Any]:
        """What a block is called with when several passes run together."""
        named = dict(self.calls[layer]) | {"hidden_states": hidden}
        for name, value in named.items():
            if isinstance(value, Cache):
                named[name] = _Remembered(self.remembered, self.start)
            elif name == "alibi" and isinstance(value, Tensor):  # some reshape it by the batch
                named[name] = value.repeat(len(hidden), *[1] * (value.ndim - 1))
        return named


def resume(
    model: Any,
    architecture: Architecture,
    token_ids: Sequence[int],
    start: int,
    before: Callable[[int], Tensor],
) -> Resumed:
    """Run the prompt up to a position, and catch what the blocks are called with from there on.

    Args:
        model: The model.
        architecture: The same, laid open.
        token_ids: The prompt up to the traced position.
        start: The first position that is run again.
        before: What a layer's attention reads, ``[pos, d_model]``, as it was recorded.
    """
    home = architecture.unembedding.device
    ids = torch.tensor([list(token_ids)], device=home)
    calls = list[dict[str, Any]]()

    def catch(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        calls.append(named_arguments(module, inputs, named))

    cache = DynamicCache(config=model.config)
    remembering = {naming_cache(model): cache}
    with run_like(architecture.unembedding), ExitStack() as stack:
        if start:
            model(input_ids=ids[:, :start], use_cache=True, **remembering)
        remembered = tuple(
            kept_of_cache(cache, layer) for layer in range(architecture.sizes.n_layers)
        )
        for block in architecture.outline:
            hook = block.module.register_forward_pre_hook(catch, with_kwargs=True)
            stack.callback(hook.remove)
        model(input_ids=ids[:, start:], use_cache=True, **remembering)
    earlier = tuple(before(layer)[:start] for layer in range(len(calls))) if start else ()
    return Resumed(start, tuple(calls), earlier, remembered)


def naming_cache(model: Any) -> str:
    """What a model calls its cache: transformers 5.24 otherwise than those before."""
    return "cache" if "cache" in signature(model.forward).parameters else "past_key_values"


def kept_of_cache(cache: DynamicCache, layer: int) -> tuple[Tensor, Tensor] | None:
    """A layer's keys and values, where the cache keeps any."""
    if layer >= len(cache.layers):
        return None
    kept: Any = cache.layers[layer]
    return None if kept.keys is None else (kept.keys, kept.values)


def run_changed(
    architecture: Architecture,
    resumed: Resumed,
    variants: Sequence[Variant],
    tell: Callable[[float], None] = lambda _: None,
    *,
    chunk_elements: int = CHUNK_ELEMENTS,
) -> Iterator[tuple[list[int], Float[Tensor, "row d_model"], Float[Tensor, " d_model"]]]:
    """Run every changed pass.

    Args:
        architecture: The model.
        resumed: From the first position that any of them changes.
        variants: The edits of each pass, at least one.
        tell: Told after each layer how far all passes are, 0 to 1. Nothing of the model is changed
            then, so that it may be run by others.
        chunk_elements: How many numbers of a layer may be alive at once.

    Yields:
        Which passes, their last residuals at the traced position, and the plain pass's, run
        beside them.
    """
    together = run_changed_together(
        architecture, resumed, variants, tell, chunk_elements=chunk_elements
    )
    for chosen, last, plain in together:
        yield chosen, last[:, 0], plain[0]


def run_changed_together(
    architecture: Architecture,
    resumed: Resumed,
    variants: Sequence[Variant],
    tell: Callable[[float], None] = lambda _: None,
    *,
    chunk_elements: int = CHUNK_ELEMENTS,
) -> Iterator[
    tuple[list[int], Float[Tensor, "row prompt d_model"], Float[Tensor, "prompt d_model"]]
]:
    """The same of several prompts at once, each with every one of the changes.

    The changes must not depend on the prompt: setting to zero, or scaling. ``run_changed`` says
    what is given and yielded.
    """
    order = sorted(range(len(variants)), key=lambda place: _first_layer(variants[place]))
    rows = max(1, rows_at_once(architecture.sizes, resumed, chunk_elements) // resumed.n_prompts)
    for begin in range(0, len(order), rows):
        chosen = order[begin : begin + rows]

        def tell_of_all(part: float, begin: int = begin, n: int = len(chosen)) -> None:
            tell((begin + part * n) / len(order))

        last = _run(architecture, resumed, [variants[place] for place in chosen], tell_of_all)
        yield chosen, last[1:], last[0]


def rows_at_once(sizes: Sizes, resumed: Resumed, chunk_elements: int) -> int:
    """How many passes run together."""
    seen = resumed.start + resumed.n_positions
    each = 3 * sizes.d_mlp + 8 * sizes.d_model + 3 * sizes.n_heads * seen
    keys = 4 * sizes.n_kv_heads * sizes.d_head * seen
    return max(1, chunk_elements // (resumed.n_positions * each + keys))


def _first_layer(variant: Variant) -> int:
    return min(one.layer for one in variant)


def _run(
    architecture: Architecture,
    resumed: Resumed,
    variants: Sequence[Variant],
    tell: Callable[[float], None],
) -> Float[Tensor, "row prompt d_model"]:
    """The last residuals at the traced position: the plain pass's, then those of the changed.

    Of each pass a row for every prompt. The variants are in the order of the layers that they are
    first changed in.
    """
    n_prompts = resumed.n_prompts
    begins = [_first_layer(variant) for variant in variants]
    by_layer = _gather(variants, n_prompts)
    first, n_layers = begins[0], len(resumed.calls)
    hidden = resumed.enter(first)
    for layer in range(first, n_layers):
        with run_like(architecture.unembedding):
            n_new = begins.count(layer)
            if n_new:
                hidden = torch.cat([hidden, hidden[:n_prompts].repeat(n_new, 1, 1)])
            block = architecture.blocks[layer]
            window = Window(resumed.start, resumed.before[layer] if resumed.before else None)
            with edit(block, by_layer.get(layer, ()), window):
                output = block.module(**resumed.named(layer, hidden))
            hidden = output[0] if isinstance(output, tuple) else output
        tell((layer + 1 - first) / (n_layers - first))
    last = hidden[:, -1].to(architecture.unembedding.device)
    by_pass: Tensor = last.unflatten(0, (-1, n_prompts))
    return by_pass


def _gather(variants: Sequence[Variant], n_prompts: int) -> dict[int, list[Edit]]:
    """Each edit by its layer, in the rows of all variants that share it; the plain pass is first.

    Each pass has a row for every prompt.

    One that many passes make is one change of many rows. Edits of one pass stay in their order.
    """
    rows: dict[int, list[int]] = {}
    edits: dict[int, Edit] = {}
    for row, variant in enumerate(variants, start=1):
        for one in variant:
            edits[id(one)] = one
            rows.setdefault(id(one), []).extend(range(row * n_prompts, (row + 1) * n_prompts))
    by_layer: dict[int, list[Edit]] = {}
    for key, one in edits.items():
        by_layer.setdefault(one.layer, []).append(one.in_rows(rows[key]))
    return by_layer


def logits_of_residuals(
    architecture: Architecture, resid: Float[Tensor, "row d_model"]
) -> Float[Tensor, "row d_vocab"]:
    """The logits of last residuals before any soft-cap, never in half precision."""
    with run_like(architecture.unembedding):
        normed: Tensor = architecture.final_norm.module(resid)
    dtype = reading_dtype(normed.dtype)
    scaled = normed.to(dtype) * architecture.logit_scale
    products: Tensor = scaled @ architecture.unembedding.to(dtype)
    bias = architecture.unembedding_bias
    return products if bias is None else products + bias.to(dtype)

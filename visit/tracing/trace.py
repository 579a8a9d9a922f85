"""One forward pass, recorded: every tensor that the ledgers need, as the model itself made it.

``record`` runs the model once with eager attention and keeps what ``hooks`` catch of it. Of a long
prompt not every layer's tensors are kept: ``Layers`` runs one block again, with the same tensors
that the model called it with, when that layer is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from typing import Any, overload

import torch
from jaxtyping import Float
from torch import Tensor

from visit.errors import ModelError
from visit.graph.kinds import NodeKind
from visit.models.architectures import Architecture
from visit.models.architectures.base import Block, Sizes
from visit.models.architectures.elsewhere import plain_weights
from visit.tracing.changed import hold_changes
from visit.tracing.hooks import Call, LayerTrace, run_like, watch
from visit.tracing.interventions import Edit, edit, edit_all
from visit.tracing.precision import ledger_dtype, reading_dtype

KEPT_BYTES = 512 << 20
"""All layers are kept where they take no more than this together. Beyond it, a layer is recorded
again when it is asked for, which costs as much time as that layer of the forward pass did."""


@dataclass(slots=True)
class Layers(Sequence[LayerTrace]):
    """Every layer of a forward pass, in order: kept, or recorded again when it is asked for.

    Recording again is the same computation: the model's own block is called with the same tensors,
    so it gives the same bits while the weights and the number of threads are unchanged. Of the
    layers that are recorded again the last one stays in memory. Not to be used by two threads at
    once, nor while the model is run.

    Attributes:
        blocks: The model's.
        calls: How the model called each.
        kept: Every layer's trace, or none where they would take too much memory.
        home: The device that all of it is moved to.
        edits: What was changed in the pass.
    """

    blocks: tuple[Block, ...]
    calls: tuple[Call, ...]
    kept: tuple[LayerTrace, ...]
    home: torch.device
    edits: tuple[Edit, ...] = ()
    _latest: tuple[int, LayerTrace] | None = field(default=None, init=False)

    def __len__(self) -> int:
        return len(self.blocks)

    @overload
    def __getitem__(self, number: int) -> LayerTrace: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[LayerTrace, ...]: ...
    def __getitem__(self, number: int | slice) -> LayerTrace | tuple[LayerTrace, ...]:
        if isinstance(number, slice):
            return tuple(self[each] for each in range(*number.indices(len(self))))
        if self.kept:
            return self.kept[number]
        place = range(len(self))[number]
        if self._latest is None or self._latest[0] != place:
            self._latest = None  # free the last one first: two may not fit in memory
            self._latest = place, self._again(place)
        return self._latest[1]

    def _again(self, number: int) -> LayerTrace:
        block, call, recorded = self.blocks[number], self.calls[number], list[LayerTrace]()
        # The call is recorded as it entered: the embedding is changed already.
        own = [
            one for one in self.edits if one.layer == number and one.site.kind is not NodeKind.EMBED
        ]
        caught = watch(block, self.home, lambda layer, _: recorded.append(layer))
        with edit(block, own), caught, run_like(call.residual):
            block.module(*call.inputs, **call.named)
        return hold_changes(recorded[0], block, own)

    @property
    def tensors(self) -> list[Tensor]:
        """All that are held."""
        latest = [] if self._latest is None else self._latest[1].tensors
        kept = [tensor for layer in self.kept for tensor in layer.tensors]
        return latest + kept + [tensor for call in self.calls for tensor in call.tensors]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Trace:
    """One forward pass: the prompt's token ids, every layer, and the end of the model.

    Attributes:
        token_ids: The prompt.
        layers: In order. Going through them once, rather than back and forth, is quickest.
        residuals: What enters each layer, and last what leaves the last one.
        written: All that was written into the residual stream, added up in the ledgers' dtype: the
            embedding, every layer's attention and MLP.
        final_norm: The last residual, normed.
        logits: The model's own.
        plain: The plain pass's logits where this one is changed: the target and its candidates
            are those.
    """

    token_ids: tuple[int, ...]
    layers: Layers
    residuals: tuple[Float[Tensor, "pos d_model"], ...]
    written: Float[Tensor, "pos d_model"]
    final_norm: Float[Tensor, "pos d_model"]
    logits: Float[Tensor, "pos d_vocab"]
    plain: Float[Tensor, "pos d_vocab"] | None = None

    @property
    def plain_logits(self) -> Float[Tensor, "pos d_vocab"]:
        """Those of the pass with nothing changed in it."""
        return self.logits if self.plain is None else self.plain

    @property
    def n_bytes(self) -> int:
        """The memory it takes, what it shares with itself counted once."""
        own = [*self.residuals, self.written, self.final_norm, self.logits]
        return _n_bytes([*self.layers.tensors, *own])


def _n_bytes(tensors: Iterable[Tensor]) -> int:
    """The memory that tensors take, what they share counted once."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def _is_finite(values: Tensor) -> bool:
    """Whether no value is NaN or infinite, found without a second tensor as large."""
    return all(bool(end.isfinite()) for end in values.aminmax())


def bytes_of_trace(sizes: Sizes, n_positions: int) -> int:
    """About how many bytes a trace takes at most, in float32, while it is recorded or read.

    Args:
        sizes: The model's.
        n_positions: How many tokens its prompt has.
    """
    vectors = 7 * sizes.d_model + sizes.n_heads * sizes.d_head + sizes.d_mlp
    per_layer = n_positions * (vectors + sizes.n_heads * n_positions)
    all_kept = 4 * sizes.n_layers * per_layer
    entering = 4 * n_positions * sizes.n_layers * sizes.d_model
    running = 3 * 4 * sizes.n_heads * n_positions**2  # a pattern and what it is made from
    layers = all_kept if all_kept <= KEPT_BYTES else entering + 4 * per_layer
    return layers + running + 4 * n_positions * sizes.d_vocab


def check_finite(model: Any, trace: Trace) -> None:
    """Refuse a forward pass in which something is NaN or infinite, saying where it began.

    Raises:
        ModelError: a weight or an activation is not finite.
    """
    if _is_finite(trace.logits) and _is_finite(trace.residuals[-1]):
        return
    for name, weight in plain_weights(model):
        if not weight.isfinite().all():
            raise ModelError(_why_not_finite(name, weight))
    for number, layer in enumerate(trace.layers):
        for part in fields(layer):
            value = getattr(layer, part.name)
            if value is not None and not value.isfinite().all():
                raise ModelError(
                    f"layer {number}'s {part.name} holds NaN or infinity in "
                    f"{str(value.dtype).removeprefix('torch.')}; try --dtype float32 or bfloat16"
                )
    raise ModelError("the logits hold NaN or infinity; try --dtype float32")


def _why_not_finite(name: str, weight: Tensor) -> str:
    """What is wrong with a weight that holds NaN or infinity, and what to do."""
    dtype = str(weight.dtype).removeprefix("torch.")
    if weight.isnan().any() or dtype == "float64":
        return f"the weight {name} holds NaN or infinity; fetch the model again"
    wider = "float64" if dtype == "float32" else "float32"
    return (
        f"the weight {name} is infinite in {dtype}, which ends at {torch.finfo(weight.dtype).max:g}"
        f"; give --dtype {wider}, or if it is no better fetch the model again"
    )


def record(
    model: Any,
    architecture: Architecture,
    token_ids: Sequence[int],
    on_layer: Callable[[int], None] | None = None,
    *,
    kept_bytes: int = KEPT_BYTES,
    edits: Sequence[Edit] = (),
    plain: Trace | None = None,
) -> Trace:
    """Run the model once on the prompt and keep what every layer read and wrote.

    Args:
        model: A loaded Hugging Face causal language model with eager attention.
        architecture: The same model, laid open.
        token_ids: The prompt, at least one token.
        on_layer: Called as each layer ends with the number done; what it raises ends the run.
        kept_bytes: Layers that take more memory together are recorded again when asked for.
        edits: What is changed in the pass; the trace is of the changed one.
        plain: The trace of the plain one, where that is what the changed one is compared with.

    Raises:
        ValueError: the model does not use eager attention, which alone shows its pattern.
    """
    if model.config._attn_implementation != "eager":
        raise ValueError("load the model with attn_implementation='eager' to see its attention")
    blocks, home = architecture.outline, architecture.unembedding.device
    calls, kept, residuals = list[Call](), list[LayerTrace](), list[Tensor]()
    written: list[Tensor] = []

    def take(layer: LayerTrace, call: Call) -> None:
        number = len(calls)
        own = [one for one in edits if one.layer == number]
        layer = hold_changes(layer, blocks[number], own)
        if not calls:
            residuals.append(layer.resid_pre)
            written.append(layer.resid_pre.to(ledger_dtype(layer.resid_pre), copy=True))
        calls.append(call)
        residuals.append(layer.resid_post)
        written[0] += layer.attn_out.to(written[0])
        written[0] += layer.mlp_out.to(written[0])
        if _n_bytes(layer.tensors) * len(blocks) <= kept_bytes:
            kept.append(layer)
        if on_layer is not None:
            on_layer(len(calls))

    normed: list[Tensor] = []
    ids = torch.tensor([list(token_ids)], device=home)
    with ExitStack() as stack:
        stack.enter_context(edit_all(architecture, edits))
        for block in blocks:
            stack.enter_context(watch(block, home, take))
        final_norm = architecture.final_norm.module
        hook = final_norm.register_forward_hook(lambda module, given, output: normed.append(output))
        stack.callback(hook.remove)
        stack.enter_context(run_like(architecture.unembedding))
        logits = model(input_ids=ids, use_cache=False).logits
    every = tuple(kept) if len(kept) == len(blocks) else ()
    return Trace(
        token_ids=tuple(token_ids),
        layers=Layers(blocks, tuple(calls), every, home, tuple(edits)),
        residuals=tuple(residuals),
        written=written[0],
        final_norm=normed[0][0].to(home),
        logits=logits[0].to(home, reading_dtype(logits.dtype)),
        plain=None if plain is None else plain.plain_logits,
    )

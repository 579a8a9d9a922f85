"""One forward pass, recorded: every tensor that the ledgers need, as the model itself made it.

``record`` hangs hooks on the submodules that the ``Architecture`` names, runs the model once with
eager attention under ``torch.inference_mode()``, and takes the hooks off whatever happens. Of a
long prompt not every layer's tensors are kept: ``Layers`` runs one block again, on the very tensors
that it was called with, when that layer is asked for. This is the only file that touches hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.metadata import version
from typing import Any, overload

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from visit.architectures import Architecture
from visit.architectures.base import Block, Experts, Norm, Sizes
from visit.architectures.elsewhere import plain_weights
from visit.errors import ModelError
from visit.precision import ledger_dtype, reading_dtype

KEPT_BYTES = 512 << 20
"""All layers are kept where they take no more than this together. Beyond it, a layer is recorded
again when it is asked for, which costs as much time as that layer of the forward pass did."""


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """What one layer read and wrote at every position.

    Attributes:
        resid_pre: The residual that enters.
        ln1: What attention reads: the residual's norm, or itself where there is none.
        attention: The pattern; each reader's row adds to 1 over its sources.
        z: Each head's mix of values, before the output projection.
        attn_out: What attention writes into the residual.
        attn_gain: What lies between the output projection and that, coordinate by coordinate (an
            output norm with its scale frozen, a multiplier), or ``None`` where nothing does.
        resid_mid: The residual between attention and MLP; ``None`` in a parallel layer.
        ln2: What the MLP reads.
        activation: Each memory's coefficient; ``None`` in a mixture of experts.
        mlp_out: What the MLP writes into the residual.
        mlp_gain: Likewise what lies between.
        resid_post: The residual that leaves.
        routing_weight: In a mixture, the weights of the experts that a position was routed to.
        routed: The numbers of those experts, in the same order.
    """

    resid_pre: Float[Tensor, "pos d_model"]
    ln1: Float[Tensor, "pos d_model"]
    attention: Float[Tensor, "head pos pos"]
    z: Float[Tensor, "pos head d_head"]
    attn_out: Float[Tensor, "pos d_model"]
    attn_gain: Float[Tensor, "pos d_model"] | None
    resid_mid: Float[Tensor, "pos d_model"] | None
    ln2: Float[Tensor, "pos d_model"]
    activation: Float[Tensor, "pos d_mlp"] | None
    mlp_out: Float[Tensor, "pos d_model"]
    mlp_gain: Float[Tensor, "pos d_model"] | None
    resid_post: Float[Tensor, "pos d_model"]
    routing_weight: Float[Tensor, "pos routed"] | None = None
    routed: Int[Tensor, "pos routed"] | None = None

    @property
    def tensors(self) -> list[Tensor]:
        """All there are."""
        values = (getattr(self, part.name) for part in fields(self))
        return [value for value in values if value is not None]


@dataclass(slots=True)
class Layers(Sequence[LayerTrace]):
    """Every layer of a forward pass, in order: kept, or recorded again when it is asked for.

    Recording again is the very same computation: the model's own block is called with the very
    tensors that the model called it with, so it gives the same bits as long as the weights and the
    number of threads stay as they were. Of the layers that are recorded again the last one stays in
    memory. Not to be used by two threads at once, nor while the model is run.

    Attributes:
        blocks: The model's.
        calls: How the model called each.
        kept: Every layer's trace, or none where they would take too much memory.
        home: The device that all of it is brought to.
    """

    blocks: tuple[Block, ...]
    calls: tuple[Call, ...]
    kept: tuple[LayerTrace, ...]
    home: torch.device
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
            self._latest = None  # let go of the last one first: two need not fit
            self._latest = place, self._again(place)
        return self._latest[1]

    def _again(self, number: int) -> LayerTrace:
        block, call, recorded = self.blocks[number], self.calls[number], list[LayerTrace]()
        watching = _watching(block, self.home, lambda layer, _: recorded.append(layer))
        with watching, _running(call.residual):
            block.module(*call.inputs, **call.named)
        return recorded[0]

    @property
    def tensors(self) -> list[Tensor]:
        """All that are held."""
        latest = [] if self._latest is None else self._latest[1].tensors
        kept = [tensor for layer in self.kept for tensor in layer.tensors]
        return latest + kept + [tensor for call in self.calls for tensor in call.tensors]


@dataclass(frozen=True, slots=True)
class Call:
    """What the model called one of its blocks with: the residual, its masks and positions."""

    inputs: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def residual(self) -> Tensor:
        """The residual that enters, ``[1, pos, d_model]``."""
        residual: Tensor = self.inputs[0] if self.inputs else self.named["hidden_states"]
        return residual

    @property
    def tensors(self) -> list[Tensor]:
        """All there are; most are shared with other layers' calls."""
        given = [*self.inputs, *self.named.values()]
        flat = [one for each in given for one in (each if isinstance(each, tuple) else (each,))]
        return [one for one in flat if isinstance(one, Tensor)]


@dataclass(frozen=True, slots=True)
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
    """

    token_ids: tuple[int, ...]
    layers: Layers
    residuals: tuple[Float[Tensor, "pos d_model"], ...]
    written: Float[Tensor, "pos d_model"]
    final_norm: Float[Tensor, "pos d_model"]
    logits: Float[Tensor, "pos d_vocab"]

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
            raise ModelError(f"the weight {name} holds NaN or infinity; fetch the model again")
    for number, layer in enumerate(trace.layers):
        for part in fields(layer):
            value = getattr(layer, part.name)
            if value is not None and not value.isfinite().all():
                raise ModelError(
                    f"layer {number}'s {part.name} holds NaN or infinity in "
                    f"{str(value.dtype).removeprefix('torch.')}; try --dtype float32 or bfloat16"
                )
    raise ModelError("the logits hold NaN or infinity; try --dtype float32")


class Float64Throughout(TorchFunctionMode):
    """Keeps a float64 model in float64 where transformers asks for float32.

    Its RMSNorms, its attention softmax and its rotary angles ask for float32 whatever the model's
    dtype: a kindness to half precision that would cost a float64 run nine digits. In this mode
    asking for float32 gives float64.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the function with float64 where float32 was asked for."""
        kwargs = dict(kwargs or {})
        if function is Tensor.view:  # reads the same bytes as float32, as from a file on the disk
            return function(*args, **kwargs)
        if function is Tensor.float:
            function = Tensor.double
        if kwargs.get("dtype") is torch.float32:
            kwargs["dtype"] = torch.float64
        if function in (Tensor.to, Tensor.type):
            args = tuple(torch.float64 if arg is torch.float32 else arg for arg in args)
        return function(*args, **kwargs)


def record(
    model: Any,
    architecture: Architecture,
    token_ids: Sequence[int],
    on_layer: Callable[[int], None] | None = None,
    *,
    kept_bytes: int = KEPT_BYTES,
) -> Trace:
    """Run the model once on the prompt and keep what every layer read and wrote.

    Args:
        model: A loaded Hugging Face causal language model with eager attention.
        architecture: The same model, laid open.
        token_ids: The prompt, at least one token.
        on_layer: Called as each layer ends with the number done; what it raises ends the run.
        kept_bytes: Layers that take more memory together are recorded again when asked for.

    Raises:
        ValueError: the model does not use eager attention, which alone shows its pattern.
    """
    if model.config._attn_implementation != "eager":
        raise ValueError("load the model with attn_implementation='eager' to see its attention")
    blocks, home = architecture.outline, architecture.unembedding.device
    calls, kept, residuals = list[Call](), list[LayerTrace](), list[Tensor]()
    written: list[Tensor] = []

    def take(layer: LayerTrace, call: Call) -> None:
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
        for block in blocks:
            stack.enter_context(_watching(block, home, take))
        final_norm = architecture.final_norm.module
        hook = final_norm.register_forward_hook(lambda module, given, output: normed.append(output))
        stack.callback(hook.remove)
        stack.enter_context(_running(architecture.unembedding))
        logits = model(input_ids=ids, use_cache=False).logits
    return Trace(
        token_ids=tuple(token_ids),
        layers=Layers(blocks, tuple(calls), tuple(kept) if len(kept) == len(blocks) else (), home),
        residuals=tuple(residuals),
        written=written[0],
        final_norm=normed[0][0].to(home),
        logits=logits[0].to(home, reading_dtype(logits.dtype)),
    )


@contextmanager
def _running(like: Tensor) -> Iterator[None]:
    """How a model with such weights is run, whole or one block of it."""
    is_float64 = like.dtype is torch.float64
    with torch.inference_mode(), Float64Throughout() if is_float64 else nullcontext():
        yield


@contextmanager
def _watching(
    block: Block, home: torch.device, done: Callable[[LayerTrace, Call], None]
) -> Iterator[None]:
    """Catch a block's tensors whenever it runs, bring them home, and say what they are."""
    caught: dict[nn.Module, tuple[Tensor, Any]] = {}
    projections = (block.attention.output, block.mlp.output)

    def catch(
        module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any
    ) -> None:
        # Falcon adds attention to the MLP's output in place: keep what was there before.
        is_projection = module in projections and isinstance(output, Tensor)
        kept = output.clone() if is_projection else output
        caught[module] = (inputs[0] if inputs else named["hidden_states"], kept)

    def end(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        catch(module, inputs, named, output)
        call = Call(inputs, named)
        layer = _layer(block, _Catches(caught, call.residual.shape[1], home))
        caught.clear()
        done(layer, call)

    with ExitStack() as stack:
        if _hides_attention():
            ask = block.module.register_forward_pre_hook(_ask_for_attention, with_kwargs=True)
            stack.callback(ask.remove)
        for module in _watched(block):
            stack.callback(module.register_forward_hook(catch, with_kwargs=True).remove)
        stack.callback(block.module.register_forward_hook(end, with_kwargs=True).remove)
        yield


@cache
def _hides_attention() -> bool:
    """In transformers 4 some layers (OPT, StableLM) drop their pattern unless it is asked for."""
    return version("transformers").startswith("4.")


def _ask_for_attention(
    module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Have one block show its pattern, without the model gathering the patterns of all."""
    return inputs, {**named, "output_attentions": True}


@dataclass(frozen=True, slots=True)
class _Catches:
    """What the hooks caught, each as ``[pos, ...]``, all on one device."""

    caught: dict[nn.Module, tuple[Tensor, Any]]
    n_positions: int
    device: torch.device

    def input(self, module: nn.Module) -> Tensor:
        return self.caught[module][0].reshape(self.n_positions, -1).to(self.device)

    def output(self, module: nn.Module) -> Tensor:
        output = self.caught[module][1]
        first: Tensor = output[0] if isinstance(output, tuple) else output
        return first.reshape(self.n_positions, -1).to(self.device)

    def whole_output(self, module: nn.Module) -> Any:
        return self.caught[module][1]

    def pattern(self, attention: nn.Module) -> Tensor:
        pattern: Tensor = self.caught[attention][1][1][0]
        return pattern.to(self.device)


def _layer(block: Block, catches: _Catches) -> LayerTrace:
    resid_pre = catches.input(block.module)
    ln1 = resid_pre if block.ln1 is None else catches.output(block.ln1.module)
    attn_out, attn_gain = _written(block.attention.output, block.attn_norm, block, catches)
    mlp_out, mlp_gain = _written(block.mlp.output, block.mlp_norm, block, catches)
    ln2 = catches.input(block.mlp.input)
    if block.parallel:
        resid_mid = None
    else:
        resid_mid = ln2 if block.ln2 is None else catches.input(block.ln2.module)
    activation = routing_weight = routed = None
    if isinstance(block.mlp, Experts):
        routing = block.mlp.routing(catches.whole_output(block.mlp.router))
        routing_weight, routed = (part.to(catches.device) for part in routing)
    else:
        activation = catches.input(block.mlp.output)
    return LayerTrace(
        resid_pre=resid_pre,
        ln1=ln1,
        attention=catches.pattern(block.attention.module),
        z=catches.input(block.attention.output).unflatten(-1, (len(block.attention.w_o), -1)),
        attn_out=attn_out,
        attn_gain=attn_gain,
        resid_mid=resid_mid,
        ln2=ln2,
        activation=activation,
        mlp_out=mlp_out,
        mlp_gain=mlp_gain,
        resid_post=catches.output(block.module),
        routing_weight=routing_weight,
        routed=routed,
    )


def _written(
    projection: nn.Module, norm: Norm | None, block: Block, catches: _Catches
) -> tuple[Tensor, Tensor | None]:
    """What a projection's output becomes when it is added, and the gain that lies between."""
    raw = catches.output(projection)
    if norm is None and block.write_scale == 1:
        return raw, None
    if norm is None:
        return raw * block.write_scale, torch.full_like(raw, block.write_scale)
    wide = raw.to(ledger_dtype(raw))
    gain = norm.gain.to(wide) * norm.scale(wide) * block.write_scale
    return catches.output(norm.module) * block.write_scale, gain


def _watched(block: Block) -> set[nn.Module]:
    """Every submodule of a block whose input or output is kept."""
    norms = (block.ln1, block.ln2, block.attn_norm, block.mlp_norm)
    watched = {norm.module for norm in norms if norm is not None}
    watched |= {block.attention.module, block.attention.output}
    watched |= {block.mlp.input, block.mlp.output}
    return watched | {block.mlp.router} if isinstance(block.mlp, Experts) else watched

"""One forward pass, recorded: every tensor that the ledgers need, as the model itself made it.

``record`` hangs hooks on the submodules that the ``Architecture`` names, runs the model once with
eager attention under ``torch.inference_mode()``, and takes the hooks off whatever happens. This is
the only file that touches hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, fields
from importlib.metadata import version
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from visit.architectures import Architecture
from visit.architectures.base import Block, Experts, Norm, Sizes
from visit.architectures.elsewhere import plain_weights
from visit.errors import ModelError
from visit.precision import ledger_dtype, reading_dtype


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


@dataclass(frozen=True, slots=True)
class Trace:
    """One forward pass: the prompt's token ids, every layer, and the end of the model.

    Attributes:
        token_ids: The prompt.
        layers: In order.
        final_norm: The last residual, normed.
        logits: The model's own.
    """

    token_ids: tuple[int, ...]
    layers: tuple[LayerTrace, ...]
    final_norm: Float[Tensor, "pos d_model"]
    logits: Float[Tensor, "pos d_vocab"]


def bytes_of_trace(sizes: Sizes, n_positions: int) -> int:
    """About how many bytes a trace takes, with the largest table of one layer's ledgers.

    Args:
        sizes: The model's.
        n_positions: How many tokens its prompt has.
    """
    vectors = 7 * sizes.d_model + sizes.n_heads * sizes.d_head + sizes.d_mlp
    per_layer = n_positions * (vectors + sizes.n_heads * n_positions)
    values = 8 * sizes.n_heads * n_positions * sizes.d_model  # every head's of every source
    return 4 * (sizes.n_layers * per_layer + n_positions * sizes.d_vocab) + values


def check_finite(model: Any, trace: Trace) -> None:
    """Refuse a forward pass in which something is NaN or infinite, saying where it began.

    Raises:
        ModelError: a weight or an activation is not finite.
    """
    if trace.logits.isfinite().all() and trace.layers[-1].resid_post.isfinite().all():
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
) -> Trace:
    """Run the model once on the prompt and keep what every layer read and wrote.

    Args:
        model: A loaded Hugging Face causal language model with eager attention.
        architecture: The same model, laid open.
        token_ids: The prompt, at least one token.
        on_layer: Called as each layer ends with the number done; what it raises ends the run.

    Raises:
        ValueError: the model does not use eager attention, which alone shows its pattern.
    """
    if model.config._attn_implementation != "eager":
        raise ValueError("load the model with attn_implementation='eager' to see its attention")
    caught: dict[nn.Module, tuple[Tensor, Any]] = {}
    projections = {
        projection
        for block in architecture.outline
        for projection in (block.attention.output, block.mlp.output)
    }

    def catch(
        module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any
    ) -> None:
        # Falcon adds attention to the MLP's output in place: keep what was there before.
        is_projection = module in projections and isinstance(output, Tensor)
        kept = output.clone() if is_projection else output
        caught[module] = (inputs[0] if inputs else named["hidden_states"], kept)

    def count(done: int) -> Callable[..., None]:
        return lambda *_: on_layer(done) if on_layer else None

    is_float64 = architecture.unembedding.dtype is torch.float64
    ids = torch.tensor([list(token_ids)], device=architecture.unembedding.device)
    with ExitStack() as stack:
        for module in _watched(architecture):
            stack.callback(module.register_forward_hook(catch, with_kwargs=True).remove)
        for done, block in enumerate(architecture.outline, start=1):
            stack.callback(block.module.register_forward_hook(count(done)).remove)
        stack.enter_context(torch.inference_mode())
        stack.enter_context(Float64Throughout() if is_float64 else nullcontext())
        logits = model(input_ids=ids, use_cache=False, **_asking_for_attention()).logits

        catches = _Catches(caught, len(token_ids), ids.device)
        return Trace(
            token_ids=tuple(token_ids),
            layers=tuple(_layer(block, catches) for block in architecture.outline),
            final_norm=catches.output(architecture.final_norm.module),
            logits=logits[0].to(ids.device, reading_dtype(logits.dtype)),
        )


def _asking_for_attention() -> dict[str, bool]:
    """In transformers 4 some layers (OPT, StableLM) drop their pattern unless it is asked for."""
    is_old = version("transformers").startswith("4.")
    return {"output_attentions": True} if is_old else {}


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


def _watched(architecture: Architecture) -> set[nn.Module]:
    """Every submodule whose input or output is kept."""
    watched = {architecture.final_norm.module}
    for block in architecture.outline:
        norms = (block.ln1, block.ln2, block.attn_norm, block.mlp_norm)
        watched |= {norm.module for norm in norms if norm is not None}
        watched |= {block.module, block.attention.module, block.attention.output}
        watched |= {block.mlp.input, block.mlp.output}
        if isinstance(block.mlp, Experts):
            watched.add(block.mlp.router)
    return watched

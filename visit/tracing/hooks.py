"""Catching what one layer reads and writes, as the model itself makes it.

``watch`` hangs hooks on the submodules that a ``Block`` names and takes them off whatever
happens; ``run_like`` is how the model is run meanwhile. No other file touches hooks, but for the
one on the final norm in ``trace``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import version
from inspect import signature
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from visit.models.architectures.base import Block, Experts, Norm
from visit.tracing.precision import ledger_dtype


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


class Float64Throughout(TorchFunctionMode):
    """Keeps a float64 model in float64 where transformers asks for float32.

    Its RMSNorms, its attention softmax and its rotary angles ask for float32 whatever the model's
    dtype. That helps half precision, but would cost a float64 run nine digits. In this mode a
    request for float32 gives float64.
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


@contextmanager
def run_like(like: Tensor) -> Iterator[None]:
    """How a model with such weights is run, whole or one block of it."""
    is_float64 = like.dtype is torch.float64
    with torch.inference_mode(), Float64Throughout() if is_float64 else nullcontext():
        yield


def watch(
    block: Block, home: torch.device, done: Callable[[LayerTrace, Call], None]
) -> AbstractContextManager[None]:
    """Capture a block's tensors whenever it runs, move them to the home device, and name them.

    Prompts that run together are captured as one: their positions one after another, and none of
    them in another's pattern.
    """
    return catch_block(
        block, home, lambda catches, call: done(_layer_from_catches(block, catches), call)
    )


@contextmanager
def catch_block(
    block: Block, home: torch.device, done: Callable[[Catches, Call], None]
) -> Iterator[None]:
    """Catch a block's tensors whenever it runs.

    Args:
        block: The block.
        home: The device that they are moved to as they are taken.
        done: Told of each run; what it is told of is dropped when it returns.
    """
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
        done(Catches(dict(caught), call.residual[..., 0].numel(), home), call)
        caught.clear()

    with ExitStack() as stack:
        if _hides_attention():
            ask = block.module.register_forward_pre_hook(_ask_for_attention, with_kwargs=True)
            stack.callback(ask.remove)
        for module in _find_modules(block):
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


def asking_for_attention(named: dict[str, Any]) -> dict[str, Any]:
    """The named arguments of an attention that is called by itself for its pattern."""
    return {**named, "output_attentions": True} if _hides_attention() else named


def named_arguments(
    module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
) -> dict[str, Any]:
    """What a module is called with, all of it by name."""
    bound = signature(module.forward).bind(*inputs, **named).arguments
    gathered = [
        name
        for name, one in signature(module.forward).parameters.items()
        if one.kind is one.VAR_KEYWORD and name in bound
    ]
    more = bound.pop(gathered[0]) if gathered else {}
    return {**bound, **more}


@dataclass(frozen=True, slots=True)
class Catches:
    """What the hooks caught, each as ``[pos, ...]``, all on one device.

    Attributes:
        caught: What every watched submodule was given and returned.
        n_positions: How many there are, of all prompts together.
        device: Where they are taken to.
    """

    caught: dict[nn.Module, tuple[Tensor, Any]]
    n_positions: int
    device: torch.device

    def input(self, module: nn.Module) -> Tensor:
        """What a submodule was given."""
        return self.caught[module][0].reshape(self.n_positions, -1).to(self.device)

    def output(self, module: nn.Module) -> Tensor:
        """What it returned."""
        output = self.caught[module][1]
        first: Tensor = output[0] if isinstance(output, tuple) else output
        return first.reshape(self.n_positions, -1).to(self.device)

    def whole_output(self, module: nn.Module) -> Any:
        """The same as it is, where it is no tensor."""
        return self.caught[module][1]

    def patterns(self, attention: nn.Module) -> Float[Tensor, "prompt head reader source"]:
        """Every prompt's own pattern."""
        patterns: Tensor = self.caught[attention][1][1]
        return patterns.to(self.device)

    def pattern(self, attention: nn.Module) -> Float[Tensor, "head reader source"]:
        """The patterns as one, in which no prompt reads another."""
        patterns = self.patterns(attention)
        if len(patterns) == 1:
            return patterns[0]
        by_head = (torch.block_diag(*one) for one in patterns.transpose(0, 1))
        return torch.stack([*by_head])


def tensors_from_catches(block: Block, catches: Catches) -> dict[str, Tensor | None]:
    """What a block read and wrote, by the names of ``LayerTrace``, but for pattern and routing."""
    resid_pre = catches.input(block.module)
    ln1 = resid_pre if block.ln1 is None else catches.output(block.ln1.module)
    attn_out, attn_gain = _find_written(block.attention.output, block.attn_norm, block, catches)
    mlp_out, mlp_gain = _find_written(block.mlp.output, block.mlp_norm, block, catches)
    ln2 = catches.input(block.mlp.input)
    if block.parallel:
        resid_mid = None
    else:
        resid_mid = ln2 if block.ln2 is None else catches.input(block.ln2.module)
    is_mixture = isinstance(block.mlp, Experts)
    return {
        "resid_pre": resid_pre,
        "ln1": ln1,
        "z": catches.input(block.attention.output).unflatten(-1, (len(block.attention.w_o), -1)),
        "attn_out": attn_out,
        "attn_gain": attn_gain,
        "resid_mid": resid_mid,
        "ln2": ln2,
        "activation": None if is_mixture else catches.input(block.mlp.output),
        "mlp_out": mlp_out,
        "mlp_gain": mlp_gain,
        "resid_post": catches.output(block.module),
    }


def _layer_from_catches(block: Block, catches: Catches) -> LayerTrace:
    routing_weight = routed = None
    if isinstance(block.mlp, Experts):
        routing = block.mlp.routing(catches.whole_output(block.mlp.router))
        routing_weight, routed = (part.to(catches.device) for part in routing)
    tensors: dict[str, Any] = tensors_from_catches(block, catches)
    return LayerTrace(
        attention=catches.pattern(block.attention.module),
        routing_weight=routing_weight,
        routed=routed,
        **tensors,
    )


def _find_written(
    projection: nn.Module, norm: Norm | None, block: Block, catches: Catches
) -> tuple[Float[Tensor, "pos d_model"], Float[Tensor, "pos d_model"] | None]:
    """What a projection's output becomes when it is added, and the gain that lies between."""
    raw = catches.output(projection)
    if norm is None and block.write_scale == 1:
        return raw, None
    if norm is None:
        return raw * block.write_scale, torch.full_like(raw, block.write_scale)
    wide = raw.to(ledger_dtype(raw))
    gain = norm.gain.to(wide) * norm.scale(wide) * block.write_scale
    return catches.output(norm.module) * block.write_scale, gain


def _find_modules(block: Block) -> set[nn.Module]:
    """Every submodule of a block whose input or output is kept."""
    norms = (block.ln1, block.ln2, block.attn_norm, block.mlp_norm)
    watched = {norm.module for norm in norms if norm is not None}
    watched |= {block.attention.module, block.attention.output}
    watched |= {block.mlp.input, block.mlp.output}
    return watched | {block.mlp.router} if isinstance(block.mlp, Experts) else watched

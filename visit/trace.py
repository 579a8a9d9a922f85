"""One forward pass, recorded: every tensor that the ledgers need, as the model itself made it.

``record`` hangs hooks on the submodules that the ``Architecture`` names, runs the model once with
eager attention under ``torch.inference_mode()``, and takes the hooks off whatever happens. This is
the only file that touches hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from visit.architectures import Architecture


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """What one layer read and wrote at every position.

    Attributes:
        resid_pre: The residual that enters.
        ln1: Its norm, which attention reads.
        attention: The pattern; each reader's row adds to 1 over its sources.
        z: Each head's mix of values, before the output projection.
        attn_out: What attention writes.
        resid_mid: The residual between attention and MLP.
        ln2: Its norm, which the MLP reads.
        activation: Each memory's coefficient.
        mlp_out: What the MLP writes.
        resid_post: The residual that leaves.
    """

    resid_pre: Float[Tensor, "pos d_model"]
    ln1: Float[Tensor, "pos d_model"]
    attention: Float[Tensor, "head pos pos"]
    z: Float[Tensor, "pos head d_head"]
    attn_out: Float[Tensor, "pos d_model"]
    resid_mid: Float[Tensor, "pos d_model"]
    ln2: Float[Tensor, "pos d_model"]
    activation: Float[Tensor, "pos d_mlp"]
    mlp_out: Float[Tensor, "pos d_model"]
    resid_post: Float[Tensor, "pos d_model"]


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


def ledger_dtype(like: Tensor) -> torch.dtype:
    """The dtype ledgers are kept in on this tensor's device."""
    return torch.float32 if like.device.type == "mps" else torch.float64


class Float64Throughout(TorchFunctionMode):
    """Keeps a float64 model in float64 where transformers steps down to float32.

    Its RMSNorms and its attention softmax ask for float32 whatever the model's dtype: a kindness to
    half precision that would cost a float64 run nine digits. Casts of a float64 tensor to float32
    stay float64 in this mode; all else is as it was.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the function with float64 where it would have stepped down."""
        kwargs = dict(kwargs or {})
        is_float64 = bool(args) and isinstance(args[0], Tensor) and args[0].dtype is torch.float64
        if is_float64:
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
    caught: dict[nn.Module, tuple[Any, Any]] = {}

    def catch(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        caught[module] = (inputs[0] if inputs else None, output)

    def count(done: int) -> Callable[..., None]:
        return lambda *_: on_layer(done) if on_layer else None

    is_float64 = architecture.unembedding.dtype is torch.float64
    ids = torch.tensor([list(token_ids)], device=architecture.unembedding.device)
    with ExitStack() as stack:
        for module in _watched(architecture):
            stack.callback(module.register_forward_hook(catch).remove)
        for done, block in enumerate(architecture.blocks, start=1):
            stack.callback(block.mlp.module.register_forward_hook(count(done)).remove)
        stack.enter_context(torch.inference_mode())
        stack.enter_context(Float64Throughout() if is_float64 else nullcontext())
        logits = model(input_ids=ids, use_cache=False).logits

    residuals = [caught[block.ln1.module][0][0] for block in architecture.blocks]
    residuals.append(caught[architecture.final_norm.module][0][0])
    layers = []
    for number, block in enumerate(architecture.blocks):
        attn_out, pattern = caught[block.attention.module][1]
        z = caught[block.attention.output][0][0]
        layers.append(
            LayerTrace(
                resid_pre=residuals[number],
                ln1=caught[block.ln1.module][1][0],
                attention=pattern[0],
                z=z.unflatten(-1, (architecture.sizes.n_heads, -1)),
                attn_out=attn_out[0],
                resid_mid=caught[block.ln2.module][0][0],
                ln2=caught[block.ln2.module][1][0],
                activation=caught[block.mlp.output][0][0],
                mlp_out=caught[block.mlp.module][1][0],
                resid_post=residuals[number + 1],
            )
        )
    return Trace(
        token_ids=tuple(token_ids),
        layers=tuple(layers),
        final_norm=caught[architecture.final_norm.module][1][0],
        logits=logits[0],
    )


def _watched(architecture: Architecture) -> list[nn.Module]:
    """Every submodule whose input or output is kept."""
    watched = [architecture.final_norm.module]
    for block in architecture.blocks:
        attention, mlp = block.attention, block.mlp
        watched += [block.ln1.module, attention.module, attention.output]
        watched += [block.ln2.module, mlp.module, mlp.output]
    return watched

"""The gradient of the live pass at every site, with patterns, norms and gates moving as they do.

It goes back through the model's own blocks one at a time, each run again with the arguments of the
recorded pass, so that no more than one layer's graph is in memory. Sites are leaves of it: a zero
added where a site's value is. What comes before a position cannot read it, so the gradients from
some position on can be had from a pass that runs from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from visit.models.architectures import Architecture
from visit.models.architectures.base import Block, Mlp
from visit.tracing.hooks import Call, Float64Throughout
from visit.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class SiteGradient:
    """A number's gradient at every site of one layer, each where ``sites.value_at`` has its value.

    Attributes:
        resid_pre: At the residual that enters.
        z: At each head's mix of values.
        attn_raw: At the output projection's result, before any output norm.
        attn: At what attention writes, and so at ``resid_mid`` of a sequential layer.
        activation: At each memory's activation; ``None`` in a mixture of experts.
        mlp_raw: At what the MLP's projection or the mixture gives, before any output norm.
        mlp: At what the MLP writes.
        resid_post: At the residual that leaves.
        first: The position that all begin at.
    """

    resid_pre: Float[Tensor, "pos d_model"]
    z: Float[Tensor, "pos head d_head"]
    attn_raw: Float[Tensor, "pos d_model"]
    attn: Float[Tensor, "pos d_model"]
    activation: Float[Tensor, "pos d_mlp"] | None
    mlp_raw: Float[Tensor, "pos d_model"]
    mlp: Float[Tensor, "pos d_model"]
    resid_post: Float[Tensor, "pos d_model"]
    first: int = 0


def sweep_back_live(
    architecture: Architecture,
    calls: Sequence[Call],
    last: Float[Tensor, "pos d_model"],
    first: int = 0,
) -> Iterator[tuple[int, SiteGradient]]:
    """The gradients at every layer's sites, from the last layer down.

    Args:
        architecture: The model.
        calls: How the forward pass called each block.
        last: The number's gradient at the last residual, every position that was run.
        first: The first of those positions.

    Source: Nanda 2023, "Attribution patching"; Syed et al. 2023.
    """
    for layer in reversed(range(len(calls))):
        at = replace(_step_back(architecture.blocks[layer], calls[layer], last), first=first)
        yield layer, at
        last = at.resid_pre


def gradient_at_last_residual(
    architecture: Architecture,
    trace: Trace,
    position: int,
    unembedding: Float[Tensor, " d_model"],
) -> Float[Tensor, "pos d_model"]:
    """The gradient of a functional of the normed residual, through the live final norm.

    Args:
        architecture: The model.
        trace: The forward pass.
        position: The traced position, whose normed residual it is of.
        unembedding: The functional.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        resid = trace.residuals[-1][position].to(unembedding).clone().requires_grad_()
        value = architecture.final_norm(resid) @ unembedding.clone()
        (own,) = torch.autograd.grad(value, resid)
    whole = torch.zeros_like(trace.residuals[-1], dtype=own.dtype)
    whole[position] = own
    return whole


def _step_back(block: Block, call: Call, post: Tensor) -> SiteGradient:
    leaves = _Leaves()
    with torch.inference_mode(mode=False), torch.enable_grad(), ExitStack() as stack:
        if call.residual.dtype is torch.float64:
            stack.enter_context(Float64Throughout())
        inputs, named = outside_inference(call.inputs), outside_inference(call.named)
        residual = (inputs[0] if inputs else named["hidden_states"]).requires_grad_()
        for remove in leaves.hang(block):
            stack.callback(remove)
        output = block.module(*inputs, **named)
        output = output[0] if isinstance(output, tuple) else output
        leaves.grown["resid_pre"] = residual
        names = list(leaves.grown)
        found = torch.autograd.grad(
            output,
            [leaves.grown[name] for name in names],
            post.clone().to(output).reshape(output.shape),
        )
    n_positions = call.residual.shape[1]
    at = {
        name: one.detach().reshape(n_positions, -1) for name, one in zip(names, found, strict=True)
    }
    n_heads = len(block.attention.w_o)
    return SiteGradient(
        resid_pre=at["resid_pre"],
        z=at["z"].unflatten(-1, (n_heads, -1)),
        attn_raw=at["attn_raw"],
        attn=at["attn"] / block.write_scale,
        activation=at.get("activation"),
        mlp_raw=at["mlp_raw"],
        mlp=at["mlp"] / block.write_scale,
        resid_post=post,
    )


@dataclass(slots=True)
class _Leaves:
    """Zeros added to what a block's submodules read and write, as they ran last."""

    grown: dict[str, Tensor] = field(default_factory=dict)

    def hang(self, block: Block) -> list[Callable[[], None]]:
        """Hang what adds them; the functions that take it down again."""
        attention, mlp = block.attention, block.mlp
        handles = [
            attention.output.register_forward_pre_hook(self._of_input("z")),
            attention.output.register_forward_hook(self._of_output("attn_raw")),
            mlp.output.register_forward_hook(self._of_output("mlp_raw")),
            _module(block.attn_norm, attention.output).register_forward_hook(
                self._of_output("attn")
            ),
            _module(block.mlp_norm, mlp.output).register_forward_hook(self._of_output("mlp")),
        ]
        if isinstance(mlp, Mlp):
            handles.append(mlp.output.register_forward_pre_hook(self._of_input("activation")))
        return [handle.remove for handle in handles]

    def _grow(self, name: str, value: Tensor) -> Tensor:
        self.grown[name] = torch.zeros_like(value, requires_grad=True)
        return value + self.grown[name]

    def _of_input(self, name: str) -> Callable[[nn.Module, Any], Any]:
        return lambda _, args: (self._grow(name, args[0]), *args[1:])

    def _of_output(self, name: str) -> Callable[[nn.Module, Any, Any], Any]:
        def grow(_: nn.Module, args: Any, output: Any) -> Any:
            if isinstance(output, tuple):
                return (self._grow(name, output[0]), *output[1:])
            return self._grow(name, output)

        return grow


def _module(norm: Any, projection: nn.Module) -> nn.Module:
    module: nn.Module = projection if norm is None else norm.module
    return module


def outside_inference(given: Any) -> Any:
    """The arguments of a recorded call as tensors that autograd can work with."""
    if isinstance(given, Tensor):
        return given.clone()
    if isinstance(given, tuple):
        return tuple(outside_inference(one) for one in given)
    if isinstance(given, dict):
        return {name: outside_inference(one) for name, one in given.items()}
    return given

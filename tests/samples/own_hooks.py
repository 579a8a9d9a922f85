"""Changes made to a plain forward pass by hooks written from their meaning, to compare ours with.

Each change is worked out from what the plain pass recorded, since nothing before it is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from specimens import TOKEN_IDS, Specimen
from torch import Tensor

from visit.graph.interventions import Site
from visit.graph.kinds import NodeKind
from visit.tracing.hooks import Float64Throughout

Change = Callable[[Tensor], Tensor]


def logits_with(tiny: Specimen, *changes: tuple[Site, Change | None]) -> Tensor:
    """The model's logits with each site's value changed; ``None`` knocks its source out."""
    with ExitStack() as stack:
        for site, change in changes:
            for handle in _hang(tiny, site, change):
                stack.callback(handle.remove)
        with torch.no_grad(), Float64Throughout():
            logits: Tensor = tiny.model(input_ids=torch.tensor([TOKEN_IDS])).logits[0]
    return logits


def logits_without(tiny: Specimen, *sites: Site) -> Tensor:
    """The model's logits with heads, attention neurons and MLPs at zero, whatever they come to."""
    with ExitStack() as stack:
        for site in sites:
            stack.callback(_silence(tiny, site).remove)
        with torch.no_grad(), Float64Throughout():
            logits: Tensor = tiny.model(input_ids=torch.tensor([TOKEN_IDS])).logits[0]
    return logits


def _silence(tiny: Specimen, site: Site) -> Any:
    block = tiny.architecture.blocks[site.layer or 0]
    if site.kind is NodeKind.MLP:
        end = block.mlp.output if block.mlp_norm is None else block.mlp_norm.module
        return _after(end, site.position, torch.zeros_like)
    width = block.attention.w_o.shape[1] if site.kind is NodeKind.HEAD else 1
    columns = torch.arange(site.number * width, (site.number + 1) * width)
    return _before(block.attention.output, site.position, lambda x: x.index_fill(0, columns, 0.0))


def value_of(tiny: Specimen, site: Site) -> Tensor:
    """What the plain pass has at a site, worked out from its trace."""
    layer = tiny.trace.layers[site.layer or 0]
    place, number = site.position, site.number
    assert place is not None
    match site.kind:
        case NodeKind.EMBED:
            return layer.resid_pre[place]
        case NodeKind.RESID_MID:
            return layer.resid_pre[place] + layer.attn_out[place]
        case NodeKind.RESID_POST:
            return layer.resid_post[place]
        case NodeKind.ATTN:
            return layer.attn_out[place]
        case NodeKind.MLP:
            return layer.mlp_out[place]
        case NodeKind.HEAD if site.source is not None:
            return source_part(tiny, site)
        case NodeKind.HEAD:
            return layer.z[place, number]
        case NodeKind.ATTN_NEURON:
            return layer.z[place].flatten()[number]
        case NodeKind.MEMORY_VALUE:
            assert layer.activation is not None
            return layer.activation[place, number]
        case NodeKind.EXPERT:
            return expert_part(tiny, site)
    raise AssertionError(site)


def source_part(tiny: Specimen, site: Site) -> Tensor:
    layer = tiny.trace.layers[site.layer or 0]
    weights = tiny.architecture.blocks[site.layer or 0].attention
    group = len(weights.w_q) // len(weights.w_v)
    value = layer.ln1[site.source] @ weights.w_v[site.number // group]
    if weights.b_v is not None:
        value = value + weights.b_v[site.number // group]
    return layer.attention[site.number, site.position, site.source] * value


def expert_part(tiny: Specimen, site: Site) -> Tensor:
    layer = tiny.trace.layers[site.layer or 0]
    mixture = tiny.architecture.blocks[site.layer or 0].mlp
    for weight, number in zip(
        layer.routing_weight[site.position], layer.routed[site.position], strict=True
    ):
        if number == site.number:
            return weight * mixture.experts[site.number](layer.ln2[site.position])
    return torch.zeros_like(layer.ln2[site.position])


def _hang(tiny: Specimen, site: Site, change: Change | None) -> list[Any]:
    block = tiny.architecture.blocks[site.layer or 0]
    attention, mlp, place = block.attention, block.mlp, site.position
    scale = block.write_scale
    attn_end = attention.output if block.attn_norm is None else block.attn_norm.module
    mlp_end = mlp.output if block.mlp_norm is None else block.mlp_norm.module
    moved = _moved(tiny, site, change)
    match site.kind:
        case NodeKind.EMBED:
            return [_before(block.module, place, lambda x: x + moved)]
        case NodeKind.RESID_POST:
            return [_after(block.module, place, lambda x: x + moved)]
        case NodeKind.ATTN | NodeKind.RESID_MID:
            return [_after(attn_end, place, lambda x: x + moved / scale)]
        case NodeKind.MLP:
            return [_after(mlp_end, place, lambda x: x + moved / scale)]
        case NodeKind.ATTN_BIAS:
            return [_after(attention.output, place, lambda x: x + moved)]
        case NodeKind.MLP_BIAS | NodeKind.EXPERT:
            return [_after(mlp.output, place, lambda x: x + moved)]
        case NodeKind.HEAD:
            width = attention.w_o.shape[1]
            columns = torch.arange(site.number * width, (site.number + 1) * width)
            return [_before(attention.output, place, lambda x: x.index_add(0, columns, moved))]
        case NodeKind.ATTN_NEURON:
            column = torch.tensor([site.number])
            return [_before(attention.output, place, lambda x: x.index_add(0, column, moved[None]))]
        case NodeKind.MEMORY_VALUE:
            column = torch.tensor([site.number])
            return [_before(mlp.output, place, lambda x: x.index_add(0, column, moved[None]))]
    raise AssertionError(site)


def _moved(tiny: Specimen, site: Site, change: Change | None) -> Tensor:
    """How far the site's value moves."""
    block = tiny.architecture.blocks[site.layer or 0]
    if site.kind is NodeKind.ATTN_BIAS:
        return change(block.attention.b_o) - block.attention.b_o
    if site.kind is NodeKind.MLP_BIAS:
        return change(block.mlp.b_out) - block.mlp.b_out
    value = value_of(tiny, site)
    if change is not None:
        return change(value) - value
    layer = tiny.trace.layers[site.layer or 0]
    left = 1 - layer.attention[site.number, site.position, site.source]
    z = layer.z[site.position, site.number]
    return (z - value) / left - z


def _before(module: Any, place: int, change: Change) -> Any:
    def hook(_: Any, args: Any, named: Any) -> Any:
        given = args[0] if args else named["hidden_states"]
        new = _at(given, place, change)
        return ((new, *args[1:]), named) if args else (args, {**named, "hidden_states": new})

    return module.register_forward_pre_hook(hook, with_kwargs=True)


def _after(module: Any, place: int, change: Change) -> Any:
    def hook(_: Any, __: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (_at(output[0], place, change), *output[1:])
        return _at(output, place, change)

    return module.register_forward_hook(hook)


def _at(tensor: Tensor, place: int, change: Change) -> Tensor:
    rows = tensor.clone().reshape(len(TOKEN_IDS), -1)
    rows[place] = change(rows[place])
    return rows.reshape(tensor.shape)

"""The sites of a model: which it has, and what a recorded pass holds at each.

A site's value is in the space that it is changed in: a head's is its mix of values before the
output projection, a memory's and an attention neuron's one number, an expert's what it writes
before any output norm; everything else is a vector of the residual stream.
"""

from __future__ import annotations

import torch
from torch import Tensor

from visit.errors import RequestError
from visit.graph.interventions import Intervention, Site, Way
from visit.graph.kinds import NodeKind
from visit.models.architectures import Architecture
from visit.models.architectures.base import Attention, Block, Experts, Mlp
from visit.tracing.hooks import LayerTrace
from visit.tracing.trace import Trace

CONSTANTS = (NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS)
"""What is the same on every prompt."""

_FROM_ELSEWHERE = (Way.MEAN, Way.RESAMPLE, Way.PATCH)


def check_intervention(
    architecture: Architecture, intervention: Intervention, position: int
) -> None:
    """Refuse a change of what the model does not compute before it predicts.

    Args:
        architecture: The model.
        intervention: The change.
        position: The traced position.

    Raises:
        RequestError: the site does not exist or cannot be changed so.
    """
    site, way = intervention.site, intervention.how.way
    _check_place(site, position)
    _check_layer(architecture, site)
    if site.kind in CONSTANTS and way in _FROM_ELSEWHERE:
        raise RequestError(
            f"{site} is the same on every prompt, so {way} changes nothing; give zero or scale:X"
        )
    if way is Way.KNOCKOUT and site.source == 0 == max(site.positions(position)):
        raise RequestError(
            f"{site} cannot be knocked out: position 0 reads itself alone, and would read nothing; "
            "give zero"
        )
    if way is Way.MEAN and (site.source is not None or site.kind is NodeKind.EXPERT):
        what = "a source's part" if site.source is not None else "an expert"
        raise RequestError(
            f"{site} has no mean: {what} is not there at every position; give zero or patch"
        )


def _check_place(site: Site, position: int) -> None:
    if site.position is not None and site.position > position:
        raise RequestError(
            f"{site} comes after the traced position {position} and cannot change what is "
            f"predicted there; give a position from 0 to {position}"
        )
    if site.source is not None and site.source > position:
        raise RequestError(
            f"{site} reads from position {site.source}, but the traced one is {position}; "
            f"give a source from 0 to {position}"
        )


def _check_layer(architecture: Architecture, site: Site) -> None:
    if site.layer is None:
        return
    sizes = architecture.sizes
    if site.layer >= sizes.n_layers:
        raise RequestError(
            f"{site} does not exist: the model has the layers 0 to {sizes.n_layers - 1}"
        )
    block = architecture.outline[site.layer]
    missing = _find_missing(block, site)
    if missing is not None:
        raise RequestError(f"{site} does not exist: layer {site.layer} {missing}")
    numbers = count_of(architecture, block, site.kind)
    if site.number is not None and site.number >= numbers:
        raise RequestError(f"{site} does not exist: its numbers are 0 to {numbers - 1}")


def _find_missing(block: Block, site: Site) -> str | None:
    """Why a layer has no site of this kind, or ``None`` if it has."""
    is_mixture = isinstance(block.mlp, Experts)
    match site.kind:
        case NodeKind.RESID_MID if block.parallel:
            return "has its attention and MLP side by side, with no residual between"
        case NodeKind.ATTN_BIAS if block.attention.b_o is None:
            return "has no bias in its attention's output"
        case NodeKind.MLP_BIAS if not isinstance(block.mlp, Mlp) or block.mlp.b_out is None:
            return "has no bias in its MLP's output"
        case NodeKind.MEMORY_VALUE if is_mixture:
            return "is a mixture of experts, which is not opened into memories; give an expert"
        case NodeKind.EXPERT if not is_mixture:
            return "has memories and no experts; give a memory"
    return None


def count_of(architecture: Architecture, block: Block, kind: NodeKind) -> int:
    """How many of a numbered kind a layer has."""
    if kind is NodeKind.HEAD:
        return architecture.sizes.n_heads
    if kind is NodeKind.ATTN_NEURON:
        return len(block.attention.w_o) * block.attention.w_o.shape[1]
    if isinstance(block.mlp, Experts):
        return len(block.mlp.experts)
    return len(block.mlp.w_out)


def value_at(architecture: Architecture, trace: Trace, site: Site) -> Tensor:
    """What a pass computed at a site that has one position, in the space that it is changed in.

    Raises:
        ValueError: the site stands for every position, or for a bias.
    """
    place, number = site.position, site.number
    if place is None or site.kind in CONSTANTS:
        raise ValueError(f"{site} has no one value; take it at one position")
    if site.layer is None:
        return trace.residuals[0][place]
    layer, block = trace.layers[site.layer], architecture.blocks[site.layer]
    match site.kind:
        case NodeKind.HEAD if site.source is not None:
            return _source_part(block.attention, layer, site)
        case NodeKind.EXPERT:
            return _expert_part(block.mlp, layer, place, number)
    whole = whole_of(layer, site.kind)
    if whole is None:
        raise ValueError(f"layer {site.layer} has no {site.kind}")
    return whole[place] if number is None else whole[place, number]


def whole_of(layer: LayerTrace, kind: NodeKind) -> Tensor | None:
    """All that a layer holds of a kind, ``[pos, ...]``, by number where it has numbers."""
    match kind:
        case NodeKind.HEAD:
            return layer.z
        case NodeKind.ATTN_NEURON:
            return layer.z.flatten(1)
        case NodeKind.MEMORY_VALUE:
            return layer.activation
        case NodeKind.ATTN:
            return layer.attn_out
        case NodeKind.MLP:
            return layer.mlp_out
        case NodeKind.RESID_MID:
            return layer.resid_mid
        case NodeKind.RESID_POST:
            return layer.resid_post
    raise ValueError(f"a layer holds no {kind}")


def _source_part(attention: Attention, layer: LayerTrace, site: Site) -> Tensor:
    assert site.number is not None and site.source is not None
    value = attention.value(layer.ln1[site.source], site.number)
    return layer.attention[site.number, site.position, site.source] * value


def _expert_part(mlp: Mlp | Experts, layer: LayerTrace, place: int, number: int | None) -> Tensor:
    assert isinstance(mlp, Experts) and layer.routed is not None and number is not None
    assert layer.routing_weight is not None
    weight = layer.routing_weight[place][layer.routed[place] == number].sum()
    if weight == 0:
        return torch.zeros_like(layer.ln2[place])
    return weight * mlp.experts[number](layer.ln2[place])

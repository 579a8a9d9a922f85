"""What a changed pass's record says of its changed parts, so that all ledgers add up as ever.

A part that is set to zero or multiplied is still made as it was: a head mixes its values, a memory
matches its key. What was done to it is put where it is held: into the pattern of a head, the gain
of an attention or an MLP, the weight of an expert. So a head that is off reads nothing, and every
part of the changed pass is what it adds to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from visit.graph.kinds import NodeKind
from visit.models.architectures.base import Block
from visit.tracing.hooks import LayerTrace
from visit.tracing.interventions import Edit


def hold_changes(recorded: LayerTrace, block: Block, edits: Sequence[Edit]) -> LayerTrace:
    """A layer's record with what was changed in it held like its pattern and gains.

    Args:
        recorded: As the hooks caught it.
        block: Its weights.
        edits: What was changed in it.
    """
    for one in edits:
        # A knock-out changed the pattern itself; a value from elsewhere is written by no part.
        if one.knocks_out or one.constant is not None:
            continue
        recorded = _hold(recorded, block, one)
    return recorded


def _hold(recorded: LayerTrace, block: Block, one: Edit) -> LayerTrace:
    site, place = one.site, one.site.position
    assert place is not None
    match site.kind:
        case NodeKind.HEAD:
            sources = slice(None) if site.source is None else site.source
            attention = _scaled(recorded.attention, (site.number, place, sources), one.factor)
            return replace(recorded, attention=attention)
        case NodeKind.ATTN:
            gain = _gain(recorded.attn_gain, recorded.attn_out, block.write_scale)
            return replace(recorded, attn_gain=_scaled(gain, place, one.factor))
        case NodeKind.MLP:
            gain = _gain(recorded.mlp_gain, recorded.mlp_out, block.write_scale)
            return replace(recorded, mlp_gain=_scaled(gain, place, one.factor))
        case NodeKind.EXPERT if recorded.routing_weight is not None:
            assert recorded.routed is not None
            weights = recorded.routing_weight.clone()
            weights[place][recorded.routed[place] == site.number] *= one.factor
            return replace(recorded, routing_weight=weights)
    return recorded


def _gain(gain: Tensor | None, written: Tensor, scale: float) -> Tensor:
    return torch.full_like(written, scale) if gain is None else gain


def _scaled(whole: Tensor, where: object, factor: float) -> Tensor:
    """A copy in which one place is multiplied."""
    copy = whole.clone()
    copy[where] *= factor  # type: ignore[index]
    return copy

"""One trace with what is asked of it: what every step of assembling a graph needs to know."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from visit.attribution.metric import Metric
from visit.graph.flow import NodeId, NodeKind, Target
from visit.graph.request import Request
from visit.models.architectures import Architecture
from visit.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class TracedRequest:
    """One trace with what is asked of it.

    Attributes:
        architecture: The model, laid open.
        trace: The forward pass.
        request: What to draw.
        position: The traced position, from the start of the prompt.
        opened: The blocks that are opened, as (layer, position).
        target: The token that is explained.
        versus: The token whose logit is taken off the target's, if one was named.
        metric: What direct logits add up to: the target's logit, or its lead over versus.
        direction: A part's dot product with it is the part's direct logit.
    """

    architecture: Architecture
    trace: Trace
    request: Request
    position: int
    opened: frozenset[tuple[int, int]]
    target: Target
    versus: Target | None
    metric: Metric
    direction: Float[Tensor, " d_model"]

    def direction_at(self, position: int) -> Tensor | None:
        """The direct logit's direction where there is one: at the traced position."""
        return self.direction if position == self.position else None


def resid_pre_id(layer: int, position: int) -> NodeId:
    """The node of the residual that enters a layer: the embedding's, or the last layer's."""
    if layer == 0:
        return NodeId(NodeKind.EMBED, position)
    return NodeId(NodeKind.RESID_POST, position, layer - 1)


def residual_before_mlp_id(asked: TracedRequest, layer: int, position: int) -> NodeId:
    """The node of the residual that the MLP reads: resid_mid, or resid_pre in a parallel layer."""
    if asked.architecture.outline[layer].parallel:
        return resid_pre_id(layer, position)
    return NodeId(NodeKind.RESID_MID, position, layer)


def read_by_attention_id(asked: TracedRequest, layer: int, position: int) -> NodeId:
    """The node that queries read: the norm's, or the residual's where there is no norm."""
    if asked.architecture.outline[layer].ln1 is None:
        return resid_pre_id(layer, position)
    return NodeId(NodeKind.LN1, position, layer)


def read_by_mlp_id(asked: TracedRequest, layer: int, position: int) -> NodeId:
    """The node that memory keys read: a norm's, or the residual's where there is no norm."""
    block = asked.architecture.outline[layer]
    if block.ln2 is None:
        return residual_before_mlp_id(asked, layer, position)
    return NodeId(NodeKind.LN1 if block.ln2 is block.ln1 else NodeKind.LN2, position, layer)

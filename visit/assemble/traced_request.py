"""One trace with what is asked of it: what every step of assembling a graph needs to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from jaxtyping import Float
from torch import Tensor

from visit.assemble.named import check_there, resolve_position
from visit.assemble.strongest import Measured, Strongest
from visit.attribution.metric import Metric
from visit.attribution.metric_flow import MetricFlow
from visit.graph.flow import NodeId, NodeKind, Target
from visit.graph.interventions import Intervention, Site
from visit.graph.request import Request
from visit.models.architectures import Architecture
from visit.tracing.sites import check_intervention
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
        metric: What direct logits and flows add up to.
        candidates: The likeliest next tokens, of which the choice and outcomes are.
        direction: A part's dot product with it is the part's direct logit.
        flow: The metric's flow through the whole pass.
        strongest: The parts that are drawn whichever layers are opened.
        measured: What removing parts does, where parts rank by that.
    """

    architecture: Architecture
    trace: Trace
    request: Request
    position: int
    opened: frozenset[tuple[int, int]]
    target: Target
    versus: Target | None
    metric: Metric
    candidates: tuple[int, ...]
    direction: Float[Tensor, " d_model"]
    flow: MetricFlow
    strongest: Strongest
    measured: Measured = field(default_factory=Measured)

    def open_alone(self, layer: int, position: int) -> TracedRequest:
        """The same with one block opened at one position, and no other.

        Raises:
            RequestError: the layer or the position does not exist.
        """
        check_there("layer", layer, len(self.trace.layers))
        place = layer, resolve_position(position, len(self.trace.token_ids))
        return replace(self, opened=frozenset({place}))

    def sites(self, texts: Sequence[str]) -> list[Site]:
        """Parts by their ids, known to be the model's.

        Raises:
            RequestError: there is no such part, or it comes after the traced position.
        """
        sites = [Site.parse(text) for text in texts]
        for site in sites:
            check_intervention(self.architecture, Intervention(site), self.position)
        return sites

    def direction_at(self, position: int) -> Tensor | None:
        """The direct logit's direction where there is one: at the traced position."""
        return self.direction if position == self.position else None

    def gradients_at(
        self, of: Tensor, positions: Sequence[int]
    ) -> Float[Tensor, "some_pos d_model"]:
        """The metric's gradient at some positions, in the ledgers' dtype: 0 after the traced one.

        Args:
            of: One of ``flow.residual`` or ``flow.mid``.
            positions: In any order.
        """
        found = self.direction.new_zeros(len(positions), of.shape[1])
        seen = [row for row, position in enumerate(positions) if position <= self.position]
        found[seen] = of[[positions[row] for row in seen]].to(found)
        return found

    def gradient_of_attn(self, layer: int, position: int) -> Float[Tensor, " d_model"]:
        """The metric's gradient at what attention writes: dot products with it are flows."""
        return self.gradients_at(self.flow.mid[layer], [position])[0]

    def gradient_of_mlp(self, layer: int, position: int) -> Float[Tensor, " d_model"]:
        """The metric's gradient at what the MLP writes."""
        return self.gradients_at(self.flow.residual[layer + 1], [position])[0]

    def flow_at(self, flows: Float[Tensor, " pos"], position: int) -> float:
        """One position's flow of ``flow.layers``: 0 after the traced one."""
        return float(flows[position]) if position <= self.position else 0.0


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

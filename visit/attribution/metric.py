"""The metric: what everything is explained towards, and what a part contributes to it directly.

A part's direct logit is its dot product with ``metric_direction``. Those of everything that was
written at a position, with ``metric_biases``, add up to the metric; ``audit_logit`` says how
closely.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.models.architectures import Architecture
from visit.tracing.precision import ledger_dtype
from visit.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class Metric:
    """A token's logit, or its logit less another token's (a logit difference).

    A logit difference is as linear in the residual as a logit: its unembedding is the difference
    of two columns, and all else stays.

    Attributes:
        target_id: The token.
        versus_id: The one whose logit is taken off, if any.
    """

    target_id: int
    versus_id: int | None = None

    def unembedding(
        self, architecture: Architecture, dtype: torch.dtype
    ) -> Float[Tensor, " d_model"]:
        """What the normed residual's dot product is taken with, biases and soft-cap aside."""
        column = architecture.unembedding[:, self.target_id].to(dtype)
        if self.versus_id is not None:
            column = column - architecture.unembedding[:, self.versus_id].to(dtype)
        return column * architecture.logit_scale

    def evaluate(self, architecture: Architecture, logits: Float[Tensor, " d_vocab"]) -> float:
        """What the model itself says, before any soft-cap on either logit."""
        own = architecture.before_soft_cap(float(logits[self.target_id]))
        if self.versus_id is None:
            return own
        return own - architecture.before_soft_cap(float(logits[self.versus_id]))


def metric_direction(
    architecture: Architecture, resid: Float[Tensor, " d_model"], metric: Metric
) -> Float[Tensor, " d_model"]:
    """The direction whose dot product with a part is the part's direct logit.

    The final norm's scale is frozen at ``resid``, the residual it is applied to.

    Source: direct logit attribution, Elhage et al. 2021; nostalgebraist's logit lens. Of a
    difference of two logits: Wang et al. 2022, "Interpretability in the Wild".
    """
    norm = architecture.final_norm
    return norm.pulled_back(metric.unembedding(architecture, resid.dtype)) * norm.scale(resid)


def metric_biases(architecture: Architecture, metric: Metric, dtype: torch.dtype) -> float:
    """What the final norm's bias and the unembedding's add to the metric."""
    total = 0.0
    if architecture.final_norm.bias is not None:
        unembedding = metric.unembedding(architecture, dtype)
        total += float(architecture.final_norm.bias.to(dtype) @ unembedding)
    if architecture.unembedding_bias is not None:
        total += float(architecture.unembedding_bias[metric.target_id])
        if metric.versus_id is not None:
            total -= float(architecture.unembedding_bias[metric.versus_id])
    return total


def audit_logit(architecture: Architecture, trace: Trace, position: int, metric: Metric) -> float:
    """``|sum of direct logits and biases - what the model says|`` for all that was written there.

    What was written is the embedding and every layer's attention and MLP.
    """
    dtype = ledger_dtype(trace.logits)
    resid = trace.residuals[-1][position].to(dtype)
    direction = metric_direction(architecture, resid, metric)
    total = float(trace.written[position] @ direction)
    total += metric_biases(architecture, metric, dtype)
    return abs(total - metric.evaluate(architecture, trace.logits[position]))

"""The metric: what everything is explained towards, and what a part contributes to it directly.

A metric is a token's logit less the mean logit of some others. That is linear in the normed
residual, as a logit is: its unembedding is a column less the mean of others, and all else stays. So
a part's direct logit is its dot product with ``metric_direction``, and those of everything that was
written at a position, with ``metric_biases``, add up to the metric; ``audit_logit`` says how
closely. What lifts all of these tokens alike contributes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit.graph.metric import MetricChoice, MetricKind
from visit.models.architectures import Architecture
from visit.tracing.precision import ledger_dtype
from visit.tracing.ties import find_greatest
from visit.tracing.trace import Trace

_TOKENS_AT_ONCE = 1 << 12
"""How many of the vocabulary's columns are widened at once."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A token's logit, less the mean logit of others. Each logit is taken before any soft-cap.

    Attributes:
        kind: What it is called.
        target_id: The token.
        others: Those whose mean is taken off: none for the logit itself, another token for a
            logit difference, the candidates for the choice; ``None`` for the whole vocabulary.
    """

    kind: MetricKind
    target_id: int
    others: tuple[int, ...] | None = ()

    def unembedding(
        self, architecture: Architecture, dtype: torch.dtype
    ) -> Float[Tensor, " d_model"]:
        """What the normed residual's dot product is taken with, biases and soft-cap aside."""
        weights = architecture.unembedding
        return self.contrast(weights, dtype) * architecture.logit_scale

    def bias(self, architecture: Architecture, dtype: torch.dtype) -> float:
        """What the unembedding's bias adds to it."""
        bias = architecture.unembedding_bias
        return 0.0 if bias is None else float(self.contrast(bias, dtype))

    def evaluate(self, architecture: Architecture, logits: Float[Tensor, " d_vocab"]) -> float:
        """What the model itself says; infinite where a soft-cap's rounding hides a logit."""
        dtype = ledger_dtype(logits)
        value = float(self.contrast(architecture.before_soft_cap(logits.to(dtype)), dtype))
        return math.inf if math.isnan(value) else value

    def contrast(
        self, by_token: Float[Tensor, "*rest d_vocab"], dtype: torch.dtype = torch.float64
    ) -> Float[Tensor, "*rest"]:
        """A number of the target less the mean of the others': the metric, of logits."""
        own = by_token[..., self.target_id].to(dtype)
        if self.others is None:
            return own - _mean_of_tokens(by_token, dtype)
        if not self.others:
            return own
        return own - by_token[..., list(self.others)].to(dtype).mean(-1)


def _mean_of_tokens(
    by_token: Float[Tensor, "*rest d_vocab"], dtype: torch.dtype
) -> Float[Tensor, "*rest"]:
    """The mean over the vocabulary, some tokens at a time: all in float64 would be gigabytes."""
    parts = by_token.split(_TOKENS_AT_ONCE, dim=-1)
    total = sum((part.sum(-1, dtype=dtype) for part in parts), torch.zeros((), dtype=dtype))
    return total / by_token.shape[-1]


def choose_metric(
    asked: MetricChoice, named: tuple[int, ...], candidates: tuple[int, ...]
) -> Metric:
    """The metric that a request asks for.

    Against another token every metric is the two logits' difference: what is taken off both
    cancels.

    Args:
        asked: What the target is explained towards.
        named: The target, and the token that it is compared with, if any.
        candidates: The likeliest next tokens.
    """
    target_id, *versus = named
    if versus:
        return Metric(MetricKind.LOGIT_DIFFERENCE, target_id, tuple(versus))
    if asked is MetricChoice.CHOICE:
        return Metric(MetricKind.CHOICE, target_id, candidates)
    if asked is MetricChoice.CENTRED:
        return Metric(MetricKind.CENTRED_LOGIT, target_id, None)
    return Metric(MetricKind.LOGIT, target_id)


def find_candidates(
    logits: Float[Tensor, " d_vocab"], count: int, named: tuple[int, ...] = ()
) -> tuple[int, ...]:
    """The likeliest next tokens, likeliest first, with some tokens among them whatever they are.

    Args:
        logits: The model's own, of the plain pass.
        count: How many, or as many as there are.
        named: The tokens that are among them: the target, and what it is compared with.
    """
    likeliest = find_greatest(logits, max(count, len(named))).tolist()
    missing = [id_ for id_ in named if id_ not in likeliest]
    free = [place for place, id_ in enumerate(likeliest) if id_ not in named]
    for place, id_ in zip(free[len(free) - len(missing) :], missing, strict=True):
        likeliest[place] = id_
    return tuple(sorted(likeliest, key=lambda id_: (-float(logits[id_]), id_)))


def candidate_unembeddings(
    architecture: Architecture,
    candidates: Sequence[int],
    centre: Sequence[int],
    dtype: torch.dtype,
) -> Float[Tensor, "candidate d_model"]:
    """What gives each candidate's logit less a mean, as ``Metric.unembedding`` does.

    Args:
        architecture: The model.
        candidates: Their token ids.
        centre: The tokens whose mean logit is taken off: the candidates themselves, or others.
        dtype: The ledgers'.
    """
    weights, scale = architecture.unembedding, architecture.logit_scale
    columns, others = (weights[:, list(ids)].to(dtype).T * scale for ids in (candidates, centre))
    return columns - others.mean(0)


def metric_direction(
    architecture: Architecture, resid: Float[Tensor, " d_model"], metric: Metric
) -> Float[Tensor, " d_model"]:
    """The direction whose dot product with a part is the part's direct logit.

    The final norm's scale is frozen at ``resid``, the residual it is applied to.

    Source: direct logit attribution, Elhage et al. 2021; nostalgebraist's logit lens. Of a
    difference of two logits: Wang et al. 2022, "Interpretability in the Wild".
    """
    return pull_back_through_final_norm(
        architecture, resid, metric.unembedding(architecture, resid.dtype)
    )


def pull_back_through_final_norm(
    architecture: Architecture,
    resid: Float[Tensor, " d_model"],
    unembeddings: Float[Tensor, "*functional d_model"],
) -> Float[Tensor, "*functional d_model"]:
    """Directions among normed residuals, as directions among residuals, the norm's scale frozen."""
    norm = architecture.final_norm
    return norm.pulled_back(unembeddings) * norm.scale(resid)


def metric_biases(architecture: Architecture, metric: Metric, dtype: torch.dtype) -> float:
    """What the final norm's bias and the unembedding's add to the metric."""
    total = metric.bias(architecture, dtype)
    if architecture.final_norm.bias is not None:
        unembedding = metric.unembedding(architecture, dtype)
        total += float(architecture.final_norm.bias.to(dtype) @ unembedding)
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

"""What interventions do to the metric: measured by changed passes, and predicted three ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution.estimates import (
    by_layer,
    direct_gradient,
    predict,
)
from visit.attribution.metric import pull_back_through_final_norm
from visit.models.architectures import Architecture
from visit.tracing.gradients import SiteGradient
from visit.tracing.hooks import run_like
from visit.tracing.precision import ledger_dtype, reading_dtype
from visit.tracing.sweep import Resumed, Variant, logits_of_residuals, run_changed
from visit.tracing.trace import Trace

ROWS_READ = 64
"""How many predictions are compared at once: 64 vocabularies of 50,000 are 13 MB."""
ROWS_MULTIPLIED = 4 * ROWS_READ
"""How many are multiplied with the unembedding at once: 64 alone take a third longer each."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Some changed passes' logits at the traced position, before any soft-cap.

    Attributes:
        places: Which of the variants.
        logits: Theirs.
        plain: The plain pass's, run beside them.
    """

    places: list[int]
    logits: Float[Tensor, "row d_vocab"]
    plain: Float[Tensor, " d_vocab"]


def measure(
    architecture: Architecture,
    resume: Callable[[int], Resumed],
    variants: Sequence[Variant],
    tell: Callable[[float], None],
) -> Iterator[Changed]:
    """Run every changed pass, those that begin at one position together.

    Args:
        architecture: The model.
        resume: How its blocks run the prompt from some position on.
        variants: The edits of each pass.
        tell: Told how far it is, 0 to 1.
    """
    passes = _run_all(architecture, resume, variants, tell)
    for places, last, plain in passes:
        base = logits_of_residuals(architecture, plain[None])[0]
        left = iter(places)
        for some in last.split(ROWS_MULTIPLIED):
            for logits in logits_of_residuals(architecture, some).split(ROWS_READ):
                yield Changed(list(islice(left, len(logits))), logits, base)


def measure_metric(
    architecture: Architecture,
    resume: Callable[[int], Resumed],
    variants: Sequence[Variant],
    unembedding: Float[Tensor, " d_model"],
    tell: Callable[[float], None],
) -> list[float]:
    """What every changed pass changes the metric by, without its logits.

    Args:
        architecture: The model.
        resume: How its blocks run the prompt from some position on.
        variants: The edits of each pass.
        unembedding: The metric's, as ``Metric.unembedding`` gives it.
        tell: Told how far it is, 0 to 1.
    """
    moved = [0.0] * len(variants)
    for places, last, plain in _run_all(architecture, resume, variants, tell):
        with run_like(architecture.unembedding):
            normed = architecture.final_norm.module(torch.cat([last, plain[None]]))
        metrics = normed.to(unembedding) @ unembedding
        for place, change in zip(places, (metrics[:-1] - metrics[-1]).tolist(), strict=True):
            moved[place] = change
    return moved


def first_position(variant: Variant) -> int:
    """The first position that it changes."""
    return min(one.site.position or 0 for one in variant)


def _run_all(
    architecture: Architecture,
    resume: Callable[[int], Resumed],
    variants: Sequence[Variant],
    tell: Callable[[float], None],
) -> Iterator[tuple[list[int], Float[Tensor, "row d_model"], Float[Tensor, " d_model"]]]:
    """Which passes, their last residuals at the traced position, and the plain pass's."""
    by_start: dict[int, list[int]] = {}
    for place, variant in enumerate(variants):
        by_start.setdefault(first_position(variant), []).append(place)
    done = 0
    for start, places in sorted(by_start.items()):
        own = [variants[place] for place in places]

        def tell_of_all(part: float, before: int = done, own_part: int = len(own)) -> None:
            tell((before + part * own_part) / len(variants))

        for chosen, last, plain in run_changed(architecture, resume(start), own, tell_of_all):
            yield [places[one] for one in chosen], last, plain
        done += len(own)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one variant is predicted to change the metric by."""

    direct: float
    flow: float
    estimate: float


def predict_all(
    architecture: Architecture,
    trace: Trace,
    position: int,
    variants: Sequence[Variant],
    unembedding: Float[Tensor, " d_model"],
    held: Iterator[tuple[int, SiteGradient]],
    live: Iterator[tuple[int, SiteGradient]],
    tell: Callable[[float], None] = lambda _: None,
) -> list[Prediction]:
    """What every variant is predicted to change the metric by.

    Args:
        architecture: The model.
        trace: The plain pass.
        position: The traced position.
        variants: The edits of each.
        unembedding: The metric's, as ``Metric.unembedding`` gives it.
        held: The gradients of the held pass, the last layer first.
        live: Likewise of the live pass.
        tell: Told after each layer how far it is, 0 to 1.
    """
    resid = trace.residuals[-1][position].to(ledger_dtype(trace.logits))
    direction = pull_back_through_final_norm(architecture, resid, unembedding.to(resid))
    direction = direction.to(reading_dtype(trace.logits.dtype))  # else all weights were widened
    totals = [[0.0, 0.0, 0.0] for _ in variants]
    edits = [by_layer(variant) for variant in variants]
    lowest, n_layers = min((layer for own in edits for layer in own), default=0), len(trace.layers)
    for (layer, at_held), (same, at_live) in zip(held, live, strict=True):
        assert layer == same
        gradients = (
            direct_gradient(architecture, trace, layer, position, direction),
            at_held,
            at_live,
        )
        for total, own in zip(totals, edits, strict=True):
            for way, gradient in enumerate(gradients):
                if layer in own:
                    total[way] += predict(architecture, trace, own[layer], gradient)
        tell((n_layers - layer) / (n_layers - lowest))
        if layer <= lowest:
            break  # nothing is changed below
    return [Prediction(*total) for total in totals]


def is_finite(changed: Changed) -> list[bool]:
    """Whether each changed pass computed numbers."""
    found: list[bool] = changed.logits.isfinite().all(-1).tolist()
    return found


def soft_capped(
    architecture: Architecture, logits: Float[Tensor, "*rows d_vocab"]
) -> Float[Tensor, "*rows d_vocab"]:
    """Logits as the model predicts with them."""
    cap = architecture.soft_cap
    return logits if cap is None else torch.tanh(logits / cap) * cap


def divergence(
    plain: Float[Tensor, " d_vocab"], changed: Float[Tensor, "row d_vocab"]
) -> Float[Tensor, " row"]:
    """``KL(plain ‖ changed)`` of log-probabilities, in nats; never below 0."""
    return (plain.exp() * (plain - changed)).sum(-1).clamp_min(0.0)


def unembedding_of_logprob(
    architecture: Architecture, logits: Float[Tensor, " d_vocab"], target_id: int
) -> Float[Tensor, " d_model"]:
    """The gradient of the target's log-probability at the normed residual.

    Args:
        architecture: The model.
        logits: The plain pass's, before any soft-cap.
        target_id: The token.
    """
    capped = soft_capped(architecture, logits.to(torch.float64))
    weights = -capped.softmax(-1)
    weights[target_id] += 1.0
    if architecture.soft_cap is not None:
        weights *= 1 - (capped / architecture.soft_cap) ** 2
    columns = architecture.unembedding
    return (columns.to(weights) @ weights) * architecture.logit_scale

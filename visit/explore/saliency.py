"""What each source token's embedding does to numbers of the prediction, by four methods.

- *Flow*: the embedding's dot product with the metric's gradient through the held pass. With what
  flows through the biases, the sources' flows add up to the metric.
- *Gradient*: the live gradient's L2 norm, a part of all sources'. Always positive: how much a small
  change of the embedding would matter, for or against.
- *Input x gradient*: the embedding's dot product with the live gradient. Adds up to nothing.
- *Integrated gradients*: the difference to a baseline, times the live gradient's mean on the way
  from there. Adds up to the number less what it is at the baseline, but for the convergence delta.

The embedding is what enters the first layer, a position's embedding added where the model has one.

Source: flow as in ``attribution.flow``; Simonyan et al. 2013 and Li et al. 2016 (gradient);
Shrikumar et al. 2016 (input x gradient); Sundararajan et al. 2017 (integrated gradients); of a
difference of two logits, Yin & Neubig 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from visit.attribution.flow import sweep_back
from visit.attribution.metric import Metric, metric_biases, metric_direction
from visit.attribution.metric_flow import bias_flows
from visit.models.architectures import Architecture
from visit.tracing.embedded import Aim, differentiate, measure_at, rows_at_once
from visit.tracing.precision import ledger_dtype
from visit.tracing.trace import Trace

COLUMN_ELEMENTS = 1 << 25
"""How many numbers a layer's widest gradient may hold: 128 MiB in float32."""
COLUMNS_TOGETHER = 16
"""How many positions' metrics are swept back together. No later position matters to them: all 64 of
a text in one sweep take 1.4 times as long."""
STEPS_TOGETHER = 256
"""How many positions integrated gradients run at once, in all steps together: more are no quicker,
and what is told of them would come seconds late."""

Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class SourceFlows:
    """What flows from where to some positions' metrics.

    Attributes:
        sources: Through each position's embedding.
        biases: Through all biases: the layers', the final norm's and the unembedding's.
    """

    sources: Float[Tensor, "target pos"]
    biases: Float[Tensor, " target"]


@dataclass(frozen=True, slots=True)
class Integrated:
    """Integrated gradients of some numbers.

    Attributes:
        sources: Of each position's embedding.
        at_baseline: The numbers where the embeddings are the baseline.
        delta: The sources' sum, less what the number is more than at the baseline.
    """

    sources: Float[Tensor, "target pos"]
    at_baseline: Float[Tensor, " target"]
    delta: Float[Tensor, " target"]


def flows_from_sources(
    architecture: Architecture,
    trace: Trace,
    targets: Sequence[tuple[int, Metric]],
    tell: Tell = lambda _: None,
) -> SourceFlows:
    """The flow from every source to each position's own metric, many in one sweep back.

    Args:
        architecture: The model.
        trace: The forward pass.
        targets: Positions, each with what is explained there, in the order of the positions.
        tell: Told how far it is, 0 to 1.
    """
    dtype, n_positions = ledger_dtype(trace.logits), len(trace.token_ids)
    sources = trace.logits.new_zeros(len(targets), n_positions, dtype=dtype)
    biases = trace.logits.new_zeros(len(targets), dtype=dtype)
    width = n_positions * max(architecture.sizes.d_mlp, architecture.sizes.d_model)
    step = max(1, min(COLUMNS_TOGETHER, COLUMN_ELEMENTS // width))
    n_layers, n_steps = len(trace.layers), -(-len(targets) // step)
    for number in range(n_steps):
        some = slice(number * step, (number + 1) * step)
        positions = [position for position, _ in targets[some]]
        resid = trace.residuals[-1][positions].to(dtype)
        pairs = zip(resid, targets[some], strict=True)
        directions = torch.stack(
            [metric_direction(architecture, one, metric) for one, (_, metric) in pairs]
        )
        sweep = sweep_back(architecture, trace, positions[-1], directions, positions=positions)
        for layer, at in sweep:
            for flows in bias_flows(architecture.blocks[layer], at).values():
                biases[some] += flows.sum(-1)
            if layer == 0:
                seen = slice(positions[-1] + 1)
                embedding = trace.residuals[0][seen].to(dtype)
                sources[some, seen] = (at.pre.to(dtype) * embedding).sum(-1)
            tell((number + 1 - layer / n_layers) / n_steps)
    constants = [metric_biases(architecture, metric, dtype) for _, metric in targets]
    return SourceFlows(sources, biases + biases.new_tensor(constants))


def aim_at_metric(architecture: Architecture, position: int, metric: Metric) -> Aim:
    """A metric as a number that is differentiated, before any soft-cap."""
    dtype = ledger_dtype(architecture.unembedding)
    unembedding = metric.unembedding(architecture, dtype)
    bias = metric.bias(architecture, dtype)

    def measure(resid: Tensor) -> Tensor:
        return architecture.final_norm(resid) @ unembedding.to(resid, copy=True) + bias

    return Aim(position, measure)


def aim_at_probability(architecture: Architecture, position: int, token_id: int) -> Aim:
    """A token's probability as a number that is differentiated."""

    def measure(resid: Tensor) -> Tensor:
        # Out of place, unlike ``logits_from``: autograd needs what comes before the soft-cap.
        normed = architecture.final_norm(resid) * architecture.logit_scale
        logits = normed @ architecture.unembedding.to(normed)
        if architecture.unembedding_bias is not None:
            logits = logits + architecture.unembedding_bias.to(normed)
        if architecture.soft_cap is not None:
            logits = (logits / architecture.soft_cap).tanh() * architecture.soft_cap
        probability: Tensor = logits.softmax(-1)[:, token_id]
        return probability

    return Aim(position, measure)


def gradients_at_sources(
    architecture: Architecture, trace: Trace, aims: Sequence[Aim], tell: Tell = lambda _: None
) -> Float[Tensor, "target pos d_model"]:
    """Each number's live gradient at every position's embedding: one pass, gone back for each."""
    return differentiate(architecture, trace, trace.residuals[0][None], aims, tell)[:, 0]


def norms_of_gradients(
    gradients: Float[Tensor, "target pos d_model"],
) -> Float[Tensor, "target pos"]:
    """Their L2 norms, of each number as parts of all; 0 throughout where nothing matters.

    Source: Alammar 2021, "Ecco".
    """
    norms = gradients.to(ledger_dtype(gradients)).norm(dim=-1)
    whole = norms.sum(-1, keepdim=True)
    parts: Tensor = norms / whole.where(whole > 0, torch.ones_like(whole))
    return parts


def inputs_x_gradients(
    trace: Trace, gradients: Float[Tensor, "target pos d_model"]
) -> Float[Tensor, "target pos"]:
    """Each embedding's dot product with the gradient there."""
    dtype = ledger_dtype(gradients)
    return (gradients.to(dtype) * trace.residuals[0].to(dtype)).sum(-1)


def integrate_gradients(
    architecture: Architecture,
    trace: Trace,
    aims: Sequence[Aim],
    baseline: Float[Tensor, "pos d_model"],
    steps: int,
    tell: Tell = lambda _: None,
) -> Integrated:
    """The gradients' mean on the straight way from a baseline, by Gauss and Legendre's rule.

    Args:
        architecture: The model.
        trace: The forward pass.
        aims: What is explained.
        baseline: The embeddings that the way comes from.
        steps: How many points of the way; captum's own default is 50.
        tell: Told how far it is, 0 to 1.

    Source: Sundararajan et al. 2017, equation 1; the rule as captum has it.
    """
    own = trace.residuals[0]
    moved, dtype = own - baseline, ledger_dtype(own)
    ends = measure_at(architecture, trace, torch.stack([own, baseline]), aims).to(dtype)
    points, weights = np.polynomial.legendre.leggauss(steps)
    places = own.new_tensor((points + 1) / 2)
    sizes = own.new_tensor(weights / 2, dtype=dtype)
    most = min(rows_at_once(architecture.sizes, len(own)), STEPS_TOGETHER // len(own))
    together = max(1, min(steps, most))
    total = torch.zeros(len(aims), *own.shape, dtype=dtype, device=own.device)
    for begin in range(0, steps, together):
        some = slice(begin, begin + together)

        def tell_part(part: float, begin: int = begin, n: int = len(places[some])) -> None:
            tell((begin + part * n) / steps)

        mixed = baseline + places[some, None, None] * moved
        gradients = differentiate(architecture, trace, mixed, aims, tell_part)
        total += torch.einsum("s,tspm->tpm", sizes[some], gradients.to(dtype))
    sources = (total * moved.to(dtype)).sum(-1)
    at_own, at_baseline = ends.unbind(1)
    return Integrated(sources, at_baseline, sources.sum(-1) - (at_own - at_baseline))

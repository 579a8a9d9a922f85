"""Request -> Saliency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit import __version__
from visit.assemble.named import resolve_position
from visit.assemble.residency import Resident
from visit.assemble.traced_request import TracedRequest
from visit.attribution.metric import Metric, choose_metric, find_candidates
from visit.engine.exploring import ReadSaliency
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.explore.saliency import (
    aim_at_metric,
    aim_at_probability,
    flows_from_sources,
    gradients_at_sources,
    inputs_x_gradients,
    integrate_gradients,
    norms_of_gradients,
)
from visit.graph.explored.saliency import (
    Baseline,
    Saliency,
    SaliencyMethod,
    SaliencyOf,
    TokenSources,
)
from visit.graph.flow import Target
from visit.graph.request import Request
from visit.graph.typed import token_from_typed
from visit.tracing.embedded import Aim


@dataclass(frozen=True, slots=True)
class _Explained:
    """One position whose next token is explained."""

    position: int
    target: Target
    metric: Metric


@torch.inference_mode()
def read_saliency(question: ReadSaliency, resident: Resident, tell: Progress) -> Saliency:
    """Which source tokens the traced position's next token comes from, or each of several."""
    trace = resident.trace(question.request, tell)
    asked = resident.builder.resolve(trace, question.request)
    explained = [*_earlier(question, asked, resident), _traced(asked)]
    found = _find(question, asked, explained, resident, tell)
    is_integrated = question.method is SaliencyMethod.INTEGRATED_GRADIENTS
    return Saliency(
        visit_version=__version__,
        request=resident.builder.request_as_read(asked),
        model=resident.info,
        tokens=resident.tokens.read(question.request),
        method=question.method,
        of=question.of,
        metric=asked.metric.kind if question.of is SaliencyOf.METRIC else None,
        versus=asked.versus,
        steps=question.steps if is_integrated else None,
        baseline=question.baseline if is_integrated else None,
        targets=tuple(found),
        baseline_token=_token_text(question, resident) if is_integrated else None,
    )


def _token_text(question: ReadSaliency, resident: Resident) -> str | None:
    """The baseline's token, where it is one."""
    if question.baseline is not Baseline.TOKEN:
        return None
    typed = token_from_typed(question.baseline_token)
    return resident.tokens.text(resident.tokens.named(typed, "baseline_token"))


def _traced(asked: TracedRequest) -> _Explained:
    return _Explained(asked.position, asked.target, asked.metric)


def _earlier(question: ReadSaliency, asked: TracedRequest, resident: Resident) -> list[_Explained]:
    """The positions before the traced one, each explained towards the token that follows it.

    Raises:
        RequestError: the first one comes after the traced one, or does not exist.
    """
    if question.first is None:
        return []
    first = resolve_position(question.first, len(asked.trace.token_ids))
    if first > asked.position:
        raise RequestError(
            f"first is position {first}, after the traced one; give 0 to {asked.position}"
        )
    request, found = question.request, []
    for position in range(first, asked.position):
        logits = asked.trace.plain_logits[position]
        id_ = asked.trace.token_ids[position + 1]
        candidates = find_candidates(logits, request.candidates, (id_,))
        metric = choose_metric(request.metric, (id_,), candidates)
        target = resident.builder.said_of(asked.trace, position, id_)
        found.append(_Explained(position, target, metric))
    return found


def _baseline(
    question: ReadSaliency, asked: TracedRequest, resident: Resident, tell: Progress
) -> Float[Tensor, "pos d_model"]:
    """Where integrated gradients begin, a row a position.

    Those of a token are what enters the first layer where it stands at every position, with
    whatever the model adds for the place.

    Raises:
        RequestError: the model has no such token.
    """
    embeddings = asked.trace.residuals[0]
    if question.baseline is Baseline.ZERO:
        return torch.zeros_like(embeddings)
    if question.baseline is Baseline.MEAN:
        return embeddings.mean(0, keepdim=True).expand_as(embeddings)
    id_ = resident.tokens.named(token_from_typed(question.baseline_token), "baseline_token")
    request = Request(prompt_ids=(id_,) * len(embeddings), model=question.request.model)
    return resident.trace(request, tell).residuals[0]


def _find(
    question: ReadSaliency,
    asked: TracedRequest,
    explained: Sequence[_Explained],
    resident: Resident,
    tell: Progress,
) -> list[TokenSources]:
    """What each comes from, by the method that is asked for."""
    architecture, trace = asked.architecture, asked.trace
    if question.method is SaliencyMethod.FLOW:
        return _find_flows(asked, explained, tell)
    values = [_value(question, asked, one) for one in explained]
    aims = [_aim(question, asked, one) for one in explained]

    def told(part: float) -> None:
        tell("saliency", part)

    if question.method is SaliencyMethod.INTEGRATED_GRADIENTS:
        start = _baseline(question, asked, resident, tell)
        found = integrate_gradients(architecture, trace, aims, start, question.steps, told)
        more = zip(found.at_baseline.tolist(), found.delta.tolist(), strict=True)
        rows = zip(explained, values, found.sources.tolist(), more, strict=True)
        return [
            TokenSources(one.position, one.target, value, tuple(row[: one.position + 1]), None, *at)
            for one, value, row, at in rows
        ]
    gradients = gradients_at_sources(architecture, trace, aims, told)
    if question.method is SaliencyMethod.GRADIENT:
        sources = norms_of_gradients(gradients)
    else:
        sources = inputs_x_gradients(trace, gradients)
    return [
        TokenSources(one.position, one.target, value, tuple(row[: one.position + 1]))
        for one, value, row in zip(explained, values, sources.tolist(), strict=True)
    ]


def _find_flows(
    asked: TracedRequest, explained: Sequence[_Explained], tell: Progress
) -> list[TokenSources]:
    """The traced position's are those of the graph; the others' are swept back together."""
    *earlier, traced = explained
    flow = asked.flow
    biases = flow.constant + sum(layer.biases for layer in flow.layers)
    rows = [(flow.layers[0].pre.tolist(), biases)]
    if earlier:
        targets = [(one.position, one.metric) for one in earlier]
        found = flows_from_sources(
            asked.architecture, asked.trace, targets, lambda part: tell("saliency", part)
        )
        rows[:0] = zip(found.sources.tolist(), found.biases.tolist(), strict=True)
    return [
        TokenSources(
            one.position,
            one.target,
            one.metric.evaluate(asked.architecture, asked.trace.logits[one.position]),
            tuple(row[: one.position + 1]),
            biases,
        )
        for one, (row, biases) in zip([*earlier, traced], rows, strict=True)
    ]


def _value(question: ReadSaliency, asked: TracedRequest, one: _Explained) -> float:
    """What is traced back, by the model's own logits."""
    if question.of is SaliencyOf.PROBABILITY:
        return one.target.prob
    return one.metric.evaluate(asked.architecture, asked.trace.logits[one.position])


def _aim(question: ReadSaliency, asked: TracedRequest, one: _Explained) -> Aim:
    if question.of is SaliencyOf.PROBABILITY:
        return aim_at_probability(asked.architecture, one.position, one.target.id)
    return aim_at_metric(asked.architecture, one.position, one.metric)

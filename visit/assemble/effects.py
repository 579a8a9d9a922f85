"""Request, sites and a way -> Effects: what changes at some sites do to one prediction."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from visit import __version__
from visit.assemble.references import Values, values_for
from visit.assemble.residency import Resident
from visit.assemble.site_sets import find_sites
from visit.assemble.traced_request import TracedRequest
from visit.attribution import effects as arithmetic
from visit.attribution.effects import Changed, Prediction
from visit.attribution.estimates import (
    gradients_of_flow,
    held_gradients,
    integrated_gradients,
    live_gradients,
)
from visit.engine.progress import Progress, part_of
from visit.engine.questions import Measure
from visit.errors import RequestError
from visit.graph.effects import (
    After,
    Base,
    Effect,
    Effects,
    Reference,
    TokenDelta,
    strongest_first,
)
from visit.graph.flow import TokenProbability
from visit.graph.interventions import How, Intervention, Site, Unit
from visit.tracing.gradients import SiteGradient
from visit.tracing.interventions import edits_from
from visit.tracing.precision import reading_dtype
from visit.tracing.sites import check_intervention
from visit.tracing.sweep import Variant
from visit.tracing.trace import Trace

_PREDICTED = 0.2
"""The part of the progress bar that predictions fill, by their time."""
N_TOKENS = 10
"""How many tokens, gains and losses are listed of a changed prediction."""


def measure(question: Measure, resident: Resident, tell: Progress) -> Effects:
    """What the question's changes do to the metric, measured and as three ways predict it.

    Raises:
        RequestError: a site does not exist or cannot be changed so, the reference does not fit, or
            a changed pass does not compute numbers.
    """
    if question.request.interventions:
        raise RequestError(
            "effects are measured against the plain pass, and this request changes the pass "
            "already; leave its interventions out, and name all sites together"
        )
    trace = resident.trace(question.request, tell)
    asked = resident.builder.resolve(trace, question.request)
    how = How.parse(question.how)
    sites = find_sites(asked, question.parts, question.positions, question.memories)
    if question.together:  # a part of another that is changed is changed with it, and counts once
        named = set(sites)
        sites = tuple(site for site in sites if named.isdisjoint(site.wholes()))
    for site in sites:
        check_intervention(asked.architecture, Intervention(site, how), asked.position)
    values = values_for(resident, question.request, trace, how, question.reference, tell)
    edits = [edits_from(Intervention(one, how), asked.position, values.find) for one in sites]
    groups = [tuple(sites)] if question.together else [(site,) for site in sites]
    variants = [sum(edits, ())] if question.together else edits
    job = _Job(resident, asked, question, values, groups, variants)
    with torch.inference_mode():
        return job.answer(tell)


@dataclass(frozen=True, slots=True)
class _Job:
    """One question's changes, ready to be run."""

    resident: Resident
    asked: TracedRequest
    question: Measure
    values: Values
    groups: Sequence[tuple[Site, ...]]
    variants: Sequence[Variant]

    def answer(self, tell: Progress) -> Effects:
        predictions = self._predictions(part_of(tell, 0.0, _PREDICTED))
        changed: dict[int, tuple[float, After]] = {}
        if not self.question.estimate_only:
            changed = dict(self._changed(part_of(tell, _PREDICTED, 1.0)))
        asked = self.asked
        base, reference = base_of(asked), reference_of(asked, self.values)
        way = self._way(base, reference)
        effects = []
        for place, (sites, predicted) in enumerate(zip(self.groups, predictions, strict=True)):
            measured, after = changed.get(place, (None, None))
            effects.append(
                Effect(
                    sites=sites,
                    measured=measured,
                    direct=None if predicted is None else predicted.direct,
                    flow=None if predicted is None else predicted.flow,
                    estimate=None if predicted is None else predicted.estimate,
                    after=after,
                    normalised=None if measured is None or way is None else measured / way,
                )
            )
        return Effects(
            visit_version=__version__,
            request=self.resident.builder.request_as_read(asked),
            model=self.resident.info,
            tokens=self.resident.tokens.read(self.question.request),
            target=asked.target,
            metric=self.resident.builder.metric_info(asked),
            how=str(How.parse(self.question.how)),
            unit=self.question.unit,
            base=base,
            predictions=self.resident.builder.predictions(asked),
            effects=strongest_first(effects),
            versus=asked.versus,
            reference=reference,
        )

    # ------------------------------------------------------------ what is measured

    def _changed(self, tell: Progress) -> Iterator[tuple[int, tuple[float, After]]]:
        swept = read = 0.0

        def tell_of_sweep(part: float) -> None:
            nonlocal swept
            swept = part
            tell("effects", (swept + read) / 2)

        passes = arithmetic.measure(
            self.asked.architecture,
            partial(self.resident.resume, self.asked.trace, self.asked.position),
            self.variants,
            tell_of_sweep,
        )
        for some in passes:
            self._check_finite(some)
            yield from zip(some.places, self._compare(some), strict=True)
            read += len(some.places) / len(self.variants)
            tell("effects", (swept + read) / 2)

    def _check_finite(self, some: Changed) -> None:
        for place, good in zip(some.places, arithmetic.is_finite(some), strict=True):
            if not good:
                sites = ", ".join(map(str, self.groups[place][:3]))
                raise RequestError(
                    f"the pass with {self.question.how} at {sites} computes NaN or infinity; "
                    "leave the site out, or give a smaller change"
                )

    def _compare(self, some: Changed) -> list[tuple[float, After]]:
        """Each changed pass's metric less the plain one's, and what it predicts."""
        target = self.asked.target.id
        plain, capped = (
            arithmetic.soft_capped(self.asked.architecture, one).log_softmax(-1)
            for one in (some.plain, some.logits)
        )
        divergence = arithmetic.divergence(plain, capped)
        match self.question.unit:
            case Unit.METRIC:
                contrast = self.asked.metric.contrast
                moved = contrast(some.logits) - contrast(some.plain)
            case Unit.LOGPROB:
                moved = capped[:, target].double() - plain[target].double()
            case Unit.KL:
                moved = divergence
        own = capped[:, target]
        ranks = (capped > own[:, None]).sum(-1) + 1
        deltas = self._deltas(some)
        top = capped.topk(min(N_TOKENS, capped.shape[-1]))
        columns = zip(
            moved.tolist(), own.exp().tolist(), ranks.tolist(), divergence.tolist(),
            top.indices.tolist(), top.values.exp().tolist(), deltas.tolist(), strict=True,
        )  # fmt: skip
        return [
            (change, After(prob, rank, kl, self._tokens(ids, probs), *self._moves(delta)))
            for change, prob, rank, kl, ids, probs, delta in columns
        ]

    def _deltas(self, some: Changed) -> Float[Tensor, "row candidate"]:
        candidates = list(self.asked.candidates)
        moved = (some.logits[:, candidates] - some.plain[candidates]).double()
        return moved - moved.mean(-1, keepdim=True)

    def _moves(self, deltas: list[float]) -> tuple[tuple[TokenDelta, ...], tuple[TokenDelta, ...]]:
        order = sorted(range(len(deltas)), key=lambda place: (-deltas[place], place))
        chosen = order[:N_TOKENS], order[::-1][:N_TOKENS]
        gains, losses = (
            tuple(
                TokenDelta(id_, self._text(id_), deltas[place])
                for place in places
                for id_ in (self.asked.candidates[place],)
            )
            for places in chosen
        )
        return (
            tuple(one for one in gains if one.delta > 0),
            tuple(one for one in losses if one.delta < 0),
        )

    def _tokens(self, ids: Iterable[int], probs: Iterable[float]) -> tuple[TokenProbability, ...]:
        pairs = zip(ids, probs, strict=True)
        return tuple(TokenProbability(id_, self._text(id_), prob) for id_, prob in pairs)

    def _text(self, id_: int) -> str:
        return self.resident.tokens.text(id_)

    def _way(self, base: Base, reference: Reference | None) -> float | None:
        """What there is between this pass and the reference's, in the unit of the changes.

        None where the reference is no prompt, or says the same.

        Source: Zhang & Nanda 2024, section 3.
        """
        asked, other = self.asked, self.values.trace
        if reference is None or reference.metric is None or other is None:
            return None
        way = reference.metric - base.metric
        if self.question.unit is not Unit.METRIC:
            plain, theirs = (
                arithmetic.soft_capped(asked.architecture, logits).log_softmax(-1)
                for logits in (plain_logits(asked), plain_logits(asked, other))
            )
            if self.question.unit is Unit.LOGPROB:
                way = float(theirs[asked.target.id]) - base.logprob
            else:
                way = float(arithmetic.divergence(plain, theirs[None])[0])
        return way if math.isfinite(way) and way != 0 else None

    # ------------------------------------------------------------ what is predicted

    def _predictions(self, tell: Progress) -> list[Prediction | None]:
        unembedding = self._unembedding()
        if unembedding is None:
            return [None] * len(self.variants)
        asked = self.asked
        first = min(map(arithmetic.first_position, self.variants))
        resumed = self.resident.resume(asked.trace, asked.position, first)
        live = live_gradients(asked.architecture, asked.trace, asked.position, unembedding, resumed)
        if self.question.steps > 1:
            mean = integrated_gradients(
                self.resident.loaded.model, asked.architecture, asked.trace, asked.position,
                unembedding, self.values.embeddings, self.question.steps,
            )  # fmt: skip
            live = iter(sorted(mean.items(), reverse=True))
        return list(
            arithmetic.predict_all(
                asked.architecture,
                asked.trace,
                asked.position,
                self.variants,
                unembedding,
                self._held(unembedding, first),
                live,
                lambda part: tell("effects", part),
            )
        )

    def _held(
        self, unembedding: Float[Tensor, " d_model"], first: int
    ) -> Iterator[tuple[int, SiteGradient]]:
        """The held pass's gradients; of the metric they are those that its flow was found by."""
        asked = self.asked
        if self.question.unit is Unit.METRIC:
            return gradients_of_flow(asked.architecture, asked.trace, asked.flow, first)
        return held_gradients(asked.architecture, asked.trace, asked.position, unembedding, first)

    def _unembedding(self) -> Float[Tensor, " d_model"] | None:
        """Of what changes are of; ``None`` for the divergence, which is flat at the plain pass."""
        asked = self.asked
        match self.question.unit:
            case Unit.METRIC:
                dtype = reading_dtype(asked.trace.logits.dtype)
                return asked.metric.unembedding(asked.architecture, dtype)
            case Unit.LOGPROB:
                return arithmetic.unembedding_of_logprob(
                    asked.architecture, plain_logits(asked), asked.target.id
                )
        return None


def plain_logits(asked: TracedRequest, trace: Trace | None = None) -> Float[Tensor, " d_vocab"]:
    """The plain pass's logits at the traced position, or another's, before any soft-cap."""
    return asked.architecture.before_soft_cap((trace or asked.trace).logits[asked.position])


def base_of(asked: TracedRequest) -> Base:
    """What the plain pass says of the target."""
    plain, target = plain_logits(asked), asked.target
    own = arithmetic.soft_capped(asked.architecture, plain).log_softmax(-1)
    return Base(
        logit=target.logit,
        logprob=float(own[target.id]),
        prob=target.prob,
        rank=target.rank,
        metric=float(asked.metric.contrast(plain)),
    )


def reference_of(asked: TracedRequest, values: Values) -> Reference | None:
    """Where values come from, with the reference's own metric where it is one prompt."""
    reference, other = values.reference, values.trace
    if reference is None or other is None:
        return reference
    return replace(reference, metric=float(asked.metric.contrast(plain_logits(asked, other))))

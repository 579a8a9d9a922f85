"""Request and parts -> Circuit: what keeps the metric while everything else in question is ablated.

1. Every part is scored by what ablating it alone changes, measured or predicted, and ranked.
2. With more and more of the strongest kept and all others ablated together, the metric is measured:
   faithfulness over size. All sizes run as rows of one batch, as changed passes do.
3. Around the circuit that is chosen, each part changes sides by itself: which kept ones are not
   needed (minimality), which of those left out are missed, and which take over once the circuit is
   gone (backups); and the circuit alone is ablated (completeness).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from visit import __version__
from visit.assemble.circuit_edges import find_edges
from visit.assemble.effects import base_of, reference_of
from visit.assemble.references import Values, values_for
from visit.assemble.residency import Resident
from visit.assemble.site_sets import find_sites
from visit.assemble.traced_request import TracedRequest
from visit.attribution import effects as arithmetic
from visit.attribution.estimates import gradients_of_flow, live_gradients
from visit.attribution.keeping import keep_only
from visit.engine.progress import Progress, part_of
from visit.engine.questions import FindCircuit
from visit.errors import RequestError
from visit.graph.circuit import (
    Circuit,
    CircuitPart,
    Point,
    Score,
    choose_point,
    faithfulness,
    list_sizes,
    size_above,
    size_of_sum,
)
from visit.graph.interventions import SORTS, WHOLES, How, Intervention, Site, Way
from visit.graph.kinds import NodeKind
from visit.text import counted
from visit.tracing.interventions import edits_from
from visit.tracing.precision import reading_dtype
from visit.tracing.sites import check_intervention
from visit.tracing.sweep import Variant

_IN_QUESTION = frozenset({*WHOLES, *WHOLES.values()}) - {
    *(NodeKind.ATTN_NEURON, NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS),
}
"""The parts that a circuit can keep."""
_SORTS = tuple(sort for sort, kind in SORTS.items() if kind in _IN_QUESTION)


def find_circuit(question: FindCircuit, resident: Resident, tell: Progress) -> Circuit:
    """The parts that keep the metric, and how much any number of them keeps.

    Raises:
        RequestError: a site does not exist or cannot be ablated so, the reference does not fit, or
            ablating everything in question leaves the metric as it was.
    """
    if question.request.interventions:
        raise RequestError(
            "a circuit is found in the plain pass, and this request changes the pass already; "
            "leave its interventions out"
        )
    trace = resident.trace(question.request, tell)
    asked = resident.builder.resolve(trace, question.request)
    how = _find_how(question)
    sites = find_sites(asked, question.parts, question.positions, question.memories, _SORTS)
    _check_apart(sites)
    for site in sites:
        check_intervention(asked.architecture, Intervention(site, how), asked.position)
    kept = _check_kept(question, sites)
    values = values_for(resident, question.request, trace, how, question.reference, tell)
    ablations = [edits_from(Intervention(one, how), asked.position, values.find) for one in sites]
    job = _Job(resident, asked, question, how, values, sites, ablations, kept)
    with torch.inference_mode():
        return job.answer(tell)


def _find_how(question: FindCircuit) -> How:
    """Patched from the one prompt that is given, else set to a mean, where nothing else is said."""
    if question.how is not None:
        return How.parse(question.how)
    is_contrast = len(question.reference) == 1 and question.reference != ("prompt",)
    return How(Way.PATCH if is_contrast else Way.MEAN)


def _check_apart(sites: Sequence[Site]) -> None:
    """Refuse parts of which one is in another: it could be kept and ablated at once.

    Raises:
        RequestError: there are such, or what is no part.
    """
    places: dict[tuple[NodeKind, int | None, int | None], Site] = {}
    for site in sites:
        if site.kind not in _IN_QUESTION or site.source is not None:
            raise RequestError(
                f"{site} cannot be kept by itself; a circuit is of heads, attn, mlp, memories or "
                "experts"
            )
        known = places.setdefault((site.kind, site.layer, site.number), site)
        if None in (site.position, known.position) and known != site:
            raise RequestError(f"{known} and {site} overlap; name one of them")
    for site in sites:
        whole = WHOLES.get(site.kind)
        if whole is not None and (whole, site.layer, None) in places:
            raise RequestError(
                f"{site} is a part of {places[whole, site.layer, None]}, and one cannot be kept "
                "while the other is ablated; name parts of one sort"
            )


def _check_kept(question: FindCircuit, sites: Sequence[Site]) -> frozenset[int] | None:
    """The places of the parts that are kept by hand; ``None`` where none are.

    Raises:
        RequestError: one of them is not in question, or more are to be kept than there are.
    """
    if question.keep is not None and question.keep > len(sites):
        there = f"there {'is' if len(sites) == 1 else 'are'} {counted(len(sites), 'part')}"
        raise RequestError(f"keep is {question.keep}, but {there}; keep fewer")
    places = {site: place for place, site in enumerate(sites)}
    for site in map(Site.parse, question.sites):
        if site not in places:
            raise RequestError(
                f"{site} is not among the {counted(len(sites), 'part')} in question, like "
                f"{sites[0]}; name its sort or itself in parts"
            )
    return frozenset(places[Site.parse(text)] for text in question.sites) or None


@dataclass(frozen=True, slots=True)
class _Job:
    """One question's parts, ready to be ablated."""

    resident: Resident
    asked: TracedRequest
    question: FindCircuit
    how: How
    values: Values
    sites: Sequence[Site]
    ablations: Sequence[Variant]
    by_hand: frozenset[int] | None

    def answer(self, tell: Progress) -> Circuit:
        asked, question = self.asked, self.question
        n_parts, base = len(self.sites), base_of(asked)
        scores = self._scores(part_of(tell, 0.0, 0.4))
        order = sorted(range(n_parts), key=lambda place: (-abs(scores[place]), place))
        ranked = [scores[place] for place in order]
        sizes = self._sizes(ranked)
        kept = [frozenset(order[:size]) for size in sizes]
        if self.by_hand is not None:
            kept.append(self.by_hand)
        changes = self._keep(kept, part_of(tell, 0.4, 0.6))
        none = changes[0]
        points = [
            Point(len(own), base.metric + change, self._faithfulness(change, none))
            for own, change in zip(kept, changes, strict=True)
        ]
        curve = tuple(points[: len(sizes)])
        chosen = self._choose(curve, points, ranked)
        circuit = self.by_hand or frozenset(order[: chosen.size])
        checked = self._check(circuit, order, scores, part_of(tell, 0.6, 1.0))
        outside = Point(
            n_parts - chosen.size,
            base.metric + checked.complement,
            self._faithfulness(checked.complement, none),
        )
        parts = tuple(
            CircuitPart(
                site=self.sites[place],
                score=scores[place],
                kept=place in circuit,
                change=_part_of(checked.swapped.get(place), none),
                backup=_part_of(checked.backups.get(place), none),
            )
            for place in order
        )
        return Circuit(
            visit_version=__version__,
            request=self.resident.builder.request_as_read(asked),
            model=self.resident.info,
            tokens=self.resident.tokens.read(question.request),
            target=asked.target,
            metric=self.resident.builder.metric_info(asked),
            how=str(self.how),
            by=question.by,
            base=base,
            none=base.metric + none,
            chosen=chosen,
            complement=outside,
            curve=curve,
            parts=parts,
            edges=tuple(find_edges(asked, [part.site for part in parts if part.kept])),
            versus=asked.versus,
            reference=reference_of(asked, self.values),
        )

    # ------------------------------------------------------------ what is measured

    def _keep(self, kept: Sequence[Collection[int]], tell: Progress) -> list[float]:
        """What the metric changes by with only these kept, for each choice.

        Raises:
            RequestError: such a pass computes no number.
        """
        asked = self.asked
        changes = keep_only(
            asked.architecture,
            partial(self.resident.resume, asked.trace, asked.position),
            self.ablations,
            kept,
            self._unembedding(),
            lambda part: tell("effects", part),
        )
        if not all(map(math.isfinite, changes)):
            raise RequestError(
                f"a pass with {self.how} in place of all but some parts computes NaN or infinity; "
                "give another way, or --dtype float32"
            )
        return changes

    def _alone(self, places: Sequence[int], tell: Progress) -> list[float]:
        """What ablating each of some parts alone changes the metric by."""
        everything = frozenset(range(len(self.sites)))
        return self._keep([everything - {place} for place in places], tell)

    def _scores(self, tell: Progress) -> list[float]:
        if self.question.by is Score.EFFECT:
            return self._alone(range(len(self.sites)), tell)
        asked, unembedding = self.asked, self._unembedding()
        predictions = arithmetic.predict_all(
            asked.architecture,
            asked.trace,
            asked.position,
            self.ablations,
            unembedding,
            gradients_of_flow(asked.architecture, asked.trace, asked.flow),
            live_gradients(asked.architecture, asked.trace, asked.position, unembedding),
            tell=lambda part: tell("effects", part),
        )
        return [float(getattr(one, self.question.by)) for one in predictions]

    def _unembedding(self) -> torch.Tensor:
        dtype = reading_dtype(self.asked.trace.logits.dtype)
        return self.asked.metric.unembedding(self.asked.architecture, dtype)

    # ------------------------------------------------------------ what is chosen

    def _named_size(self, ranked: Sequence[float]) -> int | None:
        """The size that the question asks for."""
        question = self.question
        if question.threshold is not None:
            return size_above(ranked, question.threshold)
        if question.cumulative is not None:
            return size_of_sum(ranked, question.cumulative)
        return question.keep

    def _sizes(self, ranked: Sequence[float]) -> list[int]:
        sizes, named = list_sizes(len(ranked), self.question.points), self._named_size(ranked)
        return sizes if named is None else sorted({*sizes, named})

    def _choose(
        self, curve: Sequence[Point], points: Sequence[Point], ranked: Sequence[float]
    ) -> Point:
        if self.by_hand is not None:
            return points[-1]
        named = self._named_size(ranked)
        if named is None:
            return choose_point(curve)
        return next(point for point in curve if point.size == named)

    def _faithfulness(self, change: float, none: float) -> float:
        try:
            return faithfulness(change, none)
        except ValueError:
            what = counted(len(self.sites), "part")
            what = what if len(self.sites) == 1 else f"all {what}"
            raise RequestError(
                f"with {what} ablated ({self.how}) the metric is as it was, "
                "so there is nothing to keep; name other parts, or give another reference"
            ) from None

    # ------------------------------------------------------------ what is checked

    def _check(
        self, circuit: frozenset[int], order: Sequence[int], scores: Sequence[float], tell: Progress
    ) -> _Checked:
        """Every part changes sides by itself, and once more with the circuit ablated."""
        everything = frozenset(range(len(self.sites)))
        most = self.question.checks
        inside = [place for place in order if place in circuit][:most]
        outside = [place for place in order if place not in circuit][:most]
        rest = everything - circuit
        kept = [
            circuit,
            rest,
            *(circuit - {place} for place in inside),
            *(circuit | {place} for place in outside),
            *(rest - {place} for place in outside),
        ]
        is_measured = self.question.by is Score.EFFECT
        upto = 1.0 if is_measured else 0.7
        found = self._keep(kept, part_of(tell, 0.0, upto))
        alone = (
            [scores[place] for place in outside]
            if is_measured
            else self._alone(outside, part_of(tell, upto, 1.0))
        )
        (own, complement), found = found[:2], found[2:]
        swapped = dict(zip((*inside, *outside), (one - own for one in found), strict=False))
        backups = {
            place: (without - complement) - single
            for place, without, single in zip(
                outside, found[len(inside) + len(outside) :], alone, strict=True
            )
        }
        return _Checked(complement, swapped, backups)


@dataclass(frozen=True, slots=True)
class _Checked:
    """What the metric changes by around a circuit.

    Attributes:
        complement: With the circuit ablated and all else kept, less the plain pass.
        swapped: With one part on the other side, less the circuit; by the part's place.
        backups: Ablating one that was left out, once the circuit is ablated, less ablating it
            alone.
    """

    complement: float
    swapped: dict[int, float]
    backups: dict[int, float]


def _part_of(change: float | None, none: float) -> float | None:
    """A change of the metric as one of the faithfulness."""
    return None if change is None else -change / none

"""Request -> Sinks."""

from __future__ import annotations

from dataclasses import replace

from visit import __version__
from visit.assemble.named import resolve_position
from visit.assemble.residency import Resident
from visit.engine.exploring import ReadSinks
from visit.engine.progress import Progress
from visit.explore.sinks import MASSIVE, TIMES_MEDIAN, mean_attention, outliers_of
from visit.graph.explored.sinks import LEAST_READERS, RESTS, Outlier, SinkHead, Sinks, WithoutSink
from visit.tracing.precision import ledger_dtype
from visit.tracing.trace import Trace

_OUTLIERS = 20


def read_sinks(question: ReadSinks, resident: Resident, tell: Progress) -> Sinks:
    """Where attention rests, which residuals stand out, and what hiding the strongest sink does."""
    request = question.request
    trace = resident.trace(request, tell)
    position = resolve_position(request.position, len(trace.token_ids))
    heads = _find_heads(trace)
    found = Sinks(
        visit_version=__version__,
        request=request,
        model=resident.info,
        tokens=resident.tokens.read(request),
        position=position,
        norms=tuple(
            tuple(one.to(ledger_dtype(one)).norm(dim=-1).tolist()) for one in trace.residuals
        ),
        heads=heads,
        outliers=_find_outliers(trace),
        without=None,
    )
    if not question.hide or not heads or found.strongest() >= position or request.interventions:
        return found
    return _hide(found, resident, tell)


def _find_heads(trace: Trace) -> tuple[SinkHead, ...]:
    found = []
    for layer, recorded in enumerate(trace.layers):
        mean = mean_attention(recorded.attention)
        n_places = max(0, mean.shape[1] - LEAST_READERS + 1)
        heads, places = (mean[:, :n_places] >= RESTS).nonzero(as_tuple=True)
        for head, place in zip(heads.tolist(), places.tolist(), strict=True):
            found.append(SinkHead(layer, head, place, float(mean[head, place])))
    return tuple(sorted(found, key=lambda one: -one.attention))


def _find_outliers(trace: Trace) -> tuple[Outlier, ...]:
    found = []
    for depth, residual in enumerate(trace.residuals):
        positions, coordinates, ratios = outliers_of(residual, _OUTLIERS)
        values = residual[positions, coordinates].tolist()
        rows = zip(positions.tolist(), coordinates.tolist(), values, ratios.tolist(), strict=True)
        found += [
            Outlier(
                depth, at, coordinate, value, ratio,
                abs(value) > MASSIVE and ratio >= TIMES_MEDIAN,
            )
            for at, coordinate, value, ratio in rows
        ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (not one.is_massive, -one.ratio))[:_OUTLIERS])


def _hide(found: Sinks, resident: Resident, tell: Progress) -> Sinks:
    """The same with what is said when the sink is hidden from every head here: another pass.

    ``Measure`` would predict each of the hundreds of knock-outs as well, which takes far longer.
    """
    request, sink, at = found.request, found.strongest(), found.position
    hidden = tuple(
        f"L{layer}.head{head}@{at}<{sink} knockout"
        for layer in range(found.model.n_layers)
        for head in range(found.model.n_heads)
    )
    plain = resident.trace(request, tell)
    changed = resident.trace(replace(request, interventions=hidden), tell)
    asked = resident.builder.resolve(plain, request)
    before, after = (
        asked.metric.evaluate(asked.architecture, trace.logits[at]) for trace in (plain, changed)
    )
    assert asked.target.id is not None
    without = WithoutSink(
        position=sink,
        measured=after - before,
        before=asked.target.prob,
        prob=resident.builder.said_of(changed, at, asked.target.id).prob,
        top=resident.tokens.text(int(changed.logits[at].argmax())),
    )
    return replace(found, without=without)

"""Request, a head and a source -> Scores: why the head attends to the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from visit import __version__
from visit.assemble.named import resolve_position
from visit.assemble.residency import Resident
from visit.assemble.traced_request import TracedRequest
from visit.attribution import circuits
from visit.attribution.flow import sweep_dtype
from visit.attribution.scored import HeadSide, ScoredHead, score_head
from visit.attribution.scores import ScoreSplit, is_constant, list_parts, split_scores, written_at
from visit.engine.progress import Progress
from visit.engine.questions import SplitScore
from visit.errors import RequestError
from visit.graph.flow import Node, NodeId, NodeKind
from visit.graph.interventions import Intervention, Site
from visit.graph.scores import ScoreAudit, ScorePair, ScorePart, Scores, ScoreSide, SourceScore
from visit.tracing.sites import check_intervention

FEWEST_SEEN = 2
"""A reader that sees one source attends to it whatever its score is."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The query's side of one score, or the key's.

    Attributes:
        parts: What it is made of.
        written: What those that a residual holds have written.
        scores: What each adds to the score.
        without: The attention without it.
    """

    parts: list[NodeId]
    written: Float[Tensor, "written d_model"]
    scores: Float[Tensor, " part"]
    without: Float[Tensor, " part"]

    def list_strongest(self, count: int) -> list[int]:
        """The places of the strongest parts, signs aside, strongest first."""
        places: list[int] = circuits.strongest(self.scores.abs(), count).tolist()
        return places


def split_score(question: SplitScore, resident: Resident, tell: Progress) -> Scores:
    """What makes a head attend to a source from one position.

    Raises:
        RequestError: there is no such head or position, or the head does not see the source.
    """
    trace = resident.trace(question.request, tell)
    asked = resident.builder.resolve(trace, question.request)
    head = _find_head(asked, question.head)
    source = _find_source(asked, head, question.source)
    assert head.layer is not None and head.head is not None
    with torch.inference_mode():
        scored = score_head(asked.architecture, trace, head.layer, head.head, sweep_dtype(trace))
        split = split_scores(asked.architecture, trace, scored, [head.position], source)
        query = _side(asked, scored, split, NodeKind.QUERY, head.position, (head.position, source))
        key = _side(asked, scored, split, NodeKind.KEY, source, (head.position, source))
        audit = _audit(asked, scored, split, head, source)
        said = resident.builder.say(asked, _vectors_listed((query, key), question.count))
    pairs, pairs_rest = _pairs(split, query.parts, key.parts, question.count)
    pattern = trace.layers[head.layer].attention[head.head, head.position]
    row = pattern.tolist()
    return Scores(
        visit_version=__version__,
        request=resident.builder.request_as_read(asked),
        model=resident.info,
        tokens=resident.tokens.read(asked.request),
        head=head,
        source=source,
        attention=row[source],
        score=float(split.scores[0, source]),
        bias=float(split.bias[0, source]),
        cap=scored.cap,
        sources=tuple(
            SourceScore(place, row[place], score)
            for place, score in enumerate(split.scores[0].tolist())
            if row[place] > 0
        ),
        query=_listed(query, said, question.count),
        key=_listed(key, said, question.count),
        pairs=pairs,
        pairs_rest=pairs_rest,
        audit=audit,
    )


def _find_head(asked: TracedRequest, text: str) -> NodeId:
    """The head that is asked about, where it reads from.

    Raises:
        RequestError: there is none such.
    """
    try:
        id_ = NodeId.parse(text if "@" in text else f"{text}@{asked.position}")
    except ValueError:
        id_ = NodeId(NodeKind.OUTPUT, 0)
    if id_.kind is not NodeKind.HEAD:
        raise RequestError(
            f"{text!r} is not a head; give one like 'L5.head3@7', or 'L5.head3' where the traced "
            "position reads"
        )
    last = resolve_position(-1, len(asked.trace.token_ids))
    resolve_position(id_.position, len(asked.trace.token_ids))
    check_intervention(asked.architecture, Intervention(Site.from_node(id_)), last)
    return id_


def _find_source(asked: TracedRequest, head: NodeId, given: int | None) -> int:
    """The source, counted from the start: by default the one that is attended to most.

    Raises:
        RequestError: the head does not see it, or sees too little to choose from.
    """
    assert head.layer is not None
    row = asked.trace.layers[head.layer].attention[head.head, head.position]
    seen = (row > 0).nonzero()[:, 0].tolist()
    if len(seen) < FEWEST_SEEN:
        what = "nothing: it is off" if not seen else f"position {seen[0]} alone, whatever its score"
        raise RequestError(
            f"{head} reads {what}; there is nothing to explain. Give another head or position"
        )
    if given is None:
        return int(row.argmax())
    source = resolve_position(given, len(asked.trace.token_ids))
    if source not in seen:
        raise RequestError(
            f"{head} does not read position {source}, which is later, outside of the layer's "
            f"window, or knocked out; give one of {_name_ranges(seen)}"
        )
    return source


def _name_ranges(numbers: Sequence[int]) -> str:
    """Numbers in order, in few letters: ``0, 3 to 7``."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in ranges)


def _side(
    asked: TracedRequest,
    scored: ScoredHead,
    split: ScoreSplit,
    kind: NodeKind,
    position: int,
    at: tuple[int, int],
) -> _Side:
    is_query = kind is NodeKind.QUERY
    trace, layer = asked.trace, scored.layer
    own: HeadSide = scored.query if is_query else scored.key
    dtype = own.whole.dtype
    written = written_at(asked.architecture, trace, layer, position, dtype)
    resid = trace.layers[layer].resid_pre[position].to(dtype)
    return _Side(
        parts=list_parts(asked.architecture, layer, scored.head, position, kind),
        written=written,
        scores=(split.query if is_query else split.key)[0, :, at[1]],
        without=scored.attend_with(own.without_each(resid, written, position), kind, *at),
    )


def _audit(
    asked: TracedRequest, scored: ScoredHead, split: ScoreSplit, head: NodeId, source: int
) -> ScoreAudit:
    assert split.pairs is not None and head.layer is not None
    score, bias = split.scores[0, source], split.bias[0, source]
    parts = (split.query[0, :, source], split.key[0, :, source], split.pairs[0])
    sums = torch.stack([one.sum() for one in parts]) + bias
    ours = scored.attend(scored.scores[head.position], scored.seen[head.position])
    own = asked.trace.layers[head.layer].attention[head.head, head.position].to(ours)
    return ScoreAudit(float((sums - score).abs().max()), float((ours - own).abs().max()))


def _vectors_listed(sides: Sequence[_Side], count: int) -> dict[NodeId, Tensor]:
    """What the listed parts have written, those of biases aside."""
    return {
        side.parts[place]: side.written[place]
        for side in sides
        for place in side.list_strongest(count)
        if not is_constant(side.parts[place])
    }


def _listed(side: _Side, said: Mapping[NodeId, Node], count: int) -> ScoreSide:
    places = side.list_strongest(count)
    scores, without = side.scores.tolist(), side.without.tolist()
    others = set(range(len(scores))) - set(places)
    return ScoreSide(
        parts=tuple(
            _part(side.parts[place], scores[place], without[place], said) for place in places
        ),
        rest=sum((scores[place] for place in sorted(others)), 0.0),
        n_others=len(others),
    )


def _part(id_: NodeId, score: float, without: float, said: Mapping[NodeId, Node]) -> ScorePart:
    node = said.get(id_)
    if node is None:
        return ScorePart(id_, score, without)
    return ScorePart(id_, score, without, node.reading.top, node.outcome)


def _pairs(
    split: ScoreSplit, queries: list[NodeId], keys: list[NodeId], count: int
) -> tuple[tuple[ScorePair, ...], float]:
    """The strongest pairs, signs aside, and what the others come to."""
    assert split.pairs is not None
    flat = split.pairs[0].flatten()
    best = circuits.strongest(flat.abs(), count)
    listed = tuple(
        ScorePair(queries[place // len(keys)], keys[place % len(keys)], score)
        for place, score in zip(best.tolist(), flat[best].tolist(), strict=True)
    )
    return listed, float(flat.sum()) - sum(pair.score for pair in listed)

"""Request, a head and other prompts -> QueryKey."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from visit import __version__
from visit.assemble.exploring.chosen import choose_head, requests_of_prompts
from visit.assemble.named import resolve_position
from visit.assemble.residency import Resident
from visit.attribution.flow import sweep_dtype
from visit.attribution.scored import score_head
from visit.engine.exploring import MapQueryKey
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.explore.maps import project
from visit.explore.query_key import Joint, join_prompts
from visit.graph.explored.query_key import QueryKey, QueryKeyPair, QueryKeyPoint
from visit.graph.request import Request
from visit.tracing.trace import Trace

_PAIRS = 40
"""How many pairs are told."""


def map_query_key(question: MapQueryKey, resident: Resident, tell: Progress) -> QueryKey:
    """One head's queries and keys in the plane, and how far every head's can be believed.

    Raises:
        RequestError: there is no such head, too many prompts, or too few tokens.
    """
    request = question.request
    requests = requests_of_prompts(request, question.others, resident)
    traces = [resident.trace(one, tell) for one in requests]
    position = resolve_position(request.position, len(traces[0].token_ids))
    begins = 0 if question.first_token else 1
    if sum(len(trace.token_ids) - begins for trace in traces) < 2:
        raise RequestError("one token is no map; give a longer prompt, or take the first token in")
    chosen = choose_head(question.head, position, request, resident, tell)
    assert chosen.layer is not None and chosen.head is not None
    sizes = resident.loaded.architecture.sizes
    correlations: list[list[float | None]] = [[] for _ in range(sizes.n_heads)]
    own: Joint | None = None
    for layer in range(sizes.n_layers):
        for head in range(sizes.n_heads):
            joint = join_prompts([_sides(resident, t, layer, head, begins) for t in traces])
            known = None if joint.correlation != joint.correlation else joint.correlation
            correlations[head].append(known)
            if (layer, head) == (chosen.layer, chosen.head):
                own = joint
        tell("query-key", (layer + 1) / sizes.n_layers)
    assert own is not None
    points, pairs = _list_points(own, traces, question, resident, (chosen.layer, chosen.head))
    return QueryKey(
        visit_version=__version__,
        request=request,
        model=resident.info,
        tokens=resident.tokens.read(request),
        head=chosen,
        points=points,
        pairs=pairs,
        projection=question.projection,
        scale=own.scale,
        correlation=correlations[chosen.head][chosen.layer],
        correlations=tuple(map(tuple, correlations)),
        left_out=begins > 0,
    )


def _sides(
    resident: Resident, trace: Trace, layer: int, head: int, begins: int
) -> tuple[Tensor, Tensor, Tensor]:
    """A prompt's queries and keys of one head, and which sources each reader sees."""
    made = score_head(resident.loaded.architecture, trace, layer, head, sweep_dtype(trace))
    return made.query.whole[begins:], made.key.whole[begins:], made.seen[begins:, begins:]


def _list_points(
    joint: Joint,
    traces: Sequence[Trace],
    question: MapQueryKey,
    resident: Resident,
    place: tuple[int, int],
) -> tuple[tuple[QueryKeyPoint, ...], tuple[QueryKeyPair, ...]]:
    begins = 0 if question.first_token else 1
    plane = project(torch.cat([joint.queries, joint.keys]), question.projection, question.seed)
    places = [(x, y) for x, y in plane.places.tolist()]
    n_queries = len(joint.queries)
    points: list[list[QueryKeyPoint]] = [[], []]
    pairs: list[QueryKeyPair] = []
    start = 0
    for number, trace in enumerate(traces):
        tokens = resident.tokens.read(Request("x", prompt_ids=trace.token_ids))
        pattern = trace.layers[place[0]].attention[place[1], begins:, begins:]
        for row, token in enumerate(tokens[begins:]):
            points[0].append(QueryKeyPoint(True, number, token, places[start + row]))
            points[1].append(QueryKeyPoint(False, number, token, places[n_queries + start + row]))
        strongest = pattern.flatten().topk(min(_PAIRS, pattern.numel()))
        for value, flat in zip(strongest.values.tolist(), strongest.indices.tolist(), strict=True):
            reader, source = divmod(flat, len(pattern))
            if value > 0:
                pairs.append(QueryKeyPair(start + reader, n_queries + start + source, value))
        start += len(pattern)
    pairs.sort(key=lambda one: -one.attention)
    return (*points[0], *points[1]), tuple(pairs[:_PAIRS])

"""Request -> Watched."""

from __future__ import annotations

from dataclasses import replace

from visit import __version__
from visit.assemble.named import resolve_position
from visit.assemble.residency import Resident
from visit.attribution.candidate_flow import find_candidate_flow
from visit.attribution.metric import find_candidates
from visit.engine.exploring import WatchTokens
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.graph.explored.watch import Watched, WatchedToken
from visit.graph.request import Request
from visit.graph.typed import token_from_typed
from visit.tracing.trace import Trace

_BY_ITSELF = 5
"""How many of the likeliest next tokens are watched where none is named."""


def watch_tokens(question: WatchTokens, resident: Resident, tell: Progress) -> Watched:
    """Some tokens through the layers at one position, and which layer's what moved each.

    Raises:
        RequestError: the position or a token does not exist, or one is named twice.
    """
    request, trace = question.request, resident.trace(question.request, tell)
    n_positions = len(trace.token_ids)
    position = resolve_position(
        request.position if question.at is None else question.at, n_positions
    )
    is_traced = position == resolve_position(request.position, n_positions)
    ids = _named(question, resident) or find_candidates(
        trace.plain_logits[position],
        _BY_ITSELF,
        _sought(request, trace, position, is_traced, resident),
    )
    candidates = find_candidates(trace.plain_logits[position], request.candidates, ids)
    flows = find_candidate_flow(
        resident.loaded.architecture, trace, position, ids, (), centre=candidates, first=position
    )
    watched = []
    for place, id_ in enumerate(ids):
        tell("lens", place / len(ids))
        of_token = replace(
            request, position=position, target=None, target_id=id_, versus=None, versus_id=None
        )
        nodes = resident.builder.lens(trace, of_token, (position,))
        watched.append(
            WatchedToken(
                id=id_,
                text=resident.tokens.text(id_),
                readings=tuple(node.reading.target for node in nodes),
                attn=tuple(flows.attn[:, place, 0].tolist()),
                mlp=tuple(flows.mlp[:, place, 0].tolist()),
            )
        )
    return Watched(
        visit_version=__version__,
        request=request,
        model=resident.info,
        tokens=resident.tokens.read(request),
        position=position,
        watched=tuple(watched),
        candidates=len(candidates),
    )


def _named(question: WatchTokens, resident: Resident) -> tuple[int, ...]:
    """The tokens that the question names, by their ids.

    Raises:
        RequestError: the model has no such token, or two name the same.
    """
    typed = question.tokens
    ids = [resident.tokens.named(token_from_typed(one), "the token") for one in typed]
    for place, id_ in enumerate(ids):
        if id_ in ids[:place]:
            first = typed[ids.index(id_)]
            raise RequestError(
                f"tokens names {first!r} and {typed[place]!r}, which are one; leave one out"
            )
    return tuple(ids)


def _sought(
    request: Request, trace: Trace, position: int, is_traced: bool, resident: Resident
) -> tuple[int, ...]:
    """What is watched whatever its rank: what the request names, or what really comes next."""
    if not is_traced:
        return trace.token_ids[position + 1 : position + 2]
    named = resident.tokens.target_id(request), resident.tokens.versus_id(request)
    return tuple(dict.fromkeys(id_ for id_ in named if id_ is not None))

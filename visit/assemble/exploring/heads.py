"""Request -> Heads: scores, compositions, and one head's card."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from visit import __version__
from visit.assemble.exploring.chosen import choose_head
from visit.assemble.exploring.head_parts import compose_card_parts
from visit.assemble.residency import Resident
from visit.assemble.traced_request import TracedRequest
from visit.assemble.upstream import read_upstream
from visit.engine.exploring import ReadHeads
from visit.engine.progress import Progress
from visit.engine.questions import ReadUpstream
from visit.explore.composition import baseline, compose, factors_of
from visit.explore.head_circuits import circuits_of
from visit.explore.head_scores import marks, repeated_tokens, score_heads
from visit.graph.explored.heads import Composition, HeadCard, Heads, HeadScores, TokenCircuit
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.tracing.trace import record

_PAIRS = 60
"""How many compositions of a side are told."""
_CARD = 12
_MORE_TOKENS = 60
"""How many tokens of the vocabulary stand beside the prompt's on a card."""
_PROMOTED = 5
_LENGTH = 25
"""Random tokens that are said twice."""


def read_heads(question: ReadHeads, resident: Resident, tell: Progress) -> Heads:
    """What every head is known by, and all about one of them.

    Raises:
        RequestError: there is no such head.
    """
    request, architecture = question.request, resident.loaded.architecture
    sizes = architecture.sizes
    trace = resident.trace(request, tell)
    asked = resident.builder.resolve(trace, request)
    chosen = choose_head(question.head, asked.position, request, resident, tell)
    here = [score_heads(layer.attention, marks(trace.token_ids)) for layer in trace.layers]
    tell("heads", 0.1)
    length = min(_LENGTH, sizes.n_context // 2)
    repeats = _score_repeats(question, resident, length)
    tell("heads", 0.3)
    amounts = resident.once(
        "compositions",
        lambda: {
            side: found.cpu()
            for side, found in compose(
                factors_of(architecture), lambda part: tell("composition", 0.3 + 0.6 * part)
            ).items()
        },
    )
    chance = baseline(sizes, question.seed)
    return Heads(
        visit_version=__version__,
        request=request,
        model=resident.info,
        tokens=resident.tokens.read(request),
        position=asked.position,
        heads=tuple(
            HeadScores(layer, head, _known(here[layer][:, head]), tuple(scores[:, head].tolist()))
            for layer, scores in enumerate(repeats)
            for head in range(scores.shape[1])
        ),
        compositions=tuple(
            one
            for side, amount in amounts.items()
            for one in _strongest_pairs(side, amount, chance, sizes.n_heads, _PAIRS)
        ),
        by_layer={
            side: _by_layer(amount, chance, sizes.n_layers) for side, amount in amounts.items()
        },
        baseline=chance,
        card=_card(question, chosen, amounts, chance, asked, resident, tell),
        length=length,
        repeats=question.repeats,
    )


def _known(scores: Tensor) -> tuple[float | None, ...]:
    return tuple(None if score != score else score for score in scores.tolist())


def _score_repeats(question: ReadHeads, resident: Resident, length: int) -> list[Tensor]:
    """Every layer's mean scores over rows of random tokens that are said twice."""
    ordinary = _ordinary(resident)
    rows = repeated_tokens(ordinary, length, question.repeats, question.seed)
    found: list[Tensor] = []
    for row in rows:
        loaded = resident.loaded
        trace, marked = record(loaded.model, loaded.architecture, row), marks(row)
        scores = [score_heads(layer.attention, marked) for layer in trace.layers]
        found = scores if not found else [a + b for a, b in zip(found, scores, strict=True)]
    return [one / len(rows) for one in found]


def _ordinary(resident: Resident) -> list[int]:
    """The vocabulary's tokens but for special ones."""
    n_tokens = min(resident.info.d_vocab, len(resident.loaded.tokenizer))
    special = set(resident.loaded.tokenizer.all_special_ids)
    return [id_ for id_ in range(n_tokens) if id_ not in special]


def _strongest_pairs(
    side: str, amount: Tensor, chance: float, n_heads: int, count: int
) -> list[Composition]:
    """The strongest pairs of an earlier and a later head; where there is none it is 0."""
    flat = amount.flatten()
    most = flat.topk(min(count, len(flat)))
    return [
        Composition(
            side,
            divmod(place // len(amount), n_heads),
            divmod(place % len(amount), n_heads),
            value - chance,
        )
        for place, value in zip(most.indices.tolist(), most.values.tolist(), strict=True)
        if value > 0
    ]


def _by_layer(amount: Tensor, chance: float, n_layers: int) -> tuple[tuple[float | None, ...], ...]:
    """The strongest pair of each two layers, less chance; ``None`` where there is no pair."""
    most = amount.unflatten(0, (n_layers, -1)).unflatten(2, (n_layers, -1)).amax((1, 3))
    return tuple(
        tuple(value - chance if reader > writer else None for reader, value in enumerate(row))
        for writer, row in enumerate(most.tolist())
    )


def _card(
    question: ReadHeads,
    chosen: NodeId,
    amounts: Mapping[str, Tensor],
    chance: float,
    asked: TracedRequest,
    resident: Resident,
    tell: Progress,
) -> HeadCard:
    assert chosen.layer is not None and chosen.head is not None
    place, n_heads = (chosen.layer, chosen.head), asked.architecture.sizes.n_heads
    number = chosen.layer * n_heads + chosen.head
    feeds, reads = [], []
    for side, amount in amounts.items():
        written, read = torch.zeros_like(amount), torch.zeros_like(amount)
        written[number], read[:, number] = amount[number], amount[:, number]
        feeds += _strongest_pairs(side, written, chance, n_heads, _CARD)
        reads += _strongest_pairs(side, read, chance, n_heads, _CARD)
    reads = sorted(reads, key=lambda one: -one.amount)[:_CARD]
    feeds = sorted(feeds, key=lambda one: -one.amount)[:_CARD]
    parts, parts_chance = compose_card_parts(question, chosen, [*reads, *feeds], resident, tell)
    upstream = read_upstream(
        ReadUpstream(question.request, str(chosen), count=1000), resident, tell
    )
    heads = [part for part in upstream.parts if part.id.kind is NodeKind.HEAD][:_CARD]
    return HeadCard(
        id=chosen,
        reads=tuple(reads),
        feeds=tuple(feeds),
        parts=parts,
        parts_baseline=parts_chance,
        upstream=tuple((part.id, part.flow) for part in heads),
        flow=upstream.flow,
        tokens=_token_circuits(question, place, asked, resident),
    )


def _token_circuits(
    question: ReadHeads, place: tuple[int, int], asked: TracedRequest, resident: Resident
) -> tuple[TokenCircuit, ...]:
    """What the head makes of the prompt's tokens first, then of some others."""
    own = list(dict.fromkeys(asked.trace.token_ids))
    (drawn,) = repeated_tokens(_ordinary(resident), _MORE_TOKENS, 1, question.seed)
    ids = torch.tensor([*own, *(id_ for id_ in dict.fromkeys(drawn) if id_ not in own)])
    embedding = resident.loaded.model.get_input_embeddings()
    with torch.inference_mode():
        vectors = embedding(ids.to(embedding.weight.device))
        found = circuits_of(asked.architecture, vectors, ids, *place, _PROMOTED)
    scores, readers = found.scores.max(0)
    texts = resident.tokens.texts(ids.tolist())
    return tuple(
        TokenCircuit(
            token=texts[n],
            promotes=tuple(resident.tokens.texts(found.promoted[n].tolist())),
            own_rank=int(found.own_rank[n]),
            reader=texts[int(readers[n])],
            score=float(scores[n]),
        )
        for n in range(len(ids))
    )

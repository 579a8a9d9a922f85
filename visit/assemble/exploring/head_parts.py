"""Pairs of heads -> the parts of their circuits that compose most."""

from __future__ import annotations

from collections.abc import Sequence

from visit.assemble.exploring.chosen import choose_head
from visit.assemble.residency import Resident
from visit.engine.exploring import ReadHeads
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.explore.composition import SIDES
from visit.explore.composition_parts import (
    HeadParts,
    chance_of_parts,
    compose_parts,
    parts_of_heads,
)
from visit.graph.explored.heads import Composition, PartComposition
from visit.graph.ids import NodeId

_OF_PAIR, _OF_NAMED = 3, 8
"""How many parts are told of a pair and side, and of those of the pair that is named."""
Pair = tuple[str, tuple[int, int], tuple[int, int]]
"""A side, the writer and the reader."""


def compose_card_parts(
    question: ReadHeads,
    card: NodeId,
    listed: Sequence[Composition],
    resident: Resident,
    tell: Progress,
) -> tuple[tuple[PartComposition, ...], tuple[float, float]]:
    """The strongest parts of the card's pairs, and the chance that was taken off.

    Args:
        question: It may name a pair.
        card: The card's head.
        listed: The pairs that the card lists, which are taken where none is named.
        resident: The model.
        tell: Told how far it is.

    Raises:
        RequestError: the head that is named is not there, or in the card's own layer.
    """
    pairs: Sequence[Pair] = [(one.side, one.writer, one.reader) for one in listed]
    if question.pair:
        pairs = _pairs_with(question, card, resident, tell)
    architecture = resident.loaded.architecture
    heads = parts_of_heads(
        architecture,
        {place for _, *places in pairs for place in places},
        lambda part: tell("composition", 0.9 + 0.1 * part),
    )
    chance = chance_of_parts(architecture.sizes, question.seed)
    count = _OF_NAMED if question.pair else _OF_PAIR
    found = [one for pair in pairs for one in _strongest_parts(pair, heads, chance, count)]
    return tuple(sorted(found, key=lambda one: -one.amount)), chance


def _pairs_with(
    question: ReadHeads, card: NodeId, resident: Resident, tell: Progress
) -> list[Pair]:
    """The card's head and the one that is named, into each side of the later."""
    other = choose_head(
        question.pair, card.position, question.request, resident, tell, field="pair"
    )
    assert card.layer is not None and card.head is not None
    assert other.layer is not None and other.head is not None
    if other.layer == card.layer:
        raise RequestError(
            f"pair is {question.pair!r}, of the same layer as {card.layer}.{card.head}, so "
            "neither reads the other; give a head of another layer"
        )
    writer, reader = sorted([(card.layer, card.head), (other.layer, other.head)])
    return [(side, writer, reader) for side in SIDES]


def _strongest_parts(
    pair: Pair,
    heads: dict[tuple[int, int], HeadParts],
    chance: tuple[float, float],
    count: int,
) -> list[PartComposition]:
    side, writer, reader = pair
    written = heads[writer].ov
    composed = compose_parts(written, heads[reader].read_by(side))
    most = composed.whole.topk(min(count, len(composed.whole)))
    found = []
    for part, amount in zip(most.indices.tolist(), most.values.tolist(), strict=True):
        cosine, into = composed.cosines[part].max(0)
        found.append(
            PartComposition(
                side=side,
                writer=writer,
                reader=reader,
                part=part,
                share=float(written.shares[part]),
                amount=amount - chance[0],
                into=int(into),
                cosine=float(cosine) - chance[1],
            )
        )
    return found

"""The ranked parts as columns, which the browser sorts, filters and draws by itself.

A graph's own parts are there with it. An engine adds all others at the traced position, and then
what taking each off does, so that a reader sees the flow at once and effects as they are measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from visit.graph.effects import Effect, Effects
from visit.graph.flow import Ledger, Node, NodeId, NodeKind, Outcome, TokenFlow
from visit.graph.index import Index
from visit.graph.kinds import EXPERTS, NODES, SOURCES
from visit.graph.ranking import Part, Ranking
from visit.text import visible
from visit.web.words import name_part

N_WORDS = 3
"""How many tokens a row lists that the part promotes, and that it suppresses."""
SORTS: Mapping[NodeKind, str] = {
    NodeKind.HEAD: "heads",
    NodeKind.MLP: "MLPs",
    NodeKind.MEMORY_VALUE: "memories",
    **dict.fromkeys(sorted(EXPERTS), "experts"),
}
"""What is ranked, and what the filter calls it."""


class Known(StrEnum):
    """How much is known of the parts: the graph's own, all of them, and all with their effects."""

    DRAWN = "drawn"
    RANKED = "ranked"
    MEASURING = "measuring"
    MEASURED = "measured"


@dataclass(frozen=True, slots=True)
class Row:
    """One part, as the browser's columns have it; ``None`` for what is not known.

    Attributes:
        id: Its node.
        flow: Its flow, signed, in the metric's unit.
        logit: Its direct logit.
        share: Its share of its whole.
        norm: Its length.
        source: Of a head, the position through which most of its flow comes.
        attention: How much it attends to that.
        outcome: What it promotes and suppresses in the end.
        tokens: Its flow to each of the next tokens that are listed.
        effect: What was measured of it with the graph.
    """

    id: NodeId
    flow: float | None = None
    logit: float | None = None
    share: float | None = None
    norm: float | None = None
    source: int | None = None
    attention: float | None = None
    outcome: Outcome | None = None
    tokens: tuple[float, ...] = ()
    effect: Effect | None = None


def columns(
    index: Index, ranking: Ranking | None = None, known: Known | None = None
) -> dict[str, Any]:
    """Every ranked part of a graph, a value a row in each column, in the order of the flow.

    Args:
        index: The graph; where it has no flow the parts are known by the rest.
        ranking: All parts at the traced position, where an engine told of them.
        known: How much is known now; what follows from ``ranking`` when left out.
    """
    rows = {row.id: row for row in map(lambda node: row_from_node(index, node), _drawn(index))}
    if ranking is not None:
        for part in ranking.parts:
            effect = rows[part.id].effect if part.id in rows else None
            rows[part.id] = replace(row_from_part(part), effect=effect)
    chosen = [rows[id_] for id_ in sorted(rows)]
    flow = index.flow
    return {
        "known": known or (Known.DRAWN if ranking is None else Known.RANKED),
        "n_layers": flow.model.n_layers,
        "n_heads": flow.model.n_heads,
        "traced": flow.position,
        "target": visible(flow.target.text),
        "prompt": list(flow.shown),
        "next": [] if ranking is None else [visible(token.text) for token in ranking.tokens],
        "id": [str(row.id) for row in chosen],
        "name": [name_part(row.id) for row in chosen],
        "sort": [SORTS[row.id.kind] for row in chosen],
        "role": [str(NODES[row.id.kind].role) for row in chosen],
        "layer": [row.id.layer for row in chosen],
        "number": [row.id.number for row in chosen],
        "position": [row.id.position for row in chosen],
        "source": [row.source for row in chosen],
        "attention": [_short(row.attention) for row in chosen],
        "promotes": [_words(row.outcome.promotes) if row.outcome else [] for row in chosen],
        "suppresses": [_words(row.outcome.suppresses) if row.outcome else [] for row in chosen],
        "tokens": [[_short(one) for one in row.tokens] for row in chosen],
        "flow": [_short(row.flow) for row in chosen],
        "logit": [_short(row.logit) for row in chosen],
        "share": [_short(row.share) for row in chosen],
        "norm": [_short(row.norm) for row in chosen],
        "effect": [_short(row.effect.measured) if row.effect else None for row in chosen],
        "estimate": [_short(row.effect.estimate) if row.effect else None for row in chosen],
        "flag": [row.effect.flag if row.effect else None for row in chosen],
    }


def effect_columns(effects: Effects) -> dict[str, dict[str, Any]]:
    """What was measured and estimated, by the part's id; a flag where there is one."""
    by_id = {str(one.sites[0]): one for one in effects.effects}
    return {
        "effect": {id_: _short(one.measured) for id_, one in by_id.items()},
        "estimate": {id_: _short(one.estimate) for id_, one in by_id.items()},
        "flag": {id_: str(one.flag) for id_, one in by_id.items() if one.flag is not None},
    }


def with_effects(
    parts: Mapping[str, Any], effects: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Columns with the effects and estimates that were found since (assets/ranking.js as well)."""
    found = {
        name: [
            was if (now := effects[name].get(id_)) is None else now
            for id_, was in zip(parts["id"], parts[name], strict=True)
        ]
        for name in ("effect", "estimate")
    }
    return {**parts, **found}


def row_from_part(part: Part) -> Row:
    """A part of an engine's ranking as a row."""
    return Row(
        part.id, part.flow, part.direct, part.share, part.norm, part.source, part.attention,
        part.outcome, part.tokens,
    )  # fmt: skip


def row_from_node(index: Index, node: Node) -> Row:
    """A part that the graph holds as a row."""
    row = Row(
        node.id, node.flow, index.direct_logit(node.id), outcome=node.outcome, effect=node.effect
    )
    own = next((e for e in index.out_of.get(node.id, ()) if e.share is not None), None)
    if own is not None:
        row = replace(row, share=own.share, norm=own.norm)
    lines = [e for e in index.lines(node.id, Ledger.SOURCES) if e.source.kind in SOURCES]
    if lines:
        most = max(lines, key=lambda e: abs((e.share or 0.0) if e.flow is None else e.flow))
        row = replace(row, source=most.source.position, attention=most.attention)
    return row


def _drawn(index: Index) -> Iterable[Node]:
    return (node for node in index.flow.nodes if node.id.kind in SORTS)


def _words(tokens: tuple[TokenFlow, ...]) -> list[str]:
    return [visible(token.text) for token in tokens[:N_WORDS]]


def _short(value: float | None) -> float | None:
    """Four digits: enough to draw and to read."""
    return None if value is None else float(f"{value:.4g}")

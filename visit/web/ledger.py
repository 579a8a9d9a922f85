"""The inspector's ledgers: what adds up to a node, signed, with its sum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dash import html
from dash.development.base_component import Component

from visit.flow import Edge, EdgeKind, Ledger, NodeId, NodeKind
from visit.text import visible
from visit.web.elements import family
from visit.web.index import RESTS, Index
from visit.web.parts import data, word
from visit.web.text import KIND_WORDS, LEDGER_WORDS, signed, signed_percent, title

LINES_SHOWN = 12


def ledgers(index: Index, whole: NodeId) -> list[Component]:
    """Every ledger of a node, one after another."""
    present = [ledger for ledger in Ledger if index.lines(whole, ledger)]
    made: list[Component] = []
    for ledger in present:
        if ledger is Ledger.NEURONS:
            made.append(_to_neurons(whole))
        lines = sorted(index.lines(whole, ledger), key=lambda e: -abs(e.share or 0.0))
        made.append(_ledger(index, ledger, lines))
    return made


def _to_neurons(attention: NodeId) -> Component:
    """A button that draws an attention's neurons, another way of taking it apart, in the graph."""
    neurons = NodeId(NodeKind.NEURONS_REST, attention.position, attention.layer)
    return html.Button(
        "Draw its attention neurons",
        className="quiet draw-neurons",
        **data(node=str(attention), open=f"{attention} {neurons}"),
    )


def _ledger(index: Index, ledger: Ledger, lines: Sequence[Edge]) -> Component:
    """One ledger: its largest lines, the others as one, and the sum."""
    largest = max((abs(line.share or 0.0) for line in lines), default=0.0) or 1.0
    first, others = lines[:LINES_SHOWN], lines[LINES_SHOWN:]
    rows = [_row(_part(index, line), line.share, line.direct_logit, largest) for line in first]
    if others:
        share, logit = _sum(e.share for e in others), _sum(e.direct_logit for e in others)
        rows.append(_row(html.Span(f"{len(others)} more", className="more"), share, logit, largest))
    total, logit = _sum(e.share for e in lines), _sum(e.direct_logit for e in lines)
    return html.Section(
        [
            html.H3(LEDGER_WORDS[ledger]),
            html.Table(
                [
                    html.Thead(
                        html.Tr(
                            [
                                html.Th("part"),
                                html.Th("share", colSpan=2),
                                html.Th("direct logit"),
                            ]
                        )
                    ),
                    html.Tbody(rows),
                    html.Tfoot(
                        html.Tr(
                            [
                                html.Th("sum"),
                                html.Td(),
                                html.Td(_share(total), className="number"),
                                html.Td(_logit(logit), className="number"),
                            ]
                        )
                    ),
                ],
                className="ledger",
            ),
        ],
        **data(ledger=str(ledger)),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) if present else None


def _row(part: Component, share: float | None, logit: float | None, largest: float) -> Component:
    size = (share or 0.0) / largest
    bar = html.Span(
        className="plus" if size >= 0 else "minus", style={"width": f"{50 * abs(size):.1f}%"}
    )
    return html.Tr(
        [
            html.Td(part),
            html.Td(html.Span(bar, className="signed-bar")),
            html.Td(_share(share), className="number"),
            html.Td(_logit(logit), className="number"),
        ]
    )


def _share(value: float | None) -> str:
    return "" if value is None else signed_percent(value)


def _logit(value: float | None) -> str:
    return "" if value is None else signed(value)


def _part(index: Index, line: Edge) -> Component:
    node_id = line.source
    node = index.nodes[node_id]
    name = title(node_id)
    if node_id.kind in RESTS:
        name = KIND_WORDS[node_id.kind]
    elif node_id.index is not None:
        name = str(node_id.index)  # the ledger's heading says of what
    if node_id.kind is NodeKind.VALUE or line.ledger is Ledger.POSITIONS:
        if node_id.kind not in (NodeKind.POSITIONS_REST, NodeKind.ATTN_BIAS):
            name = f"from {visible(index.flow.tokens[node_id.position].text)}"
    return html.Button(
        [
            html.Span(className=f"swatch {family(node_id.kind)}"),
            html.Span(name, className="part-name"),
            html.Span(word(node.label), className="said"),
        ],
        className="go",
        title=str(node_id),
        **data(node=str(node_id), open=way_in(index, node_id)),
    )


def way_in(index: Index, node_id: NodeId) -> str:
    """The nodes that must be open for a node to be drawn, outermost first."""
    inside: list[NodeId] = []
    waiting = node_id
    holders = (EdgeKind.ADDS, EdgeKind.WEIGHS, EdgeKind.SCORES, EdgeKind.ACTIVATES)
    opened_by = {Ledger.HEADS, Ledger.SOURCES, Ledger.MEMORIES}
    for _ in range(6):
        line = next(
            (
                e
                for e in index.out_of.get(waiting, ())
                if e.kind in holders and (e.ledger in opened_by or e.ledger is None)
            ),
            None,
        )
        if line is None:
            break
        if line.ledger in opened_by:
            inside.append(line.target)
        waiting = line.target
    return " ".join(str(opened) for opened in reversed(inside))

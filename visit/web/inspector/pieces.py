"""What several tabs are made of: facts, a node to go to, lists of words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import (
    Edge,
    Ledger,
    NodeId,
    NodeKind,
    Outcome,
    Reading,
    TokenProbability,
)
from visit.graph.index import Index
from visit.graph.kinds import BIASES, EXPERTS, NODES, RESIDUALS, RESTS
from visit.graph.relations import way_in
from visit.web.flow.elements import mark_of
from visit.web.parts import bar, data, span, term, word
from visit.web.words import decimal, outcome_sides, percent, signed, title

Said = Any


def facts(said: Iterable[tuple[Said, Said]]) -> Component:
    """Measures by name."""
    return html.Dl(
        [html.Div([html.Dt(name), html.Dd(value)]) for name, value in said], className="facts"
    )


def hint(*said: Said) -> Component:
    """A remark in small print."""
    return html.P(list(said), className="hint")


def go(index: Index, node_id: NodeId, name: str, *more: Said, chosen: bool = False) -> Component:
    """A node to go to: its swatch, a name, and whatever else is said of it."""
    return html.Button(
        [
            swatch(node_id),
            html.Span(name, className="part-name"),
            *more,
        ],
        className="go is-here" if chosen else "go",
        title=str(node_id),
        **leads_to(index, node_id),
    )


def leads_to(index: Index, node_id: NodeId) -> dict[str, Any]:
    """The attributes of what goes to a node when it is clicked, and opens what hides it."""
    opened = " ".join(map(str, way_in(index, node_id)))
    return data(node=str(node_id), open=opened)


def swatch(node_id: NodeId) -> Any:
    """The mark that nodes of its kind have in the graph."""
    return span([], f"swatch {NODES[node_id.kind].role}")


def part_name(index: Index, line: Edge) -> str:
    """What a line of a ledger is called there: its heading says already of what it is a part."""
    node_id = line.source
    if node_id.kind in RESTS:
        return "Others"
    if node_id.kind in BIASES:
        return "Bias"
    if node_id.kind in EXPERTS:
        return f"{mark_of(node_id)} × {decimal(line.activation or 0.0)}"
    if line.ledger is Ledger.RESIDUAL and node_id.kind in RESIDUALS:
        return "Residual"
    if node_id.kind is NodeKind.VALUE or line.ledger is Ledger.POSITIONS:
        return f"from {index.flow.shown[node_id.position]}"
    return title(node_id) if node_id.index is None else str(node_id.index)


def both_ends(reading: Reading) -> Component:
    """A reading's top and bottom tokens, side by side."""
    return html.Div(
        [_words("Says", reading.top, "say"), _words("Least of all", reading.bottom, "unsay")],
        className="words",
    )


def sides_of(outcome: Outcome) -> Component:
    """What an outcome promotes and suppresses, side by side, with the flow to each token."""
    largest = max((abs(t.flow) for _, side in outcome_sides(outcome) for t in side), default=1.0)
    sides = (("promotes", outcome.promotes, "say"), ("suppresses", outcome.suppresses, "unsay"))
    return html.Div(
        [
            _list_tokens(
                does.capitalize(),
                [(token.text, abs(token.flow) / largest, signed(token.flow)) for token in tokens],
                side,
            )
            for does, tokens, side in sides
        ],
        className="words",
    )


def said_words(tokens: Sequence[TokenProbability], count: int = 6) -> Component:
    """The first tokens of a reading on one line."""
    return html.P([word(token.text) for token in tokens[:count]], className="said-words")


def probability(prob: float) -> str:
    """A probability, by its order of magnitude where it is too small for a percentage."""
    if prob >= 0.001:
        return percent(prob)
    return "0" if prob == 0 else f"10{_superscript(math.floor(math.log10(prob)))}"


def measure(name: str, shown: str | None = None) -> Component:
    """A measure's name as a column's heading."""
    return html.Th(term(name, shown), scope="col")


def _words(name: str, tokens: Sequence[TokenProbability], side: str) -> Component:
    """Tokens with bars: of their probability, or for the least of all of how far below 1 it is."""
    sizes = [token.prob if side == "say" else _depth(token.prob) for token in tokens]
    largest = max(sizes, default=0.0) or 1.0
    rows = [
        (token.text, size / largest, probability(token.prob))
        for token, size in zip(tokens, sizes, strict=True)
    ]
    return _list_tokens(name, rows, side)


def _list_tokens(name: str, rows: Sequence[tuple[str, float, str]], side: str) -> Component:
    """Tokens in a list, each with a bar, as a part of the longest, and a number."""
    return html.Div(
        [
            html.H3(name),
            html.Ol(
                [
                    html.Li([word(text), bar(part, side), span([number], "number")])
                    for text, part, number in rows
                ],
                className="tokens",
            ),
        ]
    )


def _depth(prob: float) -> float:
    return -math.log10(max(prob, 1e-300))


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))

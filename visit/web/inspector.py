"""The panels beside the graph: the next token's candidates, and all about the tapped node."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from dash import html
from dash.development.base_component import Component

from visit.flow import (
    EdgeKind,
    FlowGraph,
    Ledger,
    Node,
    NodeId,
    NodeKind,
    TokenProbability,
)
from visit.text import visible
from visit.web.elements import family
from visit.web.index import Index
from visit.web.ledger import ledgers, way_in
from visit.web.parts import aria, bar, data, word
from visit.web.text import (
    percent,
    place,
    signed,
    title,
)


def predictions(flow: FlowGraph, *, clickable: bool = True) -> list[Component]:
    """The ten best next tokens as bars; a click makes one the target."""
    rows: list[Component] = []
    for prediction in flow.predictions:
        is_target = prediction.id == flow.target.id
        rows.append(
            html.Button(
                [
                    word(prediction.text),
                    bar(prediction.prob, "say"),
                    html.Span(percent(prediction.prob), className="number"),
                ],
                className="prediction is-target" if is_target else "prediction",
                disabled=not clickable,
                title=f"logit {prediction.logit:.2f}",
                **data(target=visible(prediction.text)),
                **aria(pressed="true" if is_target else "false"),
            )
        )
    return rows


def tokens(flow: FlowGraph, *, clickable: bool = True) -> list[Component]:
    """The prompt as chips, the traced position marked, and what comes next; a click moves it."""
    chips: list[Component] = [
        html.Button(
            visible(token.text),
            className="chip is-traced" if token.position == flow.position else "chip",
            disabled=not clickable,
            title=f"position {token.position}, token {token.id}",
            **data(position=str(token.position)),
            **aria(pressed="true" if token.position == flow.position else "false"),
        )
        for token in flow.tokens
    ]
    next_one = [
        html.Span("→", className="arrow"),
        html.Span(visible(flow.target.text), className="chip is-target"),
        html.Span(
            f"{percent(flow.target.prob)}, rank {flow.target.rank:,}", className="hint number"
        ),
    ]
    after = flow.position + 1
    return [*chips[:after], *next_one, *chips[after:]]


def about(index: Index) -> list[Component]:
    """What the inspector says while no node is picked: the trace as a whole."""
    flow, target = index.flow, index.flow.target
    model = flow.model
    return [
        html.Div(
            [
                html.H2("The whole trace"),
                html.P(
                    "Tap a node to see what it says and what adds up to it. Attention, MLP and "
                    "head nodes open; a second tap closes them.",
                    className="hint",
                ),
            ],
            className="node-head",
        ),
        _facts(
            [
                ("target", word(target.text)),
                ("rank", str(target.rank)),
                ("probability", percent(target.prob)),
                ("logit", f"{target.logit:.2f}"),
            ]
        ),
        html.H3("Model"),
        _facts(
            [
                ("name", model.name),
                ("family", model.family),
                ("layers × heads", f"{model.n_layers} × {model.n_heads}"),
                ("dtype", model.dtype),
            ]
        ),
        html.H3("Audit"),
        html.P(
            "Every ledger adds up to what the model computed, within these errors.",
            className="hint",
        ),
        _facts(
            [
                ("residual, worst", f"{flow.audit.residual:.1e}"),
                ("logit", f"{flow.audit.logit:.1e}"),
                ("unexplained", percent(index.unexplained)),
                ("in the document", f"{len(flow.nodes)} nodes, {len(flow.edges)} edges"),
            ]
        ),
    ]


def node_panel(index: Index, node: Node) -> list[Component]:
    """All about one node: what it says, its measures, what adds up to it."""
    reading, flow = node.reading, index.flow
    facts: list[tuple[str, Component | str]] = [
        ("target's rank", f"{reading.target.rank:,}"),
        ("target's probability", percent(reading.target.prob)),
        ("entropy", f"{reading.entropy:.2f} bits"),
        ("norm", f"{reading.norm:.3g}"),
    ]
    if node.activation is not None:
        facts.append(("activation", signed(node.activation, 3)))
    if node.attention is not None:
        facts.append(("attention", percent(node.attention)))
    return [
        _head(flow, node),
        _facts(facts),
        html.Div(
            [
                _words("Says", reading.top, "say"),
                _words("Least of all", reading.bottom, "unsay"),
            ],
            className="words",
        ),
        *_companions(index, node),
        *ledgers(index, node.id),
    ]


def _head(flow: FlowGraph, node: Node) -> Component:
    token = flow.tokens[node.id.position]
    where = [html.Span(f"{place(node.id)}, at " if place(node.id) else "at ")]
    return html.Div(
        [
            html.Div(
                [
                    html.Span(className=f"swatch {family(node.id.kind)}"),
                    html.H2(title(node.id)),
                    html.Code(str(node.id), className="node-id"),
                ],
                className="node-title",
            ),
            html.P(
                [*where, word(token.text), html.Span(f" position {token.position}")],
                className="where",
            ),
        ],
        className="node-head",
    )


def _facts(facts: Iterable[tuple[str, Component | str]]) -> Component:
    return html.Dl(
        [html.Div([html.Dt(name), html.Dd(value)]) for name, value in facts], className="facts"
    )


def _words(name: str, tokens: Sequence[TokenProbability], side: str) -> Component:
    """Tokens with bars: of their probability, or for the least of all of how far below 1 it is."""
    sizes = [token.prob if side == "say" else _depth(token.prob) for token in tokens]
    largest = max(sizes, default=0.0) or 1.0
    return html.Div(
        [
            html.H3(name),
            html.Ol(
                [
                    html.Li(
                        [
                            word(token.text),
                            bar(size / largest, side),
                            html.Span(_probability(token.prob), className="number"),
                        ]
                    )
                    for token, size in zip(tokens, sizes, strict=True)
                ],
                className="tokens",
            ),
        ]
    )


def _depth(prob: float) -> float:
    return -math.log10(max(prob, 1e-300))


def _probability(prob: float) -> str:
    if prob >= 0.001:
        return percent(prob)
    return "0" if prob == 0 else f"10{_superscript(math.floor(math.log10(prob)))}"


def _superscript(number: int) -> str:
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _companions(index: Index, node: Node) -> list[Component]:
    """What belongs together: a head's query, keys and values; a memory's key and value."""
    found = [other for other in _company(index, node.id) if other in index.nodes]
    if not found:
        return []
    return [
        html.H3("Together with"),
        html.Ul([_companion(index, other) for other in found], className="company"),
    ]


def _company(index: Index, node_id: NodeId) -> list[NodeId]:
    if node_id.kind is NodeKind.HEAD:
        values = [e.source for e in index.lines(node_id, Ledger.SOURCES)]
        keys = [
            e.source
            for value in values
            for e in index.into.get(value, ())
            if e.kind is EdgeKind.WEIGHS
        ]
        query = NodeId(NodeKind.QUERY, node_id.position, node_id.layer, head=node_id.head)
        return [query, *keys, *(v for v in values if v.kind is NodeKind.VALUE)]
    if node_id.kind is NodeKind.MEMORY_VALUE:
        return [
            e.source for e in index.into.get(node_id, ()) if e.source.kind is NodeKind.MEMORY_KEY
        ]
    if node_id.kind is NodeKind.MEMORY_KEY:
        return [
            e.target
            for e in index.out_of.get(node_id, ())
            if e.target.kind is NodeKind.MEMORY_VALUE
        ]
    return []


def _companion(index: Index, node_id: NodeId) -> Component:
    node = index.nodes[node_id]
    name = title(node_id).split(" of ")[0]
    if node_id.kind in (NodeKind.KEY, NodeKind.VALUE):
        name = f"{name} of {visible(index.flow.tokens[node_id.position].text)}"
    said = [word(token.text) for token in node.reading.top[:4]]
    return html.Li(
        html.Button(
            [
                html.Span(className=f"swatch {family(node_id.kind)}"),
                html.Span(name, className="part-name"),
                html.Span(said, className="said"),
            ],
            className="go",
            **data(node=str(node_id), open=way_in(index, node_id)),
        )
    )

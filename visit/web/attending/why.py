"""Why a head looks at a source: the score by the parts of the query and the key, as bars."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.scores import ScorePair, ScorePart, Scores, ScoreSide
from visit.web.inspector.pieces import hint, leads_to, swatch
from visit.web.parts import balance, span, term, word, word_at
from visit.web.words import name_part, percent, signed

COUNT = 8
"""How many parts of each side are listed."""
_PAIRS = 4
_BIASES = {
    NodeKind.LN1: "the norm's bias",
    NodeKind.QUERY: "the query's bias",
    NodeKind.KEY: "the key's bias",
}


def why_there(scores: Scores, index: Index) -> list[Component]:
    """The score of one source, by what makes it, and the attention without each part.

    Args:
        scores: The answer.
        index: The graph that the head is picked in.
    """
    said: list[Any] = [
        "Its ", term("score"), " is ", html.B(signed(scores.score)),
        f" over the mean of the {len(scores.sources)} sources it sees, which gives it ",
        html.B(percent(scores.attention)), ".",
    ]  # fmt: skip
    if scores.cap is not None:
        said.append(
            f" Scores are capped at {scores.cap:g} before the softmax, which no sum survives: "
            "these are before the cap."
        )
    largest = max(
        (abs(p.score) for side in (scores.query, scores.key) for p in side.parts), default=0.0
    )
    reader = scores.head.position
    return [
        html.H3("Why it looks there"),
        hint(*said),
        *_side(scores, scores.query, index, largest, ["What it looks for, by the ",
               term("query", "query's"), " parts at ", word_at(index.flow, reader)]),
        *_side(scores, scores.key, index, largest, ["What is found, by the ",
               term("key", "key's"), " parts at ", word_at(index.flow, scores.source)]),
        html.H4("The strongest pairs of both"),
        html.Ul(
            [_pair(pair, index) for pair in scores.pairs[:_PAIRS]], className="score-pairs"
        ),
    ]  # fmt: skip


def _side(
    scores: Scores, side: ScoreSide, index: Index, largest: float, heading: list[Any]
) -> list[Component]:
    sums = accumulate(part.score for part in side.parts)
    rows = [
        _part(scores, part, total, index, largest or 1.0)
        for part, total in zip(side.parts, sums, strict=True)
    ]
    if side.n_others:
        rows.append(_rest(f"{side.n_others} others", side.rest, side.total))
    if scores.bias:
        rows.append(_rest("the positions", scores.bias, side.total + scores.bias))
    columns = ("part", "says", "", "score", "sum", "without")
    head = html.Tr([html.Th(name, scope="col") for name in columns])
    return [
        html.H4(heading),
        html.Table([html.Thead(head), html.Tbody(rows)], className="score-parts"),
    ]


def _part(scores: Scores, part: ScorePart, total: float, index: Index, largest: float) -> Component:
    without = (
        f"Without it, it would attend {percent(part.without)} instead of "
        f"{percent(scores.attention)}"
    )
    return html.Tr(
        [
            html.Td(_name(part.id, index)),
            html.Td([] if part.word is None else word(part.word)),
            html.Td(balance(part.score / largest)),
            html.Td(signed(part.score), className="number"),
            html.Td(signed(total), className="number sum"),
            html.Td(percent(part.without), className="number", title=without),
        ]
    )


def _rest(name: str, score: float, total: float) -> Component:
    cells = [html.Td(span([name], "more"), colSpan=3), html.Td(signed(score), className="number")]
    return html.Tr([*cells, html.Td(signed(total), className="number sum"), html.Td()])


def _pair(pair: ScorePair, index: Index) -> Component:
    return html.Li(
        [
            _name(pair.query, index),
            html.Span("finds", className="hint"),
            _name(pair.key, index),
            html.Span(signed(pair.score), className="number"),
        ]
    )


def _name(id_: NodeId, index: Index) -> Component:
    """A part to go to, which draws it; a bias by its name, and what no graph can show likewise."""
    if id_.kind in _BIASES:
        return html.Span(_BIASES[id_.kind], className="said")
    name = html.Span(name_part(id_), className="part-name")
    if id_ in index.nodes or id_.kind in (NodeKind.HEAD, NodeKind.MLP):
        made = [swatch(id_), name]
        return html.Button(made, className="go", title=str(id_), **leads_to(index, id_))
    return html.Span([swatch(id_), name], className="go-less", title=str(id_))

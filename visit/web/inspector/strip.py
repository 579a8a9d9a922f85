"""What stands around the graph: the prompt's tokens, and the next token's candidates."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from visit.flow import FlowGraph
from visit.text import visible
from visit.web.parts import aria, bar, data, word
from visit.web.text import percent


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

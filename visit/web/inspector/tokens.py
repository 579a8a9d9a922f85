"""What stands around the graph: the prompt's tokens, and the next token's candidates."""

from __future__ import annotations

from itertools import groupby

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import FlowGraph, Token
from visit.text import visible
from visit.web.parts import aria, bar, data, word
from visit.web.words import decimal, percent, typed_from_tokens


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
                title=f"logit {decimal(prediction.logit)}",
                **data(
                    target=typed_from_tokens(prediction.text or prediction.id),
                    target_id=str(prediction.id),
                ),
                **aria(pressed="true" if is_target else "false"),
            )
        )
    return rows


def tokens(flow: FlowGraph, *, clickable: bool = True) -> list[Component]:
    """The prompt as chips, the traced position marked, and what comes next; a click moves it.

    The chips of a chat's message stand together under its role.
    """
    strip: list[Component] = []
    for message, run in groupby(flow.tokens, key=lambda token: token.message):
        said = list(run)
        chips = [part for token in said for part in _chip(flow, token, clickable)]
        if message is None:
            strip += chips
            continue
        role = said[0].role or ""
        title = f"message {message}, {role}"
        strip.append(
            html.Span(
                [html.Span(role, className="role", title=title), *chips],
                className="message",
                role="group",
                **aria(label=title),
            )
        )
    return strip


def _chip(flow: FlowGraph, token: Token, clickable: bool) -> list[Component]:
    """A token, and where it is the traced one what comes next."""
    is_traced = token.position == flow.position
    is_template = flow.request.chat and token.message is None
    states = {"is-traced": is_traced, "is-special": token.special, "is-template": is_template}
    title = f"position {token.position}, token {token.id}"
    if flow.shown[token.position] != visible(token.text):
        title += f", of the bytes {visible(token.text)}"
    if token.special:
        title += ", special"
    if is_template:
        title += ", of the template"
    chip = html.Button(
        flow.shown[token.position],
        className=" ".join(["chip", *(name for name, holds in states.items() if holds)]),
        disabled=not clickable,
        title=title,
        **data(position=str(token.position), focus=f"token {token.position}"),
        **aria(pressed="true" if is_traced else "false"),
    )
    return [chip, *_next_one(flow)] if is_traced else [chip]


def _next_one(flow: FlowGraph) -> list[Component]:
    target = flow.target
    return [
        html.Span("→", className="arrow"),
        html.Span(visible(target.text), className="chip is-target"),
        html.Span(f"{percent(target.prob)}, rank {target.rank:,}", className="hint number"),
    ]

"""The tab *Causes* of a picked node: what the model would say without it, as it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.effects import After, Effect, Effects, Flag, TokenDelta
from visit.graph.flow import FlowGraph
from visit.graph.interventions import DRAWN_KINDS, WAY_WORDS, Site, Way
from visit.text import visible
from visit.web.causes.sites import name_site
from visit.web.inspector.pieces import hint
from visit.web.parts import aria, bar, data, span, term, word
from visit.web.words import percent, signed

FLAG_WORDS = {
    Flag.REPAIRED: "repaired: later parts make up for most of what it does directly",
    Flag.REVERSED: "reversed: without it the prediction moves the other way than its direct logit",
}
_PREDICTED = ("estimate", "flow", "direct")
_PREDICTED_WORDS = {"estimate": "estimate", "flow": "flow", "direct": "direct logit"}
_TOKENS_SHOWN = 6


def measured(effects: Effects, flow: FlowGraph, site: Site) -> list[Component]:
    """What the measured effect of one site says, with a button that collects the site.

    Args:
        effects: The answer about this site alone.
        flow: The graph that it is picked in.
        site: The site.
    """
    (effect,) = effects.effects
    assert effect.after is not None and effect.measured is not None
    said = [] if effect.flag is None else [_flag(effect.flag)]
    return [
        html.Div(
            [
                html.Span(
                    [html.B(name_site(site, flow)), f" {_how_words(effects)}"], className="subject"
                ),
                *([_collect(site, effects)] if site.kind in DRAWN_KINDS else []),
            ],
            className="collecting",
        ),
        html.P(_headline(effects, effect.after), className="headline"),
        html.P(_instead(effects, effect.after), className="instead"),
        *said,
        html.H3(html.Span(["Change of the ", term("metric"), ", measured and predicted"])),
        bars(effect),
        _moves(effect.after),
    ]


def _collect(site: Site, effects: Effects) -> Component:
    """The button that collects the site: a source with its knock-out."""
    text = f"{site} {effects.how}" if effects.how == Way.KNOCKOUT else str(site)
    said = "Collect it (w). In a list, Shift + click collects a part"
    return html.Button("+ What if", className="collect", title=said, **data(collect=text))


def _how_words(effects: Effects) -> str:
    way = Way(effects.how.partition(":")[0])
    said = WAY_WORDS[way].partition(":")[0]
    return said if effects.reference is None else f"{said} ({effects.reference.name})"


def _headline(effects: Effects, after: After) -> list[Any]:
    return [
        word(effects.target.text),
        f" {percent(effects.base.prob)} → ",
        html.B(percent(after.prob)),
    ]


def _instead(effects: Effects, after: After) -> list[Any]:
    """What is said in place of what the plain pass says first."""
    best, before = after.top[0], effects.predictions[0]
    verb = "still says " if best.id == before.id else "says instead "
    return [verb, word(best.text), f" {percent(best.prob)}; target's rank {after.rank:,}"]


def _flag(flag: Flag) -> Component:
    return html.P(
        [html.B(flag.value.capitalize()), FLAG_WORDS[flag].removeprefix(flag.value)],
        className=f"flag is-{flag}",
    )


def bars(effect: Effect) -> Component:
    """The measured effect and what three ways predict of it, on one scale around zero."""
    rows = [("measured", effect.measured)]
    rows += [(_PREDICTED_WORDS[name], getattr(effect, name)) for name in _PREDICTED]
    largest = max((abs(value) for _, value in rows if value is not None), default=0.0) or 1.0
    return html.Div(
        [_bar_row(name, value, largest, "is-measured" if not i else "") for i, (name, value) in
         enumerate(rows)],
        className="effect-bars",
    )  # fmt: skip


def _bar_row(name: str, value: float | None, largest: float, marked: str) -> Component:
    drawn: list[Any] = []
    if value is not None:
        side = "minus" if value < 0 else "plus"
        part = 50 * abs(value) / largest
        left = 50 - part if value < 0 else 50
        drawn = [span([], side, style=f"left: {left:.2f}%; width: {part:.2f}%")]
    number = "—" if value is None else signed(value)
    return html.Div(
        [
            html.Span(term(name) if name != "measured" else term("effect", name), className="name"),
            span(drawn, "signed-bar middle"),
            span([number], "number"),
        ],
        className=f"effect-bar {marked}".strip(),
    )


def _moves(after: After) -> Component:
    """The candidates that gain and those that lose, less the candidates' mean."""
    both = [*after.gains[:_TOKENS_SHOWN], *after.losses[:_TOKENS_SHOWN]]
    largest = max((abs(one.delta) for one in both), default=0.0) or 1.0
    return html.Div(
        [
            _moved("Gain without it", after.gains[:_TOKENS_SHOWN], largest, "say"),
            _moved("Lose without it", after.losses[:_TOKENS_SHOWN], largest, "unsay"),
        ],
        className="words",
    )


def _moved(name: str, tokens: Sequence[TokenDelta], largest: float, side: str) -> Component:
    rows = [
        html.Li(
            [
                word(one.text),
                bar(abs(one.delta) / largest, side),
                span([signed(one.delta)], "number"),
            ]
        )
        for one in tokens
    ]
    return html.Div([html.H3(name), html.Ol(rows, className="tokens")])


def sources(effects: Effects, flow: FlowGraph) -> list[Component]:
    """The effect of each source that a head may not read, by position.

    Args:
        effects: Of a knock-out of each, in a pass of its own.
        flow: The graph that the head is picked in.
    """
    listed = sorted(effects.effects, key=lambda one: one.sites[0].source or 0)
    largest = max((abs(one.measured or 0.0) for one in listed), default=0.0) or 1.0
    rows = [_source_row(one, flow, largest) for one in listed]
    return [
        html.H3(["Without one source ", html.Span("(knocked out)", className="hint")]),
        html.Div(rows, className="effect-bars of-sources"),
    ]


def _source_row(effect: Effect, flow: FlowGraph, largest: float) -> Component:
    (site,) = effect.sites
    assert site.source is not None
    value = effect.measured or 0.0
    name = flow.shown[site.source]
    row = _bar_row(name, value, largest, "")
    children: list[Any] = list(row.children)
    children[0] = html.Span(name, className="name token", title=repr(flow.tokens[site.source].text))
    add = html.Button(
        "+",
        className="quiet collect",
        title=f"Collect {name_site(site, flow)}, knocked out",
        **data(collect=f"{site} {Way.KNOCKOUT}"),
        **aria(label=f"Collect the source {visible(flow.tokens[site.source].text)}"),
    )
    return html.Div([*children, add], className="effect-bar")


def cannot(said: str) -> list[Component]:
    """Why nothing is measured, in one line."""
    return [hint(said)]


def say_together(effects: Effects, flow: FlowGraph) -> list[Component]:
    """What all sites together change, in one line: measured, not drawn."""
    (effect,) = effects.effects
    assert effect.after is not None and effect.measured is not None
    best = effect.after.top[0]
    return say_change(
        flow, (effects.base.prob, effect.after.prob), (effects.base.metric, effect.measured),
        (best.text, best.prob),
    )  # fmt: skip


def say_change(
    flow: FlowGraph,
    prob: tuple[float, float],
    metric: tuple[float, float],
    best: tuple[str, float],
) -> list[Component]:
    """What a changed pass predicts against the plain one, in one line.

    Args:
        flow: Whose target it is.
        prob: The target's probability, plain and changed.
        metric: The plain metric, and its change.
        best: The changed pass's first token, with its probability.
    """
    before, change = metric
    parts: list[Any] = [
        word(flow.target.text),
        f" {percent(prob[0])} → ",
        html.B(percent(prob[1])),
        ", ",
        term("metric"),
        f" {signed(before)} → {signed(before + change)} (",
        html.B(f"Δ {signed(change)}"),
        "); it says ",
        word(best[0]),
        f" {percent(best[1])}",
    ]
    return [html.Span(parts)]

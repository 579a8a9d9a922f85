"""What the inspector says while no node is picked: the trace as a whole, and what was noted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import groupby

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import FlowGraph, ModelInfo, Note
from visit.graph.index import Index
from visit.graph.relations import sum_logits
from visit.text import one_line
from visit.web.inspector.pieces import Said, facts, go, hint
from visit.web.inspector.tabs.ledger import logit_rows, logit_section
from visit.web.parts import aria, data, term, word
from visit.web.ranking.panel import parts_section, tokens_section
from visit.web.words import decimal, metric_sentence, metric_words, percent, place, signed, title


class Over(StrEnum):
    """One side of the trace as a whole; a panel shows one at a time."""

    PARTS = "parts"
    SUM = "sum"
    TOKENS = "tokens"
    MODEL = "model"


OVER_WORDS = {
    Over.PARTS: ("Parts", "Every head, MLP and strong memory, ranked"),
    Over.SUM: ("Adds up", "What adds up to the metric, block by block"),
    Over.TOKENS: ("Tokens", "What the strongest parts do to each of the next tokens"),
    Over.MODEL: ("Model", "The model, the audit, and your notes"),
}


def about(index: Index, notes: Iterable[Note] = ()) -> list[Component]:
    """The whole trace: its parts ranked, what adds up to its metric, its notes, model and audit.

    All four sides are there; the browser shows the one that is looked at.
    """
    held = [note for note in notes if note.node in index.nodes]
    sides = {
        Over.PARTS: parts_section(),
        Over.SUM: _sum(index),
        Over.TOKENS: tokens_section(),
        Over.MODEL: [*_list_notes(index, held), *_model(index)],
    }
    return [
        html.Div(
            [html.H2(metric_sentence(index.flow)), hint(*_target(index.flow))],
            className="node-head",
        ),
        _tabs(),
        *(
            html.Div(
                made,
                id=f"over-{side}",
                className="over",
                role="tabpanel",
                hidden=side is not Over.PARTS,
                **aria(labelledby=f"over-tab-{side}"),
            )
            for side, made in sides.items()
        ),
    ]


def _tabs() -> Component:
    return html.Div(
        [
            html.Button(
                name,
                id=f"over-tab-{side}",
                className="tab",
                role="tab",
                title=said,
                **data(overview=str(side), focus=f"over-tab-{side}"),
                **aria(selected="true" if side is Over.PARTS else "false", controls=f"over-{side}"),
            )
            for side, (name, said) in OVER_WORDS.items()
        ],
        className="tabs",
        role="tablist",
        **aria(label="What to show of the trace"),
    )


def _target(flow: FlowGraph) -> list[Said]:
    """The target's own numbers, in a line."""
    target = flow.target
    said: list[Said] = [
        word(target.text),
        f" has {percent(target.prob)}, ",
        term("rank"),
        f" {target.rank:,}, ",
        term("logit"),
        f" {decimal(target.logit)}",
    ]
    if flow.versus is not None:
        versus = flow.versus
        said += [
            "; ",
            word(versus.text),
            f" {percent(versus.prob)}, rank {versus.rank:,}, logit {decimal(versus.logit)}",
        ]
    return [*said, "."]


def _sum(index: Index) -> list[Component]:
    rows = logit_rows(index)
    if not rows:
        return [hint("The document does not hold all that adds up to the metric.")]
    return [logit_section(index, rows)]


def _model(index: Index) -> list[Component]:
    flow = index.flow
    model, packed = flow.model, flow.model.quantized
    return [
        html.H3("Model"),
        facts(
            [
                ("name", model.name),
                ("family", model.family),
                ("layers × heads", f"{model.n_layers} × {model.n_heads}"),
                *_mixtures(model),
                ("dtype", model.dtype),
                *([("weights packed as", packed)] if packed else []),
                (term("metric"), metric_words(flow)),
            ]
        ),
        *([hint(f"In this family, {model.limits}.")] if model.limits else []),
        html.H3(term("audit", "Audit")),
        hint("Every ledger adds up to what the model computed, within these errors."),
        *([hint(f"Ledgers are on the weights unpacked from {packed}.")] if packed else []),
        facts(
            [
                ("residual, worst", f"{flow.audit.residual:.1e}"),
                (term("metric"), f"{flow.audit.logit:.1e}"),
                *([] if flow.audit.flow is None else [(term("flow"), f"{flow.audit.flow:.1e}")]),
                (term("unexplained"), percent(index.unexplained)),
                ("in the document", f"{len(flow.nodes):,} nodes, {len(flow.edges):,} edges"),
            ]
        ),
    ]


def _mixtures(model: ModelInfo) -> list[tuple[Said, Said]]:
    """How many experts the mixtures of a model route each position to, of how many."""
    if model.n_experts is None or model.n_routed is None:
        return []
    return [(term("expert", "experts routed to"), f"{model.n_routed} of {model.n_experts}")]


def versus(flow: FlowGraph) -> list[Component]:
    """What the target is compared with, where a comparison was asked for."""
    if flow.versus is None:
        return []
    return [
        html.P(
            [
                term("direct logit", "Direct logits"),
                ": ",
                word(flow.target.text),
                " rather than ",
                word(flow.versus.text),
            ],
            className="hint versus",
        )
    ]


def _list_notes(index: Index, notes: Sequence[Note]) -> list[Component]:
    """Pinned nodes, then each group with its sum, then what else has a note."""
    pinned = [note for note in notes if note.pinned]
    made: list[Component] = []
    if pinned:
        made += [html.H3("Pinned"), _list(index, pinned)]
    grouped = sorted((note for note in notes if note.group), key=lambda note: note.group or "")
    for name, members in groupby(grouped, key=lambda note: note.group or ""):
        made += _group(index, name, list(members))
    others = [note for note in notes if not note.pinned and not note.group]
    if others:
        made += [html.H3("Noted"), _list(index, others)]
    return made


def _group(index: Index, name: str, notes: Sequence[Note]) -> list[Component]:
    total = sum_logits(index, [note.node for note in notes])
    heading: list[Component | str] = [html.Span(one_line(name), className="group-name")]
    if total is not None:
        heading += [term("direct logit"), html.Span(signed(total), className="number")]
    return [html.H3(heading, className="group-head"), _list(index, notes)]


def _list(index: Index, notes: Sequence[Note]) -> Component:
    return html.Ul([html.Li(noted_node(index, note)) for note in notes], className="company")


def noted_node(index: Index, note: Note) -> Component:
    """A node in a list of those that were noted: a way there, by the name that it was given."""
    node = index.nodes[note.node]
    name = one_line(note.name) if note.name else title(note.node)
    where = place(note.node)
    said = html.Span([f"{where} " if where else "", word(node.label)], className="said")
    logit = index.direct_logit(note.node)
    more = [] if logit is None else [html.Span(signed(logit), className="number")]
    return go(index, note.node, name, said, *more)

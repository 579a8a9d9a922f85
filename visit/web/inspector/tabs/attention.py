"""The third tab: which tokens a head or an attention reads, and what it takes from each.

A head's two circuits stand apart: what it takes from a source (OV), and why it looks there (QK).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.engine.questions import Pattern
from visit.graph.flow import Edge, Ledger, Node, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import RESIDUALS, SOURCES
from visit.graph.relations import head_of, key_of, query_of, source_lines
from visit.web.inspector.pieces import go, hint, leads_to, measure, said_words, swatch
from visit.web.parts import bar, data, term, word_at
from visit.web.plots.heatmap import WINDOW, heatmap, window
from visit.web.words import percent, signed, signed_percent

SOURCES_SHOWN = 16
"""A prompt of so many tokens is listed in full; of a longer one, what is read most."""
TOO_LITTLE = 0.005
"""Of a longer prompt, a source that is attended to less is not listed by itself."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is read from one position: how much it is attended to, and what came of it.

    Attributes:
        position: The source.
        attention: Its part of the reader's attention; for an attention, the mean over heads.
        share: The share of what was taken there.
        logit: Its direct logit.
        node: The node to go to.
    """

    position: int
    attention: float
    share: float | None = None
    logit: float | None = None
    node: NodeId | None = None


def reads_tokens(node_id: NodeId) -> bool:
    """Whether a node is an attention or a part of a head: nothing else reads other tokens."""
    return node_id.kind is NodeKind.ATTN or node_id.head is not None


def attention_tab(
    index: Index, node: Node, pattern: Pattern | None, *, is_live: bool = False
) -> list[Component]:
    """The pattern of the node's head, and the row of the position that reads.

    Args:
        index: The graph.
        node: A node in it.
        pattern: Its head's, where it is known.
        is_live: Whether a model can be asked what a knock-out causes.
    """
    if node.id.kind is NodeKind.ATTN:
        return _of_attention(index, node.id)
    head = head_of(index, node.id)
    if head is None:
        remark = "Only attention reads other tokens. Pick an attention, a head, or a query, key or "
        return [hint(remark + "value to see which.")]
    known = {
        line.source.position: Taken(
            line.source.position,
            line.attention or 0.0,
            line.share,
            line.direct_logit,
            line.source,
        )
        for line in source_lines(index, head)
    }
    source = node.id.position if node.id.kind in SOURCES else None
    if pattern is None or head.position >= len(pattern):
        said = hint(
            "What the document holds of this head: its drawn sources, not the whole row. Why it "
            "looks at one is computed with the model: trace the prompt in visit serve, or ask "
            "visit why."
        )
        table = _root(index, head.position, list(known.values()), source, said)
        return [table, *circuits(index, head)]
    row = pattern[head.position]
    taken = [known.get(s, Taken(s, 0.0)) for s in range(head.position + 1)]
    taken = [Taken(t.position, row[t.position], t.share, t.logit, t.node) for t in taken]
    return [
        _root(
            index,
            head.position,
            taken,
            source,
            *_picture(index, head.position, source, pattern, is_live=is_live),
        ),
        *circuits(index, head),
    ]


def _of_attention(index: Index, attention: NodeId) -> list[Component]:
    """What all heads of an attention read together, by position."""
    taken = [
        Taken(
            line.source.position, line.attention or 0.0, line.share, line.direct_logit, line.source
        )
        for line in index.lines(attention, Ledger.POSITIONS)
        if line.source.kind in RESIDUALS
    ]
    taken.sort(key=lambda t: t.position)
    if not taken:
        return [hint("The document does not hold what this attention reads by position.")]
    said = hint(
        "All heads together: their mean attention, and what they took. Pick a head for its whole "
        "pattern."
    )
    return [_root(index, attention.position, taken, None, said)]


def _root(
    index: Index, reader: int, taken: Sequence[Taken], source: int | None, *above: Component
) -> Component:
    """The tab's body; ``data-attention`` says each token's part, for the chips above the graph."""
    read = {t.position: t.attention for t in taken}
    parts = ",".join(f"{read.get(token.position, 0.0):.4g}" for token in index.flow.tokens)
    at = html.H3(["What ", word_at(index.flow, reader), f" at {reader} reads"])
    return html.Div(
        [*above, at, _sources(index, taken, source)],
        className="reads",
        **data(attention=parts, reader=str(reader)),
    )


def _picture(
    index: Index, reader: int, source: int | None, pattern: Pattern, *, is_live: bool
) -> list[Component]:
    texts = index.flow.shown
    shown = window(len(texts), reader)
    said = [
        "Each row is a reader, each column a source; a token stands where both meet. A cell says "
        "why it is read, and what would be said if it were not."
    ]
    if len(shown) < len(texts):
        said.append(
            f" Tokens {shown.start} to {shown.stop - 1} of {len(texts)}: the {WINDOW} around the "
            "reader."
        )
    return [heatmap(pattern, texts, shown, reader, source, is_live=is_live), hint(*said)]


def _sources(index: Index, taken: Sequence[Taken], source: int | None) -> Component:
    shown = sorted(taken, key=lambda t: -t.attention)[:SOURCES_SHOWN]
    if len(taken) > SOURCES_SHOWN:
        shown = [t for t in shown if t.attention >= TOO_LITTLE or t.node is not None]
    kept = {t.position for t in shown} | {source}
    rows = [_source(index, t, t.position == source) for t in taken if t.position in kept]
    others = [t for t in taken if t.position not in kept]
    rest = 1 - sum(t.attention for t in taken if t.position in kept)
    if others or rest > 0.0005:
        name = f"{len(others)} others" if others else "not drawn"
        rows.append(_row(html.Span(name, className="more"), max(rest, 0.0), "", ""))
    return html.Table(
        [
            html.Thead(
                html.Tr(
                    [
                        html.Th("source", scope="col"),
                        html.Th(html.Span("attention", className="unseen")),
                        measure("attention"),
                        measure("share"),
                        measure("direct logit"),
                    ]
                )
            ),
            html.Tbody(rows),
        ],
        className="sources",
    )


def _source(index: Index, taken: Taken, marked: bool) -> Component:
    text = html.Span(word_at(index.flow, taken.position), className="part-name")
    number = html.Span(str(taken.position), className="said")
    node_id = taken.node
    name: Component = html.Span(
        [html.Span(className="no-swatch"), text, number], className="go-less"
    )
    to: dict[str, Any] = {}
    if node_id is not None:
        name = html.Button([swatch(node_id), text, number], className="go", title=str(node_id))
        to = leads_to(index, node_id)
    share = "" if taken.share is None else signed_percent(taken.share)
    logit = "" if taken.logit is None else signed(taken.logit)
    return _row(name, taken.attention, share, logit, marked=marked, to=to)


def _row(
    name: Component,
    attention: float,
    share: str,
    logit: str,
    *,
    marked: bool = False,
    to: dict[str, Any] | None = None,
) -> Component:
    return html.Tr(
        [
            html.Td(name),
            html.Td(bar(attention, "read")),
            html.Td(percent(attention), className="number"),
            html.Td(share, className="number"),
            html.Td(logit, className="number"),
        ],
        className="is-here" if marked else None,
        **(to or {}),
    )


def circuits(index: Index, head: NodeId) -> list[Component]:
    """What a head takes from each of its drawn sources, and what makes it look there."""
    lines = [line for line in source_lines(index, head) if line.source in index.nodes]
    if not lines:
        return []
    made: list[Component] = [html.H3(["What it takes: ", term("value", "values")])]
    made.append(_list([_taken(index, line) for line in lines]))
    query = query_of(head)
    looks = [_looked_for(index, query)] if query in index.nodes else []
    looks += [_offered(index, line) for line in lines if key_of(line.source) in index.nodes]
    if looks:
        said = html.H3(["Why it looks there: ", term("query"), " and ", term("key", "keys")])
        made += [said, _list(looks)]
    return made


def why(index: Index, head: NodeId, value: NodeId) -> list[Component]:
    """What makes a head look at a value's source: its query, and that source's key."""
    line = next((e for e in source_lines(index, head) if e.source == value), None)
    pairs = [("query", query_of(head)), ("key", key_of(value))]
    shown = [(said, part) for said, part in pairs if part in index.nodes]
    if not shown:
        return []
    attention = [] if line is None or line.attention is None else [percent(line.attention)]
    return [
        html.Div(
            [
                html.Span("looks there by", className="hint"),
                *(go(index, part, said) for said, part in shown),
                *(html.Span(["attention ", part], className="hint") for part in attention),
            ],
            className="why",
        )
    ]


def _list(items: list[Component]) -> Component:
    return html.Ul(items, className="company")


def _taken(index: Index, line: Edge) -> Component:
    more = [] if line.flow is None else [html.Span(signed(line.flow), className="number")]
    return _item(index, line.source, _from(index, line.source), *more)


def _looked_for(index: Index, query: NodeId) -> Component:
    return _item(index, query, "what it looks for")


def _offered(index: Index, line: Edge) -> Component:
    attention = [] if line.attention is None else [percent(line.attention)]
    key = key_of(line.source)
    more = [html.Span(part, className="number") for part in attention]
    return _item(
        index, key, f"what {index.flow.shown[key.position]} at {key.position} offers", *more
    )


def _item(index: Index, node_id: NodeId, name: str, *more: Component) -> Component:
    return html.Li([go(index, node_id, name, *more), said_words(index.nodes[node_id].reading.top)])


def _from(index: Index, value: NodeId) -> str:
    return f"from {index.flow.shown[value.position]} at {value.position}"

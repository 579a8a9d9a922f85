"""The first tab: what a node says, in numbers and words, with those it works together with."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import Node, NodeId
from visit.graph.index import Index
from visit.graph.kinds import EXPERTS, MEMORIES, SOURCES
from visit.graph.ranking import Part, Ranking
from visit.graph.relations import (
    head_of,
    key_of,
    memory_sides,
    query_of,
    reader_lines,
    source_lines,
)
from visit.web.inspector.pieces import (
    Said,
    both_ends,
    facts,
    go,
    hint,
    said_words,
    sides_of,
)
from visit.web.parts import balance, term, word
from visit.web.words import percent, signed, signed_percent, title


def words(index: Index, node: Node, ranking: Ranking | None = None) -> list[Component]:
    """A node's measures, what it does to the next tokens, and its words; then its company's.

    Args:
        index: The graph it is in.
        node: The node.
        ranking: All parts at the traced position, where an engine told of them.
    """
    made: list[Component] = [facts(_measures(index, node)), *_next_tokens(index, node, ranking)]
    if node.id.kind in MEMORIES:
        made += _in_the_end(node)
        made += _memory(index, node)
    elif node.outcome is None:
        made.append(both_ends(node.reading))
    else:
        made.append(_side_by_side(node))
    if node.id.kind not in MEMORIES:
        made += _head_parts(index, node)
    return made


def part_words(index: Index, part: Part, ranking: Ranking) -> list[Component]:
    """What is known of a part that the graph does not hold: all but what it says by itself."""
    flow = index.flow
    said: list[tuple[Said, Said]] = [
        (term("flow"), signed(part.flow)),
        (term("direct logit"), signed(part.direct)),
        (term("share"), signed_percent(part.share)),
        (term("norm"), f"{part.norm:.3g}"),
    ]
    if part.source is not None and part.attention is not None:
        source = f"{flow.shown[part.source]} at {part.source}"
        said.append((term("source", "reads most from"), source))
        said.append((term("attention", "attention to it"), percent(part.attention)))
    return [
        facts(said),
        *_token_table(index, part, ranking),
        html.H3(term("outcome", "In the end")),
        sides_of(part.outcome),
    ]


def _in_the_end(node: Node) -> list[Component]:
    """What the node does to the candidates once all that follows has passed it on."""
    if node.outcome is None:
        return []
    return [html.H3(term("outcome", "In the end")), sides_of(node.outcome)]


def _side_by_side(node: Node) -> Component:
    """What a node does in the end beside what it says by itself, through the lens."""
    assert node.outcome is not None
    columns = (
        (term("outcome", "In the end"), sides_of(node.outcome)),
        (term("lens", "By itself, through the lens"), both_ends(node.reading)),
    )
    return html.Div(
        [html.Div([html.H3(said), made]) for said, made in columns], className="end-and-lens"
    )


def _next_tokens(index: Index, node: Node, ranking: Ranking | None) -> list[Component]:
    """What a part does to each of the likeliest next tokens."""
    parts = () if ranking is None else ranking.parts
    part = next((one for one in parts if one.id == node.id), None)
    return [] if ranking is None or part is None else _token_table(index, part, ranking)


def _token_table(index: Index, part: Part, ranking: Ranking) -> list[Component]:
    largest = max(map(abs, part.tokens)) or 1.0
    rows = [
        html.Tr(
            [
                html.Td(word(token.text)),
                html.Td(balance(flow / largest)),
                html.Td(signed(flow), className="number"),
            ],
            className="is-target" if token.id == index.flow.target.id else None,
        )
        for token, flow in zip(ranking.tokens, part.tokens, strict=True)
    ]
    return [
        html.H3(term("outcome", "What it does to each next token, in logits")),
        html.Table(html.Tbody(rows), className="next-tokens"),
    ]


def _measures(index: Index, node: Node) -> list[tuple[Said, Said]]:
    reading = node.reading
    said: list[tuple[Said, Said]] = [
        (term("rank", "target's rank"), f"{reading.target.rank:,}"),
        (term("probability", "target's probability"), percent(reading.target.prob)),
        (term("entropy"), f"{reading.entropy:.2f} bits"),
        (term("norm"), f"{reading.norm:.3g}"),
    ]
    if node.activation is not None and node.id.kind in EXPERTS:
        said.append((term("routing weight"), f"{node.activation:.3f}"))
    elif node.activation is not None:
        said.append((term("activation"), signed(node.activation, 3)))
    said += _attention(index, node.id)
    logit = index.direct_logit(node.id)
    if logit is not None:
        said.append((term("direct logit"), signed(logit)))
    if node.flow is not None:
        said.append((term("flow"), signed(node.flow)))
    return said


def _attention(index: Index, node_id: NodeId) -> list[tuple[Said, Said]]:
    """How much a key's or value's source is attended to, by each position that reads it."""
    if node_id.kind not in SOURCES:
        return []
    read = [e for e in reader_lines(index, node_id) if e.attention is not None]
    said: list[tuple[Said, Said]] = []
    for line in read:
        reader = line.target.position
        by = f" from {index.flow.shown[reader]} at {reader}" if len(read) > 1 else ""
        said.append((term("attention", f"attention{by}"), percent(line.attention or 0.0)))
    return said


def _memory(index: Index, node: Node) -> list[Component]:
    """Both sides of a memory: what its key looks for, and what its value writes."""
    key, value = memory_sides(node.id)
    made: list[Component] = []
    for side, does in ((key, "what it looks for"), (value, "what it writes")):
        if side in index.nodes:
            name = html.Span(does, className="said")
            made += [
                go(index, side, title(side), name, chosen=side == node.id),
                both_ends(index.nodes[side].reading),
            ]
    if node.activation is not None and node.activation < 0:
        remark = "Its activation is negative, so it pushes against its value: down what the value "
        made.insert(0, hint(remark + "says, and up what it says least of all."))
    return [html.Div(made, className="sides")]


def _head_parts(index: Index, node: Node) -> list[Component]:
    """A head's query, keys and values, and the head itself, without the node that is shown."""
    head = head_of(index, node.id)
    if head is None:
        return []
    lines = source_lines(index, head)
    company = [query_of(head), *(p for line in lines for p in (key_of(line.source), line.source))]
    found = [part for part in (*company, head) if part in index.nodes and part != node.id]
    if not found:
        return []
    attended = {key_of(line.source): line.attention for line in lines}
    return [
        html.H3("Together with"),
        html.Ul(
            [_companion(index, part, attended.get(part)) for part in found], className="company"
        ),
    ]


def _companion(index: Index, node_id: NodeId, attention: float | None) -> Component:
    """One of a head's parts; of a key, with how much the head attends to its source."""
    node = index.nodes[node_id]
    name = title(node_id).split(" of ")[0]
    more = []
    if node_id.kind in SOURCES:
        name = f"{name} of {index.flow.shown[node_id.position]}"
        if attention is not None:
            more = [html.Span(percent(attention), className="number")]
    return html.Li([go(index, node_id, name, *more), said_words(node.reading.top)])

"""The second tab: what adds up to a node, and what the node adds to."""

from __future__ import annotations

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import Edge, EdgeKind, Ledger, Node, NodeId, NodeKind
from visit.graph.index import Index, edge_id
from visit.graph.kinds import BLOCKS, LEDGER_WORDS, NODES, RESTS
from visit.graph.relations import logit_so_far, neurons_of, wholes
from visit.web.inspector.pieces import facts, go, hint, leads_to, part_name
from visit.web.inspector.tabs.waterfall import By, Row, choice, waterfall
from visit.web.parts import data, term, word
from visit.web.words import name_part, percent, place, signed, signed_percent, title

WHOLES_SHOWN = 6

_FOLDED = "It is every part that is not drawn, folded into one."


def ledger_tab(index: Index, node: Node) -> list[Component]:
    """Every ledger of a node, one after another, then the ledgers it is a line of."""
    sections, can_choose = _sections(index, node.id)
    made: list[Component] = []
    if can_choose:
        made.append(choice())
    made += sections
    if not sections:
        remark = _FOLDED if node.id.kind in RESTS else NODES[node.id.kind].undivided
        made.append(hint(remark or "The document holds no ledger of it."))
    made += _adds_to(index, node.id)
    return [html.Div(made, className="ledgers")]


def logit_rows(index: Index) -> list[Row]:
    """What the whole model wrote towards the metric, in the order of the flow.

    The embedding, attention and MLP of every layer at the traced position, and the biases of the
    final norm and the unembedding; none where the document misses one of them.
    """
    at = index.flow.position
    lines: list[Edge] = []
    for layer in range(index.flow.model.n_layers):
        for kind in (NodeKind.RESID_MID, NodeKind.RESID_POST):
            found = index.lines(NodeId(kind, at, layer), Ledger.RESIDUAL)
            lines += [e for e in found if e.source.kind in BLOCKS]
    before = index.out_of.get(NodeId(NodeKind.EMBED, at), ())
    lines = [e for e in before if e.ledger is Ledger.RESIDUAL] + lines
    written = _flows(index, NodeId(NodeKind.FINAL_NORM, at), EdgeKind.NORMALIZES)
    read = _flows(index, NodeId(NodeKind.OUTPUT, at), EdgeKind.UNEMBEDS)
    complete = len(lines) == 1 + 2 * index.flow.model.n_layers
    complete = complete and all(line.direct_logit is not None for line in lines)
    if not complete or written is None or read is None:
        return []
    rows = [Row(_place_of(index, e.source), None, e.direct_logit, _flow(index, e)) for e in lines]
    biases = read - written  # they write last, so all that they do is direct
    return [
        *rows,
        Row(html.Span("norm and output biases", className="more"), None, biases, biases),
    ]


def _flow(index: Index, line: Edge) -> float | None:
    return index.nodes[line.source].flow


def _flows(index: Index, into: NodeId, kind: EdgeKind) -> float | None:
    return next((e.direct_logit for e in index.into.get(into, ()) if e.kind is kind), None)


def _place_of(index: Index, node_id: NodeId) -> Component:
    return go(index, node_id, name_part(node_id), _said(index, node_id))


def _said(index: Index, node_id: NodeId) -> Component:
    """What a part does in the end, in a word; what it says, where that is not known."""
    return html.Span(word(index.nodes[node_id].word), className="said")


def _sections(index: Index, whole: NodeId) -> tuple[list[Component], bool]:
    """A node's ledgers, and whether any can be seen by share and by direct logit."""
    if whole.kind in (NodeKind.FINAL_NORM, NodeKind.OUTPUT):
        rows = logit_rows(index)
        if not rows:
            return [], False
        return [logit_section(index, rows)], False
    made: list[Component] = []
    can_choose = False
    for ledger in NODES[whole.kind].ledgers:
        lines = index.lines(whole, ledger)
        if not lines:
            continue
        if ledger is Ledger.NEURONS:
            made.append(_to_neurons(index, whole))
        can_choose |= all(line.direct_logit is not None for line in lines)
        made.append(_section(index, whole, ledger, lines))
    return made, can_choose


def logit_section(index: Index, rows: Sequence[Row]) -> Component:
    """The waterfall that ends at the metric."""
    logit = logit_so_far(index, NodeId(NodeKind.OUTPUT, index.flow.position))
    return html.Section(
        [
            html.H3(["What adds up to it, by ", term("direct logit")]),
            waterfall(rows, By.LOGIT, own_logit=logit, with_share=False),
        ],
        className="ledger-section",
        **data(ledger="logit"),
    )


def _section(index: Index, whole: NodeId, ledger: Ledger, lines: Sequence[Edge]) -> Component:
    rows = [Row(_part(index, line), line.share, line.direct_logit, line.flow) for line in lines]
    own = logit_so_far(index, whole)
    made = [waterfall(rows, By.SHARE, own_logit=own)]
    if all(line.direct_logit is not None for line in lines):
        made.append(waterfall(rows, By.LOGIT, own_logit=own))
    if ledger is Ledger.EXPERTS:
        made.insert(0, _mixture(index))
    return html.Section(
        [html.H3(LEDGER_WORDS[ledger]), *made],
        className="ledger-section",
        **data(ledger=str(ledger)),
    )


def _mixture(index: Index) -> Component:
    """What a mixture is, and what is not taken apart in it."""
    model = index.flow.model
    said: list[Component | str] = ["A ", term("mixture of experts")]
    if model.n_routed is not None and model.n_experts is not None:
        said.append(f": this position is routed to {model.n_routed} of {model.n_experts}")
    said.append(". ")
    if model.limits is not None:
        said.append(f"In this family, {model.limits}.")
    return hint(*said)


def _to_neurons(index: Index, attention: NodeId) -> Component:
    """A button that draws an attention's neurons, another way of taking it apart, in the graph."""
    return html.Button(
        "Draw its attention neurons",
        className="quiet draw-neurons",
        **{**leads_to(index, neurons_of(attention)), **data(node=str(attention))},
    )


def _part(index: Index, line: Edge) -> Component:
    return go(index, line.source, part_name(index, line), _said(index, line.source))


def _adds_to(index: Index, part: NodeId) -> list[Component]:
    """The node's own line in each ledger that it belongs to, the weightiest first."""
    lines = sorted(wholes(index, part), key=lambda e: -index.carried[edge_id(e)])
    if not lines:
        return []
    shown, others = lines[:WHOLES_SHOWN], len(lines) - WHOLES_SHOWN
    made: list[Component] = [html.H3("What it adds to")]
    made += [_own_line(index, line) for line in shown]
    if others > 0:
        made.append(hint(f"and {others} more, which carry less"))
    return made


def _own_line(index: Index, line: Edge) -> Component:
    assert line.ledger is not None
    at = place(line.target)
    said = []
    if line.share is not None:
        said.append((term("share"), signed_percent(line.share)))
    if line.direct_logit is not None:
        said.append((term("direct logit"), signed(line.direct_logit)))
    if line.flow is not None:
        said.append((term("flow"), signed(line.flow)))
    if line.proximity is not None:
        said.append((term("proximity"), percent(line.proximity)))
    if line.norm is not None:
        said.append((term("norm"), f"{line.norm:.3g}"))
    if line.ledger is Ledger.EXPERTS and line.activation is not None:
        said.append((term("routing weight"), f"{line.activation:.3f}"))
    if line.ledger is not Ledger.RESIDUAL:
        at = f"{at} · {LEDGER_WORDS[line.ledger].lower()}"
    ledger = html.Span(at, className="said")
    return html.Div(
        [go(index, line.target, title(line.target), ledger), facts(said)], className="own-line"
    )

"""The fifth tab: at which depth the target is found, at the node's position."""

from __future__ import annotations

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import Node, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import NODES, Stage
from visit.web.inspector.pieces import hint, measure, probability, swatch
from visit.web.parts import data, term, word, word_at
from visit.web.plots.depth_chart import Point, charts
from visit.web.words import title

_PART_DONE = {
    Stage.LN1: 0.05,
    Stage.QUERY: 0.1,
    Stage.KEY: 0.1,
    Stage.VALUE: 0.2,
    Stage.HEAD: 0.3,
    Stage.NEURON: 0.3,
    Stage.ATTENTION: 0.4,
    Stage.RESIDUAL: 0.5,
    Stage.LN2: 0.55,
    Stage.MEMORY_KEY: 0.65,
    Stage.MEMORY: 0.75,
    Stage.MLP: 0.8,
    Stage.OUTPUT: 1.0,
}
"""How far through its layer a stage is."""


def where_tab(index: Index, node: Node, read: Sequence[Node] | None) -> list[Component]:
    """The target's rank and probability over the layers, and what each layer says."""
    at = node.id.position
    lens = tuple(n for n in read or () if n.id.position == at)
    residuals = lens or _held(index, at)
    head: list[Component | str] = [
        "What the residuals at ",
        word_at(index.flow, at),
        f" {at} say of ",
        word(index.flow.target.text),
        ", read through the ",
        term("lens"),
        ".",
    ]
    made: list[Component] = [hint(*head)]
    if not residuals:
        return [*made, hint("The document holds no residual of this position.")]
    n_layers, points = index.flow.model.n_layers, [_point(n, index) for n in residuals]
    is_on_line = any(n.id == node.id for n in residuals)
    made.append(charts(points, _point(node, index), n_layers, index.flow.model.d_vocab))
    if not is_on_line:
        made.append(html.P([html.Span(className="own-key"), title(node.id)], className="hint key"))
    if not lens:
        made.append(hint("Only the residuals that the document holds."))
    made.append(_table(residuals, node.id))
    return made


def depth_of(node_id: NodeId, n_layers: int) -> float:
    """Where a node stands among the residuals: 0 for the embedding, L + 1 after layer L."""
    if node_id.layer is None:
        return 0.0 if node_id.kind is NodeKind.EMBED else float(n_layers)
    return node_id.layer + _PART_DONE[NODES[node_id.kind].stage]


def _held(index: Index, position: int) -> tuple[Node, ...]:
    ids = [NodeId(NodeKind.EMBED, position)]
    ids += [NodeId(NodeKind.RESID_POST, position, i) for i in range(index.flow.model.n_layers)]
    return tuple(index.nodes[node_id] for node_id in ids if node_id in index.nodes)


def _point(node: Node, index: Index) -> Point:
    target = node.reading.target
    depth = depth_of(node.id, index.flow.model.n_layers)
    return Point(depth, target.rank, target.prob, _name(node.id))


def _name(node_id: NodeId) -> str:
    if node_id.kind is NodeKind.EMBED:
        return "embed"
    if node_id.kind is NodeKind.RESID_POST:
        return f"L{node_id.layer}"
    return title(node_id)


def _table(residuals: Sequence[Node], shown: NodeId) -> Component:
    return html.Table(
        [
            html.Thead(
                html.Tr(
                    [
                        html.Th("after", scope="col"),
                        html.Th("top word", scope="col"),
                        measure("rank"),
                        measure("probability"),
                    ]
                )
            ),
            html.Tbody([_row(node, node.id == shown) for node in residuals]),
        ],
        className="depths",
    )


def _row(node: Node, is_shown: bool) -> Component:
    """One depth; the whole row goes to its residual, which the lens has even off the route."""
    target = node.reading.target
    name = html.Span(_name(node.id), className="part-name")
    best = " is-best" if target.rank == 1 else ""
    return html.Tr(
        [
            html.Td(html.Button([swatch(node.id), name], className="go", title=str(node.id))),
            html.Td(word(node.label)),
            html.Td(f"{target.rank:,}", className=f"number{best}"),
            html.Td(probability(target.prob), className="number"),
        ],
        className="is-here" if is_shown else None,
        **data(node=str(node.id), open=""),
    )

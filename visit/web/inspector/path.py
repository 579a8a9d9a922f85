"""The fourth tab: the strongest way through a node, from the tokens to the output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import EdgeKind, Node, NodeId, NodeKind
from visit.graph.index import RESIDUALS, RESTS, Index, edge_id
from visit.graph.relations import way_in
from visit.web.inspector.pieces import hint, swatch
from visit.web.parts import aria, data, span, term, word
from visit.web.words import percent, title

Steps = Callable[[Index, NodeId], list["Step"]]

# What is folded from positions that are not drawn, and what is the same for every prompt.
_FROM_NO_TOKEN = frozenset(
    {NodeKind.SOURCES_REST, NodeKind.POSITIONS_REST, NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS}
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a way: the node it leads to, and the part of the traced residual it carries."""

    node: NodeId
    carried: float


def path_ids(index: Index, node_id: NodeId) -> list[NodeId]:
    """The strongest way through a node: from an embedding, through it, to the output.

    It begins later where no token of the graph leads to it: at a bias, at a rest of positions that
    are not drawn, or at a part whose source carries less than the graph's threshold. It ends early
    where nothing in the graph reads it.
    """
    return [step.node for step in path(index, node_id)]


def path(index: Index, node_id: NodeId) -> list[Step]:
    """The strongest way through a node; each step says what is carried on from it.

    It follows the strongest edge at each step and turns back only where that way ends early. No
    node comes twice.
    """
    up = _way(index, Step(node_id, 0.0), before, lambda at: at.kind is NodeKind.EMBED)
    down = _way(index, Step(node_id, 0.0), after, lambda at: at.kind is NodeKind.OUTPUT)
    nodes = [*(step.node for step in reversed(up[1:])), *(step.node for step in down)]
    carried = [*(step.carried for step in reversed(up[1:])), *(step.carried for step in down[1:])]
    return [Step(node, part) for node, part in zip(nodes, [*carried, 0.0], strict=True)]


def before(index: Index, node_id: NodeId) -> list[Step]:
    """The steps back from a node towards the tokens, the strongest first.

    An attention comes from the residuals it reads (all heads together), and so do its neurons and
    other heads; an MLP from the residual it reads, and so do its other memories or experts.
    """
    kind = node_id.kind
    if kind in _FROM_NO_TOKEN:
        return []
    if kind in (NodeKind.MLP, NodeKind.MEMORIES_REST, NodeKind.EXPERTS_REST):
        mlp = NodeId(NodeKind.MLP, node_id.position, node_id.layer)
        read = index.read_by(mlp)
        return [] if read is None else [Step(read, index.carries.get(node_id, 0.0))]
    if kind in (NodeKind.HEADS_REST, NodeKind.NEURONS_REST, NodeKind.ATTN_NEURON):
        attention = NodeId(NodeKind.ATTN, node_id.position, node_id.layer)
        part = index.carries.get(node_id, 0.0)
        return [Step(s.node, part) for s in before(index, attention) if s.node.kind in RESIDUALS]
    edges = [e for e in index.into.get(node_id, ()) if e.kind is not EdgeKind.SCORES]
    steps = [Step(e.source, index.carried[edge_id(e)]) for e in edges]
    if not steps and node_id.layer is not None:
        read = index.residual_before(node_id.layer, node_id.position)
        steps = [] if read is None else [Step(read, index.carries.get(node_id, 0.0))]
    if kind is NodeKind.ATTN:  # its heads say how, the positions say from where
        steps = [step for step in steps if step.node.kind in RESIDUALS] or steps
    return sorted(steps, key=lambda step: -step.carried)


def after(index: Index, node_id: NodeId) -> list[Step]:
    """The steps on from a node towards the output, the strongest first."""
    edges = sorted(
        index.out_of.get(node_id, ()),
        key=lambda e: (-index.carried[edge_id(e)], e.kind is not EdgeKind.ADDS),
    )
    steps = [Step(e.target, index.carried[edge_id(e)]) for e in edges]
    found = {step.node for step in steps}
    # At the traced position the document has an MLP's reading only by way of its norm.
    mlps = _read_by_mlp(index, node_id) - found
    steps += [Step(mlp, index.carries.get(mlp, 0.0)) for mlp in mlps]
    return sorted(steps, key=lambda step: -step.carried)


def path_tab(index: Index, node: Node) -> list[Component]:
    """The way as a list of steps, the first token on top."""
    if node.id not in index.nodes:
        return [
            hint("No way leads through this residual: it carries less than the graph's threshold.")
        ]
    steps = path(index, node.id)
    first = steps[0].node
    made: list[Component] = [
        hint(
            "The strongest way through this node, and the part of the traced ",
            term("residual"),
            " that each step carries.",
        )
    ]
    if first.kind is not NodeKind.EMBED:
        made.append(hint(_begins(first)))
    if steps[-1].node.kind is not NodeKind.OUTPUT:
        made.append(hint("The way ends early: nothing in the graph reads its last node."))
    made.append(
        html.Ol(
            [_step(index, s, s.node == node.id, s is steps[-1]) for s in steps], className="path"
        )
    )
    if any(_crosses_mlp(*both) for both in pairwise(steps)):
        remark = "An MLP is crossed at one position: what it carries goes back to the residual it "
        made.append(hint(remark + "reads."))
    return made


def _begins(first: NodeId) -> str:
    if first.kind in RESTS:
        return "It is folded from positions that are not drawn, so the way begins here."
    if first.kind in _FROM_NO_TOKEN:
        return "A bias comes from no token, so the way begins here."
    return (
        "The way begins here: the residual it comes from carries less than the graph's threshold, "
        "so the document does not hold it."
    )


def _crosses_mlp(step: Step, following: Step) -> bool:
    return step.node.kind in RESIDUALS and following.node.kind is NodeKind.MLP


def _step(index: Index, step: Step, is_here: bool, is_last: bool) -> Component:
    node = index.nodes[step.node]
    layer = "" if node.id.layer is None else f"L{node.id.layer} "
    token = index.flow.tokens[node.id.position]
    button = html.Button(
        [
            swatch(node.id),
            span([f"{layer}{title(node.id)}"], "part-name"),
            span(["at ", word(token.text), f" {token.position}, says ", word(node.label)], "said"),
        ],
        className="go",
        title=str(node.id),
        **(aria(current="step") if is_here else {}),
        **data(node=str(node.id), open=way_in(index, node.id)),
    )
    carried: list[Component] = []
    if not is_last:
        width = f"{1 + 5 * step.carried**0.5:.1f}px"
        carried = [
            span([], "rail", style=f"width: {width}"),
            span([percent(step.carried)], "number"),
        ]
    return html.Li([button, *carried], className="is-here" if is_here else None)


def _read_by_mlp(index: Index, node_id: NodeId) -> set[NodeId]:
    """The MLPs that read a residual, where the graph has them."""
    if node_id.kind is NodeKind.RESID_MID:
        layer = node_id.layer
    elif node_id.kind is NodeKind.EMBED:
        layer = 0
    elif node_id.kind is NodeKind.RESID_POST and node_id.layer is not None:
        layer = node_id.layer + 1
    else:
        return set()
    mlp = NodeId(NodeKind.MLP, node_id.position, layer)
    return {mlp} if mlp in index.nodes and index.read_by(mlp) == node_id else set()


def _way(index: Index, start: Step, steps: Steps, is_end: Callable[[NodeId], bool]) -> list[Step]:
    """The strongest way from a node to an end; as far as it goes where none gets there."""
    way = [start]
    farthest: list[Step] = []
    waiting = [iter(steps(index, start.node))]
    seen = {start.node}
    while way:
        if is_end(way[-1].node):
            return way
        step = next((s for s in waiting[-1] if s.node not in seen), None)
        if step is None:
            farthest = farthest or list(way)
            way.pop()
            waiting.pop()
        else:
            seen.add(step.node)
            way.append(step)
            waiting.append(iter(steps(index, step.node)))
    return farthest

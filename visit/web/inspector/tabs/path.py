"""The fourth tab: the strongest path through a node, from the tokens to the output."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import Node, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import RESIDUALS, RESTS
from visit.graph.paths import NO_TOKENS, Paths, Step
from visit.graph.relations import head_of
from visit.web.inspector.pieces import hint, leads_to, swatch
from visit.web.inspector.tabs.attention import why
from visit.web.parts import aria, span, term, word, word_at
from visit.web.words import percent, signed, title

_LOOKING = (NodeKind.QUERY, NodeKind.KEY)


def path_tab(index: Index, node: Node) -> list[Component]:
    """The path as a list of steps, the first token on top."""
    if node.id not in index.nodes:
        return [
            hint("No path leads through this residual: it carries less than the graph's threshold.")
        ]
    here = _passed_on(index, node.id)
    steps = [s for s in Paths(index).through(here) if s.node.kind not in _LOOKING or s.node == here]
    first = steps[0].node
    made: list[Component] = [_heading(index)]
    if first.kind is not NodeKind.EMBED:
        made.append(hint(_begins(first)))
    if steps[-1].node.kind is not NodeKind.OUTPUT:
        made.append(hint("The path ends early: nothing in the graph reads its last node."))
    runs = _join_residuals(steps, here)
    before = [None, *(run[-1].node for run in runs)]
    listed = [
        _step(index, run, previous, run[-1].node == here, run is runs[-1])
        for run, previous in zip(runs, before, strict=False)
    ]
    made.append(html.Ol(listed, className="path"))
    if any(_crosses_mlp(*both) for both in pairwise(steps)):
        remark = "An MLP is crossed at one position: what it carries goes back to the residual it "
        made.append(hint(remark + "reads."))
    return made


def _passed_on(index: Index, node_id: NodeId) -> NodeId:
    """Where the path leads through: a query or a key only says why its head looks there."""
    head = head_of(index, node_id) if node_id.kind in _LOOKING else None
    return head if head in index.nodes and head is not None else node_id


def _join_residuals(steps: Sequence[Step], here: NodeId) -> list[list[Step]]:
    """The steps, those along one residual stream together: nothing happens there but adding.

    The node that the path was asked for stands alone.
    """
    runs: list[list[Step]] = []
    for step in steps:
        last = runs[-1][-1].node if runs else None
        if _is_passed(step.node, here) and last is not None and _is_passed(last, here):
            runs[-1].append(step)
        else:
            runs.append([step])
    return runs


def _is_passed(node_id: NodeId, here: NodeId) -> bool:
    return node_id.kind in RESIDUALS - {NodeKind.EMBED} and node_id != here


def _heading(index: Index) -> Component:
    if index.by_flow:
        return hint("The path of most ", term("flow"), " through this node, and each step's flow.")
    return hint(
        "The strongest path through this node, and the part of the traced ",
        term("residual"),
        " that each step carries.",
    )


def _begins(first: NodeId) -> str:
    if first.kind in RESTS:
        return "It is folded from positions that are not drawn, so the path begins here."
    if first.kind in NO_TOKENS:
        return "A bias comes from no token, so the path begins here."
    return (
        "The path begins here: the residual it comes from carries less than the graph's threshold, "
        "so the document does not hold it."
    )


def _crosses_mlp(step: Step, following: Step) -> bool:
    return step.node.kind in RESIDUALS and following.node.kind is NodeKind.MLP


def _step(
    index: Index, run: Sequence[Step], previous: NodeId | None, is_here: bool, is_last: bool
) -> Component:
    """One line of the path: a node, or the last of a run of residuals."""
    step = run[-1]
    node = index.nodes[step.node]
    looks = []
    if node.id.kind is NodeKind.HEAD and previous is not None and previous.kind is NodeKind.VALUE:
        looks = why(index, node.id, previous)
    at = node.id.position
    button = html.Button(
        [
            swatch(node.id),
            span([_name(run)], "part-name"),
            span(["at ", word_at(index.flow, at), f" {at}, ", *_says(node)], "said"),
        ],
        className="go",
        title=str(node.id),
        **(aria(current="step") if is_here else {}),
        **leads_to(index, node.id),
    )
    carried: list[Component] = []
    if not is_last:
        width = f"{1 + 5 * step.carried**0.5:.1f}px"
        carried = [
            span([], "rail", style=f"width: {width}"),
            span([_amount(index, node, step)], "number"),
        ]
    return html.Li([button, *looks, *carried], className="is-here" if is_here else None)


def _name(run: Sequence[Step]) -> str:
    first, last = run[0].node.layer, run[-1].node.layer
    if len(run) > 1:
        return f"L{last} Residual" if first == last else f"L{first} to L{last} Residual"
    return title(run[0].node) if last is None else f"L{last} {title(run[0].node)}"


def _says(node: Node) -> list[Any]:
    """What a node does in the end, in a word; what it says, where that is not known."""
    return ["promotes " if node.outcome and node.outcome.promotes else "says ", word(node.word)]


def _amount(index: Index, node: Node, step: Step) -> str:
    """What goes on from a node, signed where the graph has flow."""
    return signed(node.flow) if index.by_flow and node.flow is not None else percent(step.carried)

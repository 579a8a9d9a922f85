"""The fourth tab: the strongest path through a node, from the tokens to the output."""

from __future__ import annotations

from itertools import pairwise

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import Node, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import RESIDUALS, RESTS
from visit.graph.paths import NO_TOKENS, Paths, Step
from visit.web.inspector.pieces import hint, leads_to, swatch
from visit.web.parts import aria, span, term, word, word_at
from visit.web.words import percent, title


def path_tab(index: Index, node: Node) -> list[Component]:
    """The path as a list of steps, the first token on top."""
    if node.id not in index.nodes:
        return [
            hint("No path leads through this residual: it carries less than the graph's threshold.")
        ]
    steps = Paths(index).through(node.id)
    first = steps[0].node
    made: list[Component] = [
        hint(
            "The strongest path through this node, and the part of the traced ",
            term("residual"),
            " that each step carries.",
        )
    ]
    if first.kind is not NodeKind.EMBED:
        made.append(hint(_begins(first)))
    if steps[-1].node.kind is not NodeKind.OUTPUT:
        made.append(hint("The path ends early: nothing in the graph reads its last node."))
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
        return "It is folded from positions that are not drawn, so the path begins here."
    if first.kind in NO_TOKENS:
        return "A bias comes from no token, so the path begins here."
    return (
        "The path begins here: the residual it comes from carries less than the graph's threshold, "
        "so the document does not hold it."
    )


def _crosses_mlp(step: Step, following: Step) -> bool:
    return step.node.kind in RESIDUALS and following.node.kind is NodeKind.MLP


def _step(index: Index, step: Step, is_here: bool, is_last: bool) -> Component:
    node = index.nodes[step.node]
    layer = "" if node.id.layer is None else f"L{node.id.layer} "
    at = node.id.position
    button = html.Button(
        [
            swatch(node.id),
            span([f"{layer}{title(node.id)}"], "part-name"),
            span(["at ", word_at(index.flow, at), f" {at}, says ", word(node.label)], "said"),
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
            span([percent(step.carried)], "number"),
        ]
    return html.Li([button, *carried], className="is-here" if is_here else None)

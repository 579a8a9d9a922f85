"""One layer as a Sankey diagram, as the paper draws one: what flows at the traced position.

A node says its top token, and its colour the target's rank. A link's width is the norm of what
flows, and its colour the entropy of what its source says. What pushes against the whole is orange
and bears a minus. What isn't to scale is said below the diagram.

Source: Katz & Belinkov 2023, figure 1.
"""

from __future__ import annotations

import math

from visit.graph.flow import EdgeKind, FlowGraph, NodeId
from visit.graph.index import Index
from visit.web.colours import Scale, colour_at, see_through
from visit.web.flow.elements import rank_level
from visit.web.plots.plotly import (
    Figure,
    hover_label,
    layout,
    literal,
    tip,
    token_at,
)
from visit.web.sankey.labels import (
    MARGIN,
    THICKNESS,
    headings,
    labels,
    legend,
    place_columns,
)
from visit.web.sankey.links import (
    Link,
    attention_by_node,
    find_columns,
    layers_in_document,
    links_of_layer,
)
from visit.web.sankey.plan import plan_layer
from visit.web.theme import Theme
from visit.web.words import percent, signed, signed_percent, title


def sankey_figure(
    index: Index,
    layer: int,
    theme: Theme,
    *,
    neurons: bool = False,
    width: int = 1000,
    height: int = 560,
) -> Figure:
    """A layer at the traced position, from its input to its output.

    The ``customdata`` of a node is its id, and that of a link its source's. Hovering can only say
    a node's ``label``, so that is its tip, out of sight; the labels that are read are notes.

    Args:
        index: The graph.
        layer: One of ``layers_in_document``; open the layer's block first for another.
        theme: The page's colours.
        neurons: Whether attention adds up its neurons (rows of ``W_O``), each from its head.
        width: Of the figure in px: labels are cut so that they fit.
        height: Of the figure in px; it gets higher where the parts need it.

    Raises:
        RequestError: the graph has not taken the layer apart at the traced position.
    """
    links = links_of_layer(index, layer, neurons=neurons)
    plan = plan_layer(links, height - MARGIN[2] - MARGIN[3])
    flow = index.flow
    parts = find_columns(links)
    xs = place_columns(set(parts.values()), width)
    order = list(plan.places)
    number = {node: i for i, node in enumerate(order)}
    attended = attention_by_node(links)
    part = min(1.0, plan.scale * plan.tallest / plan.height)
    return {
        "data": [
            {
                "type": "sankey",
                "arrangement": "fixed",
                # The scale: Plotly makes its tallest column fill the domain, and places go past it.
                "domain": {"x": [0, 1], "y": [1 - part, 1]},
                "textfont": {"size": 1, "color": see_through(theme.ink, 0.0), "shadow": "none"},
                "node": {
                    "align": "center",
                    "pad": 0,
                    "thickness": THICKNESS,
                    "x": [xs[parts[node]] for node in order],
                    "y": [plan.places[node].middle / plan.height / part for node in order],
                    "label": [tip(flow, index.nodes[node], attended.get(node)) for node in order],
                    "color": [_rank_colour(flow, index, node, theme.ranks) for node in order],
                    "line": {"color": theme.faint, "width": 0.6},
                    "customdata": [str(node) for node in order],
                    "hovertemplate": "%{label}<extra></extra>",
                    "hoverlabel": hover_label(theme),
                },
                "link": {
                    "sort": "input",
                    "source": [number[link.source] for link in plan.links],
                    "target": [number[link.target] for link in plan.links],
                    "value": list(plan.sizes),
                    "color": [_link_colour(index, link, theme) for link in plan.links],
                    "label": [_link_tip(flow, link) for link in plan.links],
                    "customdata": [str(link.source) for link in plan.links],
                    "hovertemplate": "%{label}<extra></extra>",
                    "hoverlabel": hover_label(theme),
                },
            }
        ],
        "layout": layout(
            theme,
            height=plan.height + MARGIN[2] + MARGIN[3],
            margin=MARGIN,
            annotations=[
                *labels(index, plan, parts, xs, width, theme),
                *headings(xs, links, theme),
                *legend(index, plan, theme),
            ],
        ),
    }


def _rank_colour(flow: FlowGraph, index: Index, node: NodeId, ranks: Scale) -> str:
    rank = index.nodes[node].reading.target.rank
    return colour_at(ranks, rank_level(rank, flow.model.d_vocab))


def _link_colour(index: Index, link: Link, theme: Theme) -> str:
    if link.residual:
        return see_through(theme.stream, 0.4)
    if link.share is not None and link.share < 0:
        return see_through(theme.minus, 0.75)
    most = math.log2(max(index.flow.model.d_vocab, 2))
    entropy = index.nodes[link.source].reading.entropy / most
    return see_through(colour_at(theme.ramps["link"], entropy), 0.65)


def _link_tip(flow: FlowGraph, link: Link) -> str:
    """What hovering over a link says; no two links say the same, or Plotly takes them for one."""
    at = token_at(flow, link.source.position)
    lines = [f"{literal(title(link.source))} at {at} → {literal(title(link.target))}"]
    if link.measured:
        lines.append(f"norm {link.size:.3g}")
    elif link.kind is EdgeKind.ADDS:
        lines.append("its part of the rest is split by the heads' norms")
    else:
        lines.append(f"steers what has norm {link.size:.3g}")
    if link.share is not None:
        against = ", against the whole" if link.share < 0 else ""
        lines.append(literal(f"share {signed_percent(link.share)}{against}"))
    if link.direct_logit is not None:
        lines.append(f"direct logit {signed(link.direct_logit)}")
    if link.attention is not None:
        lines.append(literal(f"attention {percent(link.attention)}"))
    return "<br>".join(lines)


__all__ = ["layers_in_document", "sankey_figure"]

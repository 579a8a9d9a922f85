"""One layer as a Sankey diagram, as the paper draws one: what flows at the traced position.

A node says its top token, and its colour the target's rank. A link's width is the norm of what
flows, and its colour the entropy of what its source says. What pushes against the whole is orange
and bears a minus. What isn't to scale is said below the diagram.

Source: Katz & Belinkov 2023, figure 1.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

from visit.flow import EdgeKind, FlowGraph, NodeId, NodeKind
from visit.text import shortened, visible
from visit.web.elements import rank_level
from visit.web.figure import (
    VISIT_RANK,
    Figure,
    Scale,
    chips,
    colour_at,
    hover_label,
    layout,
    literal,
    note,
    rank_scale,
    scale,
    see_through,
    tip,
)
from visit.web.index import Index
from visit.web.stage_plan import HAIRLINE, Plan, is_slim, plan_layer
from visit.web.stages import Link, Stage, layers_in_document, links_of_layer, stage
from visit.web.stylesheet import FONT, Theme
from visit.web.text import percent, signed, signed_percent, title

Palette = Literal["safe", "visit"]
_LEFT, _RIGHT, _TOP, _BOTTOM = 14, 14, 24, 44
_THICKNESS = 9
_LABEL_SIZE = 10
_CHARACTER = 0.62
_N_CHIPS = 5
_ROOM = {
    Stage.INPUT: 62,
    Stage.LN1: 48,
    Stage.QUERY: 70,
    Stage.KEY: 104,
    Stage.VALUE: 76,
    Stage.HEAD: 84,
    Stage.NEURON: 78,
    Stage.ATTENTION: 66,
    Stage.RESIDUAL: 62,
    Stage.LN2: 52,
    Stage.MEMORY_KEY: 74,
    Stage.MEMORY: 80,
    Stage.MLP: 66,
    Stage.OUTPUT: 0,
}
"""How wide each column is, its label's room included, as parts of the whole."""
_HEADINGS = {
    Stage.INPUT: "input",
    Stage.LN1: "norm",
    Stage.QUERY: "query",
    Stage.KEY: "key @ source",
    Stage.VALUE: "value",
    Stage.HEAD: "head",
    Stage.NEURON: "neuron",
    Stage.ATTENTION: "attention",
    Stage.RESIDUAL: "residual",
    Stage.LN2: "norm",
    Stage.MEMORY_KEY: "key",
    Stage.MEMORY: "memory",
    Stage.MLP: "MLP",
    Stage.OUTPUT: "output",
}
_BIASES = (NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS)
_RESTS = (
    NodeKind.SOURCES_REST,
    NodeKind.HEADS_REST,
    NodeKind.NEURONS_REST,
    NodeKind.MEMORIES_REST,
)


def sankey_figure(
    index: Index,
    layer: int,
    theme: Theme,
    *,
    neurons: bool = False,
    palette: Palette = "safe",
    width: int = 1000,
    height: int = 560,
) -> Figure:
    """A layer at the traced position, from its input to its output.

    A node's ``customdata`` is its id. A link's is its source's id and, for the source's own tip,
    what that says: Plotly has no place for it at the node.

    Args:
        index: The graph.
        layer: One of ``layers_in_document``; open the layer's block first for another.
        theme: The page's colours.
        neurons: Whether attention adds up its neurons (rows of ``W_O``), each from its head.
        palette: ``visit`` for the paper's own colours of a rank.
        width: Of the figure in px: labels are cut so that they fit.
        height: Of the figure in px; it gets higher where the parts need it.

    Raises:
        RequestError: the graph has not taken the layer apart at the traced position.
    """
    links = links_of_layer(index, layer, neurons=neurons)
    plan = plan_layer(links, height - _TOP - _BOTTOM)
    flow = index.flow
    stages = {node: stage(node, layer, neurons=neurons) for node in plan.places}
    xs = _columns(set(stages.values()), width)
    tips = {node: tip(flow, index.nodes[node]) for node in plan.places}
    ranks = VISIT_RANK if palette == "visit" else rank_scale(theme)
    order = list(plan.places)
    number = {node: i for i, node in enumerate(order)}
    part = min(1.0, plan.scale * plan.tallest / plan.height)
    last = NodeId(NodeKind.RESID_POST, flow.position, layer)
    rooms = _label_rooms(xs, width)
    return {
        "data": [
            {
                "type": "sankey",
                "arrangement": "fixed",
                # The scale: Plotly makes its tallest column fill the domain, and places go past it.
                "domain": {"x": [0, 1], "y": [1 - part, 1]},
                "textfont": {
                    "family": FONT,
                    "size": _LABEL_SIZE,
                    "color": theme.ink,
                    "shadow": _halo(theme),
                },
                "node": {
                    "align": "center",
                    "pad": 0,
                    "thickness": _THICKNESS,
                    "x": [xs[stages[node]] for node in order],
                    "y": [plan.places[node].middle / plan.height / part for node in order],
                    "label": [_label(index, node, links, rooms[stages[node]]) for node in order],
                    "color": [_rank_colour(flow, index, node, ranks) for node in order],
                    "line": {"color": theme.faint, "width": 0.6},
                    "customdata": [str(node) for node in order],
                    "hovertemplate": "%{sourceLinks[0].customdata[1]}<extra></extra>",
                    "hovertemplatefallback": tips[last],
                    "hoverlabel": hover_label(theme),
                },
                "link": {
                    "sort": "input",
                    "source": [number[link.source] for link in plan.links],
                    "target": [number[link.target] for link in plan.links],
                    "value": list(plan.sizes),
                    "color": [_link_colour(index, link, theme) for link in plan.links],
                    "label": [_link_tip(flow, link) for link in plan.links],
                    "customdata": [[str(link.source), tips[link.source]] for link in plan.links],
                    "hovertemplate": "%{label}<extra></extra>",
                    "hoverlabel": hover_label(theme),
                },
            }
        ],
        "layout": layout(
            theme,
            height=round(plan.height) + _TOP + _BOTTOM,
            margin=(_LEFT, _RIGHT, _TOP, _BOTTOM),
            annotations=[*_headings(xs, theme), *_legend(index, plan, ranks, theme)],
        ),
    }


def _columns(used: set[Stage], width: int) -> dict[Stage, float]:
    """The middle of each column that is used, 0 to 1 over the figure's inside."""
    inside = width - _LEFT - _RIGHT
    total, at, found = sum(_ROOM[s] for s in used), 0.0, {}
    for column in sorted(used):
        found[column] = (_THICKNESS / 2 + at * (inside - _THICKNESS)) / inside
        at += _ROOM[column] / total
    return found


def _label_rooms(xs: dict[Stage, float], width: int) -> dict[Stage, float]:
    """How wide a label may be in each column, in px; the last one's stands before its column."""
    ends = sorted(xs.values())
    apart = {x: after - x for x, after in itertools.pairwise(ends)}
    apart[ends[-1]] = ends[-1] - ends[-2]
    return {
        column: apart[x] * (width - _LEFT - _RIGHT) - _THICKNESS - 8 for column, x in xs.items()
    }


def _label(index: Index, node: NodeId, links: tuple[Link, ...], room: float) -> str:
    """What is written beside a node: its top token, a minus before it where it pushes against."""
    if is_slim(links, node):
        return ""
    against = any(
        link.source == node and link.share is not None and link.share < 0 for link in links
    )
    if node.kind in _RESTS:
        said = "rest"
    elif node.kind in _BIASES:
        said = "bias"
    else:
        said = visible(index.nodes[node].label)
    if node.kind is NodeKind.KEY:
        said = f"@{visible(index.flow.tokens[node.position].text)} {said}"
    elif node.kind is NodeKind.HEAD:
        said = f"{node.head} {said}"
    columns = max(1, int(room / (_LABEL_SIZE * _CHARACTER)))
    return literal(shortened(f"− {said}" if against else said, columns))


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
    return see_through(colour_at(scale(theme, "link"), entropy), 0.65)


def _link_tip(flow: FlowGraph, link: Link) -> str:
    """What hovering over a link says; no two links say the same, or Plotly takes them for one."""
    names = [
        f"{title(end)} at {visible(flow.tokens[end.position].text)}"
        for end in (link.source, link.target)
    ]
    lines = [f"<b>{literal(names[0])}</b>", literal(f"→ {names[1]}")]
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


def _halo(theme: Theme) -> str:
    """A rim of the page's colour around a label, so that it reads on any link."""
    page = theme.families["norm"].fill
    return ", ".join([f"0 0 2px {page}"] * 4)


def _headings(xs: dict[Stage, float], theme: Theme) -> list[dict[str, Any]]:
    """The stages' names above the columns."""
    last = max(xs)
    return [
        note(
            _HEADINGS[column],
            theme,
            x=x,
            y=1,
            xanchor="right" if column is last else "left",
            xshift=_THICKNESS / 2 if column is last else -_THICKNESS / 2,
            yanchor="bottom",
            yshift=6,
        )
        for column, x in xs.items()
    ]


def _legend(index: Index, plan: Plan, ranks: Scale, theme: Theme) -> list[dict[str, Any]]:
    """What the colours and widths mean, and what isn't to scale."""
    d_vocab = index.flow.model.d_vocab
    steps = [i / (_N_CHIPS - 1) for i in range(_N_CHIPS)]
    entropies = scale(theme, "link")
    target = literal(shortened(visible(index.flow.target.text), 16))
    colours = (
        f"Node: rank of {target}, 1 {chips(colour_at(ranks, i) for i in steps)} {d_vocab:,}"
        f"   Link: entropy of its source, 0 {chips(colour_at(entropies, i) for i in steps)} "
        f"{math.log2(max(d_vocab, 2)):.1f} bits   {chips([theme.minus])} − against the whole"
        f"   {chips([theme.stream])} residual"
    )
    return [
        note(text, theme, x=0, y=0, xanchor="left", yanchor="top", yshift=-6 - 17 * i)
        for i, text in enumerate((colours, literal(_widths(plan))))
    ]


def _widths(plan: Plan) -> str:
    """What a width means, and which aren't to scale."""
    words = "Width: norm; of what only steers, of what comes of it."
    cut = [
        f"{link.size:.3g}"
        for link, size in zip(plan.links, plan.sizes, strict=True)
        if link.residual and size < link.size
    ]
    if cut:
        drawn = max(
            size
            for link, size in zip(plan.links, plan.sizes, strict=True)
            if link.residual and size < link.size
        )
        words += f" Residual links are cut to {drawn:.3g}; their norms: {', '.join(cut)}."
    if any(link.size * plan.scale < HAIRLINE for link in plan.links):
        words += " Hairlines are thinner still."
    return words


__all__ = ["Palette", "layers_in_document", "sankey_figure"]

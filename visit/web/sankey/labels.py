"""What is written around a layer's Sankey diagram: labels, headings, and what colours mean."""

from __future__ import annotations

import itertools
import math
from typing import Any

from visit.graph.flow import NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import EXPERTS, NODES, Stage
from visit.text import shorten, visible
from visit.web.colours import colour_at
from visit.web.flow.elements import mark_of
from visit.web.plots.plotly import chips, literal, note
from visit.web.sankey.links import Link, is_parallel
from visit.web.sankey.plan import HAIRLINE, Plan, is_slim
from visit.web.theme import SANS, Theme

MARGIN = (14, 14, 24, 44)
"""Left, right, top and bottom, in px."""
THICKNESS = 9
_LABEL_GAP = THICKNESS / 2 + 3
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
_PARALLEL_HEADINGS = {Stage.VALUE: "value, memory", Stage.ATTENTION: "attention, MLP"}


def place_columns(used: set[Stage], width: int) -> dict[Stage, float]:
    """The middle of each column that is used, 0 to 1 over the figure's inside."""
    inside = width - MARGIN[0] - MARGIN[1]
    total, at, found = sum(_ROOM[s] for s in used), 0.0, {}
    for column in sorted(used):
        found[column] = (THICKNESS / 2 + at * (inside - THICKNESS)) / inside
        at += _ROOM[column] / total
    return found


def _label_rooms(xs: dict[Stage, float], width: int) -> dict[Stage, float]:
    """How wide a label may be in each column, in px; the last one's stands before its column."""
    ends = sorted(xs.values())
    apart = {x: after - x for x, after in itertools.pairwise(ends)}
    apart[ends[-1]] = ends[-1] - ends[-2]
    return {
        column: apart[x] * (width - MARGIN[0] - MARGIN[1]) - THICKNESS - 8
        for column, x in xs.items()
    }


def labels(
    index: Index,
    plan: Plan,
    parts: dict[NodeId, Stage],
    xs: dict[Stage, float],
    width: int,
    theme: Theme,
) -> list[dict[str, Any]]:
    """A label beside every node but slim ones: after it, or before it in the last column."""
    rooms, last = _label_rooms(xs, width), max(xs)
    made = []
    for node, place in plan.places.items():
        if is_slim(plan.links, node):
            continue
        column = parts[node]
        shift = -_LABEL_GAP if column is last else _LABEL_GAP
        made.append(
            note(
                _label(index, node, plan.links, rooms[column]),
                theme,
                name=str(node),
                x=xs[column],
                y=1 - place.middle / plan.height,
                xanchor="right" if column is last else "left",
                yanchor="middle",
                xshift=shift,
                font={
                    "family": SANS,
                    "size": _LABEL_SIZE,
                    "color": theme.ink,
                    "shadow": _halo(theme),
                },
            )
        )
    return made


def _label(index: Index, node: NodeId, links: tuple[Link, ...], room: float) -> str:
    """What is written beside a node: its top token, a minus before it where it pushes against."""
    against = any(
        link.source == node and link.share is not None and link.share < 0 for link in links
    )
    said = NODES[node.kind].label or visible(index.nodes[node].word)
    if node.kind is NodeKind.KEY:
        said = f"@{index.flow.shown[node.position]} {said}"
    elif mark_of(node):
        said = f"{mark_of(node)} {said}"
    columns = max(1, int(room / (_LABEL_SIZE * _CHARACTER)))
    return literal(shorten(f"(−) {said}" if against else said, columns))


def _halo(theme: Theme) -> str:
    """A rim of the page's colour around a label, so that it reads on any link."""
    page = theme.families["norm"].fill
    return ", ".join([f"0 0 2px {page}"] * 4)


def headings(xs: dict[Stage, float], links: tuple[Link, ...], theme: Theme) -> list[dict[str, Any]]:
    """The names above the columns."""
    last = max(xs)
    names = _HEADINGS | (_PARALLEL_HEADINGS if is_parallel(links) else {})
    if any(link.source.kind in EXPERTS for link in links):
        names = {column: name.replace("memory", "expert") for column, name in names.items()}
    return [
        note(
            names[column],
            theme,
            x=x,
            y=1,
            xanchor="right" if column is last else "left",
            xshift=THICKNESS / 2 if column is last else -THICKNESS / 2,
            yanchor="bottom",
            yshift=6,
        )
        for column, x in xs.items()
    ]


def legend(index: Index, plan: Plan, theme: Theme) -> list[dict[str, Any]]:
    """What the colours and widths mean, and what isn't to scale."""
    d_vocab = index.flow.model.d_vocab
    steps = [i / (_N_CHIPS - 1) for i in range(_N_CHIPS)]
    entropies = theme.ramps["link"]
    target = literal(shorten(visible(index.flow.target.text), 16))
    colours = (
        f"Node: rank of {target}, 1 {chips(colour_at(theme.ranks, i) for i in steps)} {d_vocab:,}"
        f"   Link: entropy of its source, 0 {chips(colour_at(entropies, i) for i in steps)} "
        f"{math.log2(max(d_vocab, 2)):.1f} bits   {chips([theme.minus])} (−) against the whole"
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

"""What holds over many prompts, drawn: the strongest parts with intervals, and heads × layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from visit.graph.consensus import Consensus, PartConsensus
from visit.graph.flow import FlowGraph, NodeKind
from visit.web.consensus.asking import MEASURE_WORDS
from visit.web.consensus.listed import (
    COUNT,
    name_at,
    node_of,
    places_in,
    say_interval,
    spread_of,
)
from visit.web.plots.maps import root_scale, towards
from visit.web.plots.plotly import (
    Figure,
    axis_title,
    head_rows,
    layout,
    literal,
    note,
    plain_axis,
    plotly_scale,
)
from visit.web.theme import CLEAR, Theme
from visit.web.words import name_part, percent, signed

_MAP, _GAP = 0.27, 0.11
"""Which part of the height the map has, and the room between it and the bars."""
_FAMILIES = {NodeKind.HEAD: "attention", NodeKind.MLP: "mlp"}


def consensus_figure(consensus: Consensus, flow: FlowGraph, by: str, theme: Theme) -> Figure:
    """Above the strongest parts as bars with the intervals of their means, below heads × layers.

    Beside each bar stands in how many of the prompts its part is among the strongest. A cell of
    the map is a head or an MLP over all its slots together. Every bar and cell with a node in the
    shown graph has its id as ``customdata``.

    Args:
        consensus: What holds.
        flow: The graph that is shown.
        by: One of ``MEASURE_WORDS``.
        theme: The page's colours.
    """
    parts, places = consensus.parts(by)[:COUNT], places_in(consensus, flow)
    names = [literal(name_at(part, consensus)) for part in parts]
    n_heads = consensus.model.n_heads
    rows = {**head_rows(n_heads), n_heads: "MLP"}
    axis = plain_axis(theme)
    named = {**axis, "ticks": "outside", "ticklen": 4, "tickcolor": CLEAR, "autorange": "reversed"}
    said, where = MEASURE_WORDS[by], " at all slots" if by == "flow" else ""
    return {
        "data": [
            _bars(parts, consensus, by, places, theme),
            _map(consensus, by, places, theme),
        ],
        "layout": layout(
            theme,
            margin=(118, 62, 24, 34),
            xaxis={**axis, "showgrid": True, "gridcolor": theme.band, "zeroline": True,
                   "zerolinecolor": theme.line, "anchor": "y"},
            yaxis={**named, "domain": [_MAP + _GAP, 1],
                   "tickvals": list(range(len(names))), "ticktext": names},
            xaxis2={**axis, "title": axis_title("layer", theme, 4), "nticks": 12, "anchor": "y2"},
            yaxis2={**named, "domain": [0, _MAP],
                    "tickvals": list(rows), "ticktext": list(rows.values()), "anchor": "x2"},
            annotations=[
                note(f"{said}, 95 % interval", theme, x=0, xanchor="left", y=1,
                     yanchor="bottom"),
                note(f"among {consensus.strongest}", theme, x=1, xanchor="right", xshift=56, y=1,
                     yanchor="bottom"),
                note(f"{said} of each head{where}", theme, x=0, xanchor="left", y=_MAP,
                     yanchor="bottom"),
                *_among(parts, by, theme),
            ],
            hovermode="closest",
        ),
    }  # fmt: skip


def _among(parts: Sequence[PartConsensus], by: str, theme: Theme) -> list[dict[str, Any]]:
    """In how many prompts each part is among the strongest, to the right of its bar."""
    return [
        note(percent(among), theme, x=1, xanchor="right", xshift=56, y=row, yref="y",
             yanchor="middle")
        for row, part in enumerate(parts)
        if (among := spread_of(part, by).among) is not None
    ]  # fmt: skip


def _bars(
    parts: Sequence[PartConsensus],
    consensus: Consensus,
    by: str,
    places: Mapping[int, int],
    theme: Theme,
) -> dict[str, Any]:
    spreads = [spread_of(part, by) for part in parts]
    hues = [theme.families[_FAMILIES[part.id.kind]] for part in parts]
    return {
        "type": "bar",
        "orientation": "h",
        "y": list(range(len(parts))),
        "x": [one.mean for one in spreads],
        "customdata": [node_of(part, places) for part in parts],
        "hovertext": [_tip(part, consensus, by) for part in parts],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {
            "color": [hue.fill for hue in hues],
            "line": {"color": [hue.border for hue in hues], "width": 1.2},
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [0.0 if one.high is None else one.high - one.mean for one in spreads],
            "arrayminus": [0.0 if one.low is None else one.mean - one.low for one in spreads],
            "color": theme.ink,
            "thickness": 1.2,
            "width": 3,
        },
    }


def _tip(part: PartConsensus, consensus: Consensus, by: str) -> str:
    spread = spread_of(part, by)
    lines = [
        f"{MEASURE_WORDS[by]} {signed(spread.mean)} on average, interval {say_interval(spread)}",
        f"{spread.n} prompts" + ("" if spread.sd is None else f", deviation {spread.sd:.2f}"),
    ]
    if spread.among is not None:
        lines.append(
            f"among the {consensus.strongest} strongest in {percent(spread.among)} of them"
        )
    return "<br>".join([f"<b>{literal(name_at(part, consensus))}</b>", *map(literal, lines)])


def _sheet(n_rows: int, n_columns: int) -> list[list[Any]]:
    return [[None] * n_columns for _ in range(n_rows)]


def _map(consensus: Consensus, by: str, places: Mapping[int, int], theme: Theme) -> dict[str, Any]:
    """Heads down and the MLP below them, layers across, coloured as they speak for the target."""
    model, n_all = consensus.model, len(consensus.prompts)
    cells: dict[tuple[int, int], list[PartConsensus]] = defaultdict(list)
    for part in consensus.parts(by):
        row = model.n_heads if part.id.head is None else part.id.head
        cells[row, part.id.layer or 0].append(part)
    # A prompt without a slot has nothing there.
    sums = {
        cell: sum(spread_of(one, by).mean * spread_of(one, by).n for one in parts) / n_all
        for cell, parts in cells.items()
    }
    most = max(map(abs, sums.values()), default=0.0) or 1.0
    z, texts, ids = (_sheet(model.n_heads + 1, model.n_layers) for _ in range(3))
    for (row, layer), value in sums.items():
        parts = cells[row, layer]
        z[row][layer] = root_scale(towards(by, value / most))
        texts[row][layer] = f"<b>{literal(name_part(parts[0].id))}</b><br>" + literal(
            f"{MEASURE_WORDS[by]} {signed(value)} on average"
            + (", at all slots together" if by == "flow" else "")
        )
        ids[row][layer] = next((id_ for one in parts if (id_ := node_of(one, places))), None)
    return {
        "type": "heatmap",
        "xaxis": "x2",
        "yaxis": "y2",
        "z": z,
        "text": texts,
        "customdata": ids,
        "hovertemplate": "%{text}<extra></extra>",
        "colorscale": plotly_scale((theme.minus, theme.middle, theme.plus)),
        "zmin": -1,
        "zmax": 1,
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
    }

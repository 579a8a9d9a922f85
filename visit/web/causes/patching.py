"""Another prompt's values put into this pass, everywhere: a map of positions and one of heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.effects import Effect, Effects
from visit.graph.flow import FlowGraph, NodeKind
from visit.graph.interventions import Site
from visit.text import shorten
from visit.web.causes.sites import name_site
from visit.web.parts import word
from visit.web.plots.plotly import Figure, axis_title, layout, literal, note, plotly_scale
from visit.web.theme import Theme
from visit.web.words import signed

RESIDUALS, HEADS = ("embed", "resid"), ("heads",)
"""What each map patches: the residual that enters each layer, at every position; every head."""
_LABEL_COLUMNS = 10
_ROWS_NAMED = 14


def patching_figure(
    residuals: Effects, heads: Effects, flow: FlowGraph, other: FlowGraph, theme: Theme
) -> Figure:
    """Two maps over the layers: above positions, whose residual is patched, below heads.

    A cell says how far the patch goes: 0 leaves this prompt's metric, 1 gives the other's.

    Args:
        residuals: Of ``RESIDUALS``.
        heads: Of ``HEADS``.
        flow: This prompt's graph.
        other: The other prompt's, of as many tokens.
        theme: The page's colours.
    """
    n_layers, n_heads = flow.model.n_layers, flow.model.n_heads
    positions = range(flow.position + 1)
    above: list[list[Any]] = [[None] * n_layers for _ in positions]
    below: list[list[Any]] = [[None] * n_layers for _ in range(n_heads)]
    for effect in residuals.effects:
        (site,) = effect.sites
        column = 0 if site.kind is NodeKind.EMBED else (site.layer or 0) + 1
        if site.position is not None and site.position in positions and column < n_layers:
            above[site.position][column] = (effect, site)
    for effect in heads.effects:
        (site,) = effect.sites
        if site.layer is not None and site.number is not None:
            below[site.number][site.layer] = (effect, site)
    rows = [_row_name(flow, other, position) for position in positions]
    axis = {"showgrid": False, "zeroline": False, "fixedrange": True, "ticks": "",
            "tickfont": {"color": theme.soft, "size": 11}}  # fmt: skip
    part = len(rows) / (len(rows) + n_heads)
    part = min(max(part, 0.35), 0.7)
    return {
        "data": [
            _map(above, "y", flow, theme, scale=True),
            _map(below, "y2", flow, theme, scale=False),
        ],
        "layout": layout(
            theme,
            margin=(128, 58, 24, 34),
            xaxis={**axis, "title": axis_title("layer", theme, 4), "nticks": 12,
                   "anchor": "y2"},
            yaxis={**axis, "domain": [1 - part + 0.045, 1], "autorange": "reversed",
                   "tickvals": list(range(len(rows))), "ticktext": rows},
            yaxis2={**axis, "domain": [0, 1 - part - 0.045], "autorange": "reversed",
                    "tickvals": _some(n_heads), "ticktext": [f"head {i}" for i in _some(n_heads)]},
            annotations=[
                note("the residual entering each layer, by position", theme, x=0, xanchor="left",
                     y=1, yanchor="bottom"),
                note("each head, at all positions together", theme, x=0, xanchor="left",
                     y=1 - part - 0.045, yanchor="bottom"),
            ],
        ),
    }  # fmt: skip


def _some(count: int) -> list[int]:
    return list(range(0, count, -(-count // _ROWS_NAMED)))


def _row_name(flow: FlowGraph, other: FlowGraph, position: int) -> str:
    """This prompt's token, and the other's where that is another."""
    mine, theirs = (shorten(one.shown[position], _LABEL_COLUMNS) for one in (flow, other))
    if flow.tokens[position].id == other.tokens[position].id:
        return literal(mine)
    return f"<b>{literal(mine)} ⇠ {literal(theirs)}</b>"


def _map(
    cells: Sequence[Sequence[tuple[Effect, Site] | None]],
    axis: str,
    flow: FlowGraph,
    theme: Theme,
    *,
    scale: bool,
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "heatmap",
        "yaxis": axis,
        "z": [[None if one is None else one[0].normalised for one in row] for row in cells],
        "customdata": [
            [None if one is None else _node(one[1], flow) for one in row] for row in cells
        ],
        "text": [["" if one is None else _tip(*one, flow) for one in row] for row in cells],
        "hovertemplate": "%{text}<extra></extra>",
        "hoverongaps": False,
        "colorscale": plotly_scale(theme.scale("logit")),
        "zmin": -1,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "showscale": scale,
    }
    if scale:
        made["colorbar"] = {
            "thickness": 9, "len": 1, "x": 1.01, "xpad": 0, "outlinewidth": 0,
            "tickvals": [-1, 0, 1], "ticktext": ["−1", "0 this", "1 other"],
            "tickfont": {"size": 10.5, "color": theme.faint},
        }  # fmt: skip
    return made


def _node(site: Site, flow: FlowGraph) -> str:
    """The node to go to: of a part that is patched everywhere, the one at the traced position."""
    return str(site.node if site.position is not None else site.at(flow.position).node)


def _tip(effect: Effect, site: Site, flow: FlowGraph) -> str:
    lines = [f"<b>{literal(name_site(site, flow))}</b>"]
    if effect.normalised is not None:
        lines.append(f"goes {100 * effect.normalised:.0f} % of the way".replace("-", "−"))
    if effect.measured is not None:
        lines.append(f"metric {signed(effect.measured)}")
    return "<br>".join(lines)


def say_patching(effects: Effects, flow: FlowGraph, other: FlowGraph) -> list[Component]:
    """What 0 and 1 are, in one line."""
    return [html.P(list_ends(effects, flow, other, word), className="hint")]


def list_ends(
    effects: Effects, flow: FlowGraph, other: FlowGraph, show: Callable[[str], Any]
) -> list[Any]:
    """What 0 and 1 are, in words and tokens.

    Args:
        effects: Of one map.
        flow: This prompt's graph.
        other: The other prompt's.
        show: How a token is shown.
    """
    assert effects.reference is not None and effects.reference.metric is not None
    against = ["logit of ", show(other.target.text)]
    if effects.versus is not None:
        against += [" less that of ", show(flow.target.text)]
    return [
        *against,
        f": {signed(effects.base.metric)} in this prompt (0), "
        f"{signed(effects.reference.metric)} in the other (1)",
    ]

"""How the graph looks: the only place with the graph's colours, in two themes.

Hues are Okabe and Ito's, safe for colour-blind eyes. A sign is told by the dash as well as by the
colour, a kind by the shape as well as by the colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Rule = dict[str, Any]
FONT = "system-ui, sans-serif"
MONO = "ui-monospace, monospace"


@dataclass(frozen=True, slots=True)
class Hue:
    """A family's fill, border and text."""

    fill: str
    border: str
    text: str


@dataclass(frozen=True, slots=True)
class Theme:
    """Every colour of the graph under one theme."""

    ink: str
    faint: str
    band: str
    band_shade: str
    stream: str
    plus: str
    minus: str
    other: str
    picked: str
    families: dict[str, Hue]
    middle: str
    scales: dict[str, tuple[str, str]]


LIGHT = Theme(
    ink="#1d2430",
    faint="#667085",
    band="#f4f6f9",
    band_shade="#eef1f5",
    stream="#b4bdcb",
    plus="#2b74b8",
    minus="#d2601a",
    other="#98a2b3",
    picked="#7a3ff2",
    families={
        "token": Hue("#ffffff", "#5d6778", "#1d2430"),
        "residual": Hue("#e9eef8", "#6f84ad", "#1f2d4a"),
        "attention": Hue("#fdf0d3", "#c98a0c", "#553900"),
        "query": Hue("#fff9ea", "#d9ab4a", "#5c4206"),
        "neuron": Hue("#f8e6f0", "#b5578c", "#521f3c"),
        "mlp": Hue("#dcf2e8", "#2f9a74", "#0c4633"),
        "memory-key": Hue("#f1faf6", "#6dbb9e", "#145341"),
        "norm": Hue("#ffffff", "#98a2b3", "#1d2430"),
        "rest": Hue("#f2f4f7", "#b0b8c4", "#596274"),
    },
    middle="#f0f1f4",
    scales={"rank": ("#79c7a6", "#f0a07f"), "entropy": ("#8ec3e8", "#f0dc6a")},
)
DARK = Theme(
    ink="#e4e8ef",
    faint="#8b96a8",
    band="#171c25",
    band_shade="#1b212b",
    stream="#4a5568",
    plus="#5aa7ea",
    minus="#f08a43",
    other="#6b7688",
    picked="#b08bff",
    families={
        "token": Hue("#10141b", "#8b96a8", "#e4e8ef"),
        "residual": Hue("#232d42", "#7f95c2", "#dfe7f7"),
        "attention": Hue("#3a2d10", "#d9a231", "#fbe6b8"),
        "query": Hue("#2a2312", "#a8843a", "#f1dfb4"),
        "neuron": Hue("#38192b", "#cc79a7", "#f3cfe2"),
        "mlp": Hue("#12352a", "#3fb78c", "#cdf3e3"),
        "memory-key": Hue("#11291f", "#3c8a6d", "#c3e6d8"),
        "norm": Hue("#10141b", "#6b7688", "#e4e8ef"),
        "rest": Hue("#1f2530", "#566072", "#a8b2c2"),
    },
    middle="#272d38",
    scales={"rank": ("#1c7153", "#8f3d22"), "entropy": ("#12578a", "#6f6413")},
)
THEMES = {"light": LIGHT, "dark": DARK}
SHAPES = {
    "token": "rectangle",
    "residual": "round-rectangle",
    "attention": "ellipse",
    "query": "ellipse",
    "neuron": "barrel",
    "mlp": "cut-rectangle",
    "memory-key": "cut-rectangle",
    "norm": "ellipse",
    "rest": "round-tag",
}
COLOURINGS = {"kind": "kind", "rank": "rank", "entropy": "entropy"}


def stylesheets() -> dict[str, dict[str, list[Rule]]]:
    """Every stylesheet, by theme and by what the colour says."""
    return {
        name: {colouring: stylesheet(theme, colouring) for colouring in COLOURINGS}
        for name, theme in THEMES.items()
    }


def stylesheet(theme: Theme, colouring: str = "kind") -> list[Rule]:
    """The graph's rules: frame, nodes, edges, and the states that the pointer makes."""
    return [
        *_frame(theme),
        *_nodes(theme),
        *_colouring(theme, colouring),
        *_edges(theme),
        *_states(theme),
    ]


def _frame(theme: Theme) -> list[Rule]:
    still = {"events": "no", "border-width": 0, "background-opacity": 0}
    return [
        _rule(
            "node[frame]",
            **still,
            **{
                "shape": "rectangle",
                "width": "data(w)",
                "height": "data(h)",
                "label": "data(label)",
                "font-family": FONT,
                "font-size": 12,
                "color": theme.faint,
                "text-valign": "center",
                "text-halign": "center",
                "z-index": 0,
                "z-index-compare": "manual",
            },
        ),
        _rule(
            "node[frame = 'band']",
            **{
                "shape": "round-rectangle",
                "background-color": theme.band,
                "background-opacity": 1,
                "z-index": -10,
            },
        ),
        _rule("node[frame = 'band'][shade = 1]", **{"background-color": theme.band_shade}),
        _rule("node[frame = 'column']", **{"font-size": 15, "font-weight": 600}),
        _rule(
            "node[frame = 'row']",
            **{
                "font-family": MONO,
                "font-size": 16,
                "color": theme.ink,
                "text-wrap": "ellipsis",
                "text-max-width": 84,
            },
        ),
        _rule("node[frame = 'row'][traced = 1]", **{"font-weight": 700, "color": theme.picked}),
    ]


def _nodes(theme: Theme) -> list[Rule]:
    rules = [
        _rule(
            "node[family]",
            **{
                "width": "data(w)",
                "height": "data(h)",
                "label": "data(label)",
                "font-family": FONT,
                "font-size": 14,
                "min-zoomed-font-size": 6,
                "text-valign": "center",
                "text-halign": "center",
                "text-wrap": "ellipsis",
                "text-max-width": 68,
                "border-width": 1.3,
                "z-index": 10,
                "z-index-compare": "manual",
            },
        )
    ]
    for family, hue in theme.families.items():
        rules.append(
            _rule(
                f"node[family = '{family}']",
                **{
                    "shape": SHAPES[family],
                    "background-color": hue.fill,
                    "border-color": hue.border,
                    "color": hue.text,
                },
            )
        )
    return [
        *rules,
        _rule("node[family = 'token']", **{"font-family": MONO, "text-max-width": 78}),
        _rule("node[family = 'residual']", **{"font-size": 15, "text-max-width": 78}),
        _rule("node[family = 'rest']", **{"font-size": 12, "border-style": "dashed"}),
        _rule("node[kind = 'head']", **{"text-max-width": 82}),
        _rule("node[kind = 'value'], node[kind = 'memory_value']", **{"text-max-width": 72}),
        _rule(
            "node[kind = 'resid_mid']",
            **{"shape": "ellipse", "background-color": theme.families["residual"].border},
        ),
        _rule(
            "node[kind = 'output']",
            **{"font-size": 17, "font-weight": 700, "border-width": 2, "text-max-width": 92},
        ),
        _rule("node[open = 1]", **{"border-width": 2.6}),
    ]


def _colouring(theme: Theme, colouring: str) -> list[Rule]:
    """Fill by a measure instead of the kind; the border keeps the kind's colour."""
    if colouring == "kind":
        return []
    low, high = theme.scales[colouring]
    halves = [
        ("<= 0.5", f"mapData({colouring}, 0, 0.5, {low}, {theme.middle})"),
        ("> 0.5", f"mapData({colouring}, 0.5, 1, {theme.middle}, {high})"),
    ]
    return [
        _rule(
            f"node[family][{colouring} {half}]",
            **{"background-color": colour, "color": theme.ink},
        )
        for half, colour in halves
    ]


def _edges(theme: Theme) -> list[Rule]:
    return [
        _rule(
            "edge",
            **{
                "width": "data(width)",
                "line-color": theme.other,
                "opacity": "mapData(width, 0.7, 4, 0.32, 0.9)",
                "curve-style": "straight",
                "z-index": 1,
                "z-index-compare": "manual",
                "overlay-padding": 3,
            },
        ),
        _rule("edge[way != 'down']", **{"source-endpoint": "90deg", "target-endpoint": "270deg"}),
        _rule(
            "edge[way = 'curve']",
            **{
                "curve-style": "unbundled-bezier",
                "control-point-weights": "data(weights)",
                "control-point-distances": "data(distances)",
                "edge-distances": "endpoints",
            },
        ),
        _rule("edge[kind = 'adds'][sign = 'plus']", **{"line-color": theme.plus}),
        _rule(
            "edge[kind = 'adds'][sign = 'minus']",
            **{"line-color": theme.minus, "line-style": "dashed", "line-dash-pattern": [5, 3]},
        ),
        _rule(
            "edge[stream]",
            **{"line-color": theme.stream, "line-style": "solid", "opacity": 0.9, "z-index": 0},
        ),
    ]


def _states(theme: Theme) -> list[Rule]:
    """Classes that assets/app.js puts on and takes off."""
    return [
        _rule(".faded", **{"opacity": 0.16}),
        _rule("node.faded", **{"opacity": 0.3}),
        _rule("edge.below", **{"visibility": "hidden"}),
        _rule(
            "node.picked, node:selected",
            **{"border-color": theme.picked, "border-width": 3.5, "opacity": 1, "z-index": 20},
        ),
        _rule("node.hovered", **{"border-width": 2.6, "z-index": 30}),
        _rule("node:active, edge:active", **{"overlay-opacity": 0}),
    ]


def _rule(selector: str, **style: Any) -> Rule:
    return {"selector": selector, "style": style}

"""How the graph looks: the only place with the graph's colours, in two themes.

Hues are Okabe and Ito's, safe for colour-blind eyes. A sign is told by the dash as well as by the
colour, a kind by the shape as well as by the colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Rule = dict[str, Any]
FONT = "system-ui, sans-serif"
MONO = "ui-monospace, monospace"
THIN, THICK = 0.7, 4.0
"""The widths, in pixels, of an edge that carries next to nothing and of one that carries much."""


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
    scales={
        "rank": ("#79c7a6", "#f0a07f"),
        "entropy": ("#8ec3e8", "#f0dc6a"),
        "logit": ("#f0a07f", "#7db7e8"),
    },
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
    scales={
        "rank": ("#1c7153", "#8f3d22"),
        "entropy": ("#12578a", "#6f6413"),
        "logit": ("#8f3d22", "#12578a"),
    },
)
THEMES = {"light": LIGHT, "dark": DARK}
PALETTES = {"safe": "colour-blind safe", "visit": "VISIT's own"}
"""The second is the paper's: green is best and along, grey between, red is worst and against."""
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
GROUPS = ("#cc79a7", "#56b4e9", "#e69f00", "#009e73", "#f0e442", "#d55e00")
"""Okabe and Ito's, for the halos of groups, over again where there are more groups."""
COLOURINGS = {
    "kind": "kind",
    "rank": "target's rank",
    "entropy": "entropy",
    "logit": "direct logit",
}
WIDTHS = {
    "carried": "part it carries",
    "norm": "norm",
    "share": "share",
    "logit": "direct logit",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture's colours and widths say.

    Attributes:
        theme: ``light`` or ``dark``.
        palette: One of ``PALETTES``.
        colouring: What a node's fill says: one of ``COLOURINGS``.
        width: What an edge's width says: one of ``WIDTHS``.
        level: Edges that carry less are hidden.
        hidden: The families of nodes that are hidden.
    """

    theme: str = "light"
    palette: str = "safe"
    colouring: str = "kind"
    width: str = "carried"
    level: float = 0.0
    hidden: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Look:
        """As the browser sent it; what is not known is as by default."""
        hidden = data.get("hidden")
        level = data.get("level")
        return cls(
            theme=_one_of(THEMES, data.get("theme"), "light"),
            palette=_one_of(PALETTES, data.get("palette"), "safe"),
            colouring=_one_of(COLOURINGS, data.get("colouring"), "kind"),
            width=_one_of(WIDTHS, data.get("width"), "carried"),
            level=float(level) if isinstance(level, int | float) else 0.0,
            hidden=frozenset(map(str, hidden)) if isinstance(hidden, list) else frozenset(),
        )


def _one_of(known: Iterable[str], said: Any, default: str) -> str:
    return said if said in known else default


_GREEN_TO_RED = {
    "light": {"plus": "#2c8a4b", "minus": "#c83c34", "ends": ("#7fc993", "#ee938c")},
    "dark": {"plus": "#5cc27e", "minus": "#ef7a72", "ends": ("#1d6b37", "#8d2f29")},
}


def themed(name: str, palette: str = "safe") -> Theme:
    """A theme with a palette's colours; the default ones where it is none that is known."""
    theme = THEMES.get(name, LIGHT)
    if palette != "visit":
        return theme
    colours = _GREEN_TO_RED["dark" if theme is DARK else "light"]
    best, worst = colours["ends"]
    scales = {**theme.scales, "rank": (best, worst), "logit": (worst, best)}
    return replace(theme, plus=str(colours["plus"]), minus=str(colours["minus"]), scales=scales)


def stylesheets() -> dict[str, dict[str, dict[str, Any]]]:
    """The graph's rules by theme and palette; the browser puts those of a look together.

    ``rules`` come first, then one of ``colourings`` and one of ``widths``.
    """
    return {
        name: {
            palette: {
                "rules": stylesheet(themed(name, palette)),
                "colourings": {c: colouring(themed(name, palette), c) for c in COLOURINGS},
                "widths": {w: width(w) for w in WIDTHS},
            }
            for palette in PALETTES
        }
        for name in THEMES
    }


def stylesheet(theme: Theme) -> list[Rule]:
    """The graph's rules: frame, nodes, edges, and the states that the pointer makes."""
    return [*_frame(theme), *_nodes(theme), *_edges(theme), *_states(theme)]


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
        _rule("node[frame = 'row'][?template]", **{"color": theme.faint}),
        _rule("node[frame = 'row'][?special]", **{"font-style": "italic"}),
        _rule(
            "node[frame = 'message']",
            **{
                "shape": "round-rectangle",
                "background-color": theme.band_shade,
                "background-opacity": 1,
                "border-width": 1,
                "border-color": theme.other,
                "color": theme.ink,
                "font-size": 16,
                "text-rotation": "-90deg",
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
        _rule("node[kind = 'expert'], node[kind = 'shared_expert']", **{"text-max-width": 98}),
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
        *_grouped(theme),
    ]


def _grouped(theme: Theme) -> list[Rule]:
    """A halo round the nodes of a group, and round those that are pinned."""
    rules = [
        _rule(
            f"node[group = {number}]",
            **{"underlay-color": colour, "underlay-opacity": 0.35, "underlay-padding": 6},
        )
        for number, colour in enumerate(GROUPS)
    ]
    pinned = {"underlay-color": theme.picked, "underlay-opacity": 0.25, "underlay-padding": 5}
    return [_rule("node[pinned = 1]", **pinned), *rules]


def colouring(theme: Theme, measure: str) -> list[Rule]:
    """Fill by a measure instead of the kind; the border keeps the kind's colour."""
    if measure == "kind":
        return []
    low, high = theme.scales[measure]
    halves = [
        ("<= 0.5", f"mapData({measure}, 0, 0.5, {low}, {theme.middle})"),
        ("> 0.5", f"mapData({measure}, 0.5, 1, {theme.middle}, {high})"),
    ]
    unmeasured = {"background-color": theme.band_shade, "color": theme.faint}
    return [
        _rule(f"node[family][!{measure}]", **unmeasured),
        *(_coloured(theme, measure, half, colour) for half, colour in halves),
    ]


def mixed(theme: Theme, measure: str, level: float) -> str:
    """The colour of a level from 0 to 1 on a measure's scale, as ``colouring`` has it."""
    low, high = theme.scales[measure]
    ends, part = (low, theme.middle), 2 * level
    if level > 0.5:
        ends, part = (theme.middle, high), 2 * level - 1
    start, end = (bytes.fromhex(colour.removeprefix("#")) for colour in ends)
    return "#" + "".join(
        f"{round(a + (b - a) * part):02x}" for a, b in zip(start, end, strict=True)
    )


def _coloured(theme: Theme, measure: str, half: str, colour: str) -> Rule:
    fill = {"background-color": colour, "color": theme.ink}
    return _rule(f"node[family][{measure} {half}]", **fill)


def width(measure: str) -> list[Rule]:
    """The width of an edge by a measure, and how much of what is behind it shows through."""
    shown = f"w_{measure}"
    return [
        _rule(
            f"edge[{shown}]",
            **{
                "width": f"data({shown})",
                "line-opacity": f"mapData({shown}, {THIN}, {THICK}, 0.32, 0.9)",
            },
        ),
        _rule("edge[stream]", **{"line-opacity": 0.9}),
    ]


def _edges(theme: Theme) -> list[Rule]:
    return [
        _rule(
            "edge",
            **{
                "line-color": theme.other,
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
            **{"line-color": theme.stream, "line-style": "solid", "z-index": 0},
        ),
    ]


def _states(theme: Theme) -> list[Rule]:
    """Classes that assets/app.js puts on and takes off."""
    return [
        _rule("edge.faded", **{"opacity": 0.3}),
        _rule("node.faded", **{"opacity": 0.3}),
        _rule("edge.below", **{"visibility": "hidden"}),
        _rule("node.hushed", **{"display": "none"}),
        _rule("node.found", **{"border-color": theme.picked, "border-width": 3, "opacity": 1}),
        _rule(
            "node.picked, node:selected",
            **{"border-color": theme.picked, "border-width": 3.5, "opacity": 1, "z-index": 20},
        ),
        _rule("node.hovered", **{"border-width": 2.6, "z-index": 30}),
        _rule("node:active, edge:active", **{"overlay-opacity": 0}),
    ]


def _rule(selector: str, **style: Any) -> Rule:
    return {"selector": selector, "style": style}

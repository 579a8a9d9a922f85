"""The graph's looks as Cytoscape takes them: rules made from the tables of ``theme`` and ``marks``.

Rules hold in order, a later one over an earlier one, as in CSS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from visit.graph.kinds import SHAPES
from visit.web.look import COLOURINGS, WIDTHS
from visit.web.marks import (
    BAR,
    BAR_INSET,
    EDGE_DASH,
    FAMILIES,
    FRAME,
    FRAMES,
    HALO,
    KINDS,
    LINE,
    NODE,
    OPEN,
    PALE,
    STRONG,
    THICK,
    THIN,
    TRACED_WEIGHT,
)
from visit.web.theme import GROUPS, PALETTES, THEMES, Theme, choose_theme

Rule = dict[str, Any]

_CENTRED = {"text-valign": "center", "text-halign": "center"}
_FADED = {"opacity": 0.3}
_PROPERTIES = {
    "shape": "shape",
    "font": "font-family",
    "size": "font-size",
    "weight": "font-weight",
    "border": "border-width",
}


def stylesheets() -> dict[str, dict[str, dict[str, Any]]]:
    """The graph's rules by theme and palette; the browser puts those of a look together.

    ``rules`` come first, then one of ``colourings`` and one of ``widths``.
    """
    return {
        name: {
            palette: {
                "rules": stylesheet(choose_theme(name, palette)),
                "colourings": {c: colouring(choose_theme(name, palette), c) for c in COLOURINGS},
                "widths": {w: width(w) for w in WIDTHS},
            }
            for palette in PALETTES
        }
        for name in THEMES
    }


def stylesheet(theme: Theme) -> list[Rule]:
    """The graph's rules: frame, nodes, edges, and the states that the pointer makes."""
    return [*_frame(theme), *_nodes(theme), *_edges(theme), *_states(theme)]


def colouring(theme: Theme, measure: str) -> list[Rule]:
    """Fill by a measure instead of the kind; the border keeps the kind's colour."""
    if measure == "kind":
        return []
    low, middle, high = theme.scale(measure)
    halves = [
        ("<= 0.5", f"mapData({measure}, 0, 0.5, {low}, {middle})"),
        ("> 0.5", f"mapData({measure}, 0.5, 1, {middle}, {high})"),
    ]
    unmeasured = {"background-color": theme.band_shade, "color": theme.faint}
    return [
        _rule(f"node[family][!{measure}]", **unmeasured),
        *(
            _rule(
                f"node[family][{measure} {half}]",
                **{"background-color": colour, "color": theme.ink},
            )
            for half, colour in halves
        ),
    ]


def width(measure: str) -> list[Rule]:
    """The width of an edge by a measure, and how much of what is behind it shows through."""
    shown = f"w_{measure}"
    return [
        _rule(
            f"edge[{shown}]",
            **{
                "width": f"data({shown})",
                "line-opacity": f"mapData({shown}, {THIN}, {THICK}, {PALE}, {STRONG})",
            },
        ),
        _rule("edge[stream]", **{"line-opacity": STRONG}),
    ]


def _frame(theme: Theme) -> list[Rule]:
    filled = {"background-color": theme.band_shade, "background-opacity": 1}
    return [
        _rule(
            "node[frame]",
            **{
                "events": "no",
                "background-opacity": 0,
                "width": "data(w)",
                "height": "data(h)",
                "label": "data(label)",
                "color": theme.faint,
                "z-index": 0,
                "z-index-compare": "manual",
                **_CENTRED,
                **_style(asdict(FRAME)),
            },
        ),
        *(_rule(f"node[frame = '{name}']", **_style(mark)) for name, mark in FRAMES.items()),
        _rule("node[frame = 'band']", **{**filled, "background-color": theme.band, "z-index": -10}),
        _rule("node[frame = 'band'][shade = 1]", **{"background-color": theme.band_shade}),
        _rule(
            "node[frame = 'fold']",
            **{"border-color": theme.line, "z-index": -10, "events": "yes"},
        ),
        _rule("node[frame = 'column'][first]", **{"events": "yes"}),
        _rule("node[frame = 'message']", **filled, **{"border-color": theme.other}),
        _rule("node[frame = 'row'], node[frame = 'message']", color=theme.ink),
        _rule("node[frame = 'row'][?template]", color=theme.faint),
        _rule("node[frame = 'row'][?special]", **{"font-style": "italic"}),
        _rule(
            "node[frame = 'row'][traced = 1]",
            **{"font-weight": TRACED_WEIGHT, "color": theme.picked},
        ),
    ]


def _nodes(theme: Theme) -> list[Rule]:
    return [
        _rule(
            "node[family]",
            **{
                "width": "data(w)",
                "height": "data(h)",
                "label": "data(label)",
                "text-wrap": "wrap",
                "line-height": LINE,
                "min-zoomed-font-size": 6,
                "z-index": 10,
                "z-index-compare": "manual",
                **_CENTRED,
                **_style(asdict(NODE)),
            },
        ),
        *(
            _rule(
                f"node[family = '{family}']",
                **{
                    "shape": SHAPES[family],
                    "background-color": hue.fill,
                    "border-color": hue.border,
                    "color": hue.text,
                    **_style(FAMILIES.get(family, {})),
                },
            )
            for family, hue in theme.families.items()
        ),
        *(_rule(f"node[kind = '{kind}']", **_style(mark)) for kind, mark in KINDS.items()),
        *(
            _rule(
                f"node[family = '{family}']",
                **{"background-color": theme.families[change["inked"]].border},
            )
            for family, change in FAMILIES.items()
            if "inked" in change
        ),
        _rule("node[open = 1]", **_style(OPEN)),
        *_bars(theme),
        *_halos(theme),
    ]


def _bars(theme: Theme) -> list[Rule]:
    """How strong a part is, along its lower edge: one image of one colour, as wide as it says."""
    return [
        _rule(
            f"node[bar][sign = '{sign}']",
            **{
                "background-image": _paint(colour),
                "background-fit": "none",
                "background-width": "data(bar)",
                "background-height": f"{BAR}px",
                "background-position-x": f"{BAR_INSET}px",
                "background-position-y": "100%",
                "background-image-smoothing": "no",
                "text-margin-y": -BAR / 2,
            },
        )
        for sign, colour in (("plus", theme.plus), ("minus", theme.minus))
    ]


def _paint(colour: str) -> str:
    """An image of nothing but a colour."""
    image = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8" preserveAspectRatio="none">'
        f'<rect width="8" height="8" fill="{colour}"/></svg>'
    )
    return f"data:image/svg+xml,{quote(image)}"


def _halos(theme: Theme) -> list[Rule]:
    """Round the nodes of a group, and round those that are pinned."""
    return [
        _rule("node[pinned = 1]", **_halo("pinned", theme.picked)),
        *(
            _rule(f"node[group = {number}]", **_halo("group", colour))
            for number, colour in enumerate(GROUPS)
        ),
    ]


def _halo(why: str, colour: str) -> dict[str, Any]:
    opacity, padding = HALO[why]
    return {
        "underlay-color": colour,
        "underlay-opacity": opacity,
        "underlay-padding": padding,
    }


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
            "edge[sign = 'minus']",
            **{
                "line-color": theme.minus,
                "line-style": "dashed",
                "line-dash-pattern": list(EDGE_DASH),
            },
        ),
        _rule(
            "edge[stream]",
            **{"line-color": theme.stream, "line-style": "solid", "z-index": 0},
        ),
        _rule("edge[stream][sign = 'minus']", **{"line-color": theme.minus}),
    ]


def _states(theme: Theme) -> list[Rule]:
    """Classes that assets/graph.js and assets/search.js put on and take off."""
    picked = {"border-color": theme.picked, "opacity": 1}
    return [
        _rule("edge.faded", **_FADED),
        _rule("node.faded", **_FADED),
        _rule("node.below", **{"display": "none"}),
        _rule("node.hushed", **{"display": "none"}),
        _rule("node.found", **picked, **{"border-width": 3}),
        _rule("node.picked, node:selected", **picked, **{"border-width": 3.5, "z-index": 20}),
        _rule("node.hovered", **{"border-width": 2.6, "z-index": 30}),
        _rule("node:active, edge:active", **{"overlay-opacity": 0}),
    ]


def _style(said: Mapping[str, Any]) -> Rule:
    """What a mark or a change says, as Cytoscape's properties."""
    style = {name: said[key] for key, name in _PROPERTIES.items() if key in said}
    if said.get("room") is not None:
        style |= {"text-max-width": said["room"]}
    if said.get("dashed"):
        style["border-style"] = "dashed"
    if said.get("turned"):
        style["text-rotation"] = "-90deg"
    return style


def _rule(selector: str, **style: Any) -> Rule:
    return {"selector": selector, "style": style}

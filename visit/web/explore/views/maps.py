"""Hidden states in the plane, with a slider over the layers and axes that stay."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from visit.graph.explored.answer import name_depth
from visit.graph.explored.maps import MappedToken, Maps, Projection
from visit.text import percent, shorten, visible
from visit.web.explore.view import ExploreView, Shown, choice
from visit.web.plots.plotly import (
    LETTERS,
    Figure,
    axis_title,
    layout,
    literal,
    note,
    plain_axis,
    plotly_scale,
)
from visit.web.theme import GROUPS, MONO, Theme

_HEIGHT = 540
_MOST_NAMED = 70
"""Where there are more points than this, none is named but by pointing at it."""
_NAME_COLUMNS = 24
"""How much of a group's name the legend says."""
_STEP = {"mode": "immediate", "frame": {"duration": 220, "redraw": False},
         "transition": {"duration": 220}}  # fmt: skip


class _ColouredBy(StrEnum):
    AUTO = "auto"
    POSITION = "position"
    TOKEN = "token"
    PROMPT = "prompt"
    GROUP = "group"


def draw_maps(shown: Shown) -> Figure:
    """The last layer first; each layer is a frame, to which the slider leads."""
    found, theme = shown.answer, shown.theme
    assert isinstance(found, Maps)
    last, by = found.n_depths - 1, MAPS.read(shown, "coloured_by")
    if by == _ColouredBy.AUTO:
        by = _ColouredBy.GROUP if found.groups else _ColouredBy.POSITION
    legend = _legend(found, by, theme)
    frames = [_places(found, depth) for depth in range(found.n_depths)]
    names = [name_depth(depth) for depth in range(found.n_depths)]
    ranges = [_range([p for frame in frames for p in frame[side]]) for side in ("x", "y")]
    axis = plain_axis(theme, showgrid=True, gridcolor=theme.band, showticklabels=False)
    titles = _axis_names(found)
    return {
        "data": [_points(found, frames[last], by, theme)],
        "layout": layout(
            theme,
            margin=(34, 16, 84, 34 + 20 * bool(legend)),
            height=_HEIGHT + 20 * bool(legend),
            xaxis={**axis, "range": ranges[0], "title": axis_title(titles[0], theme)},
            yaxis={**axis, "range": ranges[1], "title": axis_title(titles[1], theme)},
            hovermode="closest",
            sliders=[_slider(names, theme)],
            annotations=legend,
        ),
        "frames": [
            {"name": name, "data": [frame]} for name, frame in zip(names, frames, strict=True)
        ],
    }


def _places(found: Maps, depth: int) -> dict[str, Any]:
    """What is another at another depth: where the points are, and their neighbours."""
    return {
        "x": [point.path[depth][0] for point in found.points],
        "y": [point.path[depth][1] for point in found.points],
        "hovertext": [_tip(found, point, depth) for point in found.points],
    }


def _points(found: Maps, places: dict[str, Any], by: str, theme: Theme) -> dict[str, Any]:
    points = found.points
    named = len(points) <= _MOST_NAMED
    return {
        "type": "scatter",
        "mode": "markers+text" if named else "markers",
        **places,
        "text": [literal(visible(point.token.text)) if named else "" for point in points],
        "customdata": [None] * len(points),
        "textposition": "top center",
        "textfont": {"family": MONO, "size": 10, "color": theme.soft},
        "hovertemplate": "%{hovertext}<extra></extra>",
        "marker": {
            "size": 9,
            "line": {"color": theme.other, "width": 0.8},
            **_colours(points, by, theme),
        },
    }


def _colours(points: Sequence[MappedToken], by: str, theme: Theme) -> dict[str, Any]:
    if by == _ColouredBy.POSITION:
        scale = plotly_scale(theme.ramps["target"][1:])
        return {"color": [point.token.position for point in points], "colorscale": scale}
    if by == _ColouredBy.TOKEN:
        texts = list(dict.fromkeys(point.token.text for point in points))
        return {"color": [GROUPS[texts.index(p.token.text) % len(GROUPS)] for p in points]}
    return {"color": [_colour_of(point, by, theme) for point in points]}


def _colour_of(point: MappedToken, by: str, theme: Theme) -> str:
    """Of a prompt or a group; that of a point in no group is the page's own."""
    if by == _ColouredBy.PROMPT:
        return GROUPS[point.prompt % len(GROUPS)]
    return theme.page if point.group is None else GROUPS[point.group]


def _legend(found: Maps, by: str, theme: Theme) -> list[dict[str, Any]]:
    """What colours say, where each has a name, below the plane."""
    if by == _ColouredBy.PROMPT:
        names = [f"prompt {n}" for n in range(1, min(found.n_prompts, len(GROUPS)) + 1)]
    elif by == _ColouredBy.GROUP:
        names = [shorten(visible(name), _NAME_COLUMNS) for name in found.groups]
    else:
        return []
    said = [
        f'<span style="color:{colour}">●</span> {literal(name)}'
        for colour, name in zip(GROUPS, names, strict=False)
    ]
    text = "&nbsp;&nbsp; ".join(said)
    return [
        {
            **note(text, theme, x=0, xanchor="left", y=0, yanchor="top", yshift=-24),
            "font": {"size": LETTERS, "color": theme.soft},
        }
    ]


def _tip(found: Maps, point: MappedToken, depth: int) -> str:
    near = [
        f"{visible(found.points[other].token.text)} {cosine:.2f}"
        for other, cosine in zip(point.neighbours[depth], point.cosines[depth], strict=True)
    ]
    where = f"position {point.token.position}"
    if found.n_prompts > 1:
        where += f" of prompt {point.prompt + 1}"
    if point.group is not None:
        where += f", group {found.groups[point.group]}"
    lines = [f"{where}, {name_depth(depth)}", "nearest: " + ", ".join(near)]
    token = literal(visible(point.token.text))
    return f"<b>{token}</b><br>" + "<br>".join(map(literal, lines))


def _range(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    room = (high - low) * 0.07 or 1.0
    return [low - room, high + room]


def _axis_names(found: Maps) -> list[str]:
    if found.projection is not Projection.PCA:
        return [f"{found.projection} {n}" for n in (1, 2)]
    return [f"component {n}, {percent(part)}" for n, part in enumerate(found.explained, 1)]


def _slider(names: Sequence[str], theme: Theme) -> dict[str, Any]:
    return {
        "active": len(names) - 1,
        "x": 0, "len": 1, "y": 1, "yanchor": "bottom", "pad": {"b": 6, "l": 4, "r": 4},
        "currentvalue": {"visible": True, "xanchor": "left",
                         "font": {"size": 12, "color": theme.ink}},
        "font": {"size": 10, "color": theme.soft},
        "bgcolor": theme.page, "activebgcolor": theme.accent, "bordercolor": theme.line,
        "tickcolor": theme.line, "minorticklen": 0,
        "steps": [
            {"label": name, "method": "animate", "args": [[name], _STEP]} for name in names
        ],
    }  # fmt: skip


MAPS = ExploreView(
    draw_maps,
    says="A point is one token's residual; the slider moves all of them from the embedding through "
    "the layers, on axes that stay. Point at one for its nearest in the full space, by cosine. "
    "Coloured by group where groups are given, hollow in none; else by position.",
    options=(choice("coloured_by", "Coloured by", "what a point's colour says", _ColouredBy),),
)

"""Predicted against measured effects of every head and MLP, as a Plotly scatter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.effects import Effect, Effects, Flag
from visit.graph.flow import FlowGraph, NodeKind
from visit.web.causes.sites import name_site
from visit.web.parts import term
from visit.web.plots.plotly import Figure, axis_title, layout, literal
from visit.web.theme import Theme
from visit.web.words import percent, signed

PREDICTIONS = {"direct": "direct logit", "flow": "flow", "estimate": "estimate"}
"""What can be held against the measurement, by the name of an effect's field."""
PARTS = ("heads", "mlp")
"""The sorts of part that are compared: all of them, at the traced position."""

_NAMED = 9
"""So many points bear their name: those with the largest measured effect."""
_LOOKS = {NodeKind.HEAD: ("heads", "circle", "attention"), NodeKind.MLP: ("MLPs", "square", "mlp")}


def prediction_from(asked: object) -> str:
    """What a page holds against the measurement: the flow, where it asks for none that is known."""
    return next((known for known in PREDICTIONS if known == asked), "flow")


def agreement_figure(effects: Effects, flow: FlowGraph, predicted: str, theme: Theme) -> Figure:
    """A point for every part: measured across, predicted down; on the diagonal where they agree.

    Every point's ``customdata`` is its node's id.

    Args:
        effects: Of heads and MLPs, each in a pass of its own.
        flow: The graph they are of.
        predicted: One of ``PREDICTIONS``.
        theme: The page's colours.
    """
    pairs = [(one, *_point(one, predicted)) for one in effects.effects]
    ends = [value for _, *point in pairs for value in point] or [0.0]
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = 0.07 * ((high - low) or 1.0)
    span = [low - room, high + room]
    traces = [
        _trace([pair for pair in pairs if pair[0].sites[0].kind is kind], kind, flow, theme)
        for kind in _LOOKS
    ]
    axis = {"range": span, "zeroline": True, "zerolinecolor": theme.line, "gridcolor": theme.band,
            "tickfont": {"color": theme.faint}, "fixedrange": True}  # fmt: skip
    named = _apart(sorted(pairs, key=lambda pair: -abs(pair[1])), span[1] - span[0])
    return {
        "data": traces,
        "layout": layout(
            theme,
            margin=(52, 14, 14, 42),
            xaxis={**axis, "title": axis_title("measured effect", theme)},
            yaxis={**axis, "title": axis_title(f"predicted by {PREDICTIONS[predicted]}", theme, 4)},
            shapes=[{"type": "line", "x0": span[0], "y0": span[0], "x1": span[1], "y1": span[1],
                     "line": {"color": theme.faint, "width": 1, "dash": "dot"},
                     "layer": "below"}],
            annotations=[_name(pair, span, flow, theme) for pair in named],
            hovermode="closest",
        ),
    }  # fmt: skip


def _apart(
    pairs: list[tuple[Effect, float, float]], width: float
) -> list[tuple[Effect, float, float]]:
    """The first points whose names do not touch, as a name is a fifth of the figure wide."""
    chosen: list[tuple[Effect, float, float]] = []
    for pair in pairs:
        _, x, y = pair
        if all(abs(x - u) > width / 5 or abs(y - v) > width / 18 for _, u, v in chosen):
            chosen.append(pair)
        if len(chosen) == _NAMED:
            break
    return chosen


def _point(effect: Effect, predicted: str) -> tuple[float, float]:
    return effect.measured or 0.0, getattr(effect, predicted) or 0.0


def _trace(
    pairs: list[tuple[Effect, float, float]], kind: NodeKind, flow: FlowGraph, theme: Theme
) -> dict[str, Any]:
    name, symbol, family = _LOOKS[kind]
    hue = theme.families[family]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [measured for _, measured, _ in pairs],
        "y": [predicted for _, _, predicted in pairs],
        "customdata": [str(effect.sites[0].node) for effect, *_ in pairs],
        "text": [_tip(effect, flow) for effect, *_ in pairs],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "symbol": symbol,
            "size": 8,
            "color": hue.fill,
            "line": {"color": hue.border, "width": 1.3},
        },
    }


def _tip(effect: Effect, flow: FlowGraph) -> str:
    numbers = [("measured", effect.measured)]
    numbers += [(words, getattr(effect, name)) for name, words in PREDICTIONS.items()]
    lines = [f"<b>{literal(name_site(effect.sites[0], flow))}</b>"]
    lines += [f"{name:<13}{signed(value):>7}" for name, value in numbers if value is not None]
    return "<br>".join([*lines, *([str(effect.flag)] if effect.flag else [])])


def _name(
    pair: tuple[Effect, float, float], span: Sequence[float], flow: FlowGraph, theme: Theme
) -> dict[str, Any]:
    """A point's name above it; near an end of the axis it leads away from the numbers there."""
    effect, measured, predicted = pair
    across = (measured - span[0]) / (span[1] - span[0])
    return {
        "x": measured,
        "y": predicted,
        "text": literal(name_site(effect.sites[0], flow)),
        "showarrow": False,
        "yshift": 11,
        "xanchor": "left" if across < 0.12 else "right" if across > 0.88 else "center",
        "font": {"size": 10.5, "color": theme.soft},
    }


def list_numbers(effects: Effects, predicted: str) -> dict[str, str]:
    """How well they agree, and how many parts are repaired or reversed."""
    found = effects.agreement[predicted]
    flags = [one.flag for one in effects.effects]
    return {
        "parts": f"{found.n}",
        "Pearson": _number(found.pearson),
        "Spearman": _number(found.spearman),
        "equal signs": "—" if found.sign is None else percent(found.sign),
        **{str(flag): str(flags.count(flag)) for flag in Flag},
    }


def say_agreement(effects: Effects, predicted: str) -> list[Component]:
    """How well they agree, in numbers, and what the points are."""
    numbers = [
        html.Div([html.Dt(term(name) if name in list(Flag) else name), html.Dd(value)])
        for name, value in list_numbers(effects, predicted).items()
    ]
    return [
        html.Dl(numbers, className="numbers"),
        html.P(
            [
                html.Span(className="swatch attention point"),
                html.Span("heads"),
                html.Span(className="swatch mlp point"),
                html.Span("MLPs"),
                html.Span("dotted: both agree"),
            ],
            className="hint key",
        ),
    ]


def _number(value: float | None) -> str:
    return "—" if value is None else signed(value)

"""How a reading moves over the layers, as two small line charts that share their depths.

Places across are in percent and places down in pixels, so that the chart is as wide as the panel
and its letters keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.web.parts import term
from visit.web.trees import Attributes, Tree, svg
from visit.web.words import percent

LEFT, RIGHT = 16.0, 96.0
RANK_HEIGHT, PROBABILITY_HEIGHT = 118.0, 64.0
TOP, BOTTOM = 10.0, 8.0
AXIS = 18.0
"""Room for the depths under the lower chart."""
LABELS = 7


@dataclass(frozen=True, slots=True)
class Point:
    """What is read at one depth: 0 for the embedding, L + 1 after layer L."""

    depth: float
    rank: int
    prob: float
    name: str


def charts(points: Sequence[Point], own: Point | None, n_layers: int, d_vocab: int) -> Component:
    """The target's rank (logarithmic, best on top) and probability over the depths.

    Args:
        points: The residuals', in the order of the flow.
        own: The node that is shown, where it is no such residual.
        n_layers: Of the model.
        d_vocab: The worst rank there can be.
    """
    worst = max(1.0, math.log10(max(d_vocab, 10)))
    largest = max((point.prob for point in [*points, *([own] if own else [])]), default=1.0)
    ceiling = _ceiling(largest)
    ranks = [(10.0**i, _short(10**i)) for i in range(int(worst) + 1)]
    rank = _Plot(n_layers, RANK_HEIGHT, lambda value: math.log10(value) / worst)
    chance = _Plot(n_layers, PROBABILITY_HEIGHT, lambda value: 1 - value / ceiling)
    own_rank = None if own is None else (own.depth, float(own.rank), own.name)
    own_prob = None if own is None else (own.depth, own.prob, own.name)
    return html.Figure(
        [
            html.Figcaption(term("rank", "target's rank"), className="chart-name"),
            rank.draw(
                [(p.depth, float(p.rank), _said(p)) for p in points], ranks, own_rank, "rank"
            ),
            html.Figcaption(term("probability", "target's probability"), className="chart-name"),
            chance.draw(
                [(p.depth, p.prob, _said(p)) for p in points],
                [(ceiling, percent(ceiling)), (0.0, "0")],
                own_prob,
                "probability",
                with_depths=True,
            ),
        ],
        className="charts",
    )


@dataclass(frozen=True, slots=True)
class _Plot:
    """One chart: ``down`` says how far down a value is, 0 (top) to 1."""

    n_layers: int
    height: float
    down: Callable[[float], float]

    def x(self, depth: float) -> float:
        return LEFT + (RIGHT - LEFT) * depth / max(self.n_layers, 1)

    def y(self, value: float) -> float:
        return TOP + (self.height - TOP - BOTTOM) * min(self.down(value), 1.0)

    def draw(
        self,
        points: Sequence[tuple[float, float, str]],
        ticks: Sequence[tuple[float, str]],
        own: tuple[float, float, str] | None,
        name: str,
        *,
        with_depths: bool = False,
    ) -> Any:
        drawn = [part for value, text in ticks for part in self._tick(value, text)]
        drawn.append(self._line(points))
        drawn += [self._dot(*point, "dot") for point in points]
        if own is not None:
            drawn.append(self._dot(*own, "own-dot", radius=5.0))
        if with_depths:
            drawn += self._depths()
        height = self.height + (AXIS if with_depths else 0.0)
        said = f"The target's {name} over the layers; the table below has the numbers"
        return svg(
            "svg",
            {
                "class": f"chart of-{name}",
                "width": "100%",
                "height": height,
                "role": "img",
                "aria-label": said,
            },
            drawn,
        )

    def _tick(self, value: float, text: str) -> list[Tree]:
        y = self.y(value)
        place: Attributes = {"x1": f"{LEFT}%", "x2": "100%", "y1": y, "y2": y}
        label: Attributes = {"x": f"{LEFT - 2}%", "y": y, "dy": "0.35em", "class": "label at-end"}
        return [
            svg("line", {"class": "grid", **place}),
            svg("text", label, [text]),
        ]

    def _line(self, points: Sequence[tuple[float, float, str]]) -> Tree:
        """The line alone is stretched across, without its thickness."""
        d = "L".join(f"{self.x(depth):.2f} {self.y(value):.2f}" for depth, value, _ in points)
        stretched: Attributes = {
            "viewBox": f"0 0 100 {self.height:g}",
            "preserveAspectRatio": "none",
            "width": "100%",
            "height": self.height,
        }
        made: Tree = svg("svg", stretched, [svg("path", {"class": "line", "d": f"M{d}"})])
        return made

    def _dot(
        self, depth: float, value: float, said: str, name: str, *, radius: float = 2.5
    ) -> Tree:
        place: Attributes = {
            "cx": f"{self.x(depth):.2f}%",
            "cy": self.y(value),
            "r": radius,
            "class": name,
        }
        made: Tree = svg("circle", place, [svg("title", {}, [said])])
        return made

    def _depths(self) -> list[Tree]:
        every = max(1, -(-self.n_layers // LABELS))
        last = self.n_layers - 1
        layers = [layer for layer in range(0, last, every) if last - layer >= every] + [last]
        named = [(0.0, "embed"), *((layer + 1.0, f"L{layer}") for layer in layers)]
        if self.n_layers > LABELS:
            named = [at for at in named if at[0] != 1.0]  # it would touch the embedding's name
        return [
            svg(
                "text",
                {"x": f"{self.x(depth):.2f}%", "y": self.height + 11, "class": "label in-middle"},
                [text],
            )
            for depth, text in named
        ]


def _said(point: Point) -> str:
    return f"{point.name}: rank {point.rank:,}, {percent(point.prob)}"


def _ceiling(largest: float) -> float:
    """The probability at the chart's top: 100 %, or the next round number above the largest."""
    if largest > 0.5:
        return 1.0
    power = 10.0 ** math.floor(math.log10(max(largest, 0.001)))
    return next(step * power for step in (1, 2, 5, 10) if largest <= step * power)


def _short(number: int) -> str:
    return f"{number // 1000}k" if number >= 1000 else str(number)

"""A head's attention as a heatmap: readers down, sources across, each token at the diagonal."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from visit.text import shorten
from visit.web.parts import by_keyboard
from visit.web.trees import Tree, svg

WINDOW = 48
"""The most tokens that are drawn; of a longer prompt, those around the reader."""
WIDTH = 320
LABEL = 72
"""Room for a token's text beside the last row."""
LABEL_LETTERS = 10
LARGEST_CELL = 22.0
LINE_HEIGHT = 12
LEVELS = 12
"""Attention is drawn in so many steps of darkness; each is one path, so 48 tokens are quick."""

_SAYS = "Attention: the arrow keys move from cell to cell"
_ASKS = ", Enter says why it is read"


def window(n_tokens: int, reader: int) -> range:
    """The tokens that are drawn: all, or those that lead up to the reader and a few after it."""
    if n_tokens <= WINDOW:
        return range(n_tokens)
    start = max(0, min(reader + 1 - WINDOW + WINDOW // 8, n_tokens - WINDOW))
    return range(start, start + WINDOW)


def heatmap(
    pattern: Sequence[Sequence[float]],
    texts: Sequence[str],
    shown: range,
    reader: int,
    source: int | None,
    *,
    is_live: bool = False,
) -> Component:
    """The pattern among the tokens of a window, with the reader's row and the source's column.

    Args:
        pattern: A row for each reader, a column for each source; rows add to 1.
        texts: Every token, as visible characters.
        shown: The tokens that are drawn.
        reader: The position whose row is marked.
        source: The position whose column is marked, if any.
        is_live: Whether a model can be asked what a knock-out causes.
    """
    cell = min(LARGEST_CELL, (WIDTH - LABEL) / len(shown))
    side = cell * len(shown)
    drawn: list[Tree] = [svg("path", {"class": "causal", "d": _staircase(len(shown), cell)})]
    drawn += [
        svg("path", {"class": f"heat h{level}", "d": path})
        for level, path in sorted(_paths(pattern, shown, cell).items())
    ]
    row = reader - shown.start
    drawn.append(_frame(0.0, row * cell, cell * (row + 1), cell))
    if source is not None and source in shown and source <= reader:
        column = source - shown.start
        drawn.append(_frame(column * cell, column * cell, cell, side - column * cell))
    every = -(-LINE_HEIGHT // max(int(cell), 1))
    for i, position in enumerate(shown):
        if position in (reader, source):
            drawn.append(_label(texts[position], i, cell, "is-marked"))
        elif i % every == 0 and not _is_near(i, row, every):
            drawn.append(_label(texts[position], i, cell, "label"))
    width, height = side + LABEL, side + 2
    said = f"Attention of {len(shown)} tokens to each other; the numbers of one row are below"
    return html.Div(
        [
            svg(
                "svg",
                {
                    "class": "heatmap",
                    "viewBox": f"-1 -1 {width:.0f} {height:.1f}",
                    "width": width,
                    "height": height,
                    "role": "img",
                    "aria-label": said,
                    # A click on a cell is found by these (assets/causes.js).
                    "data-cell": f"{cell:g}",
                    "data-start": str(shown.start),
                    "data-count": str(len(shown)),
                    # What the keyboard's cursor says of each (assets/cells.js).
                    "data-percents": _percents(pattern, shown),
                },
                drawn,
            )
        ],
        className="heatmap-frame is-live" if is_live else "heatmap-frame",
        **by_keyboard("attention", _SAYS + (_ASKS if is_live else "")),
    )


def _percents(pattern: Sequence[Sequence[float]], shown: range) -> str:
    """Each reader's attention to the drawn sources up to itself, in whole per cent."""
    return ";".join(
        " ".join(f"{100 * pattern[reader][source]:.0f}" for source in shown[: i + 1])
        for i, reader in enumerate(shown)
    )


def level(attention: float) -> int:
    """How dark a cell is, 0 (not drawn) to ``LEVELS``; a square root, so that little is seen."""
    return round(LEVELS * math.sqrt(max(attention, 0.0)))


def _paths(pattern: Sequence[Sequence[float]], shown: range, cell: float) -> dict[int, str]:
    """The cells of each darkness as one path."""
    size = f"{cell:.2f}"
    cells: dict[int, list[str]] = defaultdict(list)
    for i, reader in enumerate(shown):
        row = pattern[reader]
        for j in range(i + 1):
            dark = level(row[shown.start + j])
            if dark:
                cells[dark].append(f"M{j * cell:.2f} {i * cell:.2f}h{size}v{size}h-{size}z")
    return {dark: "".join(path) for dark, path in cells.items()}


def _staircase(count: int, cell: float) -> str:
    """The outline of what a causal model can read."""
    steps = "".join(f"h{cell:.2f}v{cell:.2f}" for _ in range(count))
    return f"M0 0{steps}H0z"


def _frame(x: float, y: float, width: float, height: float) -> Tree:
    place = {"x": x, "y": y, "width": width, "height": height}
    made: Tree = svg("rect", {"class": "frame", **place})
    return made


def _label(text: str, i: int, cell: float, name: str) -> Tree:
    place: dict[str, str | float] = {"x": (i + 1) * cell + 4, "y": (i + 0.5) * cell, "dy": "0.35em"}
    said = shorten(text, LABEL_LETTERS)
    made: Tree = svg("text", {"class": name, **place}, [said])
    return made


def _is_near(i: int, marked: int, every: int) -> bool:
    """Whether a label would touch the marked one."""
    return abs(i - marked) < every

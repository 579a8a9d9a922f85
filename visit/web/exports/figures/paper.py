"""What a figure is made for: how wide it is on paper, how large its letters are, what it shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

POINTS_PER_MM = 72 / 25.4
NARROWEST_MM, WIDEST_MM = 40.0, 3000.0
SMALLEST_PT, LARGEST_PT = 4.0, 36.0
LOWEST_DPI, HIGHEST_DPI = 72, 1200
LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Paper:
    """A figure's size on paper.

    Attributes:
        width_mm: How wide it is, in millimetres: 180 is a page's width in most journals, 85 a
            column's.
        font_pt: The size of its letters, in points.
        title: What stands above it; what it shows, in words, when empty.
    """

    width_mm: float = 180.0
    font_pt: float = 8.0
    title: str = ""

    def __post_init__(self) -> None:
        check_between("the width", self.width_mm, NARROWEST_MM, WIDEST_MM, "mm")
        check_between("the letters", self.font_pt, SMALLEST_PT, LARGEST_PT, "pt")

    @property
    def width_pt(self) -> float:
        """Its width in points, the unit that it is drawn in."""
        return self.width_mm * POINTS_PER_MM

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Paper:
        """As the browser sent it; what is missing is as by default.

        Raises:
            ValueError: a size is none that a figure can have.
        """
        sizes = {
            name: float(data[name])
            for name in ("width_mm", "font_pt")
            if isinstance(data.get(name), int | float)
        }
        title = data.get("title")
        return cls(**sizes, title=title[:LONGEST_TITLE] if isinstance(title, str) else "")


def check_between(what: str, value: float, low: float, high: float, unit: str) -> None:
    """Check a size.

    Raises:
        ValueError: it is outside of what is allowed.
    """
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{what} of {value:g} {unit} cannot be; give {low:g} to {high:g} {unit}")

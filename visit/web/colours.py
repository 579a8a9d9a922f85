"""What can be done with colours: mix them, see through them, and say how well they are told apart.

A colour is ``#rrggbb``. Which colours there are is ``theme``'s.
"""

from __future__ import annotations

Scale = tuple[str, ...]
"""Colours from 0 to 1, evenly apart; between two of them the channels are mixed, as Plotly does."""


def colour_at(colours: Scale, level: float) -> str:
    """The colour of a level from 0 to 1; what lies outside has the colour of the nearer end."""
    at = min(max(level, 0.0), 1.0) * (len(colours) - 1)
    first = min(int(at), len(colours) - 2)
    part = at - first
    low, high = (channels(colours[i]) for i in (first, first + 1))
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(low, high, strict=True))


def see_through(colour: str, opacity: float) -> str:
    """A colour that lets what is behind it show."""
    red, green, blue = channels(colour)
    return f"rgba({red},{green},{blue},{opacity})"


def contrast(one: str, other: str) -> float:
    """How well two colours are told apart, 1 to 21.

    Source: WCAG 2.2, contrast ratio.
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """How light a colour looks, 0 to 1.

    Source: WCAG 2.2, relative luminance.
    """
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def channels(colour: str) -> tuple[int, int, int]:
    """A colour's red, green and blue, each 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)

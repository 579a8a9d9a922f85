"""Tokens coloured by amounts, each with its number; pointing at one shows what it comes from.

The server makes every colour and number; ``assets/coloured_tokens.js`` puts those of the token that
is pointed at in place of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dash import html
from dash.development.base_component import Component

from visit.web.colours import colour_at
from visit.web.parts import aria, data
from visit.web.theme import Theme, ink_on

N_SHADES = 17
"""From the most against, over nothing in the middle, to the most for."""
_NOTHING = ("transparent", "var(--faint)")
"""What a token that is no source has, as assets/coloured_tokens.js has it."""
MOST_POINTED = 20_000
"""Where tokens have more sources together, they are not told when one is pointed at."""


@dataclass(frozen=True, slots=True)
class ColouredToken:
    """A token that is shown.

    Attributes:
        text: As it is shown.
        node: The id of its node.
        title: What is said of it.
        sources: What each token has of it, from the first on, where that is known.
    """

    text: str
    node: str
    title: str
    sources: Sequence[float] = ()


def colour_tokens(
    tokens: Sequence[ColouredToken],
    of: int,
    theme: Theme,
    say: Callable[[float], str],
    *,
    signed: bool,
    without_first: bool = False,
) -> Component:
    """Tokens, coloured by what they have of one of them.

    Args:
        tokens: In order.
        of: The one whose sources are shown until another is pointed at.
        theme: The colours.
        say: How an amount is written.
        signed: Whether there are amounts against, so that there must be a legend of both.
        without_first: Whether the first token, which models park attention on, is no measure of
            the others' colours.
    """
    is_pointed = sum(len(one.sources) for one in tokens) <= MOST_POINTED
    shades = _shades(theme)
    shown = tokens[of].sources
    levels, numbers = levels_of(shown, without_first), [say(amount) for amount in shown]
    chips = []
    for place, one in enumerate(tokens):
        is_source = place < len(shown)
        colour, ink = shades[levels[place]] if is_source else _NOTHING
        told = {}
        if one.sources and is_pointed:
            told = {
                "levels": " ".join(map(str, levels_of(one.sources, without_first))),
                "numbers": "|".join(map(say, one.sources)),
            }
        name = "coloured is-explained" if one.sources else "coloured"
        chips.append(
            html.Button(
                [
                    html.Span(one.text, className="token"),
                    html.Span(numbers[place] if is_source else "", className="amount"),
                ],
                className=f"{name} is-shown" if place == of else name,
                title=one.title,
                style={"background": colour, "color": ink},
                **data(node=one.node, **told),
            )
        )
    return html.Div(
        [
            html.Div(
                chips,
                className="coloured-tokens",
                role="group",
                **data(shades=" ".join(f"{colour},{ink}" for colour, ink in shades)),
                **aria(label="What each token has of the one that is outlined"),
            ),
            _legend(theme, signed=signed),
        ]
    )


def levels_of(amounts: Sequence[float], without_first: bool = False) -> list[int]:
    """Each amount's shade: the middle one is nothing, the outermost as much as the largest."""
    most = largest_of(amounts, without_first)
    parts = (min(max(amount / most, -1.0), 1.0) for amount in amounts)
    return [round((part + 1) / 2 * (N_SHADES - 1)) for part in parts]


def largest_of(amounts: Sequence[float], without_first: bool) -> float:
    """The largest amount, signs aside, of all or of all but the first; never 0."""
    measured = amounts[1:] if without_first and len(amounts) > 1 else amounts
    return max(map(abs, measured), default=0.0) or 1.0


def _shades(theme: Theme) -> list[tuple[str, str]]:
    """Colours from against to for, each with the ink that reads best on it."""
    scale = theme.scale("difference")
    colours = [colour_at(scale, place / (N_SHADES - 1)) for place in range(N_SHADES)]
    return [(colour, ink_on(colour)) for colour in colours]


def _legend(theme: Theme, *, signed: bool) -> Component:
    low, middle, high = theme.scale("difference")
    colours = f"{low}, {middle}, {high}" if signed else f"{middle}, {high}"
    return html.Div(
        [
            html.Span("against" if signed else "none"),
            html.Span(className="ramp", style={"background": f"linear-gradient(90deg, {colours})"}),
            html.Span("for" if signed else "most"),
        ],
        className="coloured-legend hint",
    )

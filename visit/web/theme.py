"""Every colour of the app, in two themes: the graph's, the figures' and the page's.

From here come the Cytoscape rules (``flow.stylesheet``), the SVG (``exports.svg``), Plotly's
colours and the page's CSS variables (``css_variables``). Nothing else holds a colour; sizes and
strokes are in ``marks``.

Hues are Okabe and Ito's, safe for colour-blind eyes. A sign is told by the dash as well as by the
colour, a kind by the shape as well as by the colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from visit.web.colours import Scale, contrast

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace'


@dataclass(frozen=True, slots=True)
class Hue:
    """A family's fill, border and text."""

    fill: str
    border: str
    text: str


@dataclass(frozen=True, slots=True)
class Theme:
    """Every colour under one theme.

    Attributes:
        is_dark: Whether it writes light on dark.
        ink: What is written.
        soft: What is written and matters less.
        faint: Titles and remarks.
        line: Between the page's parts.
        page: Behind the header's fields and under the pointer.
        pane: Behind the graph.
        raised: Behind the header and the panels.
        shadow: What raised things cast.
        accent: What can be done, and what is chosen.
        accent_ink: Written on ``accent``.
        accent_soft: Behind what is chosen.
        problem: What went wrong.
        problem_soft: Behind it.
        band: Behind a layer, of an even number.
        band_shade: Behind one of an odd number.
        stream: The residual stream's edges.
        plus: What adds along the whole.
        minus: What adds against it.
        other: Edges that add nothing.
        picked: What is picked, found or pinned.
        heat: How much attention a head pays.
        families: The hues of the families of nodes.
        middle: Halfway on the scales of ``ends``.
        ends: A measure's ends, 0 and 1, as a node's fill says it.
        ramps: Of the figures: ``target`` and ``entropy`` (more is stronger: pale to strong on a
            light page, dark to bright on a dark one), and ``link`` (certain to uncertain in one
            hue, so that the orange of a minus stands alone).
        own_ranks: A palette's own colours of a rank, best to worst, where nothing is written on
            them; those of a node's fill when left out.
    """

    is_dark: bool
    ink: str
    soft: str
    faint: str
    line: str
    page: str
    pane: str
    raised: str
    shadow: str
    accent: str
    accent_ink: str
    accent_soft: str
    problem: str
    problem_soft: str
    band: str
    band_shade: str
    stream: str
    plus: str
    minus: str
    other: str
    picked: str
    heat: str
    families: Mapping[str, Hue]
    middle: str
    ends: Mapping[str, tuple[str, str]]
    ramps: Mapping[str, Scale]
    own_ranks: Scale | None = None

    def scale(self, measure: str) -> Scale:
        """The colours of a measure as a node's fill says it, from 0 to 1."""
        low, high = self.ends[measure]
        return low, self.middle, high

    @property
    def ranks(self) -> Scale:
        """The colours of a rank where nothing is written on them, best to worst."""
        return self.own_ranks or self.scale("rank")


LIGHT = Theme(
    is_dark=False,
    ink="#1d2430",
    soft="#4b5565",
    faint="#667085",
    line="#dfe3ea",
    page="#eef1f5",
    pane="#fcfcfd",
    raised="#ffffff",
    shadow="#0a0e16",
    accent="#5b32c9",
    accent_ink="#ffffff",
    accent_soft="#efe9fd",
    problem="#a8281a",
    problem_soft="#fdecea",
    band="#f4f6f9",
    band_shade="#eef1f5",
    stream="#9fb3d1",
    plus="#2b74b8",
    minus="#d2601a",
    other="#98a2b3",
    picked="#7a3ff2",
    heat="#b07508",
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
    ends={
        "rank": ("#79c7a6", "#f0a07f"),
        "entropy": ("#8ec3e8", "#f0dc6a"),
        "logit": ("#f0a07f", "#7db7e8"),
        "difference": ("#f0a07f", "#7db7e8"),
    },
    ramps={
        "target": ("#f1f5fa", "#c9ddf0", "#8dbbe0", "#4389c4", "#134f87"),
        "entropy": ("#faf6ec", "#efdcae", "#dcb25c", "#b07d1c", "#6b4705"),
        "link": ("#1d5f9f", "#6c9fce", "#bcd0e4"),
    },
)
DARK = Theme(
    is_dark=True,
    ink="#e4e8ef",
    soft="#b6bfcd",
    faint="#8b96a8",
    line="#2a313d",
    page="#0b0e13",
    pane="#10141b",
    raised="#171c25",
    shadow="#0a0e16",
    accent="#b08bff",
    accent_ink="#16102b",
    accent_soft="#261e42",
    problem="#ff9c8f",
    problem_soft="#3a1916",
    band="#171c25",
    band_shade="#1b212b",
    stream="#56698c",
    plus="#5aa7ea",
    minus="#f08a43",
    other="#6b7688",
    picked="#b08bff",
    heat="#d9a231",
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
    ends={
        "rank": ("#1c7153", "#8f3d22"),
        "entropy": ("#12578a", "#6f6413"),
        "logit": ("#8f3d22", "#12578a"),
        "difference": ("#8f3d22", "#12578a"),
    },
    ramps={
        "target": ("#161d28", "#14395a", "#1d6298", "#4f9ed8", "#b5ddff"),
        "entropy": ("#1d1a14", "#43340f", "#7d5d12", "#c4962f", "#ffe3a1"),
        "link": ("#8cc6fb", "#3f7db5", "#27415d"),
    },
)
THEMES = {"light": LIGHT, "dark": DARK}

SAFE, VISIT = "safe", "visit"
PALETTES = {SAFE: "colour-blind safe", VISIT: "VISIT's own"}
"""The second is the paper's: green is best and along, grey between, red is worst and against."""
_GREEN_TO_RED = {
    "light": {"plus": "#2c8a4b", "minus": "#c83c34", "best": "#7fc993", "worst": "#ee938c"},
    "dark": {"plus": "#5cc27e", "minus": "#ef7a72", "best": "#1d6b37", "worst": "#8d2f29"},
}
VISIT_RANKS: Scale = ("#2ca02c", "#b4b4b4", "#d62728")
"""The paper's colours of a rank, best to worst. Not safe for colour-blind eyes."""

GROUPS = ("#cc79a7", "#56b4e9", "#e69f00", "#009e73", "#f0e442", "#d55e00")
"""Okabe and Ito's, for the halos of groups, over again where there are more groups."""
INKS = ("#000000", "#ffffff")
"""Of a figure's words that stand on a colour."""
CLEAR = "rgba(0,0,0,0)"
"""No colour: what is behind shows."""
LINE_ON_ANY = "#8884"
"""A line that shows on a light page and on a dark one, where the page is not ours."""


def read_theme(shade: str | None, look: Mapping[str, Any] | None) -> Theme:
    """The theme that a page has, as its stores say it."""
    return choose_theme(shade or "light", (look or {}).get("palette") or SAFE)


def choose_theme(name: str, palette: str = SAFE) -> Theme:
    """A theme with a palette's colours; the default ones where it is none that is known."""
    name = name if name in THEMES else "light"
    theme = THEMES[name]
    if palette != VISIT:
        return theme
    colours = _GREEN_TO_RED[name]
    best, worst = colours["best"], colours["worst"]
    return replace(
        theme,
        plus=colours["plus"],
        minus=colours["minus"],
        ends={
            **theme.ends,
            "rank": (best, worst),
            "logit": (worst, best),
            "difference": (worst, best),
        },
        own_ranks=VISIT_RANKS,
    )


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour: always 4.5:1 or more."""
    return max(INKS, key=lambda ink: contrast(ink, colour))


def css_variables() -> str:
    """The page's CSS variables: the fonts, and every colour in each theme and palette.

    assets/look.js says in ``data-theme`` and ``data-palette`` which are looked at.
    """
    rules = [":root{" + _declarations({"sans": SANS, "mono": MONO}) + "}"]
    for palette in PALETTES:
        for name in THEMES:
            theme = choose_theme(name, palette)
            said = {"color-scheme": name, **dict(_variables(theme))}
            if palette != SAFE:
                plain = dict(_variables(choose_theme(name)))
                said = {key: value for key, value in said.items() if value != plain.get(key)}
                said.pop("color-scheme")
            rules.append(f"{_selector(name, palette)}{{{_declarations(said)}}}")
    return "\n".join(rules)


def _selector(theme: str, palette: str) -> str:
    """What a rule holds for; the light theme and the safe palette are those of a bare page."""
    selector = ":root"
    if palette != SAFE:
        selector += f'[data-palette="{palette}"]'
    if theme != "light":
        selector += f'[data-theme="{theme}"]'
    return selector


def _variables(theme: Theme) -> Iterator[tuple[str, str]]:
    """A theme's variables; ``picked``, say, and ``mlp-fill`` and ``rank-ramp``."""
    for field in fields(theme):
        value = getattr(theme, field.name)
        if isinstance(value, str):
            yield field.name.replace("_", "-"), value
    for family, hue in theme.families.items():
        yield f"{family}-fill", hue.fill
        yield f"{family}-border", hue.border
    for measure in theme.ends:
        yield f"{measure}-ramp", ", ".join(theme.scale(measure))


def _declarations(values: Mapping[str, str]) -> str:
    return "".join(
        f"{name if name == 'color-scheme' else f'--{name}'}:{value};"
        for name, value in values.items()
    )

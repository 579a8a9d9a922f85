"""What stands around the ranked parts: their map, what sorts and filters them, and their table.

Its rows and cells are made in the browser (assets/ranking.js) from the columns of ``rows``.
"""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.web.parts import aria, by_keyboard, data, term

MEASURES = {
    "effect": ("effect", "effect"),
    "flow": ("flow", "flow"),
    "logit": ("direct logit", "direct logit"),
    "estimate": ("estimate", "estimate"),
    "share": ("share", "share"),
    "norm": ("norm", "norm"),
}
"""By what parts can be ranked: what it is called on the screen, and its word of the glossary."""


_MAP_SAYS = (
    "Heads by layers: the arrow keys move, Enter goes to the part; the table has the numbers"
)


def parts_section() -> list[Component]:
    """The map, the filters and the table, each to be filled."""
    return [
        html.Div(
            [
                html.Label(["by ", _pick("rank-by", "Rank parts by", _measures())]),
                html.Span(id="rank-said", className="hint", role="status"),
            ],
            className="rank-head",
        ),
        html.Div(id="rank-map", className="rank-map", **by_keyboard("parts", _MAP_SAYS)),
        html.Div(
            [
                _pick("rank-sort", "Kind of part", [html.Option("all parts", value="")]),
                _pick("rank-layer", "Layer", [html.Option("any layer", value="")]),
                _pick("rank-source", "Source token", [html.Option("any source", value="")]),
            ],
            className="rank-filters",
            role="group",
            **aria(label="Which parts are listed"),
        ),
        html.Table(
            [
                html.Thead(
                    html.Tr(
                        [
                            html.Th("part", scope="col"),
                            html.Th(term("source", "reads"), scope="col", className="of-source"),
                            html.Th(term("outcome", "promotes"), scope="col"),
                            html.Th(html.Span("bar", className="unseen"), scope="col"),
                            *(_heading(name) for name in MEASURES),
                        ]
                    )
                ),
                html.Tbody(id="rank-rows"),
            ],
            className="ranks",
        ),
        html.Button("Show more", id="rank-more", className="quiet", hidden=True),
    ]


def tokens_section() -> list[Component]:
    """The strongest parts' flow to each of the next tokens, as a map to be filled."""
    return [
        html.P(
            [
                "What each of the strongest parts does to the likeliest next tokens: its ",
                term("flow"),
                " to a token's logit, less its mean over the ",
                term("candidates"),
                ".",
            ],
            className="hint",
        ),
        html.Div(id="rank-tokens", className="rank-tokens"),
    ]


def _measures() -> list[Component]:
    return [html.Option(said, value=name) for name, (said, _) in MEASURES.items()]


def _heading(name: str) -> Component:
    said, word = MEASURES[name]
    button = html.Button(said, className="sorter", **data(rank=name))
    return html.Th(
        [button, html.Span(className="term about", **data(term=word), **aria(hidden="true"))],
        scope="col",
        className=f"of-measure of-{name}",
        **data(measure=name),
    )


def _pick(name: str, label: str, options: list[Component]) -> Any:
    return html.Select(options, id=name, **aria(label=label))

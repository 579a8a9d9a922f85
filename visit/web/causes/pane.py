"""The pane *Causes*: agreement, patching, comparing, circuits, and many prompts."""

from __future__ import annotations

from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from visit.web import ids
from visit.web.causes.agreement import PREDICTIONS
from visit.web.causes.circuit import RANKED_BY
from visit.web.causes.controls import second_prompt
from visit.web.comparing.controls import compared_with
from visit.web.consensus.controls import many_prompts
from visit.web.parts import aria, by_keyboard, choice, data
from visit.web.plots.plotly import EMPTY
from visit.web.trees import Tree, trees

_AGREEMENT_SAYS = "Parts as points: the arrow keys move, Enter goes to the part in the flow"
_PATCHING_SAYS = "Maps over the layers: the arrow keys move, Enter goes to the part in the flow"
_CONSENSUS_SAYS = (
    "Parts by their means, and heads by layers: the arrow keys move, Enter goes to the part in the "
    "flow"
)
_CONFIG: Any = {"displayModeBar": False, "scrollZoom": False}


def build_pane() -> Component:
    """The pane's frame; its controls are filled as panels, its figures drawn by the server."""
    return html.Div(
        [
            _section(
                "Agreement",
                "Does what is predicted of a part hold when it is really taken away?",
                ids.AGREEMENT_SAID,
                ids.AGREEMENT,
                html.Div(id=ids.AGREEMENT_BY),
                by_keyboard("agreement", _AGREEMENT_SAYS),
            ),
            _section(
                "Patch from another prompt",
                "Where does another prompt's value carry its answer over?",
                ids.PATCHING_SAID,
                ids.PATCHING,
                html.Div(id=ids.PATCHING_FROM),
                by_keyboard("patching", _PATCHING_SAYS),
            ),
            html.Section(
                [
                    _head("Compare with…", "What differs with another prompt, target or model?"),
                    html.Div(id=ids.COMPARED_WITH),
                ],
                className="causes-section of-comparing",
                **aria(label="Compare with…"),
            ),
            _section(
                "Circuit",
                "Which few parts are enough, with all others ablated?",
                ids.CIRCUIT_SAID,
                ids.CIRCUIT,
                html.Div(id=ids.CIRCUIT_BY),
                {},
                after=html.Div(id=ids.CIRCUIT_PARTS, className="circuit-lists"),
            ),
            _section(
                "Over many prompts",
                "What holds for all prompts of a template, and not for the shown one alone?",
                ids.CONSENSUS_SAID,
                ids.CONSENSUS,
                html.Div(id=ids.CONSENSUS_OF),
                by_keyboard("consensus", _CONSENSUS_SAYS),
                after=html.Div(id=ids.CONSENSUS_PARTS, className="consensus-parts"),
            ),
        ],
        className="causes-pane",
    )


def _head(name: str, asks: str) -> Component:
    return html.Div([html.H2(name), html.P(asks, className="hint")], className="causes-head")


def _section(
    name: str,
    asks: str,
    said: str,
    figure: str,
    controls: Component,
    of_figure: dict[str, Any],
    after: Component | None = None,
) -> Component:
    return html.Section(
        [
            _head(name, asks),
            controls,
            html.Div(id=said, className="causes-said"),
            html.Div(
                dcc.Graph(
                    id=figure, figure=EMPTY, config=_CONFIG, responsive=True, className="figure"
                ),
                className="causes-figure",
                **of_figure,
            ),
            *([] if after is None else [after]),
        ],
        className="causes-section" if after is None else f"causes-section is-wide of-{figure}",
        **aria(label=name),
    )


def pane_panels() -> dict[str, list[Tree]]:
    """The pane's controls, by the part that they fill."""
    return {
        ids.AGREEMENT_BY: trees([choice("Predicted by", "cause-predicted", PREDICTIONS)]),
        ids.PATCHING_FROM: trees([second_prompt("second-of-pane")]),
        ids.COMPARED_WITH: trees(compared_with()),
        ids.CIRCUIT_BY: trees(_circuit_controls()),
        ids.CONSENSUS_OF: trees(many_prompts()),
    }


def _circuit_controls() -> list[Component]:
    """What heads are ranked by, and the button that has the circuit found."""
    return [
        choice("Ranked by", "circuit-by", {by.value: said for by, said in RANKED_BY.items()}),
        html.Button("Find the circuit", className="primary", **data(circuit="")),
    ]

"""What stands where the graph will be, until the first one is drawn.

``assets/cover.js`` shows one of three states: a trace under way, none yet, and one that failed.
"""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from visit.web.parts import aria, data
from visit.web.screen.examples import EXAMPLES

STAGES = {
    "forward": "Running the model",
    "ranking": "Measuring what removing each part does",
    "ledgers": "Adding up the parts",
    "readings": "Reading every part in the model's words",
    "drawing": "Drawing",
}
"""What an engine's stages are called; any other, such as ``loading mini``, is shown as it is."""
COLUMNS, ROWS = 7, 4


def cover() -> list[Component]:
    """The three states."""
    return [
        html.Div(
            [
                html.Div(
                    [html.Span() for _ in range(COLUMNS * ROWS)],
                    className="skeleton",
                    **aria(hidden="true"),
                ),
                html.Div(
                    [
                        html.P("Tracing", className="cover-title"),
                        *(html.P(said, **data(stage=stage)) for stage, said in STAGES.items()),
                        html.P(className="other-stage"),
                    ],
                    className="cover-words",
                ),
            ],
            **data(when="running"),
        ),
        html.Div(
            html.Div(
                [
                    html.P("Nothing is traced yet", className="cover-title"),
                    html.P("Write a prompt above and press Trace, or begin with one of these:"),
                    html.Div(
                        [html.Button(example.name, **example.asked) for example in EXAMPLES],
                        className="cover-buttons",
                    ),
                ],
                className="cover-words",
            ),
            **data(when="empty"),
        ),
        html.Div(
            html.Div(
                [
                    html.P("That could not be traced", className="cover-title"),
                    html.P(
                        "The line above says why. Correct it and press Trace, or leave this link "
                        "and open the app with its own example."
                    ),
                    html.Div(
                        html.Button("Start afresh", **data(cover="afresh")),
                        className="cover-buttons",
                    ),
                ],
                className="cover-words",
            ),
            **data(when="failed"),
        ),
    ]

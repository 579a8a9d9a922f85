"""The tour: five short steps past the parts of the screen, and the line that offers it once.

``assets/tour.js`` shows one step at a time beside the part that it is about, and passes over a step
whose part is not on the page.
"""

from __future__ import annotations

from dataclasses import dataclass

from dash import html
from dash.development.base_component import Component

from visit.web.parts import aria, data


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        title: What the part is for.
        says: How it is used, in a sentence or two.
        part: The part, as a CSS selector; where it finds several elements, all of them together.
        sides: Where the card may stand, the best side first.
    """

    title: str
    says: str
    part: str
    sides: str


STEPS = (
    Step(
        "Ask",
        "Write a prompt, or choose an example, and press Trace. The model runs once; the token it "
        "predicts is the target, unless you name another.",
        ".field.wide, .act",
        "below",
    ),
    Step(
        "Follow the flow",
        "Rows are tokens, columns are layers, and an edge's width shows how much it carries. Tap "
        "an attention, an MLP or a head to open it; a second tap closes it.",
        ".canvas",
        "right left below",
    ),
    Step(
        "Read a part",
        "See what the picked node says through the lens, and its ledger: the parts that add up to "
        "it. Tap a part to go to it; point at a dotted word to see what it means.",
        ".side",
        "left right",
    ),
    Step(
        "Keep what matters",
        "Move the slider to see more parts or fewer, chosen by their flow or by their measured "
        "effect. “Unexplained” says how much of the flow does not come through what is drawn.",
        ".tool:has(#count), .tool:has(#unexplained)",
        "below above",
    ),
    Step(
        "See every residual",
        "The lens grid (logit lens) says what each position would predict at each depth. Choose a "
        "cell to find it in the graph. Export, above, saves what you found.",
        ".dock",
        "above right",
    ),
)


def card() -> list[Component]:
    """The card with all its steps, of which one is shown, and the outline of the part."""
    return [
        html.Div(id="tour-outline", className="tour-outline", hidden=True),
        html.Div(
            [
                html.Div([_step(step) for step in STEPS], id="tour-steps", **aria(live="polite")),
                html.Div(
                    [
                        html.Span(id="tour-count", className="hint"),
                        _button("Skip", "end"),
                        _button("Back", "back"),
                        html.Button("Next", className="primary", **data(tour="next")),
                    ],
                    className="tour-buttons",
                ),
            ],
            id="tour-card",
            className="tour-card",
            role="dialog",
            hidden=True,
            **aria(label="Tour", describedby="tour-steps"),
        ),
    ]


def offer() -> list[Component]:
    """The line that offers the tour on a first visit."""
    return [
        html.Span("New here?"),
        html.Button("Take the one-minute tour", className="quiet", **data(tour="start")),
        html.Button("No thanks", className="quiet", **data(tour="decline")),
    ]


def _step(step: Step) -> Component:
    return html.Section(
        [html.H2(step.title), html.P(step.says)],
        hidden=True,
        **data(part=step.part, sides=step.sides),
    )


def _button(words: str, does: str) -> Component:
    return html.Button(words, className="quiet", **data(tour=does))

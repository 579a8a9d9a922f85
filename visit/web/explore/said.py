"""What was found, in words."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from visit.graph.explored.answer import Explored
from visit.web.explore.view import ExploreView


def say_explored(answer: Explored) -> list[Component]:
    """The findings, a line each, the first as the headline."""
    return [
        html.P(said, className="explore-first" if not number else "")
        for number, said in enumerate(answer.findings())
    ]


def say_marks(view: ExploreView) -> list[Component]:
    """What the figure's marks mean, below it."""
    return [html.P(view.says, className="hint explore-says")] if view.says else []

"""What a figure is drawn of, and how it is to look: the same on the screen and for print."""

from __future__ import annotations

from dataclasses import dataclass

from visit.graph.index import Index
from visit.web.state.graphs import Graphs
from visit.web.state.jobs import Jobs
from visit.web.state.view import View
from visit.web.theme import Theme


@dataclass(frozen=True, slots=True)
class Scene:
    """What a figure is drawn of.

    Attributes:
        index: The graph, with every opened block in it.
        view: What is open in it and noted.
        graphs: What else is known of it, and who may be asked.
        jobs: Where it is drawn.
    """

    index: Index
    view: View
    graphs: Graphs
    jobs: Jobs


@dataclass(frozen=True, slots=True)
class Drawn:
    """How a figure is to look: its colours, and its size in px."""

    theme: Theme
    width: int
    height: int

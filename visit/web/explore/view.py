"""How an explorable's answer is shown: what a module of ``visit.web.explore.views`` gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dash.development.base_component import Component

from visit.engine.options import Option
from visit.graph.explored.answer import Explored
from visit.text import visible_neighbours
from visit.web.plots.plotly import Figure
from visit.web.theme import Theme


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer, and how it is to be shown.

    Attributes:
        answer: What was found.
        chosen: What is chosen of how it is shown, as texts by the view's options.
        theme: The page's colours.
        width: Of the figure, in px.
    """

    answer: Explored
    chosen: Mapping[str, str]
    theme: Theme
    width: int

    @property
    def tokens(self) -> tuple[str, ...]:
        """The prompt's tokens as they are shown."""
        return visible_neighbours([token.text for token in self.answer.tokens])


def choice(name: str, label: str, says: str, hint: type[StrEnum]) -> Option:
    """A choice of how an answer is shown; its first member is the default."""
    return Option(name, label, says, "", hint, next(iter(hint)), lines=False, long=False)


@dataclass(frozen=True, slots=True)
class ExploreView:
    """What shows an explorable.

    Attributes:
        draw: The figure; its layout says its ``height`` in px. A mark with a node's id, or a list
            that begins with one, as ``customdata`` leads to that node.
        says: What the figure's marks mean, where it does not say it itself.
        options: What can be chosen of how it is shown, beside what is asked.
        above: What stands above the figure, such as coloured tokens.
    """

    draw: Callable[[Shown], Figure]
    says: str = ""
    options: tuple[Option, ...] = ()
    above: Callable[[Shown], Sequence[Component]] | None = None

    def read(self, shown: Shown, name: str) -> Any:
        """What is chosen of one of its options; its default where that is nothing known."""
        one = next(option for option in self.options if option.name == name)
        text = shown.chosen.get(name, "")
        return text if text in one.choices else one.said

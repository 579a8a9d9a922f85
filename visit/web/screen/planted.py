"""What of the screen Dash need not know: it is taken out of the layout, and built by the page.

Dash asks every component of a layout again on each of the dozen steps that a callback takes. So the
layout keeps what callbacks set and draw, and what that stands in. All else is planted: its place
stays, empty, and is filled with trees once, as the panels are (``visit/web/trees.py``).
"""

from __future__ import annotations

from typing import Any

from dash.development.base_component import Component

from visit.web import ids
from visit.web.trees import Tree, children_of, trees

LIVE = frozenset(
    {
        *(ids.TRACE, ids.CANCEL, ids.STAGE, ids.PROGRESS, ids.PROBLEM),
        *(ids.CONTINUING_SAID, ids.LENS_SHEET, ids.EXPLORE_SHEET),
    }
)
"""The parts of plain HTML that callbacks set or listen to."""
_HTML = "dash_html_components"


def plant(screen: Component) -> dict[str, list[Tree]]:
    """Take out of a screen what Dash need not know.

    Args:
        screen: It is changed.

    Returns:
        What to fill its emptied parts with, by their ids; outer parts before those inside them.
    """
    planted: dict[str, list[Tree]] = {}
    _plant(screen, planted)
    return planted


def _plant(part: Any, planted: dict[str, list[Tree]]) -> None:
    inside = [child for child in children_of(part) if isinstance(child, Component)]
    if inside and all(map(_is_still, inside)):
        part.id = getattr(part, "id", None) or f"planted-{len(planted)}"
        planted[part.id] = trees(children_of(part))
        part.children = None
        return
    for child in inside:
        _plant(child, planted)


def _is_still(part: Component) -> bool:
    """Whether nothing but the page's scripts changes a part, or anything inside it."""
    if part._namespace != _HTML or getattr(part, "id", None) in LIVE:
        return False
    return all(_is_still(child) for child in children_of(part) if isinstance(child, Component))

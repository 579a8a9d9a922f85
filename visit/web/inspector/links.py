"""From a picked part to what can be explored of it."""

from __future__ import annotations

from dataclasses import dataclass

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import NodeId, NodeKind
from visit.web.parts import data

_HEADS = frozenset({NodeKind.HEAD, NodeKind.QUERY, NodeKind.KEY, NodeKind.VALUE})
_MEMORIES = frozenset({NodeKind.MEMORY_KEY, NodeKind.MEMORY_VALUE})
_RESIDUALS = frozenset({NodeKind.EMBED, NodeKind.RESID_MID, NodeKind.RESID_POST})


@dataclass(frozen=True, slots=True)
class _Link:
    """An explorable that can be asked about parts of some kinds.

    Attributes:
        kinds: Of the parts.
        explorable: Its name.
        option: Which of its options names the part, or of a residual its position.
        words: What the button says.
        title: What it does.
    """

    kinds: frozenset[NodeKind]
    explorable: str
    option: str
    words: str
    title: str


_LINKS = (
    _Link(_HEADS | _MEMORIES, "contexts", "part", "contexts", "Where in a text it is most active"),
    _Link(_HEADS, "heads", "head", "card", "What it is known by, what it reads and feeds"),
    _Link(_HEADS, "query-key", "head", "queries and keys", "Which queries lie near which keys"),
    _Link(_RESIDUALS, "watch", "at", "tokens over depth", "Which tokens come up here, and when"),
)


def explore_links(node_id: NodeId) -> list[Component]:
    """A button for each explorable of a part; nothing where there is none."""
    links = [one for one in _LINKS if node_id.kind in one.kinds]
    if not links:
        return []
    part = str(node_id.position) if node_id.kind in _RESIDUALS else _name(node_id)
    buttons = [
        html.Button(
            one.words,
            className="quiet",
            title=one.title,
            **data(explore=one.explorable, chosen=f"{one.explorable}.{one.option}={part}"),
        )
        for one in links
    ]
    return [
        html.Div([html.Span("Explore:", className="hint"), *buttons], className="explore-links")
    ]


def _name(node_id: NodeId) -> str:
    """The head or memory that a node belongs to, without its position."""
    sort = "head" if node_id.kind in _HEADS else "memory"
    return f"L{node_id.layer}.{sort}{node_id.number}"

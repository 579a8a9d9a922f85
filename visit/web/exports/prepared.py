"""What a page without a server can show, made in advance: drawings, and the inspector's panels.

One drawing has everything closed, one has open what was open when the page was made, and one for
each of the strongest blocks has that block alone open (a head or the attention neurons inside their
opened attention). Most elements of two drawings are the same, so each is kept once. The panels are
those of the nodes that are drawn, the strongest first. Both are bounded, since a real model's graph
has hundreds of blocks and thousands of nodes, and each takes milliseconds: a page of all took 73 s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

from dash.development.base_component import Component

from visit.engine.progress import Progress, silent
from visit.formats.document import compact_json
from visit.graph.flow import Node, NodeId, Note
from visit.graph.index import Index
from visit.graph.kinds import RESIDUALS
from visit.graph.relations import way_in
from visit.graph.selection import can_open
from visit.web import ids, inspector
from visit.web.flow import elements
from visit.web.inspector import DOCUMENT_TABS, Tab
from visit.web.look import Look
from visit.web.screen.graph_panels import note
from visit.web.screen.search import searchable
from visit.web.trees import Tree, tree, trees

HEAD, NOTED = "head", "noted"
MOST_PICTURES = 16
"""Drawings in a page."""
MOST_NODES: Mapping[str, int] = MappingProxyType(
    {HEAD: 320, NOTED: 320, **dict.fromkeys(DOCUMENT_TABS, 320), Tab.PATH: 80, Tab.WHERE: 80}
)
"""Nodes in a page that have each kind of piece: a path's steps and a table of every layer take ten
times as long as the others."""
_ONE_LISTS = frozenset({"tokens", "kinds", "names", "glossary", "words", "ways"})
"""What the search's table says once; all else in it is a column of nodes."""


def draw_ahead(
    index: Index,
    opened: Sequence[NodeId] = (),
    tell: Progress = silent,
    look: Look | None = None,
) -> tuple[dict[str, Any], list[Node]]:
    """The drawings: ``parts``, each an element, and ``pictures``, which name them by number.

    Args:
        index: The graph.
        opened: What is open at first.
        tell: Told how far the drawings are.
        look: How many parts are drawn, and what besides.

    Returns:
        The drawings, and the nodes that are in any of them, the strongest first.
    """
    parts: dict[str, int] = {}
    made = []
    drawn_nodes: dict[NodeId, Node] = {}
    openings = list_openings(index, opened)
    for number, shown in enumerate(openings):
        tell("drawings", number / len(openings))
        drawn, picture = elements.draw(index, shown, look)
        drawn_nodes |= {node.id: node for node in drawn.nodes}
        made.append(
            {
                "opened": [str(node_id) for node_id in shown],
                "parts": [parts.setdefault(compact_json(part), len(parts)) for part in picture],
                "panels": {ids.NOTE: trees(note(index, drawn))},
            }
        )
    return {"parts": list(parts), "pictures": made}, sorted(
        drawn_nodes.values(), key=lambda node: _strength(index, node.id)
    )


def list_openings(index: Index, opened: Sequence[NodeId] = ()) -> list[tuple[NodeId, ...]]:
    """What is open in each drawing, none twice: as many as a page holds."""
    found = {frozenset(shown): shown for shown in ((), tuple(opened))}
    for shown in _list_single_openings(index):
        if len(found) >= MOST_PICTURES:
            break
        found.setdefault(frozenset(shown), shown)
    return list(found.values())


def _list_single_openings(index: Index) -> Iterator[tuple[NodeId, ...]]:
    """Each part alone with what it is opened inside of, the one that carries most first."""
    for node_id in sorted(index.nodes, key=lambda n: _strength(index, n)):
        if can_open(index, node_id):
            yield (*way_in(index, node_id), node_id)


def _strength(index: Index, node_id: NodeId) -> tuple[bool, float]:
    """What sorts nodes: parts first, then the residuals, each from what carries most to least."""
    return node_id.kind in RESIDUALS, -index.carries.get(node_id, 0.0)


def render_panels(index: Index, nodes: Sequence[Node], tell: Progress = silent) -> dict[str, str]:
    """The inspector's panels in pieces: for each kind of piece, a line for each node.

    The pieces are a node's ``HEAD``, the body of each tab, and what the node is in a list of
    ``NOTED`` ones; the head of no node is of the trace as a whole. They are without notes, which
    the page shows as they are then. The lines of a kind are alike, which packs them well; a kind
    is unpacked, and a line read, when it is needed.

    Args:
        index: The graph.
        nodes: Those that have panels, the most needed first: of each kind of piece, the first
            ``MOST_NODES`` have one.
        tell: Told how far the panels are.
    """
    made = {}
    for number, (kind, most) in enumerate(MOST_NODES.items()):
        tell("panels", number / len(MOST_NODES))
        first = [("", inspector.about(index))] if kind == HEAD else []
        pieces = ((str(node.id), [_build_piece(index, node, kind)]) for node in nodes[:most])
        made[str(kind)] = _join_lines(first, pieces)
    return made


def _build_piece(index: Index, node: Node, kind: str) -> Component:
    if kind == HEAD:
        return inspector.node_head(index.flow, node)
    if kind == NOTED:
        return inspector.noted_node(index, Note(node.id))
    return inspector.tab_body(index, node, Tab(kind))


def list_searchable(index: Index, nodes: Iterable[Node]) -> dict[str, Any]:
    """What can be searched in a page that has panels of these nodes: nothing else is found."""
    table = searchable(index)
    kept = {str(node.id) for node in nodes}
    rows = [row for row, node_id in enumerate(table["id"]) if node_id in kept]
    return {
        name: said if name in _ONE_LISTS else [said[row] for row in rows]
        for name, said in table.items()
    }


def _join_lines(*pieces: Iterable[tuple[str, list[Component]]]) -> str:
    """A node's id, a tab stop, and its trees as JSON, a line each."""
    return "\n".join(f"{name}\t{compact_json(trees(made))}" for name, made in chain(*pieces))


def render_tab_bars() -> dict[str, Tree]:
    """The inspector's tabs with each of them shown."""
    return {tab: tree(inspector.tab_bar(tab)) for tab in inspector.DOCUMENT_TABS}

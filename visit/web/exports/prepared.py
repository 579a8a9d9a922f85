"""Every drawing and every panel that a page without a server can show, made in advance.

One drawing has everything closed, one has open what was open when the page was made, and one for
each block that the graph holds has that block alone open (a head or the attention neurons inside
their opened attention). Most elements of two drawings are the same, so each is kept once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from dash.development.base_component import Component

from visit.formats.document import compact_json
from visit.graph.flow import NodeId, Note
from visit.graph.index import Index
from visit.graph.kinds import BLOCKS
from visit.graph.relations import attention_of
from visit.graph.selection import can_open
from visit.web import ids, inspector
from visit.web.flow import elements
from visit.web.screen.graph_panels import note
from visit.web.trees import Tree, tree, trees

HEAD, NOTED = "head", "noted"


def draw_ahead(index: Index, opened: Sequence[NodeId] = ()) -> dict[str, Any]:
    """The drawings: ``parts``, each an element, and ``pictures``, which name them by number.

    Args:
        index: The graph.
        opened: What is open at first.
    """
    parts: dict[str, int] = {}
    made = []
    for shown in _list_openings(index, opened):
        drawn, picture = elements.draw(index, shown)
        made.append(
            {
                "opened": [str(node_id) for node_id in shown],
                "parts": [parts.setdefault(compact_json(part), len(parts)) for part in picture],
                "panels": {ids.NOTE: trees(note(drawn))},
            }
        )
    return {"parts": list(parts), "pictures": made}


def _list_openings(index: Index, opened: Sequence[NodeId]) -> Iterator[tuple[NodeId, ...]]:
    """What is open in each drawing, none twice."""
    seen = set()
    for shown in ((), tuple(opened), *_list_single_openings(index)):
        if frozenset(shown) not in seen:
            seen.add(frozenset(shown))
            yield shown


def _list_single_openings(index: Index) -> Iterator[tuple[NodeId, ...]]:
    for node_id in index.nodes:
        if can_open(index, node_id):
            yield (node_id,) if node_id.kind in BLOCKS else (attention_of(node_id), node_id)


def render_panels(index: Index) -> dict[str, str]:
    """The inspector's panels in pieces: for each kind of piece, a line for each node.

    The pieces are a node's ``HEAD``, the body of each tab, and what the node is in a list of
    ``NOTED`` ones; the head of no node is of the trace as a whole. They are without notes, which
    the page shows as they are then. The lines of a kind are alike, which packs them well; a kind
    is unpacked, and a line read, when it is needed.
    """
    return {
        HEAD: _join_lines(
            [("", inspector.about(index))],
            ((str(node.id), [inspector.node_head(index.flow, node)]) for node in index.flow.nodes),
        ),
        NOTED: _join_lines(
            (str(node.id), [inspector.noted_node(index, Note(node.id))])
            for node in index.flow.nodes
        ),
        **{
            tab: _join_lines(
                (str(node.id), [inspector.tab_body(index, node, tab)]) for node in index.flow.nodes
            )
            for tab in inspector.Tab
        },
    }


def _join_lines(*pieces: Iterable[tuple[str, list[Component]]]) -> str:
    """A node's id, a tab stop, and its trees as JSON, a line each."""
    return "\n".join(f"{name}\t{compact_json(trees(made))}" for name, made in chain(*pieces))


def render_tab_bars() -> dict[str, Tree]:
    """The inspector's tabs with each of them shown."""
    return {tab: tree(inspector.tab_bar(tab)) for tab in inspector.Tab}

"""What the search box looks through: every node of a graph as a small table, and the box itself.

The browser reads the query and finds the nodes by itself (assets/search.js), so that a key costs no
question to the server, and a page without one can be searched too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import EdgeKind, Ledger, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.selection import attention_of
from visit.text import visible
from visit.web import ids
from visit.web.flow.elements import family
from visit.web.parts import aria, field
from visit.web.trees import Part
from visit.web.words import KIND_WORDS, title

WORDS = 5
"""How many of a reading's top tokens are looked through."""
_IN_ATTENTION = frozenset({NodeKind.HEAD, NodeKind.HEADS_REST, NodeKind.ATTN_BIAS})
_NEURONS = frozenset({NodeKind.ATTN_NEURON, NodeKind.NEURONS_REST})
_IN_MLP = frozenset(
    {
        NodeKind.LN2,
        NodeKind.MEMORY_KEY,
        NodeKind.MEMORY_VALUE,
        NodeKind.MLP_BIAS,
        NodeKind.MEMORIES_REST,
        NodeKind.EXPERT,
        NodeKind.SHARED_EXPERT,
        NodeKind.EXPERTS_REST,
    }
)
_NUMBERED = frozenset(
    {NodeKind.ATTN_NEURON, NodeKind.MEMORY_KEY, NodeKind.MEMORY_VALUE, NodeKind.EXPERT}
)
_OF_READER = frozenset({NodeKind.QUERY, NodeKind.SOURCES_REST})
_TO_A_HEAD = frozenset({EdgeKind.READS, EdgeKind.SCORES, EdgeKind.WEIGHS, EdgeKind.ADDS})


def searchable(index: Index) -> dict[str, Any]:
    """Every node of a graph, drawn or not, as columns; what repeats is said once and numbered.

    ``kinds``, ``words`` and ``ways`` are what the numbers of the columns ``kind``, ``top`` and
    ``way`` stand for. A way is the nodes to open for a node to be drawn, outermost first, as
    ``data-open`` has it. Measures have four digits; what does not apply is ``null``.
    """
    numbers = {kind: number for number, kind in enumerate(NodeKind)}
    words, ways = _Numbered(), _Numbered()
    shown: dict[str, int] = {}
    top = []
    for node in index.flow.nodes:
        row = []
        for token in node.reading.top[:WORDS]:
            if token.text not in shown:
                shown[token.text] = words.number(visible(token.text))
            row.append(shown[token.text])
        top.append(row)
    nodes = index.flow.nodes
    node_ids = [node.id for node in nodes]
    return {
        "tokens": [visible(token.text) for token in index.flow.tokens],
        "kinds": [[str(kind), family(kind), _title(kind)] for kind in NodeKind],
        "id": list(map(str, node_ids)),
        "kind": [numbers[node_id.kind] for node_id in node_ids],
        "layer": [node_id.layer for node_id in node_ids],
        "position": [node_id.position for node_id in node_ids],
        "head": [node_id.head for node_id in node_ids],
        "index": [node_id.index for node_id in node_ids],
        "top": top,
        "rank": [node.reading.target.rank for node in nodes],
        "norm": [_short(node.reading.norm) for node in nodes],
        "carried": [_short(index.carries.get(node_id, 0.0)) for node_id in node_ids],
        "logit": [_short(index.direct_logit(node_id)) for node_id in node_ids],
        "way": [ways.number(way(index, node_id)) for node_id in node_ids],
        "words": words.all,
        "ways": ways.all,
    }


class _Numbered:
    """Texts in the order in which they were first met."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """A text's number."""
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def all(self) -> list[str]:
        """The texts, each at its number."""
        return list(self._numbers)


def _title(kind: NodeKind) -> str:
    """What a node of a kind is in words, up to the number of its head or its own."""
    if kind is NodeKind.HEAD or kind in _OF_READER | {NodeKind.KEY, NodeKind.VALUE}:
        return title(NodeId(kind, 0, 0, head=0)).removesuffix("0")
    if kind in _NUMBERED:
        return title(NodeId(kind, 0, 0, index=0)).removesuffix("0")
    return KIND_WORDS[kind]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def way(index: Index, node_id: NodeId) -> str:
    """The nodes that must be open for a node to be drawn, outermost first; for most by its kind.

    A source's key and value are shown with the head that reads them, at the traced position where
    several do; a norm before attention with the first head whose query reads it.
    """
    return " ".join(map(str, _opened(index, node_id)))


def _opened(index: Index, node_id: NodeId) -> Iterable[NodeId]:
    kind, position, layer = node_id.kind, node_id.position, node_id.layer
    if kind in _IN_ATTENTION:
        return (attention_of(node_id),)
    if kind in _NEURONS:
        return attention_of(node_id), NodeId(NodeKind.NEURONS_REST, position, layer)
    if kind in _IN_MLP:
        return (NodeId(NodeKind.MLP, position, layer),)
    if kind in _OF_READER:
        return attention_of(node_id), NodeId(NodeKind.HEAD, position, layer, node_id.head)
    if kind in (NodeKind.KEY, NodeKind.VALUE, NodeKind.LN1):
        head = _reader(index, node_id)
        return () if head is None else (attention_of(head), head)
    return ()


def _reader(index: Index, node_id: NodeId) -> NodeId | None:
    """The head that a norm, key or value is drawn with."""
    heads, waiting, met = [], [node_id], {node_id}
    while waiting:
        for edge in index.out_of.get(waiting.pop(), ()):
            if edge.kind is EdgeKind.ADDS and edge.ledger is Ledger.SOURCES:
                heads.append(edge.target)
            elif edge.kind in _TO_A_HEAD and edge.target not in met:
                met.add(edge.target)
                waiting.append(edge.target)
    return min(heads, key=lambda head: (head.position != index.flow.position, head), default=None)


def finder() -> list[Part]:
    """The box, and the list of what is found that opens under it."""
    return [
        field(
            **{"id": ids.SEARCH, "type": "text", "role": "combobox", "class": "search"},
            placeholder='Search  head L>5 "Tokyo"',
            autocomplete="off",
            spellcheck="false",
            autocapitalize="off",
            **aria(
                label="Search the graph",
                expanded="false",
                controls=ids.FOUND,
                autocomplete="list",
                describedby=ids.FOUND_NOTE,
            ),
        ),
        html.Span("/", className="key", title="The key / comes here", **aria(hidden="true")),
        html.Button(
            "×",
            id=ids.SEARCH_CLEAR,
            className="clear",
            title="Clear (Esc)",
            hidden=True,
            **aria(label="Clear the search"),
        ),
        html.Div(
            [
                html.Div(id=ids.FOUND_NOTE, className="found-note", role="status"),
                html.Div(id=ids.FOUND, role="listbox", **aria(label="Nodes found")),
                html.Div(_grammar(), className="grammar"),
            ],
            id=ids.FOUND_PANEL,
            className="found-panel",
            hidden=True,
        ),
    ]


_GRAMMAR = (
    ("Tokyo", "nodes that say it, or a word with it"),
    ('"key"', "quoted, a word that is also a kind"),
    ("head, memory, query, rest …", "a kind"),
    ("L>5  @7  head=3  rank<=10", "layer, position, head, rank"),
    ("logit>0.5  carried>1%  norm<20", "direct logit, part carried, norm"),
    ("L5.head3@7", "an id, or how it begins"),
    ("#group", "a name or a group of yours"),
)


def _grammar() -> list[Component]:
    """How a query is written, by examples; all of its terms must hold."""
    lines = [part for said, means in _GRAMMAR for part in (html.Dt(said), html.Dd(means))]
    return [html.Dl(lines)]

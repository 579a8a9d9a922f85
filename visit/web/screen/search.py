"""What the search box looks through: every node of a graph as a small table, and the box itself.

The browser reads the query and finds the nodes by itself (assets/search.js), so that a key costs no
question to the server, and a page without one can be searched too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.graph.flow import Node, NodeId
from visit.graph.index import Index
from visit.graph.kinds import NODES, NodeRow, names
from visit.graph.ranking import Part as RankedPart
from visit.graph.ranking import Ranking
from visit.graph.relations import way_in
from visit.text import visible
from visit.web import ids
from visit.web.parts import aria, field
from visit.web.screen.glossary import GLOSSARY
from visit.web.trees import Part
from visit.web.words import title_start

WORDS = 5
"""How many of a reading's top tokens are looked through."""


def searchable(index: Index, ranking: Ranking | None = None) -> dict[str, Any]:
    """Every node of a graph, drawn or not, as columns; what repeats is said once and numbered.

    ``kinds``, ``words`` and ``ways`` are what the numbers of the columns ``kind``, ``top`` and
    ``way`` stand for. A way is the nodes to open for a node to be drawn, outermost first, as
    ``data-open`` has it. Measures have four digits; what does not apply is ``null``. What a query
    may call a kind is in ``names``, and in ``glossary`` what else it may ask the meaning of.

    Args:
        index: The graph.
        ranking: All parts at the traced position, where an engine told of them: those that the
            graph lacks follow its nodes. Their words are the tokens that they promote in the end,
            and they have no rank, since nothing was read of them.
    """
    numbers = {kind: number for number, kind in enumerate(NODES)}
    words, ways = _Numbered(), _Numbered()
    shown: dict[str, int] = {}
    rows = [_row_from_node(index, node) for node in index.flow.nodes]
    if ranking is not None:
        lacking = (part for part in ranking.parts if part.id not in index.nodes)
        rows += [_row_from_part(index, part) for part in lacking]
    top = []
    for row in rows:
        for text in row.texts:
            if text not in shown:
                shown[text] = words.number(visible(text))
        top.append([shown[text] for text in row.texts])
    node_ids = [row.id for row in rows]
    return {
        "tokens": list(index.flow.shown),
        "kinds": [
            [str(row.kind), str(row.role), title_start(row.kind), row.numbered_by, _stem(row)]
            for row in NODES.values()
        ],
        "names": {name: [str(kind) for kind in kinds] for name, kinds in names().items()},
        "glossary": [[word.name, list(word.also), word.says] for word in GLOSSARY.values()],
        "id": list(map(str, node_ids)),
        "kind": [numbers[node_id.kind] for node_id in node_ids],
        "layer": [node_id.layer for node_id in node_ids],
        "position": [node_id.position for node_id in node_ids],
        "head": [node_id.head for node_id in node_ids],
        "index": [node_id.index for node_id in node_ids],
        "top": top,
        "rank": [row.rank for row in rows],
        "norm": [_short(row.norm) for row in rows],
        "carried": [_short(row.carried) for row in rows],
        "logit": [_short(row.logit) for row in rows],
        "way": [ways.number(" ".join(map(str, way_in(index, node_id)))) for node_id in node_ids],
        "words": words.all,
        "ways": ways.all,
    }


@dataclass(frozen=True, slots=True)
class _Row:
    """What is looked through of one node."""

    id: NodeId
    texts: tuple[str, ...]
    rank: int | None
    norm: float
    carried: float | None
    logit: float | None


def _row_from_node(index: Index, node: Node) -> _Row:
    return _Row(
        id=node.id,
        texts=tuple(token.text for token in node.reading.top[:WORDS]),
        rank=node.reading.target.rank,
        norm=node.reading.norm,
        carried=index.carries.get(node.id, 0.0),
        logit=index.direct_logit(node.id),
    )


def _row_from_part(index: Index, part: RankedPart) -> _Row:
    return _Row(
        id=part.id,
        texts=tuple(token.text for token in part.outcome.promotes[:WORDS]),
        rank=None,
        norm=part.norm,
        carried=index.part_of_flow(part.flow) if index.by_flow else None,
        logit=part.direct,
    )


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


def _stem(row: NodeRow) -> str:
    """How an id of a kind begins, after its layer: up to its number, if it has one."""
    return (row.id_name or str(row.kind)).partition("#")[0]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def finder() -> list[Part]:
    """The box, and the list of what is found that opens under it."""
    return [
        field(
            **{"id": ids.SEARCH, "type": "text", "role": "combobox", "class": "search"},
            placeholder="Search",
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
            title="Clear",
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
    ("Tokyo", "what says or promotes it, or a word with it"),
    ('"key"', "quoted, a word that is also a kind"),
    ("head, memory, query, rest …", "a kind, by our name or the field's"),
    ("DLA, logit lens, proximity …", "what a word means"),
    ("L>5  @7  head=3  rank<=10", "layer, position, head, rank"),
    ("logit>0.5  carried>1%  norm<20", "direct logit, part carried, norm"),
    ("L5.head3@7", "an id, or how it begins"),
    ("#group", "a name or a group of yours"),
)


def _grammar() -> list[Component]:
    """How a query is written, by examples; all of its terms must hold."""
    lines = [part for said, means in _GRAMMAR for part in (html.Dt(said), html.Dd(means))]
    return [html.Dl(lines)]

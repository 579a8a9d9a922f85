"""All about the picked node: its head, its tabs of which one is shown, and its note."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import cast

from dash import html
from dash.development.base_component import Component

from visit.engine.questions import Pattern
from visit.graph.flow import FlowGraph, Node, NodeId, Note
from visit.graph.index import Index
from visit.graph.ranking import Part, Ranking
from visit.text import one_line
from visit.web.causes.controls import controls
from visit.web.inspector import note as notes
from visit.web.inspector.links import explore_links
from visit.web.inspector.needs import DOCUMENT_TABS, TAB_WORDS, Tab, TabAnswer
from visit.web.inspector.overview import versus
from visit.web.inspector.pieces import hint, swatch
from visit.web.inspector.tabs.attention import attention_tab, reads_tokens
from visit.web.inspector.tabs.depths import where_tab
from visit.web.inspector.tabs.ledger import ledger_tab
from visit.web.inspector.tabs.path import path_tab
from visit.web.inspector.tabs.words import part_words, words
from visit.web.parts import aria, data, word_at
from visit.web.words import name_part, place, title

_BODY = "inspector-body"


def node_panel(
    index: Index,
    node: Node,
    tab: Tab = Tab.WORDS,
    answer: TabAnswer | None = None,
    note: Note | None = None,
    tabs: Sequence[Tab] = DOCUMENT_TABS,
) -> list[Component]:
    """All about one node: its head, the tabs, one tab's body, and the reader's note.

    Args:
        index: The graph it is in.
        node: The node.
        tab: The tab that is shown.
        answer: What an engine answered to what the tab ``wants``; it can do without.
        note: The reader's note of this node.
        tabs: Those that there are.
    """
    links = explore_links(node.id) if Tab.CAUSES in tabs else []
    return [
        node_head(index.flow, node, note),
        *links,
        tab_bar(tab, tabs),
        tab_body(index, node, tab, answer, is_live=Tab.CAUSES in tabs),
        notes.editor(node.id, note),
    ]


def part_panel(index: Index, part: Part, ranking: Ranking) -> list[Component]:
    """All that is known of a part at the traced position that the graph does not hold."""
    return [
        html.Div(
            [_back(), html.H2(name_part(part.id)), hint("The graph does not hold this part.")],
            className="node-head",
        ),
        *explore_links(part.id),
        *part_words(index, part, ranking),
    ]


def _back() -> Component:
    return html.Button("← All parts", className="quiet back", title="Esc", **data(back="parts"))


def tab_body(
    index: Index,
    node: Node,
    tab: Tab,
    answer: TabAnswer | None = None,
    *,
    is_live: bool = False,
) -> Component:
    """One tab of a node's panel.

    Args:
        index: The graph it is in.
        node: The node.
        tab: The tab.
        answer: What an engine answered to what the tab ``wants``; it can do without.
        is_live: Whether a model can be asked what changes cause.
    """
    return html.Div(
        _body(index, node, tab, answer, is_live=is_live),
        id=_BODY,
        className=f"tab-body of-{tab}",
        role="tabpanel",
        **aria(labelledby=_tab_id(tab)),
    )


def _body(
    index: Index, node: Node, tab: Tab, answer: TabAnswer | None, *, is_live: bool
) -> list[Component]:
    match tab:
        case Tab.WORDS:
            return words(index, node, cast("Ranking | None", answer))
        case Tab.LEDGER:
            return ledger_tab(index, node)
        case Tab.ATTENTION:
            return attention_tab(index, node, cast("Pattern | None", answer), is_live=is_live)
        case Tab.PATH:
            return path_tab(index, node)
        case Tab.CAUSES:
            return controls()
        case Tab.WHERE:
            return where_tab(index, node, cast("tuple[Node, ...] | None", answer))


def idle_tabs(node_id: NodeId) -> dict[str, str]:
    """The tabs that cannot say anything of a node, each with the reason."""
    if reads_tokens(node_id):
        return {}
    return {Tab.ATTENTION: "Only attention reads other tokens: an attention, a head or its parts"}


def tab_bar(shown: Tab, tabs: Sequence[Tab] = DOCUMENT_TABS) -> Component:
    """The tabs, of which one is shown."""
    return html.Div(
        [
            html.Button(
                name,
                id=_tab_id(tab),
                className="tab",
                role="tab",
                title=said,
                **data(tab=str(tab), focus=_tab_id(tab)),
                **aria(selected="true" if tab is shown else "false", controls=_BODY),
            )
            for tab in tabs
            for name, said in [TAB_WORDS[tab]]
        ],
        className="tabs",
        role="tablist",
        **aria(label="What to show of the node"),
    )


def _tab_id(tab: Tab) -> str:
    return f"tab-{tab}"


def node_head(flow: FlowGraph, node: Node, note: Note | None = None) -> Component:
    """What a node is, where, and what its reader noted."""
    at = node.id.position
    name = title(node.id)
    where = [name] if note is not None and note.name else []
    where += [place(node.id)] if node.id.layer is not None else []
    before = f"{', '.join(where)}, at " if where else "at "
    return html.Div(
        [
            _back(),
            html.Div(
                [
                    swatch(node.id),
                    html.H2(one_line(note.name) if note is not None and note.name else name),
                    html.Code(str(node.id), className="node-id"),
                ],
                className="node-title",
            ),
            html.P(
                [html.Span(before), word_at(flow, at), html.Span(f" position {at}")],
                className="where",
            ),
            *versus(flow),
            *notes.shown(note),
        ],
        className="node-head",
        **data(idle_tabs=json.dumps(idle_tabs(node.id))),
    )

"""The panels beside the graph: the next token's candidates, and all about the picked node.

A panel is a list of components, made from plain types alone; ``visit.web.trees`` turns it into what
the browser builds. A node's panel (``panel``) has a head, tabs of which one is shown, and a note;
``needs`` says what each tab asks an engine, and ``tabs`` has what each shows. Without a node the
panel is of the whole trace (``overview``).
"""

from visit.web.inspector.needs import DOCUMENT_TABS, Tab, wants
from visit.web.inspector.overview import about, noted_node
from visit.web.inspector.panel import (
    idle_tabs,
    node_head,
    node_panel,
    part_panel,
    tab_bar,
    tab_body,
)
from visit.web.inspector.tokens import predictions, tokens

__all__ = [
    "DOCUMENT_TABS",
    "Tab",
    "about",
    "idle_tabs",
    "node_head",
    "node_panel",
    "noted_node",
    "part_panel",
    "predictions",
    "tab_bar",
    "tab_body",
    "tokens",
    "wants",
]

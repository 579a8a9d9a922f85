"""The inspector's tabs, and what each asks an engine that the document does not say."""

from __future__ import annotations

from enum import StrEnum

from visit.engine.questions import Pattern, Question, ReadLens, ReadPattern
from visit.graph.flow import Node, NodeId
from visit.graph.ranking import Ranking
from visit.graph.request import Request
from visit.web.ranking.needs import all_parts
from visit.web.ranking.rows import SORTS

TabAnswer = Pattern | tuple[Node, ...] | Ranking
"""What an engine answers to what a tab ``wants``."""


class Tab(StrEnum):
    """One side of a node; a panel shows one at a time."""

    WORDS = "words"
    LEDGER = "ledger"
    ATTENTION = "attention"
    PATH = "path"
    WHERE = "where"
    CAUSES = "causes"


TAB_WORDS = {
    Tab.WORDS: ("Words", "What it says in the model's vocabulary"),
    Tab.LEDGER: ("Ledger", "What adds up to it, and what it adds to"),
    Tab.ATTENTION: ("Attention", "Which tokens are read, and what is taken from them"),
    Tab.PATH: ("Path", "The strongest path through it, from the tokens to the output"),
    Tab.WHERE: ("Where", "At which depth the target is found"),
    Tab.CAUSES: ("Causes", "What the model would say without it, measured"),
}
DOCUMENT_TABS = tuple(tab for tab in Tab if tab is not Tab.CAUSES)
"""Those that a document is enough for; the others ask an engine."""


def wants(tab: Tab, node_id: NodeId, request: Request) -> Question[TabAnswer] | None:
    """What a tab asks an engine, to show a node in full; ``None`` where the document is enough.

    A tab can be shown without the answer too, and then says what the document knows.
    """
    if tab is Tab.WORDS and node_id.kind in SORTS:
        return all_parts(request)
    if tab is Tab.ATTENTION and node_id.layer is not None and node_id.head is not None:
        return ReadPattern(request, node_id.layer, node_id.head)
    if tab is Tab.WHERE:
        return ReadLens(request, (node_id.position,))
    return None

"""What is written on a node: its name as researchers write it, and what it does in a token."""

from __future__ import annotations

import re

from visit.graph.flow import Node, NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import BLOCKS, EXPERTS, NODES, RESIDUALS, SOURCES
from visit.text import n_columns, shorten, visible
from visit.web.words import name_part

LETTER = 6.5
"""How wide a letter is on average, in pixels, of those of 12 pixels."""
_WIDTHS = {**dict.fromkeys("iljtfrI.,:;'|!()[]· ", 4.4), **dict.fromkeys("mwMW−@%…", 10.4)}
_CAPITAL, _OTHER = 7.6, 7.3
"""How wide letters of a part's label are in the widest of its fonts, in pixels."""
_MOST = 9
_NARROWEST = 44.0
_SPECIAL = re.compile(r"<\|(.+)\|>")

PARTS = BLOCKS | EXPERTS | {NodeKind.HEAD, NodeKind.MEMORY_VALUE}
"""The kinds that say their case: a name, a token, and a bar."""


def label(index: Index, node: Node) -> str:
    """What is written on a node; on a part two lines: its name, then its token."""
    node_id = node.id
    fixed = NODES[node_id.kind].label
    if node_id.kind in PARTS:
        return f"{name_part(node_id)}\n{say_word(index, node)}"
    if node_id.kind in RESIDUALS:
        return ""
    if fixed is not None:
        return fixed
    word = shorten_token(visible(node.word))
    if node_id.kind is NodeKind.OUTPUT:
        return word
    return f"{_mark_source(node_id)}{word}"


def say_word(index: Index, node: Node) -> str:
    """The token that a part promotes most; of one with negative flow what it suppresses, marked."""
    outcome = node.outcome
    if outcome and index.by_flow and (node.flow or 0.0) < 0 and outcome.suppresses:
        return f"−{shorten_token(visible(outcome.suppresses[0].text))}"
    return shorten_token(visible(node.word))


def shorten_token(shown: str) -> str:
    """A visible token as a label has it, without its leading space, ``⟨eos⟩`` for special ones."""
    special = _SPECIAL.fullmatch(shown)
    if special:
        return f"⟨{shorten(special[1].replace('endoftext', 'eos'), _MOST - 2)}⟩"
    bare = shown[1:] if len(shown) > 1 and shown[0] == "·" else shown
    return shorten(bare, _MOST)


def measure_width(text: str) -> float:
    """How wide a part with a label is, in pixels."""
    longest = max(sum(map(_measure_letter, line)) for line in text.split("\n"))
    return max(_NARROWEST, longest + 6.0)


def _measure_letter(letter: str) -> float:
    other = _CAPITAL if letter.isupper() else _OTHER
    return _WIDTHS.get(letter, other * max(1.0, 0.82 * n_columns(letter)))


def _mark_source(node_id: NodeId) -> str:
    """A head's parts are told apart by their head."""
    return f"{node_id.head} " if node_id.kind in {*SOURCES, NodeKind.QUERY} else ""

"""How numbers and names are written on the screen, and how a typed token is read.

Tokens themselves are written by ``visit.text.visible``: whatever one holds, it is shown as visible
characters and never as markup.
"""

from __future__ import annotations

import re
import unicodedata

from visit.graph.flow import Ledger, NodeId, NodeKind
from visit.text import visible

_TYPED = {"·": " ", "↵": "\n", "␍": "\r", "⇥": "\t", "⍽": "\u00a0"}

KIND_WORDS = {
    NodeKind.EMBED: "Embedding",
    NodeKind.LN1: "Norm before attention",
    NodeKind.QUERY: "Query",
    NodeKind.KEY: "Key",
    NodeKind.VALUE: "Value",
    NodeKind.SOURCES_REST: "Other sources",
    NodeKind.HEAD: "Head",
    NodeKind.HEADS_REST: "Other heads",
    NodeKind.ATTN_NEURON: "Attention neuron",
    NodeKind.NEURONS_REST: "Other attention neurons",
    NodeKind.POSITIONS_REST: "Other positions",
    NodeKind.ATTN_BIAS: "Attention bias",
    NodeKind.ATTN: "Attention",
    NodeKind.RESID_MID: "Residual after attention",
    NodeKind.LN2: "Norm before MLP",
    NodeKind.MEMORY_KEY: "Memory key",
    NodeKind.MEMORY_VALUE: "Memory value",
    NodeKind.MLP_BIAS: "MLP bias",
    NodeKind.MEMORIES_REST: "Other memories",
    NodeKind.EXPERT: "Expert",
    NodeKind.SHARED_EXPERT: "Shared expert",
    NodeKind.EXPERTS_REST: "Other experts",
    NodeKind.MLP: "MLP",
    NodeKind.RESID_POST: "Residual after the block",
    NodeKind.FINAL_NORM: "Final norm",
    NodeKind.OUTPUT: "Output",
}

LEDGER_WORDS = {
    Ledger.RESIDUAL: "What adds up to it",
    Ledger.POSITIONS: "By position read",
    Ledger.HEADS: "By head",
    Ledger.NEURONS: "By attention neuron",
    Ledger.SOURCES: "By source",
    Ledger.MEMORIES: "By memory",
    Ledger.EXPERTS: "By expert",
}


def percent(part: float) -> str:
    """A probability or another part of 1, with as many digits as can be read."""
    value = 100 * part
    if value >= 99.95:
        return f"{value:.0f} %" if part >= 1 else "> 99.9 %"
    if value >= 0.1:
        return f"{value:.1f} %"
    return "0 %" if value == 0 else "< 0.1 %"


def signed(value: float, digits: int = 2) -> str:
    """A signed number with a true minus, so that columns line up."""
    return f"{value:+.{digits}f}".replace("-", "−")


def signed_percent(share: float) -> str:
    """A signed share."""
    return f"{100 * share:+.1f} %".replace("-", "−")


def title(node_id: NodeId) -> str:
    """What a node is, in words: ``Head 3``, ``Memory value 123``."""
    words = KIND_WORDS[node_id.kind]
    if node_id.kind is NodeKind.HEAD:
        return f"Head {node_id.head}"
    if node_id.head is not None:
        return f"{words} of head {node_id.head}"
    if node_id.index is not None:
        return f"{words} {node_id.index}"
    return words


def place(node_id: NodeId) -> str:
    """Where a node is, in words: ``layer 5``; empty for the whole model's own nodes."""
    return "" if node_id.layer is None else f"layer {node_id.layer}"


def file_name(prompt: str) -> str:
    """A file name made of the prompt's words, safe on every system."""
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    return "visit-" + ("-".join(words)[:48].strip("-") or "flow")


def tokens_from_typed(text: str | None) -> tuple[str | None, str | None]:
    """The target that was typed or chosen, and the token it is compared with: ``·A vs ·B``.

    A token is read as it is shown, ``·Tokyo``, or as it is, `` Tokyo``; ``None`` is the model's own
    top token, and no comparison.
    """
    target, *others = re.split(r"\s+vs\.?\s(?=\s?\S)", text or "", maxsplit=1)
    return _token_from_typed(target), _token_from_typed(others[0]) if others else None


def typed_from_tokens(target: str | None, versus: str | None) -> str:
    """A target, and what it is compared with, as they are typed; the inverse of the above."""
    shown = "" if target is None else visible(target)
    return shown if versus is None else f"{shown or 'auto'} vs {visible(versus)}"


def _token_from_typed(text: str) -> str | None:
    if not text or text == "auto":
        return None
    return "" if text == visible("") else "".join(_TYPED.get(c, c) for c in text)

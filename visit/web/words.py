"""How numbers and names are written on the screen, and how the target's field is read.

Tokens themselves are written by ``visit.text.visible``: whatever one holds, it is shown as visible
characters and never as markup.
"""

from __future__ import annotations

import re
import unicodedata

from visit.graph.flow import FlowGraph, MetricKind, NodeId, NodeKind, Outcome, TokenFlow
from visit.graph.kinds import NODES
from visit.graph.request import Request
from visit.graph.typed import token_from_typed, typed_from_token
from visit.text import one_line, visible
from visit.text import percent as percent  # as the summaries write it

_AUTO = "auto"
_COMPARISON = re.compile(r" vs (?=.)", re.DOTALL)

Named = str | int | None
"""A token by its text or its id."""


def signed(value: float, digits: int = 2) -> str:
    """A signed number with a true minus, so that columns line up."""
    return f"{value:+.{digits}f}".replace("-", "−")


def decimal(value: float, digits: int = 2) -> str:
    """A number whose sign is told only where it is below zero, by a true minus."""
    return f"{value:.{digits}f}".replace("-", "−")


def signed_percent(share: float) -> str:
    """A signed share."""
    return f"{100 * share:+.1f} %".replace("-", "−")


def title(node_id: NodeId) -> str:
    """What a node is, in words: ``Head 3``, ``Memory value 123``."""
    words = title_start(node_id.kind)
    return words if node_id.number is None else f"{words}{node_id.number}"


def name_part(node_id: NodeId) -> str:
    """A part's name as researchers write it: ``23.4`` a head, ``L28 MLP``, ``28.1078`` a memory."""
    if node_id.number is not None:
        return f"{node_id.layer}.{node_id.number}"
    words = NODES[node_id.kind].words
    return words if node_id.layer is None else f"L{node_id.layer} {words}"


def title_start(kind: NodeKind) -> str:
    """What a node of a kind is in words, up to the number of its head or its own, if it has one."""
    row = NODES[kind]
    if row.numbered_by is None:
        return row.words
    is_part = row.numbered_by == "head" and kind is not NodeKind.HEAD
    return f"{row.words} of head " if is_part else f"{row.words} "


def place(node_id: NodeId) -> str:
    """Where a node is, in words: ``layer 5``; empty for the whole model's own nodes."""
    return "" if node_id.layer is None else f"layer {node_id.layer}"


def metric_words(flow: FlowGraph) -> str:
    """What a graph's metric is called: ``choice of ·Tokyo among 100 candidates``."""
    metric, target = flow.metric, visible(flow.target.text)
    if metric.kind is MetricKind.CHOICE:
        return f"choice of {target} among {len(metric.candidates)} candidates"
    if metric.kind is MetricKind.LOGIT_DIFFERENCE and flow.versus is not None:
        return f"logit difference, {target} − {visible(flow.versus.text)}"
    if metric.kind is MetricKind.CENTRED_LOGIT:
        return f"logit of {target} over the mean of all tokens"
    return f"logit of {target}"


def metric_sentence(flow: FlowGraph) -> str:
    """What a graph explains, in a sentence like "·Mary leads ·John by 3.10 logits."."""
    metric, target = flow.metric, visible(flow.target.text)
    leads = "leads" if metric.value >= 0 else "trails"
    by = f"by {abs(metric.value):.2f} logits."
    if metric.kind is MetricKind.CHOICE:
        return f"{target} {leads} the mean of the {len(metric.candidates)} likeliest tokens {by}"
    if metric.kind is MetricKind.LOGIT_DIFFERENCE and flow.versus is not None:
        return f"{target} {leads} {visible(flow.versus.text)} {by}"
    if metric.kind is MetricKind.CENTRED_LOGIT:
        return f"{target} {leads} the mean of all tokens {by}"
    return f"The logit of {target} is {signed(metric.value)}."


def outcome_sides(outcome: Outcome | None) -> list[tuple[str, tuple[TokenFlow, ...]]]:
    """What an outcome promotes and what it suppresses, in words, without a side that is empty."""
    if outcome is None:
        return []
    sides = (("promotes", outcome.promotes), ("suppresses", outcome.suppresses))
    return [(does, tokens) for does, tokens in sides if tokens]


def model_title(name: str) -> str:
    """What a model is called: of a file or folder, its own name without the path."""
    said = one_line(name).rstrip("/\\")
    is_path = said.startswith((".", "/", "~", "\\")) or said.endswith(".gguf") or "\\" in said
    return re.split(r"[/\\]", said)[-1].removesuffix(".gguf") if is_path else said


def file_name(prompt: str, model: str = "", more: str = "") -> str:
    """A file name made of the prompt's and the model's words, safe on every system.

    Args:
        prompt: The prompt.
        model: The model's name, of which the last part is said; none when left out.
        more: What tells this file from others of the same prompt and model.
    """
    named = re.split(r"[/\\]", model_title(model))[-1]
    said = (_plain(prompt, 48) or "flow", _plain(named, 32), _plain(more, 24))
    return "-".join(["visit", *filter(None, said)])


def _plain(text: str, longest: int) -> str:
    """A text's letters and digits, small, with hyphens between its words."""
    ascii_ = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", ascii_.lower()))[:longest].strip("-")


def tokens_from_typed(typed: str | None) -> tuple[Named, Named]:
    """The target that was typed or chosen, and the token it is compared with: ``A vs B``.

    Each is a text, an id, or ``None``: for the model's own top token, and for no comparison.
    """
    target, *others = _COMPARISON.split(typed or "", maxsplit=1)
    named = None if target in ("", _AUTO) else token_from_typed(target)
    return named, token_from_typed(others[0]) if others else None


def typed_from_tokens(target: Named, versus: Named = None) -> str:
    """A target, and what it is compared with, as they are typed; the inverse of the above."""
    if target is None and versus is None:
        return ""
    left = _AUTO if target is None else typed_from_token(target)
    right = [] if versus is None else [typed_from_token(versus)]
    typed = " vs ".join([left, *right])
    if tokens_from_typed(typed) == (target, versus):
        return typed
    # A text that is itself "auto", or has the words between two tokens in it.
    left = left.replace(" ", r"\x20").replace(_AUTO, r"\x61uto")
    return " vs ".join([left, *(one.replace(" ", r"\x20") for one in right)])


def typed_from_request(request: Request) -> str:
    """What the target's field says of a request. A token without a text is named by its id."""
    target, versus = request.target or request.target_id, request.versus or request.versus_id
    return typed_from_tokens(target, versus)

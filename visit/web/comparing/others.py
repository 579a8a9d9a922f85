"""What a graph is held against: another prompt, another target of its own, or another model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from visit.errors import RequestError
from visit.graph.flow import FlowGraph
from visit.graph.request import Request
from visit.text import one_line, visible
from visit.web.causes.asking import of_other_prompt
from visit.web.words import model_title, tokens_from_typed


class Other(StrEnum):
    """What is another one in the graph that a graph is held against."""

    PROMPT = "prompt"
    TARGET = "target"
    MODEL = "model"


OTHER_WORDS = {Other.PROMPT: "second prompt", Other.TARGET: "target", Other.MODEL: "model"}
"""What the screen calls each."""
_MISSING = {
    Other.PROMPT: "there is no second prompt; type the one to compare with, and press Enter",
    Other.TARGET: "there is no other target; type or choose a token, its leading space too",
    Other.MODEL: "there is no other model; name one that is here, or any that the header takes",
}


def ask_other(request: Request, asked: Mapping[str, Any]) -> Request:
    """The request in which one thing is another, as the page asks for it.

    Args:
        request: The shown graph's.
        asked: ``by``, one of ``Other``, and ``said``, what was typed.

    Raises:
        RequestError: nothing was typed, or what is shown already.
    """
    said = asked.get("said")
    by = next((other for other in Other if other == asked.get("by")), Other.PROMPT)
    if not isinstance(said, str) or not said.strip():
        raise RequestError(_MISSING[by])
    if by is Other.PROMPT:
        other = of_other_prompt(request, said)
    elif by is Other.TARGET:
        other = _of_other_target(request, said)
    else:
        other = replace(request, model=said.strip())
    if other == request:
        raise RequestError(f"{one_line(said)!r} is what is shown already; give another {by}")
    return other


def _of_other_target(request: Request, typed: str) -> Request:
    """The same prompt, explained towards another token, in the grammar of the target's field."""
    target, versus = tokens_from_typed(typed)
    if target is None:
        raise RequestError(_MISSING[Other.TARGET])
    return replace(
        request,
        target=target if isinstance(target, str) else None,
        target_id=target if isinstance(target, int) else None,
        versus=versus if isinstance(versus, str) else None,
        versus_id=versus if isinstance(versus, int) else None,
    )


def find_other(before: FlowGraph, shown: FlowGraph) -> Other:
    """What of two graphs is another."""
    if before.model.weights_sha256 != shown.model.weights_sha256:
        return Other.MODEL
    mine, theirs = ([token.id for token in flow.tokens] for flow in (shown, before))
    return Other.PROMPT if mine != theirs else Other.TARGET


def name_other(before: FlowGraph, shown: FlowGraph) -> str:
    """What a graph is held against, in a few words."""
    match find_other(before, shown):
        case Other.MODEL:
            return f"the model {model_title(before.model.name)}"
        case Other.PROMPT:
            return "the other prompt"
        case Other.TARGET:
            less = "" if before.versus is None else f" less {visible(before.versus.text)}"
            return f"the target {visible(before.target.text)}{less}"

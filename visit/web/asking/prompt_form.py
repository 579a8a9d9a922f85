"""How a prompt is read: as text or as a chat, and with what at its beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash.development.base_component import Component

from visit.engine.protocol import ModelChoice
from visit.graph.request import Request
from visit.web.parts import choice
from visit.web.words import typed_from_request

CHATS = {
    "text": "Plain text",
    "chat": "A chat: one user message, or a JSON list",
}
BEGINNINGS = {
    "auto": "As the tokenizer does",
    "bos": "With a BOS token",
    "none": "Without",
}


def menu() -> list[Component]:
    """The choices; ``assets/form.js`` says in the browser which of them a model lacks."""
    return [
        choice("The prompt is", "form-chat", CHATS),
        choice("It begins", "form-bos", BEGINNINGS),
    ]


def form_from_data(data: Mapping[str, Any] | None) -> dict[str, Any]:
    """How a request's data say that its prompt is read; what is not known is as by default.

    The browser holds a form alone, or a whole request's data.
    """
    said = data or {}
    bos = said.get("bos")
    return {"bos": bos if isinstance(bos, bool) else None, "chat": said.get("chat") is True}


def chosen_from_request(request: Request, model: str) -> dict[str, Any] | None:
    """The tokens that a request names by id, as the browser holds those that were chosen.

    They hold as long as the target's field says the same; ``None`` where all are named by text.
    """
    if request.target_id is None and request.versus_id is None:
        return None
    return {
        "typed": typed_from_request(request),
        "model": model,
        "target_id": request.target_id,
        "versus_id": request.versus_id,
    }


def abilities(models: Sequence[ModelChoice], name: str) -> dict[str, Any]:
    """What is known of a model for the menu: whether it has a chat template, and a BOS token."""
    known = next((model for model in models if model.name == name), ModelChoice(name, ""))
    return {"model": name, "chat": known.chat, "bos": known.bos}

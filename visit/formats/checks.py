"""What a JSON Schema cannot say of a document: that its fields agree with each other."""

from __future__ import annotations

import reprlib
from typing import Any

from visit.errors import DocumentError
from visit.graph.flow import Edge, EdgeKind, FlowGraph, ModelInfo, NodeId


def check_agreement(data: dict[str, Any], derived: dict[str, Any], where: str, named: str) -> None:
    """Refuse a record that says otherwise than what it is named makes it say.

    Args:
        data: The record as the document has it.
        derived: The fields that follow from its name, ``None`` for those that must be absent.
        where: The record's place in the document.
        named: Its name.

    Raises:
        DocumentError: a field differs, is missing, or is there and must not be.
    """
    for name, value in derived.items():
        if data.get(name) != value:
            said = "absent" if name not in data else reprlib.repr(data[name])
            wanted = "absent" if value is None else reprlib.repr(value)
            raise DocumentError(f"{where}.{name} is {said}; in {named} it must be {wanted}")


def check_place(place: NodeId, model: ModelInfo, n_tokens: int, where: str) -> None:
    """Refuse a node that lies outside the model or the prompt.

    Raises:
        DocumentError: there is no such position, layer or head.
    """
    for name, limit, things in (
        ("position", n_tokens, "tokens"),
        ("layer", model.n_layers, "layers"),
        ("head", model.n_heads, "heads"),
    ):
        value = getattr(place, name)
        if value is not None and value >= limit:
            raise DocumentError(
                f"{where}.{name} is {reprlib.repr(value)}; the document has {limit} {things}, "
                "from 0"
            )


def check_ledger(edge: Edge, where: str) -> None:
    """Refuse an ``adds`` edge without a ledger, and a ledger on any other.

    Raises:
        DocumentError: it is so.
    """
    if (edge.kind is EdgeKind.ADDS) != (edge.ledger is not None):
        raise DocumentError(f"{where}.ledger: an adds edge names its ledger, and no other does")


def check_prompt(flow: FlowGraph) -> None:
    """Refuse tokens out of order, a position past them, and one token spelled in two ways.

    Raises:
        DocumentError: the text names the first such field.
    """
    for index, token in enumerate(flow.tokens):
        if token.position != index:
            raise DocumentError(
                f"graph.tokens[{index}].position is {reprlib.repr(token.position)}; tokens stand "
                "in order, from 0"
            )
    position, n_tokens = flow.request.position, len(flow.tokens)
    if position is not None and not -n_tokens <= position < n_tokens:
        raise DocumentError(
            f"graph.request.position is {reprlib.repr(position)}; the prompt has {n_tokens} tokens"
        )
    if flow.versus is not None and flow.versus.id == flow.target.id:
        raise DocumentError(
            f"graph.versus.id is {reprlib.repr(flow.versus.id)}, the target's own; they must be "
            "two tokens"
        )
    for index, prediction in enumerate(flow.predictions):
        for name, named in (("target", flow.target), ("versus", flow.versus)):
            if named and prediction.id == named.id and prediction.text != named.text:
                raise DocumentError(
                    f"graph.predictions[{index}].text is {reprlib.repr(prediction.text)}, "
                    f"but graph.{name} has it {reprlib.repr(named.text)}"
                )

"""What is asked of a model: a request, as text says it and as plain data holds it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any

from visit.errors import RequestError
from visit.graph.chat import messages_from_prompt


class RankBy(StrEnum):
    """What makes a part strong enough to be drawn."""

    NORM = "norm"
    SHARE = "share"
    LOGIT = "logit"


@dataclass(frozen=True, slots=True)
class Request:
    """What to explain, and how much of it to draw.

    Attributes:
        prompt: The text the model reads.
        model: ``mini``, a Hugging Face id, a folder or a file; ``None`` for the one that is loaded.
        target: The token to explain, as text; ``None`` for the model's own top token.
        versus: Another token, as text, to explain the target's lead over: direct logits are then
            of the difference of the two logits. ``None`` for the target's own logit.
        position: The position whose next token is explained; ``None`` for the last one, and
            negative ones count from the end.
        layers: The layers to open: ``all``, ``none``, or like ``0-5,11``.
        heads: How many heads of an opened layer are drawn.
        sources: How many sources of a drawn head are drawn.
        memories: How many memories that push along their value (activation > 0) are drawn; of a
            mixture of experts, how many of the experts that the position was routed to.
        anti_memories: How many that push against it (activation < 0) are drawn.
        attn_neurons: How many rows of W_O that push along are drawn.
        anti_attn_neurons: How many that push against are drawn.
        top_k: How many tokens a reading lists at either end.
        threshold: The smallest part of the traced residual that an attention edge between
            positions must carry to be drawn, from 0 to 1.
        rank_by: What makes a part strong enough to be drawn.
        bos: Whether a BOS token comes first: ``True`` for one, ``False`` for none, ``None`` for
            what the tokenizer does by itself (in a chat, the template).
        chat: Whether the prompt is a chat for the model's template: a JSON list of messages, or
            plain text for one user message, as ``visit.graph.chat`` has it.
    """

    prompt: str
    model: str | None = None
    target: str | None = None
    versus: str | None = None
    position: int | None = None
    layers: str = "all"
    heads: int = 10
    sources: int = 2
    memories: int = 18
    anti_memories: int = 7
    attn_neurons: int = 18
    anti_attn_neurons: int = 7
    top_k: int = 10
    threshold: float = 0.01
    rank_by: RankBy = RankBy.NORM
    bos: bool | None = None
    chat: bool = False

    def __post_init__(self) -> None:
        """Refuse what no model could serve.

        Raises:
            RequestError: the prompt is empty or no chat where it must be one, a count is
                negative, or the threshold is not 0 to 1.
        """
        if not self.prompt:
            raise RequestError("the prompt is empty; give at least one token of text")
        if self.chat:
            messages_from_prompt(self.prompt)
        counts = ("heads", "sources", "memories", "anti_memories", "attn_neurons")
        for name in (*counts, "anti_attn_neurons"):
            if getattr(self, name) < 0:
                raise RequestError(f"{name} is {getattr(self, name)}; give 0 or more")
        if self.top_k < 1:
            raise RequestError(f"top_k is {self.top_k}; give 1 or more")
        if not 0 <= self.threshold <= 1:
            raise RequestError(f"threshold is {self.threshold}; give a number from 0 to 1")


def layers_from_spec(spec: str, n_layers: int) -> tuple[int, ...]:
    """The layers that a specification like ``all``, ``none`` or ``0-5,11`` names, in order.

    Raises:
        RequestError: the text is not a specification, or names a layer the model does not have.
    """
    if spec == "all":
        return tuple(range(n_layers))
    if spec == "none":
        return ()
    layers: set[int] = set()
    for piece in spec.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", piece)
        if match is None:
            raise RequestError(f"layers {spec!r} cannot be read; give all, none, or like 0-5,11")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise RequestError(f"layers {piece.strip()!r} run backwards; give {last}-{first}")
        if last >= n_layers:
            raise RequestError(f"layer {last} does not exist; the model has 0 to {n_layers - 1}")
        layers.update(range(first, last + 1))
    return tuple(sorted(layers))


def data_from_request(request: Request) -> dict[str, Any]:
    """A request as a document has it; the inverse of ``request_from_data``."""
    rank_by, chat = request.rank_by.value, request.chat or None
    data = {**asdict(request), "rank_by": rank_by, "chat": chat}
    return {name: value for name, value in data.items() if value is not None}


def request_from_data(data: dict[str, Any]) -> Request:
    """Read a request back; fields that this version does not know are passed over.

    Raises:
        RequestError: no model could serve it.
    """
    convert = _converters()
    return Request(**{name: convert[name](data[name]) for name in data if name in convert})


@cache
def _converters() -> dict[str, Callable[[Any], Any]]:
    """What tells JSON's ``1`` and ``1.0`` apart as each field wants them."""
    by_annotation = {"int": int, "int | None": int, "float": float, "RankBy": RankBy}
    return {field.name: by_annotation.get(str(field.type), _same) for field in fields(Request)}


def _same(value: Any) -> Any:
    return value

"""What is asked of a model: a request, as plain data hold it and as texts say it.

The fields of ``Request`` are listed here and nowhere else. A document, the page and HTTP hold
``data_from_request``; an address says ``texts_from_request``; the command line gives its options to
``request_from_data``.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from visit.errors import RequestError
from visit.graph.chat import messages_from_prompt
from visit.graph.fields import (
    Range,
    fields_marked,
    hints_of,
    plain_from_value,
    text_from_value,
    value_from_given,
    value_from_text,
)
from visit.graph.interventions import texts_of_interventions
from visit.graph.metric import MetricChoice

_T = TypeVar("_T")
_DRAWN = "how much is drawn"

Count = Annotated[int, Range("0 or more", 0.0)]
CountFromTwo = Annotated[int, Range("2 or more", 2.0)]
CountFromOne = Annotated[int, Range("1 or more", 1.0)]
PartOfOne = Annotated[float, Range("a number from 0 to 1", 0.0, 1.0)]
TokenId = Annotated[int, Range("a token's id, 0 or more", 0.0)]
Drawn = Annotated[_T, _DRAWN]


class RankBy(StrEnum):
    """What makes a part strong enough to be drawn.

    ``EFFECT`` is measured at the traced position, and flow where it is not.
    """

    FLOW = "flow"
    EFFECT = "effect"
    LOGIT = "logit"
    SHARE = "share"
    NORM = "norm"


class RouteBy(StrEnum):
    """What must pass along an edge between positions for it to be drawn."""

    FLOW = "flow"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Request:
    """What to explain, and how much of it to draw.

    Each field is checked against its annotation, so that a request of whatever origin holds what it
    says: a list of ids becomes a tuple, and the name of a ``RankBy`` becomes that.

    Where an id is given, it decides, and the text beside it is only what is shown; an answer's
    request has the text filled in where an id came without one.

    Attributes:
        prompt: The text the model reads.
        model: ``mini``, a Hugging Face id, a folder or a file; ``None`` for the one that is loaded.
        target: The token to explain, as text; ``None`` for the model's own top token.
        versus: Another token, as text, to explain the target's lead over: the metric is then the
            difference of the two logits.
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
        threshold: The smallest part of the metric's absolute flow, or of the traced residual, that
            an attention edge between positions must carry to be drawn, from 0 to 1.
        rank_by: What makes a part strong enough to be drawn. ``EFFECT`` has the parts of the traced
            position measured, the whole model's for ``strongest`` too; whatever is not measured (at
            an earlier position, in a pass that is changed already) ranks by flow.
        metric: What the target is explained towards.
        candidates: How many of the likeliest next tokens the choice and outcomes are among.
        route: Whether the edges between positions are drawn by the metric's flow, or by their share
            of the traced residual.
        strongest: How many of the heads and MLPs of all layers and positions are drawn, the
            strongest by flow, or by effect where parts rank by it, whichever layers are opened.
        strongest_memories: Likewise of the memories.
        outcome: Whether nodes say which candidates they lift and lower in the end; ``None`` for
            at the latest positions, where that costs little.
        effects: Whether the heads, attentions, MLPs and memories that are drawn at the traced
            position say what setting them to zero does, measured; ``None`` for as many of them,
            the strongest by flow first, as take half as long as the graph, or for all of them
            where parts rank by effect. A pass that is changed already is not measured again.
        bos: Whether a BOS token comes first: ``True`` for one, ``False`` for none, ``None`` for
            what the tokenizer does by itself (in a chat, the template).
        chat: Whether the prompt is a chat for the model's template: messages in JSON, or
            plain text for one user message, as ``visit.graph.chat`` has it.
        prompt_ids: The tokens the model reads, by id, in place of the prompt's: as they are, with
            no BOS added and no template applied. A text that the model went on with is read again
            so, since tokenizing it once more may split it otherwise. The prompt may then be empty.
        target_id: The token to explain, by id: any token of the vocabulary, whatever its text.
        versus_id: The token to explain the target's lead over, by id.
        interventions: What is changed in the pass, each as ``visit.graph.interventions`` writes
            one: ``L5.head3@7 zero``, ``L5.head3@7<2 knockout``. The changed pass is explained; its
            own target and candidates are the plain pass's.
    """

    prompt: str = ""
    model: str | None = None
    target: str | None = None
    versus: str | None = None
    position: int | None = None
    layers: Drawn[str] = "all"
    heads: Drawn[Count] = 10
    sources: Drawn[Count] = 2
    memories: Drawn[Count] = 18
    anti_memories: Drawn[Count] = 7
    attn_neurons: Drawn[Count] = 18
    anti_attn_neurons: Drawn[Count] = 7
    top_k: Drawn[CountFromOne] = 10
    threshold: Drawn[PartOfOne] = 0.01
    rank_by: Drawn[RankBy] = RankBy.FLOW
    metric: Drawn[MetricChoice] = MetricChoice.CHOICE
    candidates: Drawn[CountFromTwo] = 100
    route: Drawn[RouteBy] = RouteBy.FLOW
    strongest: Drawn[Count] = 40
    strongest_memories: Drawn[Count] = 0
    outcome: Drawn[bool | None] = None
    effects: Drawn[bool | None] = None
    bos: bool | None = None
    chat: bool = False
    prompt_ids: tuple[TokenId, ...] | None = None
    target_id: TokenId | None = None
    versus_id: TokenId | None = None
    interventions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no model could serve.

        Raises:
            RequestError: a field holds what it does not take, the prompt is empty or no chat where
                it must be one, or ids are to be read otherwise than as they are.
        """
        for name, hint in hints_of(Request).items():
            object.__setattr__(self, name, value_from_given(name, hint, getattr(self, name)))
        object.__setattr__(self, "interventions", texts_of_interventions(self.interventions))
        if self.rank_by is RankBy.EFFECT and self.effects is False:
            raise RequestError(
                "rank_by is effect, but effects is False, so that none is measured; leave effects "
                "out, or rank by flow"
            )
        if self.prompt_ids is None:
            if not self.prompt:
                raise RequestError("the prompt is empty; give at least one token of text")
            if self.chat:
                messages_from_prompt(self.prompt)
            return
        if not self.prompt_ids:
            raise RequestError("prompt_ids is empty; give the id of at least one token")
        for name, asked in (("bos", self.bos is not None), ("chat", self.chat)):
            if asked:
                raise RequestError(
                    f"{name} is {getattr(self, name)}, but prompt_ids are read as they are; "
                    f"leave {name} out, or give the prompt as text"
                )


_SURROGATE = re.compile("[\ud800-\udfff]")


def check_text(request: Request) -> None:
    """Refuse half a surrogate pair in what a model is to read: it is no text, and no token's.

    A document may still hold one, and show it.

    Raises:
        RequestError: the text says where it is.
    """
    for name in ("prompt", "target", "versus"):
        found = _SURROGATE.search(getattr(request, name) or "")
        if found is not None:
            raise RequestError(
                f"the {name} has half a surrogate pair, {found[0]!a}, as letter {found.start()}; "
                "give text that UTF-8 can hold"
            )


DRAWN = fields_marked(Request, _DRAWN)
"""The fields that say how it is explained and how much is drawn, rather than what is asked."""


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
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", piece)
        if match is None:
            said = reprlib.repr(spec)
            raise RequestError(f"layers {said} cannot be read; give all, none, or like 0-5,11")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise RequestError(f"layers {piece.strip()!r} run backwards; give {last}-{first}")
        if last >= n_layers:
            raise RequestError(f"layer {last} does not exist; the model has 0 to {n_layers - 1}")
        layers.update(range(first, last + 1))
    return tuple(sorted(layers))


def data_from_request(request: Request) -> dict[str, Any]:
    """A request as JSON has it; the inverse of ``request_from_data``.

    What is ``None``, ``False`` or empty by default is absent while it is.
    """
    data = {field.name: plain_from_value(getattr(request, field.name)) for field in fields(request)}
    by_default = {field.name: field.default for field in fields(request)}
    return {
        name: value
        for name, value in data.items()
        if not (value is by_default[name] and (value is None or value is False)) and value != []
    }


def request_from_data(data: object) -> Request:
    """Read a request back; fields that this version does not know are passed over.

    Raises:
        RequestError: no model could serve it; the text says which field, and what is allowed.
    """
    if not isinstance(data, Mapping):
        raise RequestError(f"the request is of type {type(data).__name__}; give its fields by name")
    hints = hints_of(Request)
    return Request(**{n: value_from_given(n, hints[n], data[n]) for n in hints if n in data})


def texts_from_request(request: Request) -> dict[str, str]:
    """What a request says beyond the defaults, each field in a text: for an address.

    The inverse of ``request_from_texts``.
    """
    return {
        field.name: text_from_value(value)
        for field in fields(request)
        if (value := getattr(request, field.name)) != field.default
    }


def request_from_texts(texts: Mapping[str, str], default: Request) -> Request:
    """Read a request from texts, by field, as ``request_like`` does; others are passed over.

    Raises:
        RequestError: a text cannot be read, or no model could serve what they say.
    """
    return request_like(
        default,
        {
            name: value_from_text(name, hint, texts[name])
            for name, hint in hints_of(Request).items()
            if name in texts
        },
    )


def request_like(default: Request, data: Mapping[str, Any]) -> Request:
    """Another question: to the default's model and drawn as it is, where the data do not say.

    Whatever else the default says is of its own prompt (a target, a position, how it is read), and
    left behind.

    Raises:
        RequestError: no model could serve it.
    """
    kept = {name: getattr(default, name) for name in {"model", *DRAWN}}
    return request_from_data({**kept, **data})

"""The plain types every room speaks: a request, and the flow graph that answers it.

Nothing here knows a tensor. A ``FlowGraph`` is made by ``build``, kept by
``document``, written by ``export`` and drawn by ``web``. All of its types are frozen and compare
by value, so that "the round trip is equality" means what it says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from typing import NamedTuple

from visit.errors import RequestError
from visit.graph.chat import messages_from_prompt
from visit.graph.ids import EdgeKind, Ledger, NodeId, NodeKind

__all__ = [
    "Audit",
    "Edge",
    "EdgeKind",
    "FlowGraph",
    "Ledger",
    "ModelInfo",
    "Node",
    "NodeId",
    "NodeKind",
    "Note",
    "Prediction",
    "RankBy",
    "Reading",
    "Request",
    "Target",
    "TargetReading",
    "Token",
    "TokenProbability",
    "layers_from_spec",
]

_NOTEBOOK = "visit.web.exports.notebook"


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


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that was run. ``dtype`` is the one it ran in; sizes are in design.md's words.

    ``n_experts`` and ``n_routed`` are of its mixtures of experts: how many each holds, and to how
    many of them each position is routed. ``limits`` is what its family can't do, in words.
    ``quantized`` says what its weights were packed in meanwhile (``int8``, ``nf4``); ledgers and
    readings are then on the unpacked weights.
    """

    name: str
    family: str
    dtype: str
    weights_sha256: str
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    d_vocab: int
    revision: str | None = None
    n_experts: int | None = None
    n_routed: int | None = None
    limits: str | None = None
    quantized: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the prompt, with its text as it is (leading space and all).

    Attributes:
        position: Where it stands, from 0.
        id: Its number in the vocabulary.
        text: What it stands for.
        special: Whether the tokenizer has it for a special one, such as a BOS.
        message: In a chat, the message whose content it is of, from 0; ``None`` for what the
            template wrote.
        role: That message's role.
    """

    position: int
    id: int
    text: str
    special: bool = False
    message: int | None = None
    role: str | None = None


class TokenProbability(NamedTuple):
    """A token that a reading lists, with its probability in that reading (0 to 1).

    A tuple, since a whole graph has a hundred thousand of them.
    """

    id: int
    text: str
    prob: float


@dataclass(frozen=True, slots=True)
class TargetReading:
    """What a vector says of the target: logit in nats, probability, and rank (1 = best)."""

    prob: float
    rank: int
    logit: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a vector says through the lens.

    Attributes:
        top: The most probable tokens, best first.
        bottom: The least probable tokens, least first.
        target: What it says of the target.
        entropy: Of its distribution, in bits.
        norm: The vector's L2 norm.
    """

    top: tuple[TokenProbability, ...]
    bottom: tuple[TokenProbability, ...]
    target: TargetReading
    entropy: float
    norm: float


@dataclass(frozen=True, slots=True)
class Node:
    """A neuron or a hidden state, and what it says.

    Attributes:
        id: Where it is.
        reading: What it says in the model's vocabulary.
        activation: A memory's or attention neuron's coefficient at this position; an expert's
            routing weight.
    """

    id: NodeId
    reading: Reading
    activation: float | None = None

    @property
    def label(self) -> str:
        """The reading's top token."""
        return self.reading.top[0].text


@dataclass(frozen=True, slots=True)
class Edge:
    """What flows from one node to another.

    Attributes:
        source: The node it leaves.
        target: The node it enters.
        kind: What the first does to the second.
        ledger: Of an ``adds`` edge: the ledger it is a line of.
        norm: L2 norm of what flows.
        share: Of an ``adds`` edge: ``<part, whole> / <whole, whole>``; 1 over a ledger.
        direct_logit: What flows, read as a contribution to the target's logit with the final
            norm's scale frozen; only where it writes into the traced position's residual.
        proximity: Ferrando & Voita's measure, 0 to 1, 1 over a ledger.
        attention: How much a reader attends to a source: on a head's ``sources`` lines and from
            its query to a key; on ``positions`` lines the mean over heads.
        activation: A memory's coefficient, or an expert's routing weight.
    """

    source: NodeId
    target: NodeId
    kind: EdgeKind
    ledger: Ledger | None = None
    norm: float | None = None
    share: float | None = None
    direct_logit: float | None = None
    proximity: float | None = None
    attention: float | None = None
    activation: float | None = None

    @property
    def key(self) -> str:
        """Unique among the edges of one pair of nodes."""
        return str(self.kind) if self.ledger is None else f"{self.kind}:{self.ledger}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One of the best next tokens at the traced position, by the model itself."""

    id: int
    text: str
    logit: float
    prob: float


@dataclass(frozen=True, slots=True)
class Target:
    """The token whose prediction is explained, and what the model itself gave it."""

    id: int
    text: str
    logit: float
    prob: float
    rank: int


@dataclass(frozen=True, slots=True)
class Audit:
    """How well the parts add up to the model's own numbers.

    Attributes:
        residual: Worst ``‖sum of parts - whole‖ / ‖whole‖`` over every ledger taken.
        logit: ``|sum of direct logits and biases - the model's logit of the target|``.
    """

    residual: float
    logit: float


@dataclass(frozen=True, slots=True)
class Note:
    """What a reader put beside a node: kept in the document, never measured.

    Attributes:
        node: The node.
        name: What the reader calls it, instead of its label.
        text: A remark.
        group: The group it belongs to, by name.
        pinned: Whether it is kept at hand.
    """

    node: NodeId
    name: str | None = None
    text: str | None = None
    group: str | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class FlowGraph:
    """One forward pass, taken apart: the answer to a Request.

    Nodes and edges are in the order of the flow. ``created`` is an ISO time, or ``None`` where
    the document must be reproducible. ``versus`` is the token whose logit is taken off the
    target's, where one was asked for; ``notes`` are the reader's.
    """

    visit_version: str
    request: Request
    model: ModelInfo
    tokens: tuple[Token, ...]
    target: Target
    predictions: tuple[Prediction, ...]
    audit: Audit
    nodes: tuple[Node, ...] = field(repr=False)
    edges: tuple[Edge, ...] = field(repr=False)
    created: str | None = None
    versus: Target | None = None
    notes: tuple[Note, ...] = ()

    @property
    def position(self) -> int:
        """The traced position, counted from the start of the prompt."""
        given = self.request.position
        last = len(self.tokens)
        return last - 1 if given is None else given % last

    def show(self, height: int = 640) -> None:
        """Show the graph in a notebook, to click through: the page that works offline, in a frame.

        A departure from "nothing here knows another room": a graph is asked to show itself, as
        notebooks are used to, and looks up who can do it only then, so that this module stays free
        of the app.

        Args:
            height: The frame's, in pixels.

        Raises:
            VisitError: IPython is not installed.
        """
        import_module(_NOTEBOOK).show(self, height)

    def _repr_html_(self) -> str:
        """What a notebook shows of a graph that is a cell's value: a still picture of its route.

        It is looked up as in ``show``.
        """
        return str(import_module(_NOTEBOOK).picture_from_flow(self))

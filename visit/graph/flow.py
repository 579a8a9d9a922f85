"""The plain types that every folder shares: the flow graph that answers a request, and its parts.

Nothing here knows a tensor. A ``FlowGraph`` is made by ``assemble``, saved and exported by
``formats`` and drawn by ``web``. All of its types are frozen and compare
by value, so that "the round trip is equality" means what it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module

from visit.graph.effect import Agreement, Effect
from visit.graph.ids import NodeId
from visit.graph.kinds import EdgeKind, Ledger, NodeKind
from visit.graph.metric import MetricInfo, MetricKind, Outcome, TokenFlow, TokenProbability
from visit.graph.request import Request
from visit.text import visible_neighbours

__all__ = [
    "Agreement",
    "Audit",
    "Edge",
    "EdgeKind",
    "Effect",
    "FlowGraph",
    "Ledger",
    "MetricInfo",
    "MetricKind",
    "ModelInfo",
    "Node",
    "NodeId",
    "NodeKind",
    "Note",
    "Outcome",
    "Prediction",
    "Reading",
    "Target",
    "TargetReading",
    "Token",
    "TokenFlow",
    "TokenProbability",
    "word_of",
]

_NOTEBOOK = "visit.web.exports.notebook"


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
        flow: How much of the metric passes through it, signed; absent where it only steers (a
            query, a key), since patterns and gates are held.
        outcome: Which candidates it lifts and lowers in the end, where that was asked for.
        effect: What setting it to zero does to the metric, where that was measured.
    """

    id: NodeId
    reading: Reading
    activation: float | None = None
    flow: float | None = None
    outcome: Outcome | None = None
    effect: Effect | None = None

    @property
    def label(self) -> str:
        """The reading's top token."""
        return self.reading.top[0].text

    @property
    def word(self) -> str:
        """The token that says best what it does."""
        return word_of(self.outcome, self.reading.top)


def word_of(outcome: Outcome | None, top: Sequence[TokenProbability]) -> str:
    """The token that says best what a part does: what it promotes most in the end, if known.

    A reading of an early part is often noise; its outcome is not. Else it is the top token.
    """
    promotes = outcome.promotes if outcome else ()
    return promotes[0].text if promotes else top[0].text


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
        direct_logit: What flows, read as a contribution to the metric with the final norm's scale
            frozen; only where it writes into the traced position's residual.
        proximity: Ferrando & Voita's measure, 0 to 1, 1 over a ledger.
        attention: How much a reader attends to a source: on a head's ``sources`` lines and from
            its query to a key; on ``positions`` lines the mean over heads.
        activation: A memory's coefficient, or an expert's routing weight.
        absolute_share: Of a ``positions_rest``: its parts' shares without their signs, added up.
        absolute_flow: Likewise their flows.
        flow: How much of the metric passes along it, signed, with all that follows held as it was;
            absent where the edge only steers.
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
    absolute_share: float | None = None
    absolute_flow: float | None = None
    flow: float | None = None

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
        logit: ``|sum of direct logits and biases - the metric by the model's own logits|``.
        flow: Worst ``|sum of flows at a depth - the metric|``; ``None`` in a graph without flow.
    """

    residual: float
    logit: float
    flow: float | None = None


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
    the document must be reproducible. ``metric`` is what direct logits and flows add up to.
    ``versus`` is the token whose logit is taken off the target's, where one was asked for;
    ``notes`` are the reader's. ``agreement`` is how well each way of predicting agrees with what
    was measured of the nodes, where any was. ``shown`` is how each of the tokens is shown, as
    ``visible_neighbours`` has it.
    """

    visit_version: str
    request: Request
    model: ModelInfo
    tokens: tuple[Token, ...]
    target: Target
    metric: MetricInfo
    predictions: tuple[Prediction, ...]
    audit: Audit
    nodes: tuple[Node, ...] = field(repr=False)
    edges: tuple[Edge, ...] = field(repr=False)
    created: str | None = None
    versus: Target | None = None
    notes: tuple[Note, ...] = ()
    agreement: Mapping[str, Agreement] | None = None
    shown: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once how the tokens are shown: every view of the prompt asks for it."""
        shown = visible_neighbours([token.text for token in self.tokens])
        object.__setattr__(self, "shown", shown)

    @property
    def position(self) -> int:
        """The traced position, counted from the start of the prompt."""
        given = self.request.position
        last = len(self.tokens)
        return last - 1 if given is None else given % last

    def show(self, height: int = 640) -> None:
        """Show the graph in a notebook, to click through: the page that works offline, in a frame.

        An exception to the rule that this folder imports no other: notebooks expect an object to
        show itself. The app is looked up by name and only then, so that this module stays free of
        it.

        Args:
            height: The frame's, in pixels.

        Raises:
            VisitError: IPython is not installed.
        """
        import_module(_NOTEBOOK).show(self, height)

    def _repr_html_(self) -> str:
        """What a notebook shows of a graph that is a cell's value: an image of its route.

        It is looked up as in ``show``.
        """
        return str(import_module(_NOTEBOOK).picture_from_flow(self))

"""What a node, an edge and a ledger can be: one row for each kind, and every rule about one.

What a kind is called, how it looks, where it stands in its layer, what it opens into and what must
be open to see it: all is said here, once. Whatever needs to know looks it up, or takes one of the
sets made from the table. The browser gets the table as data (``names`` among it), so a new kind
is a new row. Looks are roles and shapes here; their colours and sizes are the screen's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType


class NodeKind(StrEnum):
    """What a node is. The order is the order of the flow inside one layer."""

    EMBED = "embed"
    LN1 = "ln1"
    QUERY = "query"
    KEY = "key"
    VALUE = "value"
    SOURCES_REST = "sources_rest"
    HEAD = "head"
    HEADS_REST = "heads_rest"
    ATTN_NEURON = "attn_neuron"
    NEURONS_REST = "neurons_rest"
    POSITIONS_REST = "positions_rest"
    ATTN_BIAS = "attn_bias"
    ATTN = "attn"
    RESID_MID = "resid_mid"
    LN2 = "ln2"
    MEMORY_KEY = "memory_key"
    MEMORY_VALUE = "memory_value"
    MLP_BIAS = "mlp_bias"
    MEMORIES_REST = "memories_rest"
    EXPERT = "expert"
    SHARED_EXPERT = "shared_expert"
    EXPERTS_REST = "experts_rest"
    MLP = "mlp"
    RESID_POST = "resid_post"
    FINAL_NORM = "final_norm"
    OUTPUT = "output"


class EdgeKind(StrEnum):
    """What one node does to another."""

    ADDS = "adds"
    NORMALIZES = "normalizes"
    READS = "reads"
    SCORES = "scores"
    WEIGHS = "weighs"
    ACTIVATES = "activates"
    UNEMBEDS = "unembeds"


class Ledger(StrEnum):
    """One way of taking a whole apart; its parts add up by themselves."""

    RESIDUAL = "residual"
    HEADS = "heads"
    SOURCES = "sources"
    NEURONS = "neurons"
    POSITIONS = "positions"
    MEMORIES = "memories"
    EXPERTS = "experts"


class Group(StrEnum):
    """What sort of thing a node is, whichever block it is of."""

    RESIDUAL = "residual"
    NORM = "norm"
    BLOCK = "block"
    HEAD = "head"
    HEAD_PART = "head part"
    NEURON = "neuron"
    MEMORY = "memory"
    EXPERT = "expert"
    BIAS = "bias"
    REST = "rest"
    OUTPUT = "output"


class Role(StrEnum):
    """The kinds that look alike have one role; a theme has a colour for each."""

    TOKEN = "token"
    RESIDUAL = "residual"
    ATTENTION = "attention"
    QUERY = "query"
    NEURON = "neuron"
    MLP = "mlp"
    MEMORY_KEY = "memory-key"
    NORM = "norm"
    REST = "rest"


class Stage(IntEnum):
    """Where a node stands in its layer, from the layer's input to its output."""

    INPUT = 0
    LN1 = 1
    QUERY = 2
    KEY = 3
    VALUE = 4
    HEAD = 5
    NEURON = 6
    ATTENTION = 7
    RESIDUAL = 8
    LN2 = 9
    MEMORY_KEY = 10
    MEMORY = 11
    MLP = 12
    OUTPUT = 13
    FINAL_NORM = 14
    PREDICTION = 15


@dataclass(frozen=True, slots=True)
class NodeRow:
    """All about one kind of node.

    Attributes:
        kind: The kind.
        words: What one is called; a number may follow.
        plural: What several are called.
        group: What sort of thing it is.
        role: How it looks.
        stage: Where it stands in its layer.
        id_name: Its name in an id; ``#`` stands for the number of its head, or its own.
        numbered_by: Which field of an id its number is: ``head``, ``index``, or none.
        also: Other names that it is found by: ours for what it is one of, then the field's.
        inside: The kind that must be open for it to be drawn; ``None`` for what needs none.
        ledgers: The ledgers that take it apart.
        opens: Those of its ledgers that are drawn once it is open. An attention's neurons open by
            the id of their rest, which stands for them.
        label: What is written on it in place of its top token.
        mark: What is written before its top token; ``#`` stands for its number.
        undivided: Why it has no ledger, in a sentence.
    """

    kind: NodeKind
    words: str
    plural: str
    group: Group
    role: Role
    stage: Stage
    id_name: str = ""
    numbered_by: str | None = None
    also: tuple[str, ...] = ()
    inside: NodeKind | None = None
    ledgers: tuple[Ledger, ...] = ()
    opens: tuple[Ledger, ...] = ()
    label: str | None = None
    mark: str = ""
    undivided: str = ""

    @property
    def in_layer(self) -> bool:
        """Whether it is a layer's, not the whole model's."""
        return Stage.INPUT < self.stage <= Stage.OUTPUT


_SCALED = "A norm is its residual, scaled; it has no parts of its own."
_CONSTANT = "A bias is the same for every prompt; it has no parts."
_WHOLE_EXPERT = "An expert is an MLP of its own, shown whole: it is not opened into its memories."
_NORM = ("norm", "LayerNorm", "RMSNorm")
_RESIDUAL = ("residual", "resid", "residual stream", "hidden state", "HS")

_ROWS_OF_NODES = (
    NodeRow(NodeKind.EMBED, "Embedding", "Embeddings", Group.RESIDUAL, Role.TOKEN, Stage.INPUT,
            also=("token embedding",),
            undivided="It is where its position's residual stream begins: a row of the embedding."),
    NodeRow(NodeKind.LN1, "Norm before attention", "Norms before attention", Group.NORM,
            Role.NORM, Stage.LN1, also=_NORM, inside=NodeKind.HEAD, label="", undivided=_SCALED),
    NodeRow(NodeKind.QUERY, "Query", "Queries", Group.HEAD_PART, Role.QUERY, Stage.QUERY,
            "head#.query", "head", also=("QK", "QK circuit"), inside=NodeKind.HEAD,
            undivided="A query says where to look; it adds to nothing by itself."),
    NodeRow(NodeKind.KEY, "Key", "Keys", Group.HEAD_PART, Role.QUERY, Stage.KEY, "head#.key",
            "head", also=("QK", "QK circuit"), inside=NodeKind.HEAD,
            undivided="A key says what a source can be found by; it adds to nothing by itself."),
    NodeRow(NodeKind.VALUE, "Value", "Values", Group.HEAD_PART, Role.ATTENTION, Stage.VALUE,
            "head#.value", "head", also=("OV", "OV circuit"), inside=NodeKind.HEAD,
            undivided="It is its source's residual, seen through the head's value and output map."),
    NodeRow(NodeKind.SOURCES_REST, "Other sources", "Other sources", Group.REST, Role.REST,
            Stage.VALUE, "head#.sources_rest", "head", also=("rest",), inside=NodeKind.HEAD,
            label="rest"),
    NodeRow(NodeKind.HEAD, "Head", "Heads", Group.HEAD, Role.ATTENTION, Stage.HEAD, "head#",
            "head", also=("attention head",), inside=NodeKind.ATTN, ledgers=(Ledger.SOURCES,),
            opens=(Ledger.SOURCES,), mark="#", undivided="This head was not taken apart."),
    NodeRow(NodeKind.HEADS_REST, "Other heads", "Other heads", Group.REST, Role.REST, Stage.HEAD,
            also=("rest",), inside=NodeKind.ATTN, label="rest"),
    NodeRow(NodeKind.ATTN_NEURON, "Attention neuron", "Attention neurons", Group.NEURON,
            Role.NEURON, Stage.NEURON, "attn_neuron#", "index", also=("neuron", "row of W_O"),
            inside=NodeKind.NEURONS_REST,
            undivided="It is one row of the attention's output matrix; it has no parts."),
    NodeRow(NodeKind.NEURONS_REST, "Other attention neurons", "Other attention neurons",
            Group.REST, Role.REST, Stage.NEURON, also=("rest",), inside=NodeKind.NEURONS_REST,
            opens=(Ledger.NEURONS,), label="rest"),
    NodeRow(NodeKind.POSITIONS_REST, "Other positions", "Other positions", Group.REST, Role.REST,
            Stage.HEAD, also=("rest",), label="rest"),
    NodeRow(NodeKind.ATTN_BIAS, "Attention bias", "Attention biases", Group.BIAS, Role.REST,
            Stage.HEAD, also=("bias",), inside=NodeKind.ATTN, label="bias", undivided=_CONSTANT),
    NodeRow(NodeKind.ATTN, "Attention", "Attentions", Group.BLOCK, Role.ATTENTION,
            Stage.ATTENTION, ledgers=(Ledger.HEADS, Ledger.NEURONS, Ledger.POSITIONS),
            opens=(Ledger.HEADS,), undivided="This attention was not taken apart."),
    NodeRow(NodeKind.RESID_MID, "Residual after attention", "Residuals after attention",
            Group.RESIDUAL, Role.RESIDUAL, Stage.RESIDUAL, also=_RESIDUAL,
            ledgers=(Ledger.RESIDUAL,), label=""),
    NodeRow(NodeKind.LN2, "Norm before MLP", "Norms before MLP", Group.NORM, Role.NORM,
            Stage.LN2, also=_NORM, inside=NodeKind.MLP, label="", undivided=_SCALED),
    NodeRow(NodeKind.MEMORY_KEY, "Memory key", "Memory keys", Group.MEMORY, Role.MEMORY_KEY,
            Stage.MEMORY_KEY, "memory#.key", "index", inside=NodeKind.MLP,
            also=("key", "memory", "neuron", "MLP neuron", "column of W_in"),
            undivided="A key decides how far its memory is active; the value is what adds."),
    NodeRow(NodeKind.MEMORY_VALUE, "Memory value", "Memory values", Group.MEMORY, Role.MLP,
            Stage.MEMORY, "memory#.value", "index", inside=NodeKind.MLP,
            also=("value", "memory", "neuron", "MLP neuron", "row of W_out"),
            undivided="A memory is one row of the MLP's output matrix; it has no parts."),
    NodeRow(NodeKind.MLP_BIAS, "MLP bias", "MLP biases", Group.BIAS, Role.REST, Stage.MEMORY,
            also=("bias",), inside=NodeKind.MLP, label="bias", undivided=_CONSTANT),
    NodeRow(NodeKind.MEMORIES_REST, "Other memories", "Other memories", Group.REST, Role.REST,
            Stage.MEMORY, also=("rest",), inside=NodeKind.MLP, label="rest"),
    NodeRow(NodeKind.EXPERT, "Expert", "Experts", Group.EXPERT, Role.MLP, Stage.MEMORY,
            "expert#", "index", inside=NodeKind.MLP, mark="#", undivided=_WHOLE_EXPERT),
    NodeRow(NodeKind.SHARED_EXPERT, "Shared expert", "Shared experts", Group.EXPERT, Role.MLP,
            Stage.MEMORY, also=("expert",), inside=NodeKind.MLP, mark="shared",
            undivided=_WHOLE_EXPERT),
    NodeRow(NodeKind.EXPERTS_REST, "Other experts", "Other experts", Group.REST, Role.REST,
            Stage.MEMORY, also=("rest",), inside=NodeKind.MLP, label="rest"),
    NodeRow(NodeKind.MLP, "MLP", "MLPs", Group.BLOCK, Role.MLP, Stage.MLP,
            also=("feed-forward", "FFN"), ledgers=(Ledger.MEMORIES, Ledger.EXPERTS),
            opens=(Ledger.MEMORIES, Ledger.EXPERTS),
            undivided="This MLP was not taken apart: tap it in the graph to open it."),
    NodeRow(NodeKind.RESID_POST, "Residual after the block", "Residuals after the block",
            Group.RESIDUAL, Role.RESIDUAL, Stage.OUTPUT, also=_RESIDUAL,
            ledgers=(Ledger.RESIDUAL,)),
    NodeRow(NodeKind.FINAL_NORM, "Final norm", "Final norms", Group.NORM, Role.NORM,
            Stage.FINAL_NORM, also=_NORM, label=""),
    NodeRow(NodeKind.OUTPUT, "Output", "Outputs", Group.OUTPUT, Role.TOKEN, Stage.PREDICTION),
)  # fmt: skip

NODES: Mapping[NodeKind, NodeRow] = MappingProxyType({row.kind: row for row in _ROWS_OF_NODES})
"""The row of every kind of node, in the order of the flow."""


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """All about one kind of edge.

    Attributes:
        kind: The kind.
        is_inside: Whether it leads from a part to what that is a part of, inside one block.
        is_measured: Whether what flows is a vector with a norm of its own; else it only steers.
    """

    kind: EdgeKind
    is_inside: bool = False
    is_measured: bool = False


_ROWS_OF_EDGES = (
    EdgeRow(EdgeKind.ADDS, is_inside=True, is_measured=True),
    EdgeRow(EdgeKind.NORMALIZES, is_measured=True),
    EdgeRow(EdgeKind.READS),
    EdgeRow(EdgeKind.SCORES, is_inside=True),
    EdgeRow(EdgeKind.WEIGHS, is_inside=True),
    EdgeRow(EdgeKind.ACTIVATES, is_inside=True),
    EdgeRow(EdgeKind.UNEMBEDS),
)
EDGES: Mapping[EdgeKind, EdgeRow] = MappingProxyType({row.kind: row for row in _ROWS_OF_EDGES})
"""The row of every kind of edge."""

LEDGER_WORDS: Mapping[Ledger, str] = MappingProxyType(
    {
        Ledger.RESIDUAL: "What adds up to it",
        Ledger.HEADS: "By head",
        Ledger.SOURCES: "By source",
        Ledger.NEURONS: "By attention neuron",
        Ledger.POSITIONS: "By position read",
        Ledger.MEMORIES: "By memory",
        Ledger.EXPERTS: "By expert",
    }
)
"""What a ledger is called where a whole's are listed."""

SHAPES: Mapping[str, str] = MappingProxyType(
    {
        Role.TOKEN: "rectangle",
        Role.RESIDUAL: "ellipse",
        Role.ATTENTION: "round-rectangle",
        Role.QUERY: "ellipse",
        Role.NEURON: "barrel",
        Role.MLP: "cut-rectangle",
        Role.MEMORY_KEY: "cut-rectangle",
        Role.NORM: "ellipse",
        Role.REST: "round-tag",
    }
)
"""The shape of a role, so that a kind is told by more than its colour; Cytoscape's names."""


def kinds_of(*groups: Group) -> frozenset[NodeKind]:
    """The kinds of some groups."""
    return frozenset(row.kind for row in NODES.values() if row.group in groups)


def kinds_inside(whole: NodeKind) -> frozenset[NodeKind]:
    """The kinds that are drawn only while a node of one kind is open."""
    return frozenset(row.kind for row in NODES.values() if row.inside is whole)


RESIDUALS = kinds_of(Group.RESIDUAL)
NORMS = kinds_of(Group.NORM)
BLOCKS = kinds_of(Group.BLOCK)
MEMORIES = kinds_of(Group.MEMORY)
EXPERTS = kinds_of(Group.EXPERT)
BIASES = kinds_of(Group.BIAS)
RESTS = kinds_of(Group.REST)
SOURCES = frozenset({NodeKind.KEY, NodeKind.VALUE})
"""A head's parts that stand at the position that is read, not at the one that reads."""
ROUTE = frozenset(row.kind for row in NODES.values() if row.inside is None) - {
    NodeKind.POSITIONS_REST  # it is counted as unexplained, not drawn
}
"""What is drawn while nothing is open."""


def names() -> dict[str, tuple[NodeKind, ...]]:
    """Every name that a query can ask for kinds by, in lower case, and the kinds it names.

    A kind goes by its words, by its name in a document with or without underscores, and by its
    other names; each in the singular and the plural. A single letter is no name: as a query it is
    a token more often.
    """
    named: dict[str, dict[NodeKind, None]] = {}
    for row in NODES.values():
        others = (str(row.kind), str(row.kind).replace("_", " "), *row.also)
        for name in (row.words, row.plural, *others, *map(_plural, others)):
            named.setdefault(name.lower(), {})[row.kind] = None
    return {name: tuple(kinds) for name, kinds in named.items()}


def _plural(name: str) -> str:
    if name.endswith("y") and name[-2] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"

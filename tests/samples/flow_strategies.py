"""Flow graphs made by hand and by hypothesis, for the tests of the plain half."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from visit.graph.effect import WAYS_OF_PREDICTING, After, Agreement, Effect, TokenDelta
from visit.graph.flow import (
    Audit,
    Edge,
    EdgeKind,
    FlowGraph,
    Ledger,
    MetricInfo,
    MetricKind,
    ModelInfo,
    Node,
    NodeId,
    NodeKind,
    Note,
    Outcome,
    Prediction,
    Reading,
    Target,
    TargetReading,
    Token,
    TokenFlow,
    TokenProbability,
)
from visit.graph.interventions import SITE_KINDS, Site
from visit.graph.metric import MetricChoice
from visit.graph.request import RankBy, Request, RouteBy

MODEL = ModelInfo(
    name="toy",
    family="gpt2",
    dtype="float32",
    weights_sha256="0" * 64,
    n_layers=3,
    n_heads=4,
    n_kv_heads=2,
    d_model=12,
    d_head=5,
    d_mlp=30,
    d_vocab=97,
)


def reading(*texts: str, norm: float = 2.5) -> Reading:
    """A reading whose top tokens are these texts, best first."""
    return Reading(
        top=tuple(TokenProbability(i, text, 0.5 / (i + 1)) for i, text in enumerate(texts)),
        bottom=(TokenProbability(90, " never", 1e-9),),
        target=TargetReading(prob=0.125, rank=3, logit=1.5),
        entropy=4.25,
        norm=norm,
    )


def small_flow() -> FlowGraph:
    """One opened layer of a three-token prompt, with every kind of field somewhere."""
    embed = NodeId(NodeKind.EMBED, 2)
    head = NodeId(NodeKind.HEAD, 2, layer=0, head=3)
    key = NodeId(NodeKind.KEY, 1, layer=0, head=3)
    value = NodeId(NodeKind.VALUE, 1, layer=0, head=3)
    attn = NodeId(NodeKind.ATTN, 2, layer=0)
    rest = NodeId(NodeKind.HEADS_REST, 2, layer=0)
    resid_mid = NodeId(NodeKind.RESID_MID, 2, layer=0)
    memory_key = NodeId(NodeKind.MEMORY_KEY, 2, layer=0, index=17)
    memory_value = NodeId(NodeKind.MEMORY_VALUE, 2, layer=0, index=17)
    mlp = NodeId(NodeKind.MLP, 2, layer=0)
    resid_post = NodeId(NodeKind.RESID_POST, 2, layer=0)
    nodes = (
        Node(embed, reading(" of", "of")),
        Node(key, reading(" Japan")),
        Node(value, reading(" Tokyo", " Japan")),
        Node(head, reading(" Tokyo", "\n", "\x1b[31m")),
        Node(rest, reading(" a")),
        Node(attn, reading(" Tokyo")),
        Node(resid_mid, reading(" Tokyo")),
        Node(memory_key, reading("\u202e", "日本"), activation=-0.5),
        Node(memory_value, reading("日本", ""), activation=-0.5),
        Node(mlp, reading("日本")),
        Node(resid_post, reading(" Tokyo")),
    )
    adds = EdgeKind.ADDS
    edges = (
        Edge(key, value, EdgeKind.WEIGHS),
        Edge(value, head, adds, Ledger.SOURCES, 1.0, 1.0, proximity=1.0, attention=0.75),
        Edge(head, attn, adds, Ledger.HEADS, 2.0, 1.25, direct_logit=3.5),
        Edge(rest, attn, adds, Ledger.HEADS, 0.5, -0.25, direct_logit=-0.5),
        Edge(embed, attn, adds, Ledger.POSITIONS, 1.0, 1.0, 3.0, 1.0, 0.25),
        Edge(embed, resid_mid, adds, Ledger.RESIDUAL, 1.0, 0.25, 0.5, 0.25),
        Edge(attn, resid_mid, adds, Ledger.RESIDUAL, 2.0, 0.75, 3.0, 0.75),
        Edge(memory_key, memory_value, EdgeKind.ACTIVATES, activation=-0.5),
        Edge(memory_value, mlp, adds, Ledger.MEMORIES, 1.0, 1.0, -1.25, activation=-0.5),
        Edge(resid_mid, resid_post, adds, Ledger.RESIDUAL, 2.0, 0.75, 3.5, 0.75),
        Edge(mlp, resid_post, adds, Ledger.RESIDUAL, 1.0, 0.25, -1.25, 0.25),
    )
    return FlowGraph(
        visit_version="0.1.0",
        created="2026-11-23T02:00:00+00:00",
        request=Request(prompt="capital Japan of", layers="0", position=-1),
        model=MODEL,
        tokens=(Token(0, 5, "capital"), Token(1, 6, " Japan"), Token(2, 7, " of")),
        target=Target(11, " Tokyo", 7.5, 0.75, 1),
        predictions=(Prediction(11, " Tokyo", 7.5, 0.75), Prediction(12, " Kyoto", 5.0, 0.0625)),
        metric=MetricInfo(MetricKind.LOGIT, 7.5),
        audit=Audit(residual=1e-7, logit=2e-6),
        nodes=nodes,
        edges=edges,
    )


def large_flow(n_layers: int, n_memories: int) -> FlowGraph:
    """A graph as wide as asked: every layer's memories, each with a reading of 10 + 10 tokens."""
    tokens = tuple(f" token{i}" for i in range(10))
    full = reading(*tokens)
    full = replace(full, bottom=tuple(TokenProbability(i, t, 1e-9) for i, t in enumerate(tokens)))
    nodes, edges = [], []
    for layer in range(n_layers):
        mlp = NodeId(NodeKind.MLP, 0, layer)
        nodes.append(Node(mlp, full))
        for index in range(n_memories):
            key = NodeId(NodeKind.MEMORY_KEY, 0, layer, index=index)
            value = NodeId(NodeKind.MEMORY_VALUE, 0, layer, index=index)
            nodes += [Node(key, full, activation=0.3), Node(value, full, activation=0.3)]
            share = 1 / n_memories
            edges += [
                Edge(key, value, EdgeKind.ACTIVATES, activation=0.3),
                Edge(value, mlp, EdgeKind.ADDS, Ledger.MEMORIES, 1.5, share, 0.5, activation=0.3),
            ]
    return replace(
        small_flow(),
        model=replace(MODEL, n_layers=n_layers, d_mlp=n_memories),
        nodes=tuple(nodes),
        edges=tuple(edges),
    )


# JSON text cannot tell a high and a low surrogate in a row from the one character they spell.
texts = st.text(st.characters(codec=None, exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["\udc80", "\ud83d", "a\udfff", "\x00", "\x1b[2J", "\ufffe", "]]>", '"', "\\", "\r\n"]
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
magnitudes = st.floats(min_value=0, allow_infinity=False)
counts = st.integers(0, 2**40)


@st.composite
def node_ids(draw: st.DrawFn, n_layers: int = 3, n_heads: int = 4, n_tokens: int = 3) -> NodeId:
    """Any place in a model of this size."""
    kind = draw(st.sampled_from(NodeKind))
    position = draw(st.integers(0, n_tokens - 1))
    if kind in {NodeKind.EMBED, NodeKind.FINAL_NORM, NodeKind.OUTPUT}:
        return NodeId(kind, position)
    layer = draw(st.integers(0, n_layers - 1))
    if kind in {
        NodeKind.HEAD, NodeKind.QUERY, NodeKind.KEY, NodeKind.VALUE, NodeKind.SOURCES_REST,
    }:  # fmt: skip
        return NodeId(kind, position, layer, head=draw(st.integers(0, n_heads - 1)))
    if kind in {
        NodeKind.ATTN_NEURON, NodeKind.MEMORY_KEY, NodeKind.MEMORY_VALUE, NodeKind.EXPERT,
    }:  # fmt: skip
        return NodeId(kind, position, layer, index=draw(counts))
    return NodeId(kind, position, layer)


token_lists = st.lists(st.builds(TokenProbability, counts, texts, magnitudes), max_size=3).map(
    tuple
)
readings = st.builds(
    Reading,
    top=token_lists.filter(len),
    bottom=token_lists,
    target=st.builds(TargetReading, magnitudes, st.integers(1, 10**6), numbers),
    entropy=numbers,
    norm=magnitudes,
)


@st.composite
def edges_among(draw: st.DrawFn, ids: list[NodeId]) -> Edge:
    """Any edge between two of these nodes."""
    kind = draw(st.sampled_from(EdgeKind))
    ledger = draw(st.sampled_from(Ledger)) if kind is EdgeKind.ADDS else None
    ends = st.sampled_from(ids)
    size, any_number = st.none() | magnitudes, st.none() | numbers
    return draw(
        st.builds(
            Edge, ends, ends, st.just(kind), st.just(ledger),
            norm=size, share=any_number, direct_logit=any_number,
            proximity=size, attention=size, activation=any_number, flow=any_number,
        )
    )  # fmt: skip


# Ids that no prediction of small_flow() has, nor its target: a text of theirs must agree.
others = st.builds(
    Target, st.integers(13, 2**40), texts, numbers, magnitudes, st.integers(1, 10**6)
)
_asked = {
    "model": st.none() | texts,
    "target": st.none() | texts,
    "versus": st.none() | texts,
    "position": st.none() | st.integers(-3, 2),
    "layers": texts,
    "heads": counts,
    "top_k": st.integers(1, 50),
    "threshold": st.floats(0, 1),
    "rank_by": st.sampled_from(RankBy),
    "metric": st.sampled_from(MetricChoice),
    "route": st.sampled_from(RouteBy),
    "candidates": st.integers(2, 200),
    "strongest": counts,
    "outcome": st.none() | st.booleans(),
    "effects": st.none() | st.booleans(),
    "target_id": st.none() | counts,
    "versus_id": st.none() | counts,
}


def _request(**asked: Any) -> Request:
    """A request of fields that may contradict each other, without the contradiction."""
    if asked["rank_by"] is RankBy.EFFECT and asked["effects"] is False:
        asked["effects"] = None
    return Request(**asked)


_ids = st.lists(counts, min_size=1, max_size=4).map(tuple)
requests = st.builds(
    _request,
    prompt=texts.filter(bool),
    bos=st.none() | st.booleans(),
    chat=st.booleans(),
    **_asked,
) | st.builds(_request, prompt=texts, prompt_ids=_ids, **_asked)


@st.composite
def notes_beside(draw: st.DrawFn, ids: list[NodeId]) -> tuple[Note, ...]:
    """Any notes, beside these nodes or others, as a document keeps them."""
    words = st.none() | texts
    beside = st.sampled_from(ids) | node_ids()
    made = draw(
        st.lists(
            st.builds(Note, beside, name=words, text=words, group=words, pinned=st.booleans()),
            max_size=3,
            unique_by=lambda note: note.node,
        )
    )
    return tuple(
        sorted((note for note in made if note != Note(note.node)), key=lambda note: str(note.node))
    )


@st.composite
def tokens_at(draw: st.DrawFn, position: int) -> Token:
    """Any token, a chat's or not."""
    marks = draw(st.none() | st.tuples(counts, texts)) or (None, None)
    return Token(position, draw(counts), draw(texts), draw(st.booleans()), *marks)


listed = st.lists(st.builds(TokenFlow, counts, texts, numbers), max_size=3).map(tuple)
metrics = st.builds(
    MetricInfo,
    st.sampled_from(MetricKind),
    numbers,
    token_lists,
    st.none() | magnitudes,
)


deltas = st.lists(st.builds(TokenDelta, counts, texts, numbers), max_size=3).map(tuple)
afters = st.builds(
    After, magnitudes, st.integers(1, 10**6), magnitudes, token_lists, deltas, deltas
)
any_number = st.none() | numbers
agreements = st.builds(Agreement, counts, any_number, any_number, any_number)


def effects_at(node: NodeId) -> st.SearchStrategy[Effect | None]:
    """Any effect of a node that can be changed; of another, none."""
    if node.kind not in SITE_KINDS:
        return st.none()
    sites = st.just((Site.from_node(node),))
    ways = dict.fromkeys(("measured", "direct", "flow", "estimate", "normalised"), any_number)
    return st.none() | st.builds(Effect, sites, after=st.none() | afters, **ways)


@st.composite
def flows(draw: st.DrawFn) -> FlowGraph:
    """Any flow graph a document can hold, sensible or not."""
    ids = draw(st.lists(node_ids(), min_size=1, max_size=5, unique=True))
    measure = st.none() | numbers
    outcome = st.none() | st.builds(Outcome, listed, listed)
    nodes = tuple(
        draw(st.builds(Node, st.just(i), readings, measure, measure, outcome, effects_at(i)))
        for i in ids
    )
    edges = draw(
        st.lists(edges_among(ids), max_size=5, unique_by=lambda e: (e.source, e.target, e.key))
    )
    return replace(
        small_flow(),
        created=draw(st.none() | texts),
        request=draw(requests),
        model=replace(
            MODEL,
            name=draw(texts),
            revision=draw(st.none() | texts),
            n_experts=draw(st.none() | st.integers(1, 256)),
            limits=draw(st.none() | texts),
        ),
        tokens=tuple(draw(tokens_at(i)) for i in range(3)),
        metric=draw(metrics),
        audit=draw(st.builds(Audit, magnitudes, magnitudes, st.none() | magnitudes)),
        versus=draw(st.none() | others),
        notes=draw(notes_beside(ids)),
        agreement=draw(
            st.none() | st.dictionaries(st.sampled_from(WAYS_OF_PREDICTING), agreements)
        ),
        nodes=nodes,
        edges=tuple(edges),
    )

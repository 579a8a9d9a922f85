"""A flow graph made by hand: small, seeded, and with ledgers that add up like a real one's."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import reduce
from typing import Any, cast

from visit.engine.progress import Progress, silent
from visit.engine.protocol import ModelChoice
from visit.engine.questions import (
    Answer,
    DrawParts,
    Explain,
    Measure,
    OpenBlock,
    Pattern,
    Question,
    RankParts,
    ReadLens,
    ReadPattern,
    SplitScore,
)
from visit.engine.queue import Queue
from visit.errors import RequestError
from visit.graph.effects import Base, Effect, Effects
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
    Outcome,
    Prediction,
    Reading,
    Target,
    TargetReading,
    Token,
    TokenFlow,
    TokenProbability,
)
from visit.graph.index import merge
from visit.graph.interventions import Site, Unit
from visit.graph.ranking import Part, Ranking
from visit.graph.request import Request

WORDS = (
    " Tokyo", " Japan", " city", " the", " Paris", " of", ".", " and", " Kyoto", "\n", " Berlin",
    " capital", " is", " yen", " Lima", " Asia", " a", " people", " language", " Rome", "ing", "'s",
)  # fmt: skip
PROMPT = "The capital of Japan is the city of"


class _Builder:
    """Collects nodes and edges once each, with seeded readings."""

    def __init__(self, request: Request, words: tuple[str, ...], seed: int) -> None:
        self.random = random.Random(seed)
        self.request = request
        self.words = words
        self.nodes: dict[NodeId, Node] = {}
        self.edges: dict[tuple[NodeId, NodeId, str], Edge] = {}

    def node(
        self, kind: NodeKind, position: int, layer: int | None = None, **more: float | int | None
    ) -> NodeId:
        """A node with a seeded reading, or the one that is there already."""
        node_id = NodeId(kind, position, layer, head=_int(more, "head"), index=_int(more, "index"))
        if node_id not in self.nodes:
            self.nodes[node_id] = Node(
                node_id,
                self.reading(layer),
                activation=more.get("activation"),
            )
        return node_id

    def reading(self, layer: int | None) -> Reading:
        """Ten tokens at either end; deeper layers see the target better."""
        depth = 0 if layer is None else layer + 1
        picks = self.random.sample(range(len(self.words)), 2 * self.request.top_k)
        if self.random.random() < 0.25 * depth:
            picks = [0, *(p for p in picks if p != 0)]
        weights = sorted(
            (self.random.random() ** 3 for _ in range(self.request.top_k)), reverse=True
        )
        scale = sum(weights) * 1.2
        top = tuple(
            TokenProbability(p, self.words[p], w / scale)
            for p, w in zip(picks, weights, strict=False)
        )
        bottom = tuple(
            TokenProbability(p, self.words[p], 1e-9 * (i + 1))
            for i, p in enumerate(picks[-self.request.top_k :])
        )
        rank = 1 if picks[0] == 0 else self.random.randint(2, 4000)
        target = TargetReading(0.6 if rank == 1 else 1 / (rank * 3), rank, self.random.gauss(2, 3))
        return Reading(top, bottom, target, self.random.uniform(0.5, 9), self.random.uniform(1, 90))

    def adds(
        self,
        parts: Iterable[NodeId],
        whole: NodeId,
        ledger: Ledger,
        *,
        logit: float | None = None,
        attentions: Sequence[float] = (),
    ) -> None:
        """A ledger: signed shares that add up to 1, direct logits that add up to the whole's."""
        parts = list(parts)
        shares = [self.random.gauss(0.7, 0.8) for _ in parts]
        shares[0] += 1 + abs(sum(shares))
        total = sum(shares)
        attended = dict(zip(parts, attentions, strict=False))  # the rest, which is last, has none
        for part, share in zip(parts, shares, strict=True):
            if ledger is Ledger.POSITIONS:
                attended[part] = self.random.random()
            self.edge(
                Edge(
                    part,
                    whole,
                    EdgeKind.ADDS,
                    ledger,
                    norm=abs(share) * 10,
                    share=share / total,
                    direct_logit=None if logit is None else logit * share / total,
                    proximity=abs(share) / sum(abs(s) for s in shares),
                    attention=attended.get(part),
                    activation=self.nodes[part].activation if ledger is Ledger.EXPERTS else None,
                )
            )

    def edge(self, edge: Edge) -> None:
        """Keep an edge, once."""
        self.edges.setdefault((edge.source, edge.target, edge.key), edge)


def _int(more: dict[str, float | int | None], name: str) -> int | None:
    value = more.get(name)
    return None if value is None else int(value)


def make_flow(
    request: Request | None = None,
    *,
    words: tuple[str, ...] = WORDS,
    n_layers: int = 3,
    n_heads: int = 3,
    opened: Iterable[int] | None = None,
    mixtures: Sequence[int] = (),
    seed: int = 0,
) -> FlowGraph:
    """The whole model's route, with the layers in ``opened`` (default: all) taken apart.

    The MLPs of the layers in ``mixtures`` are mixtures of experts.
    """
    request = request or Request(PROMPT)
    made = _Builder(request, words, seed)
    texts = _tokens(request.prompt)
    last = (len(texts) - 1) if request.position is None else request.position % len(texts)
    before = {s: made.node(NodeKind.EMBED, s) for s in range(last + 1)}
    for layer in range(n_layers):
        before = _route_layer(made, layer, last, before)
    for layer in range(n_layers) if opened is None else opened:
        open_block(made, layer, last, n_heads, with_experts=layer in mixtures)
    norm, output = made.node(NodeKind.FINAL_NORM, last), made.node(NodeKind.OUTPUT, last)
    made.edge(Edge(before[last], norm, EdgeKind.NORMALIZES, norm=60.0, direct_logit=11.0))
    made.edge(Edge(norm, output, EdgeKind.UNEMBEDS, direct_logit=12.0))
    flow = _finish(made, request, texts, n_layers, n_heads)
    if mixtures:
        model = replace(flow.model, n_experts=8, n_routed=3, limits="experts are shown whole")
        flow = replace(flow, model=model)
    return flow


def with_flow(flow: FlowGraph, seed: int = 0) -> FlowGraph:
    """The same graph with flow: every ledger's adds up to its whole's; and outcomes of heads."""
    chance = random.Random(seed)
    steering = {NodeKind.QUERY, NodeKind.KEY, NodeKind.MEMORY_KEY}
    own = {n.id: chance.gauss(1, 2) for n in flow.nodes if n.id.kind not in steering}
    own[NodeId(NodeKind.OUTPUT, flow.position)] = flow.metric.value
    outcome = Outcome(
        (TokenFlow(8, " Kyoto", 1.5), TokenFlow(0, " Tokyo", 0.25)), (TokenFlow(4, " Paris", -0.5),)
    )
    nodes = tuple(
        replace(
            node,
            flow=own.get(node.id),
            outcome=outcome if node.id.kind is NodeKind.HEAD else None,
        )
        for node in flow.nodes
    )
    ends = (NodeKind.FINAL_NORM, NodeKind.OUTPUT)
    edges = tuple(
        replace(edge, flow=edge.share * own[edge.target])
        if edge.share is not None
        else replace(edge, flow=own[edge.target] if edge.target.kind in ends else None)
        for edge in flow.edges
    )
    metric = replace(flow.metric, absolute_flow=20.0)
    audit = replace(flow.audit, flow=1e-6)
    return replace(flow, nodes=nodes, edges=edges, metric=metric, audit=audit)


def make_block(layer: int, position: int, request: Request, n_heads: int = 3) -> FlowGraph:
    """One block at one position, as ``OpenBlock`` is answered."""
    made = _Builder(request, WORDS, seed=layer * 100 + position)
    texts = _tokens(request.prompt)
    open_block(made, layer, position, n_heads, on_route=False)
    return _finish(made, request, texts, 3, n_heads)


def _route_layer(
    made: _Builder, layer: int, last: int, before: dict[int, NodeId]
) -> dict[int, NodeId]:
    after = {}
    for s in range(last + 1):
        attn = made.node(NodeKind.ATTN, s, layer)
        rest = made.node(NodeKind.POSITIONS_REST, s, layer)
        sources = [before[t] for t in range(s + 1) if made.random.random() < 0.6 or t == s]
        made.adds([*sources, rest], attn, Ledger.POSITIONS, logit=1.0 if s == last else None)
        mid = made.node(NodeKind.RESID_MID, s, layer)
        made.adds([before[s], attn], mid, Ledger.RESIDUAL, logit=5.0 if s == last else None)
        mlp = made.node(NodeKind.MLP, s, layer)
        if s != last:
            made.edge(Edge(mid, mlp, EdgeKind.READS, norm=20.0))
        after[s] = made.node(NodeKind.RESID_POST, s, layer)
        made.adds([mid, mlp], after[s], Ledger.RESIDUAL, logit=8.0 if s == last else None)
    return after


def open_block(
    made: _Builder,
    layer: int,
    position: int,
    n_heads: int,
    *,
    on_route: bool = True,
    with_experts: bool = False,
) -> None:
    """Everything VISIT draws of one block."""
    pre_kind, pre_layer = (NodeKind.EMBED, None) if layer == 0 else (NodeKind.RESID_POST, layer - 1)
    pre = made.node(pre_kind, position, pre_layer)
    ln1, attn = made.node(NodeKind.LN1, position, layer), made.node(NodeKind.ATTN, position, layer)
    made.edge(Edge(pre, ln1, EdgeKind.NORMALIZES, norm=20.0))
    heads = []
    for h in range(n_heads):
        head = made.node(NodeKind.HEAD, position, layer, head=h)
        query = made.node(NodeKind.QUERY, position, layer, head=h)
        heads.append(head)
        made.edge(Edge(ln1, query, EdgeKind.READS, norm=3.0))
        parts, attentions = [], []
        for s in made.random.sample(range(position + 1), min(2, position + 1)):
            attention = made.random.random()
            source = made.node(pre_kind, s, pre_layer) if on_route else None
            key = made.node(NodeKind.KEY, s, layer, head=h)
            value = made.node(NodeKind.VALUE, s, layer, head=h)
            if source is not None:
                made.edge(Edge(source, key, EdgeKind.READS, norm=3.0))
            made.edge(Edge(query, key, EdgeKind.SCORES, attention=attention))
            made.edge(Edge(key, value, EdgeKind.WEIGHS))
            parts.append(value)
            attentions.append(attention)
        rest = made.node(NodeKind.SOURCES_REST, position, layer, head=h)
        made.adds([*parts, rest], head, Ledger.SOURCES, logit=0.3, attentions=attentions)
    bias = made.node(NodeKind.ATTN_BIAS, position, layer)
    rest = made.node(NodeKind.HEADS_REST, position, layer)
    made.adds([*heads, bias, rest], attn, Ledger.HEADS, logit=1.0)
    neurons = [
        made.node(
            NodeKind.ATTN_NEURON, position, layer, index=i, activation=made.random.gauss(0, 1)
        )
        for i in range(25)
    ]
    rest = made.node(NodeKind.NEURONS_REST, position, layer)
    made.adds([*neurons, bias, rest], attn, Ledger.NEURONS, logit=1.0)
    mid, mlp = (
        made.node(NodeKind.RESID_MID, position, layer),
        made.node(NodeKind.MLP, position, layer),
    )
    made.adds([pre, attn], mid, Ledger.RESIDUAL, logit=5.0)
    ln2 = made.node(NodeKind.LN2, position, layer)
    made.edge(Edge(mid, ln2, EdgeKind.NORMALIZES, norm=20.0))
    (_open_mixture if with_experts else _open_mlp)(made, layer, position, ln2, mlp)
    post = made.node(NodeKind.RESID_POST, position, layer)
    made.adds([mid, mlp], post, Ledger.RESIDUAL, logit=8.0)


def _open_mlp(made: _Builder, layer: int, position: int, ln2: NodeId, mlp: NodeId) -> None:
    values = []
    for i in range(25):
        activation = made.random.gauss(0.5, 1)
        key = made.node(NodeKind.MEMORY_KEY, position, layer, index=i * 7, activation=activation)
        value = made.node(
            NodeKind.MEMORY_VALUE, position, layer, index=i * 7, activation=activation
        )
        made.edge(Edge(ln2, key, EdgeKind.ACTIVATES, activation=activation))
        made.edge(Edge(key, value, EdgeKind.ACTIVATES, activation=activation))
        values.append(value)
    bias = made.node(NodeKind.MLP_BIAS, position, layer)
    rest = made.node(NodeKind.MEMORIES_REST, position, layer)
    made.adds([*values, bias, rest], mlp, Ledger.MEMORIES, logit=2.0)


def _open_mixture(made: _Builder, layer: int, position: int, ln2: NodeId, mlp: NodeId) -> None:
    weights = {3: 0.625, 0: 0.25, 7: 0.125}
    experts = [
        made.node(NodeKind.EXPERT, position, layer, index=number, activation=weight)
        for number, weight in weights.items()
    ]
    experts.append(made.node(NodeKind.SHARED_EXPERT, position, layer, activation=0.5))
    for expert in experts:
        made.edge(Edge(ln2, expert, EdgeKind.READS))
    rest = made.node(NodeKind.EXPERTS_REST, position, layer)
    made.adds([*experts, rest], mlp, Ledger.EXPERTS, logit=2.0)


def _tokens(prompt: str) -> list[str]:
    """Words with their leading space, as a byte-level BPE would cut them."""
    first, *others = prompt.split(" ")
    return [text for text in (first, *(f" {word}" for word in others)) if text]


def _index(words: tuple[str, ...], word: str) -> int:
    return words.index(word) if word in words else 0


def _finish(
    made: _Builder, request: Request, texts: list[str], n_layers: int, n_heads: int
) -> FlowGraph:
    by_id = request.target_id
    if by_id is not None and request.target is None:
        request = replace(request, target=made.words[by_id])
    chosen = request.target or made.words[0]
    found = made.words.index(chosen) if chosen in made.words else 0
    probs = [0.62 * 0.5**i for i in range(10)]
    return FlowGraph(
        visit_version="0.0.0",
        request=request,
        model=ModelInfo(
            "mini",
            "gpt2",
            "float32",
            "0" * 64,
            n_layers,
            n_heads,
            n_heads,
            12,
            4,
            48,
            len(made.words),
        ),
        tokens=tuple(Token(i, i, text) for i, text in enumerate(texts)),
        target=Target(found if by_id is None else by_id, chosen, 12.0, 0.62, 1),
        metric=MetricInfo(MetricKind.CHOICE, 12.0),
        predictions=tuple(Prediction(i, made.words[i], 12.0 - i, p) for i, p in enumerate(probs)),
        audit=Audit(residual=3e-7, logit=2e-5),
        nodes=tuple(made.nodes.values()),
        edges=tuple(made.edges.values()),
        created="2026-01-01T00:00:00+00:00",
    )


def make_ranking(flow: FlowGraph, memories: int = 3) -> Ranking:
    """Every head and MLP of a graph's model, and some memories, with seeded numbers."""
    seeded, at, model = random.Random(3), flow.position, flow.model
    ids = [
        id_
        for layer in range(model.n_layers)
        for id_ in (
            *(NodeId(NodeKind.HEAD, at, layer, head=head) for head in range(model.n_heads)),
            *(NodeId(NodeKind.MEMORY_VALUE, at, layer, index=7 * n) for n in range(memories)),
            NodeId(NodeKind.MLP, at, layer),
        )
    ]
    tokens = tuple(TokenProbability(p.id, p.text, p.prob) for p in flow.predictions)
    parts = []
    for id_ in ids:
        flows = tuple(seeded.gauss(0, 1) for _ in tokens)
        listed = [TokenFlow(t.id, t.text, f) for t, f in zip(tokens, flows, strict=True)]
        listed.sort(key=lambda token: -token.flow)
        outcome = Outcome(tuple(listed[:3]), tuple(listed[:-4:-1]))
        is_head = id_.kind is NodeKind.HEAD
        parts.append(
            Part(
                id_, flows[0], seeded.gauss(0, 1), seeded.gauss(0, 0.2), seeded.uniform(1, 9),
                flows, outcome, seeded.randrange(at + 1) if is_head else None,
                seeded.random() if is_head else None,
            )
        )  # fmt: skip
    return Ranking(tokens, tuple(parts))


def make_effects(flow: FlowGraph, parts: Sequence[str], estimate_only: bool = False) -> Effects:
    """Effects of some sites, with seeded numbers."""
    seeded = random.Random(5)
    effects = []
    for part in parts:
        numbers = [seeded.gauss(0, 1) for _ in range(4)]
        measured = None if estimate_only else numbers[3]
        effects.append(Effect((Site.parse(part),), measured, *numbers[:3]))
    return Effects(
        flow.visit_version, flow.request, flow.model, flow.tokens, flow.target, flow.metric, "zero",
        Unit.METRIC, Base(12.0, -0.5, 0.62, 1, 12.0), flow.predictions, tuple(effects),
    )  # fmt: skip


class FakeEngine:
    """Answers with a graph made by hand, one at a time; a "slow" prompt waits to be cancelled."""

    def __init__(self, make: Callable[[Request], FlowGraph] = make_flow) -> None:
        self.make = make
        self.explained: list[Request] = []
        self.opened: list[tuple[int, int]] = []
        self._queue = Queue()

    @property
    def n_waiting(self) -> int:
        """How many questions wait for their turn."""
        return self._queue.n_waiting

    def models(self) -> tuple[ModelChoice, ...]:
        """One model."""
        return (ModelChoice("mini", "bundled"),)

    def ask(self, question: Question[Answer], progress: Progress | None = None) -> Answer:
        """The answer to a question, once those that were asked before have theirs."""
        return self._queue.run(lambda: self._answer(question, progress), progress or silent)

    def submit(
        self, question: Question[Answer], progress: Progress | None = None, *, asker: object = None
    ) -> Future[Answer]:
        """The answer to come."""
        return self._queue.submit(
            lambda tell: self._answer(question, tell),
            progress or silent,
            asker=asker,
            is_look=question.is_look,
        )

    def _answer(self, question: Question[Answer], progress: Progress | None) -> Answer:
        answered: Any
        match question:
            case Explain(request):
                answered = self.explain(request, progress)
            case OpenBlock(request, layer, position):
                answered = self.open(request, layer, position)
            case DrawParts(request, parts):
                answered = self.draw_parts(request, parts)
            case ReadLens(request, positions):
                answered = self.lens(request, positions)
            case ReadPattern(request, layer, head):
                answered = self.pattern(request, layer, head)
            case RankParts(request):
                answered = make_ranking(self.make(request))
            case Measure(request, parts, estimate_only=estimate_only):
                answered = make_effects(self.make(request), parts, estimate_only)
            case SplitScore():
                from sample_scores import make_scores  # which is made of what is made here

                answered = make_scores()
            case _:
                raise RequestError(f"nothing here answers {question}")
        return cast("Answer", answered)

    def explain(self, request: Request, progress: Progress | None = None) -> FlowGraph:
        """The graph of the request."""
        self.explained.append(request)
        if progress is not None:
            progress("forward", 0.4)
            while "slow" in request.prompt:
                progress("forward", 0.5)
                time.sleep(0.02)
        if request.target == "no such token":
            raise RequestError("target 'no such token' is not one token; the nearest is ' such'")
        return self.make(request)

    def open(self, request: Request, layer: int, position: int) -> FlowGraph:
        """One block of the request."""
        self.opened.append((layer, position))
        return make_block(layer, position, request)

    def draw_parts(self, request: Request, parts: Sequence[str]) -> FlowGraph:
        """The blocks that some parts are in, whole."""
        ids = map(NodeId.parse, parts)
        blocks = sorted({(part.layer or 0, part.position) for part in ids})
        return reduce(merge, (make_block(*block, request) for block in blocks))

    def lens(self, request: Request, positions: Sequence[int]) -> tuple[Node, ...]:
        """A seeded reading of every residual."""
        flow = self.make(request)
        made = _Builder(request, WORDS, seed=1)
        for position in positions:
            made.node(NodeKind.EMBED, position)
            for layer in range(flow.model.n_layers):
                made.node(NodeKind.RESID_POST, position, layer)
        drawn = {node.id: node for node in flow.nodes}
        return tuple(drawn.get(node_id, node) for node_id, node in made.nodes.items())

    def pattern(self, request: Request, layer: int, head: int) -> Pattern:
        """A seeded pattern whose rows add to 1."""
        seeded = random.Random(layer * 100 + head)
        n_tokens = len(_tokens(request.prompt))
        rows = [
            [seeded.random() ** 4 if source <= reader else 0.0 for source in range(n_tokens)]
            for reader in range(n_tokens)
        ]
        return tuple(tuple(part / sum(row) for part in row) for row in rows)


__all__ = [
    "PROMPT",
    "WORDS",
    "FakeEngine",
    "make_block",
    "make_effects",
    "make_flow",
    "make_ranking",
]

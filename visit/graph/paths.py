"""The strongest path through a node, from the tokens to the output.

One rule, for the Path tab and for what the graph marks: at each step the strongest edge is taken,
unless the path beyond it ends early and another's does not. So a node has one step back and one
step on, whichever node the path was asked for, and a path is the chain of these steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from visit.graph.flow import EdgeKind, NodeId, NodeKind
from visit.graph.ids import depth
from visit.graph.index import Index, edge_id
from visit.graph.kinds import BIASES, RESIDUALS
from visit.graph.relations import attention_of

NO_TOKENS = BIASES | {NodeKind.SOURCES_REST, NodeKind.POSITIONS_REST}
"""What no token of the graph leads to: biases are the same for every prompt, and these rests are
folded from positions that are not drawn."""
_FROM_ATTENTION = frozenset({NodeKind.HEADS_REST, NodeKind.NEURONS_REST, NodeKind.ATTN_NEURON})
_FROM_MLP = frozenset({NodeKind.MLP, NodeKind.MEMORIES_REST, NodeKind.EXPERTS_REST})


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: the node it leads to, and the part of the traced residual it carries."""

    node: NodeId
    carried: float


class Paths:
    """The strongest paths of a graph. Each step is looked for once, however many paths share it."""

    def __init__(self, index: Index) -> None:
        self._back = _Chains(lambda n: find_steps_back(index, n), NodeKind.EMBED)
        self._on = _Chains(lambda n: find_steps_on(index, n), NodeKind.OUTPUT)

    def back_from(self, node_id: NodeId) -> list[Step]:
        """The steps back from a node towards the tokens.

        They end at an embedding, or where no token of the graph leads: at a bias, at a rest of
        positions that are not drawn, or at a part whose source carries less than the graph's
        threshold.
        """
        return self._back.follow(node_id)

    def on_from(self, node_id: NodeId) -> list[Step]:
        """The steps on from a node to the output; they end early where nothing reads the last."""
        return self._on.follow(node_id)

    def through(self, node_id: NodeId) -> list[Step]:
        """The path through a node, from its beginning to its end; no node comes twice.

        Each step names a node of the path, and what is carried on from it.
        """
        back, on = self.back_from(node_id), self.on_from(node_id)
        nodes = [*(step.node for step in reversed(back)), node_id, *(step.node for step in on)]
        carried = [*(step.carried for step in reversed(back)), *(step.carried for step in on), 0.0]
        return [Step(node, part) for node, part in zip(nodes, carried, strict=True)]


class _Chains:
    """In one direction, the step from each node that was asked for, and whether it arrives."""

    def __init__(self, find_steps: Callable[[NodeId], list[Step]], end: NodeKind) -> None:
        self._find_steps = find_steps
        self._end = end
        self._step: dict[NodeId, Step | None] = {}
        self._arrives: dict[NodeId, bool] = {}

    def follow(self, start: NodeId) -> list[Step]:
        """The chain of steps from a node."""
        self._settle(start)
        path: list[Step] = []
        step = self._step[start]
        while step is not None:
            path.append(step)
            step = self._step[step.node]
        return path

    def _settle(self, start: NodeId) -> None:
        """Choose the step from a node: the strongest that arrives, else the strongest.

        A stronger one is settled before a weaker one is looked at, so no more is than must be.
        """
        waiting = [] if start in self._step else [start]
        while waiting:
            node_id = waiting[-1]
            steps = [] if node_id.kind is self._end else self._find_steps(node_id)
            hopeful = (s for s in steps if self._arrives.get(s.node, True))
            step = next(hopeful, None)
            if step is not None and step.node not in self._arrives:
                waiting.append(step.node)
                continue
            self._arrives[node_id] = step is not None or node_id.kind is self._end
            self._step[node_id] = step or (steps[0] if steps else None)
            waiting.pop()


def find_steps_back(index: Index, node_id: NodeId) -> list[Step]:
    """Find the steps back from a node towards the tokens, the strongest first.

    An attention comes from the residuals it reads (all heads together), and so do its neurons and
    other heads; an MLP from the residual it reads, and so do its other memories or experts.
    """
    kind = node_id.kind
    if kind in NO_TOKENS:
        return []
    carries = index.carries.get(node_id, 0.0)
    if kind in _FROM_MLP:
        read = index.read_by(NodeId(NodeKind.MLP, node_id.position, node_id.layer))
        return [] if read is None else [Step(read, carries)]
    if kind in _FROM_ATTENTION:
        steps = find_steps_back(index, attention_of(node_id))
        return [Step(s.node, carries) for s in steps if s.node.kind in RESIDUALS]
    edges = [e for e in index.into.get(node_id, ()) if e.kind is not EdgeKind.SCORES]
    steps = [Step(e.source, index.carried[edge_id(e)]) for e in edges]
    if not steps and node_id.layer is not None:
        read = index.residual_before(node_id.layer, node_id.position)
        steps = [] if read is None else [Step(read, carries)]
    if kind is NodeKind.ATTN:  # its heads say how, the positions say from where
        steps = [step for step in steps if step.node.kind in RESIDUALS] or steps
    return _strongest_first(step for step in steps if depth(step.node) < depth(node_id))


def find_steps_on(index: Index, node_id: NodeId) -> list[Step]:
    """Find the steps on from a node towards the output, the strongest first."""
    edges = sorted(
        index.out_of.get(node_id, ()),
        key=lambda e: (-index.carried[edge_id(e)], e.kind is not EdgeKind.ADDS),
    )
    steps = [Step(e.target, index.carried[edge_id(e)]) for e in edges]
    # At the traced position the document has an MLP's reading only by way of its norm.
    mlps = _read_by_mlp(index, node_id) - {step.node for step in steps}
    steps += [Step(mlp, index.carries.get(mlp, 0.0)) for mlp in mlps]
    return _strongest_first(step for step in steps if depth(step.node) > depth(node_id))


def _strongest_first(steps: Iterable[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: -step.carried)


def _read_by_mlp(index: Index, node_id: NodeId) -> set[NodeId]:
    """The MLPs that read a residual, where the graph has them."""
    if node_id.kind not in RESIDUALS:
        return set()
    layer = -1 if node_id.layer is None else node_id.layer  # the embedding is before layer 0
    reads = layer if node_id.kind is NodeKind.RESID_MID else layer + 1
    mlp = NodeId(NodeKind.MLP, node_id.position, reads)
    return {mlp} if mlp in index.nodes and index.read_by(mlp) == node_id else set()

"""Whether a graph that was read can be drawn: what no model makes is refused before it is tried.

A document may hold any part of a graph, and tables are made of whatever it holds. A drawing and its
panels have a place for every layer, go back from the output, and write every token at every node
that says it. So these are checked against what the document holds, and against the plain limits of
``visit.graph.limits``.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from dataclasses import fields

from visit.errors import DocumentError
from visit.graph import limits
from visit.graph.effect import WAYS_OF_PREDICTING
from visit.graph.flow import Edge, FlowGraph, Node, NodeId, NodeKind, Reading, TokenFlow
from visit.graph.ids import depth

_MEASURES = tuple(field.name for field in fields(Edge) if field.type == "float | None")


def check_drawable(flow: FlowGraph) -> None:
    """Refuse a graph that cannot be drawn, or that would take all time or memory to draw.

    Raises:
        DocumentError: the text names what is missing or too large, and what is allowed.
    """
    _check_layers(flow)
    _check_output(flow)
    for place, size in _sizes(flow):
        if size > limits.MOST_IN_A_SIZE:
            raise DocumentError(
                f"{place} is {reprlib.repr(size)}; at most {limits.MOST_IN_A_SIZE} can be drawn"
            )
    for place, text in _tokens(flow):
        if len(text) > limits.LONGEST_TOKEN:
            raise DocumentError(
                f"{place} is {len(text):,} letters long; a token that is drawn has at most "
                f"{limits.LONGEST_TOKEN:,}"
            )
    for place, number in _numbers(flow):
        if abs(number) > limits.LARGEST_NUMBER:
            raise DocumentError(
                f"{place} is {number:g}; at most {limits.LARGEST_NUMBER:g} can be drawn"
            )
    for row, edge in enumerate(flow.edges):
        if depth(edge.source) >= depth(edge.target):
            raise DocumentError(
                f"edges[{row}] leads from {edge.source} back to {edge.target}; what is drawn "
                "leads onward"
            )


def _check_layers(flow: FlowGraph) -> None:
    n_layers = flow.model.n_layers
    if n_layers > limits.MOST_LAYERS:
        raise DocumentError(
            f"graph.model.n_layers is {reprlib.repr(n_layers)}; at most {limits.MOST_LAYERS} can "
            "be drawn"
        )
    held = {node.id.layer for node in flow.nodes}
    for layer in range(n_layers):
        if layer not in held:
            raise DocumentError(
                f"graph.model.n_layers is {n_layers}, but there is no node of layer {layer}; a "
                "graph is drawn whole, as it was traced"
            )


def _check_output(flow: FlowGraph) -> None:
    output = NodeId(NodeKind.OUTPUT, flow.position)
    if not any(edge.target == output for edge in flow.edges):
        raise DocumentError(
            f"nothing leads to {output}, the traced position's output; a graph is drawn whole, as "
            "it was traced"
        )


def _sizes(flow: FlowGraph) -> Iterator[tuple[str, int]]:
    """Every whole number that a scale is made of, with its place."""
    for field in fields(flow.model):
        value = getattr(flow.model, field.name)
        if isinstance(value, int):
            yield f"graph.model.{field.name}", value
    yield "graph.target.rank", flow.target.rank
    for row, node in enumerate(flow.nodes):
        yield f"nodes[{row}].target.rank", node.reading.target.rank


def _tokens(flow: FlowGraph) -> Iterator[tuple[str, str]]:
    """Every token's text, with its place."""
    for named in (flow.target, flow.versus):
        if named is not None:
            yield f"graph.{'target' if named is flow.target else 'versus'}.text", named.text
    for name in ("tokens", "predictions"):
        for row, token in enumerate(getattr(flow, name)):
            yield f"graph.{name}[{row}].text", token.text
    for row, candidate in enumerate(flow.metric.candidates):
        yield f"graph.metric.candidates[{row}].text", candidate.text
    for row, node in enumerate(flow.nodes):
        for name in ("top", "bottom"):
            for listed in getattr(node.reading, name):
                yield f"nodes[{row}].{name}", listed.text
        for name, promised in _sides(node):
            for token in promised:
                yield f"nodes[{row}].outcome.{name}", token.text
        if node.effect is not None and node.effect.after is not None:
            after = node.effect.after
            moved = [token.text for token in (*after.gains, *after.losses)]
            for text in [*(token.text for token in after.top), *moved]:
                yield f"nodes[{row}].effect.after", text


def _numbers(flow: FlowGraph) -> Iterator[tuple[str, float]]:
    """Every measure that is drawn, with its place."""
    for measure in ("value", "absolute_flow"):
        value = getattr(flow.metric, measure)
        if value is not None:
            yield f"graph.metric.{measure}", value
    for row, node in enumerate(flow.nodes):
        yield from ((f"nodes[{row}]", number) for number in _numbers_of(node.reading))
        for measure in ("activation", "flow"):
            value = getattr(node, measure)
            if value is not None:
                yield f"nodes[{row}].{measure}", value
        for name, promised in _sides(node):
            for token in promised:
                yield f"nodes[{row}].outcome.{name}", token.flow
        for way in ("measured", *WAYS_OF_PREDICTING) if node.effect else ():
            value = getattr(node.effect, way)
            if value is not None:
                yield f"nodes[{row}].effect.{way}", value
    for row, edge in enumerate(flow.edges):
        for name in _MEASURES:
            value = getattr(edge, name)
            if value is not None:
                yield f"edges[{row}].{name}", value


def _sides(node: Node) -> tuple[tuple[str, tuple[TokenFlow, ...]], ...]:
    """What a node's outcome lists, by name."""
    outcome = node.outcome
    if outcome is None:
        return ()
    return ("promotes", outcome.promotes), ("suppresses", outcome.suppresses)


def _numbers_of(reading: Reading) -> tuple[float, ...]:
    return (reading.norm, reading.entropy, reading.target.logit, reading.target.prob)

"""A consensus made by hand: four prompts of one template, with numbers that are all different."""

from __future__ import annotations

from dataclasses import replace

from sample import make_flow

from visit.graph.consensus import Consensus, LeftOut, PartConsensus, PromptResult
from visit.graph.flow import FlowGraph, NodeId, NodeKind, Target
from visit.graph.metric import MetricKind
from visit.graph.request import Request
from visit.graph.slots import Slot
from visit.graph.spread import Spread

TEMPLATE = "The capital of {country} is the city of"
PROMPT = "The capital of Japan is the city of"
SLOTS = (
    Slot("The", None, 4), Slot(" capital", None, 4), Slot(" of", None, 4), Slot("country", 1, 1),
    Slot("country", 0, 4), Slot(" is", None, 4), Slot(" the", None, 4), Slot(" city", None, 4),
    Slot(" of", None, 4),
)  # fmt: skip
TRACED = 8
COUNTRIES = {"Japan": " Tokyo", "France": " Paris", "Peru": " Lima", "New Zealand": " Wellington"}


def make_consensus(flow: FlowGraph | None = None) -> Consensus:
    """Of the hand-made graph's model: an MLP and heads, at the traced slot and at others."""
    flow = flow or make_flow(Request(PROMPT))
    spreads = {
        "L0.mlp@8": Spread(4, 2.0, 0.5, 1.5, 2.75, 1.0),
        "L1.head2@8": Spread(4, -1.5, 0.25, -1.75, -1.0, 0.75),
        "L1.head2@4": Spread(4, 1.0, 1.0, None, None, 0.5),
        "L2.head0@3": Spread(1, 0.75, None, None, None, 1.0),
        "L2.head1@1": Spread(4, 0.125, 0.5, -0.25, 0.5, 0.0),
    }
    nodes = tuple(
        PartConsensus(
            NodeId.parse(name),
            flow=spread,
            effect=replace(spread, mean=-spread.mean) if name.endswith("@8") else None,
        )
        for name, spread in spreads.items()
    )
    prompts = tuple(
        PromptResult(
            line, TEMPLATE.replace("{country}", value), Target(line, text, 9.0, 0.5, 1), 4.0
        )
        for line, (value, text) in enumerate(COUNTRIES.items(), start=1)
    )
    return Consensus(
        visit_version="1",
        request=Request(TEMPLATE, model="mini"),
        model=flow.model,
        kind=MetricKind.CHOICE,
        template=TEMPLATE,
        slots=SLOTS,
        traced=TRACED,
        strongest=20,
        prompts=prompts,
        left_out=(LeftOut(3, "its country is empty; give text"),),
        nodes=(PartConsensus(NodeId(NodeKind.EMBED, 0), flow=Spread(4, 9.0)), *nodes),
        edges=(),
    )


__all__ = ["COUNTRIES", "PROMPT", "SLOTS", "TEMPLATE", "TRACED", "make_consensus"]

"""What holds over many prompts, said: how many were read, and each part with its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from visit.formats.consensus_summary import name_slot
from visit.graph.consensus import Consensus, LeftOut, PartConsensus
from visit.graph.flow import FlowGraph, NodeId
from visit.graph.slots import find_positions
from visit.graph.spread import Spread
from visit.text import one_line, shorten
from visit.web.consensus.asking import MEASURE_WORDS
from visit.web.parts import data, span, term, word
from visit.web.words import name_part, percent, signed

COUNT = 20
"""How many parts are drawn and listed."""
_AMONG = 5
"""The column of the table that says how often a part is strong."""
_N_LEFT_OUT, _N_ANSWERS, _LONGEST_REASON = 6, 8, 160


def places_in(consensus: Consensus, flow: FlowGraph) -> dict[int, int]:
    """Where the slots are in the shown prompt; at least the traced one, which every prompt has."""
    texts = [token.text for token in flow.tokens[: flow.position + 1]]
    return {consensus.traced: flow.position} | find_positions(consensus.slots, texts)


def node_of(part: PartConsensus, places: Mapping[int, int]) -> str | None:
    """A part's node in the shown graph, ``None`` where that has no such slot."""
    position = places.get(part.id.position)
    if position is None:
        return None
    return str(NodeId(part.id.kind, position, part.id.layer, head=part.id.head))


def name_at(part: PartConsensus, consensus: Consensus) -> str:
    """A part with its slot, unless that is the traced one: ``23.4 at {country}``."""
    name = name_part(part.id)
    if part.id.position == consensus.traced:
        return name
    return f"{name} at {name_slot(consensus.slots[part.id.position])}"


def spread_of(part: PartConsensus, by: str) -> Spread:
    """How a part's number varies, by a measure that it has."""
    spread: Spread = getattr(part, by)
    return spread


def say_interval(spread: Spread) -> str:
    """Where the mean lies; a dash with too few prompts to say."""
    if spread.low is None or spread.high is None:
        return "—"
    return f"{signed(spread.low)} to {signed(spread.high)}"


def list_consensus(consensus: Consensus) -> dict[str, str]:
    """The prompts in numbers, each by its name."""
    prompts = consensus.prompts
    mean = sum(one.metric for one in prompts) / len(prompts)
    said = {"prompts": str(len(prompts)), "metric, on average": signed(mean)}
    if consensus.left_out:
        said["left out"] = str(len(consensus.left_out))
    return said


def say_consensus(consensus: Consensus) -> list[Component]:
    """How many prompts there are, what they are answered with, and which were left out."""
    answers = list(dict.fromkeys(one.target.text for one in consensus.prompts))
    more = [f" and {len(answers) - _N_ANSWERS} more"] if len(answers) > _N_ANSWERS else []
    listed = [part for text in answers[:_N_ANSWERS] for part in (" ", word(text))]
    return [
        html.Dl(
            [
                html.Div([html.Dt(name), html.Dd(value)])
                for name, value in list_consensus(consensus).items()
            ],
            className="numbers",
        ),
        html.P(["Explained towards", *listed, *more], className="hint"),
        *_left_out(consensus.left_out),
    ]


def _left_out(left_out: Sequence[LeftOut]) -> list[Component]:
    lines = [
        f"Line {one.line} is left out: {shorten(one_line(one.reason), _LONGEST_REASON)}"
        for one in left_out[:_N_LEFT_OUT]
    ]
    if len(left_out) > len(lines):
        lines.append(f"and {len(left_out) - len(lines)} more")
    return [html.Ul([html.Li(line) for line in lines], className="left-out")] if lines else []


def list_parts(consensus: Consensus, flow: FlowGraph, by: str) -> list[Component]:
    """The strongest parts, a row each with its numbers; its name goes to its node.

    Args:
        consensus: What holds.
        flow: The graph that is shown.
        by: What they are ranked by.
    """
    places, parts = places_in(consensus, flow), consensus.parts(by)
    heads: list[Any] = [
        "",
        "at",
        term(MEASURE_WORDS[by]),
        "95 % interval",
        "deviation",
        f"among {consensus.strongest}",
    ]
    often = f"In how many of the prompts it is among the {consensus.strongest} strongest"
    cells = [
        html.Th(one, className="number" if n > 1 else "", title=often if n == _AMONG else None)
        for n, one in enumerate(heads)
    ]
    rows = [_row(part, consensus, by, node_of(part, places)) for part in parts[:COUNT]]
    count = f"{len(rows)} of {len(parts):,}" if len(parts) > len(rows) else str(len(parts))
    return [
        html.H3(["Strongest on average ", span([count], "hint")]),
        html.Table([html.Thead(html.Tr(cells)), html.Tbody(rows)], className="circuit-parts"),
    ]


def _row(part: PartConsensus, consensus: Consensus, by: str, node: str | None) -> Component:
    spread, slot = spread_of(part, by), consensus.slots[part.id.position]
    name = name_part(part.id)
    lead: Any = html.Button(name, className="go", title=node, **data(node=node)) if node else name
    n_all = len(consensus.prompts)
    said = [" traced"] if part.id.position == consensus.traced else []
    said += [] if spread.n == n_all else [f" {spread.n} of {n_all}"]
    more = [span([*said], "hint")] if said else []
    numbers = (
        signed(spread.mean),
        say_interval(spread),
        "—" if spread.sd is None else f"{spread.sd:.2f}",
        "—" if spread.among is None else percent(spread.among),
    )
    return html.Tr(
        [
            html.Th(lead, scope="row"),
            html.Td([span([name_slot(slot)], "token"), *more]),
            *(html.Td(number, className="number") for number in numbers),
        ],
        title=None if node else "The shown prompt has no such slot",
    )

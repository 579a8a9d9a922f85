"""How much of the flow is drawn; the one rule of the picture and of the number beside it.

What enters a drawn thread is its token's flow, the flow of each part that is drawn to write to it,
and the *folded* rest, which makes up the difference at the next junction. The rest is a net number:
parts that are folded into one stretch and work against each other change the thread's width by
their sum alone, and that is what a reader sees. Likewise a head or an attention takes flow from the
threads that it is drawn to read, and the rest from what is not drawn. Signs aside, what is folded,
as a part of all that enters threads, heads and attentions, is *unexplained*.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from visit.graph.flow import NodeId, NodeKind
from visit.graph.index import Index
from visit.graph.kinds import RESIDUALS
from visit.graph.parts import Choice, count_parts, find_strength, rank_parts
from visit.graph.selection import Line, Selection, select

_FINEST = 20
"""Up to here the slider goes part by part; from there on by a tenth of what is drawn."""
MOST_SHOWN = 120
"""More are no picture any more; any part that is searched is drawn beside them."""
_READERS = frozenset({NodeKind.HEAD, NodeKind.ATTN})


@dataclass(frozen=True, slots=True)
class Explained:
    """What a drawing explains, and what it folds.

    Attributes:
        unexplained: The part of the flow that comes through what is not drawn, 0 to 1.
        n_folded: How many heads and MLPs are folded, at every position up to the traced one.
        net: What they change the traced position's thread by, in the metric's unit.
    """

    unexplained: float
    n_folded: int
    net: float


def list_counts(n_parts: int) -> list[int]:
    """The numbers of so many parts that can be asked for: each up to 20, then in longer steps."""
    n_parts, counts, count = min(n_parts, MOST_SHOWN), list[int](), 0
    while count < n_parts:
        counts.append(count)
        count += 1 if count < _FINEST else count // 10
    return [*counts, n_parts]


def explain(index: Index, drawn: Selection) -> Explained:
    """What is explained by what is drawn with nothing opened."""
    into: dict[NodeId, list[Line]] = defaultdict(list)
    for line in drawn.lines:
        into[line.target].append(line)
    entered = left = net = 0.0
    for node in drawn.nodes:
        if node.id.kind not in RESIDUALS | _READERS:
            continue
        lines, whole = into[node.id], index.measure(node.id)
        if not lines:  # a thread's start, or a reader of which the graph has no sources
            entered += abs(whole)
            left += 0.0 if node.id.kind is NodeKind.EMBED else abs(whole)
            continue
        folded = whole - sum(line.flow for line in lines)
        entered += sum(abs(line.flow) for line in lines if not line.is_thread) + abs(folded)
        left += abs(folded)
        if node.id.kind in RESIDUALS and node.id.position == index.flow.position:
            net += folded
    n_drawn = sum(node.id.kind in (NodeKind.HEAD, NodeKind.MLP) for node in drawn.nodes)
    n_folded = max(0, count_parts(index) - n_drawn)
    return Explained(left / entered if entered else 0.0, n_folded, net)


def find_strongest(index: Index, drawn: Selection) -> float:
    """How strong the strongest part is that is drawn, without its sign; 0 where none is."""
    return max((abs(find_strength(index, p, drawn.by) or 0.0) for p in drawn.places), default=0.0)


def unexplained(index: Index, choice: Choice, counts: Iterable[int]) -> list[float]:
    """The part that is unexplained with each number of parts, 0 to 1, whatever else is kept."""
    places = rank_parts(index, choice.by)
    return [
        explain(index, select(index, (), replace(choice, count=count), places)).unexplained
        for count in counts
    ]

"""Comparing two passes: what is asked, by the command and by the app.

Each graph is drawn twice: first by itself, then with the parts that the other one holds, so that
every part that matters in either is measured in both.
"""

from __future__ import annotations

from collections.abc import Generator

from visit.engine.progress import Progress, part_of, silent
from visit.engine.protocol import Engine
from visit.engine.questions import Explain
from visit.graph.compare import Difference, check_comparable, compare, parts_to_add
from visit.graph.flow import FlowGraph
from visit.graph.request import Request

Both = tuple[FlowGraph, FlowGraph]
PARTS_OF_STEPS = (0.3, 0.3, 0.2, 0.2)
"""The part of the progress bar that each step fills, by its time."""


def steps_to_compare(first: Explain, second: Explain) -> Generator[Explain, FlowGraph, Both]:
    """Yields what is asked, step by step, is sent each answer, and returns both graphs.

    So the command can wait for each answer, and the app go on meanwhile.

    Args:
        first: One question.
        second: The other: of another prompt, target or model, or of a changed pass.

    Raises:
        RequestError: the two graphs have nothing in common.
    """
    one = yield first
    other = yield second
    check_comparable(one, other)
    # The second model is in memory now: it is asked first.
    full_other = yield _with_parts(second, parts_to_add(other, one))
    full_one = yield _with_parts(first, parts_to_add(one, other))
    return full_one, full_other


def _with_parts(question: Explain, also: tuple[str, ...]) -> Explain:
    return Explain(question.request, also, weights=question.weights, may_load=question.may_load)


def compare_requests(
    engine: Engine, first: Request, second: Request, progress: Progress | None = None
) -> Difference:
    """What differs between two requests' graphs.

    Raises:
        VisitError: one cannot be explained, or the two have nothing in common.
    """
    tell, done = progress or silent, 0.0
    steps = steps_to_compare(Explain(first), Explain(second))
    question = next(steps)
    for part in PARTS_OF_STEPS:
        answer = engine.ask(question, part_of(tell, done, done + part))
        done += part
        try:
            question = steps.send(answer)
        except StopIteration as ended:
            both: Both = ended.value
    return compare(*both)

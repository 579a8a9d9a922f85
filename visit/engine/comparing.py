"""Comparing two passes: what is asked, by the command and by the app.

Each graph is drawn twice: first by itself, then with the parts that the other one holds, so that
every part that matters in either is measured in both.
"""

from __future__ import annotations

from visit.engine.progress import Progress, part_of, silent
from visit.engine.protocol import Engine
from visit.engine.questions import Explain
from visit.graph.compare import Difference, check_comparable, compare, parts_to_add
from visit.graph.flow import FlowGraph
from visit.graph.request import Request


def explain_both(
    engine: Engine, first: Request, second: Request, progress: Progress | None = None
) -> tuple[FlowGraph, FlowGraph]:
    """Two graphs that hold the same parts, wherever both prompts have the token.

    Args:
        engine: Answers.
        first: One request.
        second: The other: of another prompt, target or model, or of a changed pass.
        progress: Told how far both are.

    Raises:
        VisitError: one cannot be explained, or the two have nothing in common.
    """
    tell = progress or silent
    one = engine.ask(Explain(first), part_of(tell, 0.0, 0.3))
    other = engine.ask(Explain(second), part_of(tell, 0.3, 0.6))
    check_comparable(one, other)
    # The second model is in memory now: it is asked first.
    full_other = engine.ask(Explain(second, also=parts_to_add(other, one)), part_of(tell, 0.6, 0.8))
    full_one = engine.ask(Explain(first, also=parts_to_add(one, other)), part_of(tell, 0.8, 1.0))
    return full_one, full_other


def compare_requests(
    engine: Engine, first: Request, second: Request, progress: Progress | None = None
) -> Difference:
    """What differs between two requests' graphs; ``explain_both`` says what is asked.

    Raises:
        VisitError: one cannot be explained, or the two have nothing in common.
    """
    return compare(*explain_both(engine, first, second, progress))

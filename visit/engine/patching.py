"""Patching one prompt's values into another's pass: what is asked, by the command and by the app.

The metric is the clean prompt's answer against the one of the prompt that is changed, so that 0 is
that prompt's metric and 1 the clean one's.

Source: Meng et al. 2022 (causal tracing); Zhang & Nanda 2024, on the metric.
"""

from __future__ import annotations

from dataclasses import replace

from visit.engine.questions import Explain, Measure
from visit.graph.interventions import Positions, Unit, Way
from visit.graph.request import Request


def ask_answer(request: Request) -> Explain:
    """The question what a prompt's own answer is, of a graph with as little in it as can be."""
    little = replace(request, layers="none", strongest=0, outcome=False, effects=False)
    return Explain(replace(little, versus=None, versus_id=None))  # which may be that answer


def contrast(corrupt: Request, clean_answer: int, own_answer: int) -> Request:
    """The corrupted prompt, explained towards the clean one's answer rather than its own.

    Args:
        corrupt: The prompt that is changed; a token that it is to be compared with stays.
        clean_answer: The id of what the clean prompt says next.
        own_answer: Of what the corrupted one does.
    """
    if corrupt.versus is not None or corrupt.versus_id is not None:
        return replace(corrupt, target=None, target_id=clean_answer)
    versus = None if own_answer == clean_answer else own_answer
    return replace(corrupt, target=None, target_id=clean_answer, versus_id=versus)


def patch_everywhere(
    corrupt: Request, clean: str, parts: tuple[str, ...], unit: Unit = Unit.METRIC
) -> Measure:
    """The clean prompt's values in the corrupted one's pass, at each place in a pass of its own.

    Heads are patched at all positions together, everything else at each position.

    Args:
        corrupt: The prompt that is changed, and the metric.
        clean: The prompt that values come from, of as many tokens.
        parts: Sorts of part.
        unit: What changes are of.
    """
    positions = Positions.ALL if parts == ("heads",) else Positions.EACH
    return Measure(
        corrupt, parts, how=Way.PATCH.value, reference=(clean,), positions=positions, unit=unit
    )

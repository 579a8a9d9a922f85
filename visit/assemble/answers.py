"""What answers each type of question: a function for each, given a model that is in memory.

To add a question, write its dataclass in ``visit.engine.questions``, and register here what answers
it; the queue, progress, cancelling and the app carry it as they do the others.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial, singledispatch
from typing import Any

from visit.assemble import circuit, consensus, effects, generating, ranking, scores, upstream
from visit.assemble.exploring import HANDLERS as EXPLORING
from visit.assemble.measured_parts import measure_parts
from visit.assemble.node_effects import with_effects
from visit.assemble.residency import ANSWERS_BYTES, Resident
from visit.assemble.surveying import HANDLERS as SURVEYING
from visit.engine.progress import Progress
from visit.engine.questions import (
    DrawParts,
    Explain,
    OpenBlock,
    Pattern,
    Question,
    ReadLens,
    ReadPattern,
)
from visit.errors import RequestError
from visit.graph.flow import FlowGraph, Node
from visit.graph.sizes import n_bytes

_STAGES = {
    "forward": (0.0, 0.15), "ranking": (0.15, 0.15), "ledgers": (0.15, 0.4),
    "readings": (0.4, 0.8), "effects": (0.8, 1.0),
}  # fmt: skip
"""The part of the progress bar that each stage of a whole graph fills, by its time."""
_LARGEST_LOOK = ANSWERS_BYTES // 16


@singledispatch
def answer(question: Question[Any], resident: Resident, tell: Progress) -> Any:
    """The answer to a question, of the type that the question names.

    Args:
        question: What is asked.
        resident: The model that it is asked of.
        tell: Told how far the answer is, 0 to 1; what it raises ends the work.

    Raises:
        VisitError: the question cannot be answered; the text says why.
    """
    raise RequestError(f"nothing here answers the question {type(question).__name__}")


def answer_once(question: Question[Any], resident: Resident, tell: Progress) -> Any:
    """The answer, as ``answer`` has it; it is kept, and not found again for the same soon after.

    A page that is loaded again asks the same of a model. A look that is large for what it costs,
    as a long prompt's pattern is, is not kept: what took longer would have to go for it.
    """
    if not question.is_repeated:
        return answer(question, resident, tell)
    key = _key(question, resident)
    kept = resident.answers.get(key)
    if kept is not None:
        resident.trace(question.request, tell)  # which the looks that follow are at
        return kept
    found = answer(question, resident, tell)
    if not question.is_look or n_bytes(found) <= _LARGEST_LOOK:
        resident.answers[key] = found
    return found


def is_kept(question: Question[Any], resident: Resident) -> bool:
    """Whether the answer is there, and no work: said in any thread, whatever another one does."""
    return question.is_repeated and _key(question, resident) in resident.answers


def _key(question: Question[Any], resident: Resident) -> Question[Any]:
    request = question.request
    named = replace(request, model=request.model or resident.info.name)
    return replace(question, request=named, weights=None, may_load=True)


@answer.register
def explain(question: Explain, resident: Resident, tell: Progress) -> FlowGraph:
    """The route of the traced position, with the requested layers opened at it."""

    def tell_of_whole(stage: str, part: float) -> None:
        begins, ends = _STAGES[stage]
        tell(stage, begins + part * (ends - begins))

    trace = resident.trace(question.request, tell_of_whole)
    asked = resident.builder.resolve(trace, question.request)
    resume = partial(resident.resume, trace, asked.position)
    measured = measure_parts(asked, resume, tell_of_whole)
    flow = resident.builder.whole(trace, question.request, tell_of_whole, question.also, measured)
    return with_effects(flow, resident, replace(asked, measured=measured), tell_of_whole)


@answer.register
def open_block(question: OpenBlock, resident: Resident, tell: Progress) -> FlowGraph:
    """One block alone, opened at one position."""
    request, block = question.request, (question.layer, question.position)
    trace = resident.trace(request, tell)
    asked = resident.builder.resolve(trace, request).open_alone(*block)
    resume = partial(resident.resume, trace, asked.position)
    measured = measure_parts(asked, resume, tell, opened_alone=True)
    flow = resident.builder.block(trace, request, *block, measured)
    return with_effects(flow, resident, replace(asked, measured=measured), tell)


@answer.register
def draw_parts(question: DrawParts, resident: Resident, tell: Progress) -> FlowGraph:
    """Some parts by themselves."""
    trace = resident.trace(question.request, tell)
    return resident.builder.parts(trace, question.request, question.parts)


@answer.register
def read_lens(question: ReadLens, resident: Resident, tell: Progress) -> tuple[Node, ...]:
    """What every residual of some positions says."""
    trace = resident.trace(question.request, tell)
    return resident.builder.lens(trace, question.request, question.positions)


@answer.register
def read_pattern(question: ReadPattern, resident: Resident, tell: Progress) -> Pattern:
    """One head's attention."""
    trace = resident.trace(question.request, tell)
    return resident.builder.pattern(trace, question.layer, question.head)


_ELSEWHERE = (
    circuit.find_circuit,
    consensus.read_consensus,
    effects.measure,
    generating.continue_text,
    ranking.rank,
    scores.split_score,
    upstream.read_upstream,
    *EXPLORING,
    *SURVEYING,
)
for handler in _ELSEWHERE:
    answer.register(handler)

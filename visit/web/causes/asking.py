"""How causes are asked for: of the plain pass, and with the page told that something runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from visit.engine.patching import ask_answer, contrast, patch_everywhere
from visit.engine.questions import Measure
from visit.errors import RequestError, VisitError
from visit.graph.effects import Effects
from visit.graph.flow import FlowGraph
from visit.graph.request import Request
from visit.web.causes.agreement import PARTS
from visit.web.causes.patching import HEADS, RESIDUALS
from visit.web.causes.without import cannot
from visit.web.server.calls import show_problem
from visit.web.server.tracing import progress_to_page, show_running
from visit.web.state.graphs import Graphs
from visit.web.state.view import View
from visit.web.trees import Tree, trees

T = TypeVar("T")


def plain(request: Request) -> Request:
    """The request of the pass in which nothing is changed."""
    return replace(request, interventions=())


def of_other_prompt(request: Request, prompt: str) -> Request:
    """The same asked of another prompt, which is explained towards its own answer."""
    return replace(
        request, prompt=prompt, prompt_ids=None, target=None, target_id=None, versus=None,
        versus_id=None,
    )  # fmt: skip


@asynccontextmanager
async def under_way() -> AsyncIterator[None]:
    """The page shows that something runs, until it has ended one way or the other."""
    show_problem(None)
    show_running(True)
    try:
        yield
    finally:
        show_running(False)


async def ask_or_say(
    ask: Callable[[], Awaitable[T | None]], said: str, to_do: str, listed: Sequence[str] = ()
) -> tuple[T | None, dict[str, list[Tree]]]:
    """An answer for a pane, or what the pane says instead.

    Args:
        ask: Asks; it answers ``None`` where no engine may be asked.
        said: The part of the screen where the pane says what is wrong.
        to_do: What the graph's prompt must be traced for, where it came from a document.
        listed: Other parts, which are emptied where there is no answer.
    """
    try:
        async with under_way():
            answer = await ask()
    except VisitError as problem:
        words = str(problem)
    else:
        if answer is not None:
            return answer, {}
        words = f"This graph came from a document; trace its prompt to {to_do}."
    return None, {said: trees(cannot(words)), **{name: [] for name in listed}}


async def measure_parts(view: View, graphs: Graphs) -> Effects | None:
    """What taking each head and MLP off does; ``None`` where no engine may be asked.

    Raises:
        VisitError: it cannot be measured.
    """
    question = Measure(plain(view.request), PARTS)
    return await graphs.answer(view, question, progress_to_page())


async def patch_from(
    view: View, second: str, flow: FlowGraph, graphs: Graphs
) -> tuple[FlowGraph, Effects, Effects]:
    """The second prompt's own graph, and what its values do in the shown prompt's pass.

    Args:
        view: The shown prompt's.
        second: The other prompt, of as many tokens.
        flow: The shown prompt's graph.
        graphs: What asks.

    Raises:
        VisitError: the prompts do not fit, or nothing can be measured.
    """
    mine = plain(view.request)
    theirs = of_other_prompt(mine, second)
    other = await graphs.answer(view, ask_answer(theirs), progress_to_page())
    assert other is not None
    if len(other.tokens) != len(flow.tokens):
        raise RequestError(
            f"the second prompt has {len(other.tokens)} tokens and this one {len(flow.tokens)}; "
            "values are taken from the same position, so give one of equal length"
        )
    asked = contrast(mine, other.target.id, flow.target.id)
    maps = [
        await graphs.answer(view, patch_everywhere(asked, second, parts), progress_to_page())
        for parts in (RESIDUALS, HEADS)
    ]
    residuals, heads = maps
    assert residuals is not None and heads is not None
    return other, residuals, heads

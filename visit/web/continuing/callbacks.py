"""What happens when the model is to go on, and what the strip shows of the text that there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dash import Input, Output, State, no_update, set_props

from visit.engine.generating import WRITING, text_of_stage
from visit.engine.progress import Progress
from visit.engine.protocol import Engine
from visit.engine.questions import Explain
from visit.errors import RequestError
from visit.graph.generation import Generation, request_at
from visit.graph.request import Request
from visit.text import one_line
from visit.web import ids
from visit.web.causes.asking import under_way
from visit.web.continuing.asking import ask_branch, ask_continuation, request_beside
from visit.web.continuing.branches import Branches
from visit.web.continuing.strip import build_strip, list_branches
from visit.web.ranking.needs import all_parts, is_cheap
from visit.web.server.calls import Calls
from visit.web.server.tracing import progress_to_page, request_answered, show_request
from visit.web.state.graphs import Graphs
from visit.web.state.jobs import ask
from visit.web.state.shelf import Shelf
from visit.web.state.view import View
from visit.web.trees import trees


def register_continuing(
    calls: Calls, engine: Engine, graphs: Graphs, shelf: Shelf, default: Request
) -> None:
    """Add the callbacks of the strip and of its menu.

    Args:
        calls: Adds them to an app.
        engine: What goes on.
        graphs: Finds the graphs of views.
        shelf: Where graphs are kept.
        default: What the server draws where nothing else is asked for.
    """

    # Named as the other trace is: a page has one under way, which Cancel ends.
    async def trace(
        asked: dict[str, Any] | None, data: dict[str, Any] | None, kept: str | None
    ) -> tuple[Any, Any]:
        """Go on after the text that is shown, or read another, and explain its first new token."""
        if asked is None or data is None:
            return no_update, no_update
        view = View.parse(data)
        index = await graphs.find(view)
        if index is None or not graphs.can_ask(view):
            raise RequestError("this graph came from a document; trace its prompt to go on from it")
        tokens = [token.id for token in index.flow.tokens]
        try:
            async with under_way():
                wanted = ask_continuation(asked, view.request, tokens, Branches.parse(kept))
                question = replace(wanted.question, weights=view.weights)
                found = await ask(engine, question, _streaming())
                request = request_at(view.request, found.ids, wanted.place)
                graphs.check(request)
                explain = Explain(request, weights=view.weights)
                flow = await ask(engine, explain, progress_to_page())
                key = await calls.jobs.tap(lambda: shelf.put(flow))
        finally:
            set_props(ids.CONTINUING_SAID, {"children": ""})
        answered = request_answered(request, flow)
        show_request(answered, flow.model.name, default)
        branch = found.ids[wanted.branches.n_prompt :]
        shown = replace(
            view, key=key, request=answered, opened=(), weights=flow.model.weights_sha256
        )
        return shown.data(default), str(wanted.branches.with_branch(branch))

    calls.add(
        trace,
        Output(ids.VIEW, "data", allow_duplicate=True),
        Output(ids.CONTINUED, "data"),
        Input(ids.CONTINUE, "data"),
        State(ids.VIEW, "data"),
        State(ids.CONTINUED, "data"),
        cancels=True,
    )

    async def show_continuation(
        key: str | None, kept: str | None, data: dict[str, Any] | None
    ) -> Any:
        """The strip, where the text that is shown is a continuation that the page keeps."""
        branches = Branches.parse(kept)
        told = await graphs.find_told(key, data)
        if told is None:
            return no_update
        view, index = told
        tokens = [token.id for token in index.flow.tokens]
        shown = None if branches is None else branches.find_shown(tokens)
        if branches is None or shown is None or not graphs.can_ask(view):
            return {ids.CONTINUING: []}
        plain = branches
        texts = await _texts_of(view, plain, tokens, graphs)
        if not shown:
            return {ids.CONTINUING: trees(list_branches(plain, shown, texts))}
        found = await _read(view, plain, tokens, graphs)
        return await calls.jobs.tap(
            lambda: {ids.CONTINUING: trees(build_strip(found, plain, texts))}
        )

    calls.add(
        show_continuation,
        Output(ids.CONTINUE_PANELS, "data"),
        Input(ids.KEY, "data"),
        Input(ids.CONTINUED, "data"),
        State(ids.VIEW, "data"),
    )

    async def prepare_steps(key: str | None, kept: str | None, data: dict[str, Any] | None) -> None:
        """Explain the steps beside the one that is shown, so that the scrubber finds them there.

        It is done where measuring all parts unbidden is, and ends once anything is asked for.
        """
        branches = Branches.parse(kept)
        told = await graphs.find_told(key, data)
        if told is None or branches is None:
            return
        view, index = told
        tokens = [token.id for token in index.flow.tokens]
        if not branches.find_shown(tokens) or view.request.prompt_ids is None:
            return
        ranking = await graphs.answer(view, all_parts(view.request))
        if ranking is None or not is_cheap(index.flow.model, ranking):
            return
        here = index.flow.position + 1
        for place in (here + 1, here - 1):
            if branches.n_prompt <= place < len(tokens):
                request = request_beside(view.request, tokens, place)
                await ask(engine, Explain(request, weights=view.weights))

    calls.add(
        prepare_steps,
        Input(ids.KEY, "data"),
        Input(ids.CONTINUED, "data"),
        State(ids.VIEW, "data"),
    )


async def _read(view: View, branches: Branches, tokens: list[int], graphs: Graphs) -> Generation:
    """One branch, read; what was read once is kept by the engine, whatever step is traced."""
    found = await graphs.answer(view, ask_branch(view.request, branches, tokens))
    assert found is not None
    return found


async def _texts_of(
    view: View, branches: Branches, tokens: list[int], graphs: Graphs
) -> dict[int, str]:
    """What the tokens of all branches say."""
    texts: dict[int, str] = {}
    prompt = tokens[: branches.n_prompt]
    for branch in branches.kept:
        found = await _read(view, branches, [*prompt, *branch], graphs)
        texts |= {step.id: step.text for step in found.steps}
    return texts


def _streaming() -> Progress:
    """A progress callable that shows the text as it is written, beside the page's bar."""
    tell = progress_to_page()
    said = ""

    def progress(stage: str, part: float) -> None:
        nonlocal said
        text = text_of_stage(stage)
        if text is None:
            tell(stage, part)
            return
        tell(WRITING, part)
        if text != said:
            said = text
            set_props(ids.CONTINUING_SAID, {"children": one_line(text)})

    return progress

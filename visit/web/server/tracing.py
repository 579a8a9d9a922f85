"""A trace as a page asks for it, by its controls or its address: with progress, and cancelled."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from dash import Input, Output, State, set_props

from visit.engine.progress import Progress
from visit.engine.protocol import Engine
from visit.engine.questions import Explain
from visit.errors import Cancelled, NotLoaded
from visit.graph.flow import FlowGraph
from visit.graph.request import Request, data_from_request, request_like
from visit.graph.settings import texts_beside, values_from_texts
from visit.web import ids
from visit.web.asking.prompt_form import chosen_from_request, form_from_data
from visit.web.continuing.asking import PREPARE
from visit.web.ranking.callbacks import RANK
from visit.web.server.calls import Calls, show_problem
from visit.web.state.address import Asked, asked_by_address
from visit.web.state.bounds import Bounds
from visit.web.state.jobs import ask
from visit.web.state.shelf import Shelf
from visit.web.state.view import View
from visit.web.words import Named, tokens_from_typed, typed_from_request

PROGRESS_EVERY = 0.05


def register(calls: Calls, engine: Engine, shelf: Shelf, default: Request) -> None:
    """Add the callbacks that trace and cancel.

    Args:
        calls: Adds them to an app.
        engine: What answers requests.
        shelf: Where graphs are kept.
        default: What a page traces when its address says nothing.
    """
    bounds = Bounds(default)

    async def trace(
        clicks: int | None,
        address: str | None,
        prompt: str | None,
        model: str | None,
        target: str | None,
        position: dict[str, Any] | None,
        form: dict[str, Any] | None,
        chosen: dict[str, Any] | None,
        settings: dict[str, Any] | None,
        seen: dict[str, Any] | None,
        page: str,
    ) -> tuple[Any, Any]:
        """Explain what the controls ask for, with progress; a problem is told in place.

        What the address asks for runs by itself, so it never loads a model: a link could make it.
        """
        for unbidden in (RANK, PREPARE):
            calls.jobs.cancel(page, unbidden)
        show_problem(None)
        show_running(True)
        try:
            if clicks:
                shown = None if seen is None else seen["request"]
                asked = Asked(
                    request_from_controls(
                        default, prompt, model, target, position, form, chosen, settings, shown
                    )
                )
            else:
                asked = asked_by_address(address, default)
                show_request(asked.request, asked.request.model or (model or "").strip(), default)
            bounds.check(asked.request)
            view = await answer(asked, may_load=bool(clicks))
        except (Cancelled, asyncio.CancelledError):
            raise  # the page shows something newer, or nothing any more
        except BaseException:
            show_running(False)
            raise
        show_running(False)
        return view.data(default), None if asked.picked is None else str(asked.picked)

    async def answer(asked: Asked, *, may_load: bool) -> View:
        """The view of the graph of what is asked, with the model in the controls that made it."""
        question = Explain(asked.request, weights=asked.weights, may_load=may_load)
        try:
            flow = await ask(engine, question, progress_to_page())
        except NotLoaded as problem:
            raise NotLoaded(f"{problem}; press Trace to load it") from None
        show_stage("drawing", 1.0)
        key = await calls.jobs.tap(lambda: shelf.put(flow))
        request = request_answered(asked.request, flow)
        if asked.request.prompt_ids is not None:
            show_prompt(request.prompt, flow.model.name)
        elif asked.request.model is None:
            set_props(ids.MODEL, {"value": flow.model.name})
        return View(key, request, asked.opened, flow.notes, weights=flow.model.weights_sha256)

    calls.add(
        trace,
        Output(ids.VIEW, "data"),
        Output(ids.PICKED, "data"),
        Input(ids.TRACE, "n_clicks"),
        Input(ids.ADDRESS, "data"),
        State(ids.PROMPT, "value"),
        State(ids.MODEL, "value"),
        State(ids.TARGET, "value"),
        State(ids.POSITION, "data"),
        State(ids.FORM, "data"),
        State(ids.CHOSEN, "data"),
        State(ids.SETTINGS, "data"),
        State(ids.VIEW, "data"),
        State(ids.PAGE, "data"),
        first=True,
        cancels=True,
    )

    async def cancel(_clicks: int | None, page: str) -> None:
        """End what the page has under way of all that Cancel ends."""
        if any([calls.jobs.cancel(page, kind) for kind in calls.cancelled]):
            show_running(False)

    async def check_settings(settings: dict[str, Any] | None) -> dict[str, str]:
        """What is wrong with what is typed as settings, by field."""
        return bounds.problems_in(settings or {})

    calls.add(
        check_settings,
        Output(ids.SETTINGS_PROBLEMS, "data"),
        Input(ids.SETTINGS, "data"),
    )

    calls.add(cancel, Input(ids.CANCEL, "n_clicks"), State(ids.PAGE, "data"))


def request_answered(asked: Request, flow: FlowGraph) -> Request:
    """The request that gives a graph again: of the model that answered, and of no other.

    Tokens that were asked for by their ids have their texts.
    """
    given = flow.request
    request = replace(asked, model=flow.model.name, target=given.target, versus=given.versus)
    return request if asked.prompt_ids is None else replace(request, prompt=given.prompt)


def request_from_controls(
    default: Request,
    prompt: str | None,
    model: str | None,
    target: str | None,
    position: dict[str, Any] | None,
    form: dict[str, Any] | None = None,
    chosen: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    shown: dict[str, Any] | None = None,
) -> Request:
    """What the controls ask for.

    Args:
        default: Says what no control does.
        prompt: The prompt's field.
        model: The model's.
        target: The target's.
        position: The position that was chosen, and of which prompt and model.
        form: How the prompt is read.
        chosen: The tokens that were chosen, and what the target's field said then.
        settings: How it is explained and drawn, where otherwise than by default, in texts.
        shown: The request of the graph that is shown: a prompt that it gave by its tokens' ids is
            asked for by them again, as long as the fields still name that prompt and model.

    Raises:
        RequestError: no model could serve it.
    """
    wanted, versus = tokens_from_typed(target)
    named = (model or "").strip()
    by_id = ids_chosen(target, named, chosen)
    asked = {
        "prompt": prompt or "",
        "model": named or None,
        **_name_token("target", wanted, by_id),
        **_name_token("versus", versus, by_id),
        "position": position_in(prompt, named, position),
        **values_from_texts(settings or {}),
    }
    if shown and (shown.get("prompt"), shown.get("model")) == (prompt, named):
        tokens = shown.get("prompt_ids")
        if tokens is not None:
            return request_like(default, asked | by_id | {"prompt_ids": tokens})
    return request_like(default, asked | by_id | form_from_data(form))


def _name_token(role: str, typed: Named, chosen: dict[str, Any]) -> dict[str, Any]:
    """A token that was typed as a request's field; none of it where it was chosen by its id."""
    if f"{role}_id" in chosen:
        return {}
    return {f"{role}_id": typed} if isinstance(typed, int) else {role: typed}


def ids_chosen(typed: str | None, model: str, chosen: dict[str, Any] | None) -> dict[str, Any]:
    """The ids of the tokens that were chosen rather than typed, as a request has them.

    None once the field says anything else, and none of any other model, whose tokens are others.
    """
    if chosen is None or (chosen.get("typed"), chosen.get("model")) != (typed or "", model):
        return {}
    said = {name: chosen.get(name) for name in ("target_id", "versus_id")}
    return {name: id_ for name, id_ in said.items() if id_ is not None}


def position_in(prompt: str | None, model: str, chosen: dict[str, Any] | None) -> int | None:
    """The position that was chosen among a prompt's tokens as a model reads them.

    The last one, ``None``, of any other prompt and of any other model: the same position would be
    another token there.
    """
    if chosen is None or (chosen.get("prompt"), chosen.get("model")) != (prompt, model):
        return None
    return int(chosen["position"])


def progress_to_page() -> Progress:
    """A progress callable that moves the page's bar."""
    shown_at, shown = 0.0, ""

    def progress(stage: str, part: float) -> None:
        nonlocal shown_at, shown
        now = time.monotonic()
        if stage != shown or now - shown_at >= PROGRESS_EVERY:
            shown_at, shown = now, stage
            show_stage(stage, part)

    return progress


def show_stage(stage: str, part: float) -> None:
    """Say what is being done, and how far it is, 0 to 1."""
    set_props(ids.STAGE, {"children": stage})
    set_props(ids.PROGRESS, {"value": f"{part:.3f}"})


def show_running(running: bool) -> None:
    """Put the controls in the state of a trace under way, or back."""
    set_props(ids.TRACE, {"disabled": running})
    set_props(ids.CANCEL, {"hidden": not running})
    set_props(ids.PROGRESS, {"hidden": not running, "value": "0"})
    set_props(ids.STAGE, {"children": ""})


def show_prompt(prompt: str, model: str) -> None:
    """Put a prompt and the model that reads it into the controls."""
    set_props(ids.PROMPT, {"value": prompt})
    set_props(ids.MODEL, {"value": model})


def show_request(request: Request, model: str, served: Request) -> None:
    """Put a request that came from the address into the controls.

    Args:
        request: What is asked.
        model: The model that serves it.
        served: What the server draws where nothing else is asked for.
    """
    show_prompt(request.prompt, model)
    if request.position is not None:
        chosen = {"prompt": request.prompt, "model": model, "position": request.position}
        set_props(ids.POSITION, {"data": chosen})
    set_props(ids.TARGET, {"value": typed_from_request(request)})
    set_props(ids.CHOSEN, {"data": chosen_from_request(request, model)})
    set_props(ids.FORM, {"data": form_from_data(data_from_request(request))})
    set_props(ids.SETTINGS, {"data": texts_beside(served, request)})

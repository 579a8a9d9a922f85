"""``visit trace``: one prediction explained, as a document or a summary."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from visit.cli.options import Parser, add_model, add_output, add_running, load_session
from visit.cli.progress import progress_bar
from visit.cli.prompt_input import add_prompt, check_prompt_named
from visit.cli.request_options import (
    add_changes,
    add_drawing,
    add_metric,
    add_prompt_ids,
    add_reading,
    add_tokens,
    request_from_arguments,
)
from visit.cli.results import check_output
from visit.cli.streams import write_result
from visit.graph.request import RankBy, Request

if TYPE_CHECKING:
    from visit.graph.flow import FlowGraph


_N_STRONGEST = 100
"""Heads and MLPs together, so many that ten of each are among them."""


def describe(command: Parser) -> None:
    """The options of ``visit trace``."""
    add_prompt(command, "the text the model reads, or with --chat the messages")
    add_model(command)
    add_tokens(command)
    add_reading(command)
    add_prompt_ids(command)
    add_metric(command)
    add_changes(command)
    add_drawing(command)
    add_running(command)
    add_output(command, "the prediction, the strongest heads and memories, and the audit")


def run(arguments: Namespace) -> None:
    """Explain one prediction; write the document, the summary, or both."""
    check_prompt_named(arguments, "trace")
    request = request_from_arguments(arguments)
    check_output(arguments)

    with progress_bar() as progress:
        session = load_session(arguments, progress)
        flow = session.explain(request, progress)
        # What is drawn may be fewer parts than the summary lists, or others.
        full = session.explain(_for_summary(request), progress) if arguments.summary else flow
    if not arguments.reproducible:
        flow = replace(flow, created=datetime.now(UTC).isoformat(timespec="seconds"))
    if arguments.summary:
        from visit.formats.summary import text_from_flow

        write_result(text_from_flow(full))
    if arguments.output is not None or not arguments.summary:
        _write_document(flow, arguments.output)


def _for_summary(request: Request) -> Request:
    """The same question, drawn so that the ten strongest parts of each kind are there."""
    return replace(
        request,
        rank_by=RankBy.FLOW,
        layers="all",
        heads=10,
        memories=10,
        anti_memories=10,
        strongest=_N_STRONGEST,
        strongest_memories=10,
    )


def _write_document(flow: FlowGraph, output: str | None) -> None:
    from visit.formats.document import json_from_flow, write_flow

    if output in (None, "-"):
        write_result(json_from_flow(flow).encode("utf-8"))
    else:
        write_flow(flow, output)

"""``visit explore``: what stands beside the flow graph, a command each.

The commands are made of ``visit.engine.explorables``, their options of the questions' fields.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from visit.cli.options import (
    Command,
    Parser,
    add_model,
    add_output,
    add_running,
    count_from_text,
    load_session,
)
from visit.cli.progress import progress_bar
from visit.cli.prompt_input import add_prompt, check_prompt_named, text_or_file
from visit.cli.request_options import (
    add_changes,
    add_metric,
    add_prompt_ids,
    add_reading,
    add_tokens,
    request_from_arguments,
)
from visit.cli.results import check_output, write_answer
from visit.cli.streams import write_result
from visit.engine.explorables import EXPLORABLES, Explorable
from visit.engine.options import Option, options_of

if TYPE_CHECKING:
    from visit.graph.explored.answer import Explored

_PREFIX = "explored_"
"""Before an option's name, so that no request's field is taken for it."""


def _describe(explorable: Explorable, command: Parser) -> None:
    add_prompt(command, "the text the model reads, or with --chat the messages")
    own = options_of(explorable.question)
    if own:
        group = command.add_argument_group("what is explored")
        for one in own:
            _add_option(group, one)
    add_model(command)
    add_tokens(command)
    add_reading(command)
    add_prompt_ids(command)
    add_metric(command, without=("outcome",))
    add_changes(command)
    add_running(command)
    output = add_output(
        command,
        "what was found, in words and tables",
        "where the document goes, - for stdout; a name in .csv makes its tables, one in .html a "
        "page with its figure (default: -, or nowhere with --summary)",
    )
    output.add_argument(
        "--count",
        metavar="N",
        type=count_from_text,
        default=20,
        help="rows of a table in the summary (default: %(default)s)",
    )


def _add_option(group: argparse._ArgumentGroup, one: Option) -> None:
    flag, name = f"--{one.name.replace('_', '-')}", _PREFIX + one.name
    said = f"{one.says} (default: {one.said})" if one.said else one.says
    said += "; @FILE reads it from a file" if one.long else ""
    if one.takes is bool:
        group.add_argument(
            flag, dest=name, action=argparse.BooleanOptionalAction, default=one.default, help=said
        )
    elif one.lines:
        group.add_argument(flag, dest=name, metavar=one.letter, action="append", help=said)
    else:
        limits = {"choices": one.choices} if one.choices else {"metavar": one.letter}
        group.add_argument(flag, dest=name, help=said, **limits)


def _run(explorable: Explorable, arguments: Namespace) -> None:
    """Ask the question and write what was found."""
    check_prompt_named(arguments, f"explore {explorable.name}")
    request = request_from_arguments(arguments)
    chosen = {}
    for one in options_of(explorable.question):
        value = getattr(arguments, _PREFIX + one.name)
        if isinstance(value, str):
            value = one.read(text_or_file(value, one.name) if one.long else value)
        if value is not None:
            chosen[one.name] = value
    question = explorable.question(request, **chosen)
    check_output(arguments)
    with progress_bar() as progress:
        session = load_session(arguments, progress)
        explored = session.ask(question, progress)
    _write(explored, arguments)


def _write(explored: Explored, arguments: Namespace) -> None:
    """The summary, and the document, or what the file's ending names: tables, or a page."""
    from visit.formats.explored import csv_from_explored, json_from_explored, text_from_explored
    from visit.formats.export import write_texts

    def summary() -> str:
        return text_from_explored(explored, arguments.count)

    ending = Path(arguments.output or "").suffix.lower()
    if ending not in (".csv", ".html"):
        write_answer(arguments, summary, lambda created: json_from_explored(explored, created))
        return
    if arguments.summary:
        write_result(summary())
    if ending == ".csv":
        written = write_texts(csv_from_explored(explored), arguments.output)
    else:
        from visit.web.explore.offline import html_from_explored

        written = write_texts(html_from_explored(explored), arguments.output)
    if not arguments.summary:
        write_result("".join(f"{one}\n" for one in written))


COMMANDS = {
    one.name: Command(one.summary, partial(_describe, one), partial(_run, one))
    for one in EXPLORABLES.values()
}
"""A command each, by its name."""

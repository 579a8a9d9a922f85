"""``visit why``: what makes a head attend to a source."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import fields
from typing import TYPE_CHECKING

from visit.cli.options import (
    Parser,
    add_model,
    add_output,
    add_running,
    load_session,
)
from visit.cli.progress import progress_bar
from visit.cli.prompt_input import add_prompt, check_prompt_named
from visit.cli.request_options import (
    add_changes,
    add_prompt_ids,
    add_reading,
    request_from_arguments,
)
from visit.cli.results import check_output, write_answer
from visit.engine.questions import SplitScore

if TYPE_CHECKING:
    from visit.graph.scores import Scores

_COUNT = {one.name: one.default for one in fields(SplitScore)}["count"]


def describe(command: Parser) -> None:
    """The options of ``visit why``."""
    add_prompt(command, "the text the model reads, or with --chat the messages")
    command.add_argument(
        "--head",
        metavar="L5.head3",
        required=True,
        help="the head; with @4 it reads from position 4, whatever --position is",
    )
    command.add_argument(
        "--source",
        metavar="P",
        type=int,
        help="the position that it attends to; -1 is the last (default: the one that gets most)",
    )
    command.add_argument(
        "--position",
        metavar="P",
        type=int,
        help="the position that it reads from, and whose next token words are of; -1 is the last "
        "(default: the last)",
    )
    add_model(command)
    add_reading(command)
    add_prompt_ids(command)
    add_changes(command)
    add_running(command)
    output = add_output(command, "the sources, the parts of the query and the key, and the pairs")
    output.add_argument(
        "--count",
        metavar="N",
        type=int,
        default=_COUNT,
        help="parts of each side, and pairs, that are listed, the strongest (default: %(default)s)",
    )


def run(arguments: Namespace) -> None:
    """Take one score apart and write the document, the summary, or both."""
    check_prompt_named(arguments, "why")
    request = request_from_arguments(arguments)
    check_output(arguments)

    with progress_bar() as progress:
        session = load_session(arguments, progress)
        question = SplitScore(request, arguments.head, arguments.source, arguments.count)
        scores = session.ask(question, progress)
    _write(scores, arguments)


def _write(scores: Scores, arguments: Namespace) -> None:
    """The summary, the document, or both."""
    from visit.formats.scores import json_from_scores
    from visit.formats.scores_summary import text_from_scores

    write_answer(
        arguments,
        lambda: text_from_scores(scores),
        lambda created: json_from_scores(scores, created),
    )

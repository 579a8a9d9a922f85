"""``visit consensus``: what holds over many prompts with the same slots."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from visit.cli.options import (
    Parser,
    add_model,
    add_output,
    add_running,
    check_unicode,
    count_from_text,
    load_session,
)
from visit.cli.progress import progress_bar
from visit.cli.request_options import add_metric, add_reading, add_tokens, request_from_arguments
from visit.cli.results import check_measured, check_output, write_answer
from visit.errors import RequestError
from visit.graph.template import Template

if TYPE_CHECKING:
    from visit.engine.questions import ReadConsensus
    from visit.graph.consensus import Consensus, LeftOut

_MEASURES = ("flow", "direct_logit", "effect")


def describe(command: Parser) -> None:
    """The options of ``visit consensus``."""
    command.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="the prompts: text with one a line, or JSON, JSON Lines, CSV or Parquet with the "
        "columns prompt and, if you like, target",
    )
    command.add_argument(
        "--template",
        metavar="T",
        help="a prompt with slots, like 'The capital of {country} is the city of'",
    )
    command.add_argument(
        "--values",
        metavar="FILE",
        help="what stands in them: text with one value a line, or a file with a column a slot",
    )
    add_model(command)
    add_tokens(command)
    add_reading(command)
    add_metric(command, without=("outcome",))
    many = command.add_argument_group("over many prompts")
    many.add_argument(
        "--strongest",
        metavar="N",
        type=int,
        default=20,
        dest="n_strongest",  # a request's own are others, and so are its effects
        help="in how many prompts a part is among the N strongest is told (default: %(default)s)",
    )
    many.add_argument(
        "--effects",
        action="store_true",
        default=True,
        dest="measures",
        help="set every head and MLP at the traced position to zero and measure (default)",
    )
    many.add_argument("--no-effects", dest="measures", action="store_false", help="measure nothing")
    many.add_argument(
        "--batch",
        metavar="N",
        type=int,
        default=16,
        help="prompts that run together at most (default: %(default)s)",
    )
    add_running(command)
    output = add_output(command, "the parts that hold over all prompts, with their intervals")
    output.add_argument(
        "--by",
        choices=_MEASURES,
        default=_MEASURES[0],
        help="what the summary ranks parts by (default: %(default)s)",
    )
    output.add_argument(
        "--count",
        metavar="N",
        type=count_from_text,
        default=20,
        help="parts listed in the summary (default: %(default)s)",
    )
    command.set_defaults(prompt_file=None, prompt_ids=None, prompt=None)


def run(arguments: Namespace) -> None:
    """Explain many prompts and write what holds over them."""
    check_measured(arguments.by, measures=arguments.measures)
    check_output(arguments)
    question, unread = _ask(arguments)

    with progress_bar() as progress:
        session = load_session(arguments, progress)
        consensus = session.ask(question, progress)
    left_out = sorted((*unread, *consensus.left_out), key=lambda one: one.line)
    _write(replace(consensus, left_out=tuple(left_out)), arguments)


def _ask(arguments: Namespace) -> tuple[ReadConsensus, list[LeftOut]]:
    """The question that a command line asks, and the lines that cannot be read.

    Raises:
        RequestError: prompts are given in two ways or in none, or no line can be read.
    """
    template, values, file = arguments.template, arguments.values, arguments.file
    if (file is None) == (template is None) or (template is None) != (values is None):
        raise RequestError(
            "give FILE with the prompts, or --template T with --values FILE, and not both"
        )
    from visit.engine.questions import ReadConsensus
    from visit.formats.prompts import PROMPT, read_prompts, repeat_values

    if template is not None:
        check_unicode("template", template)
    names = (PROMPT,) if template is None else Template.parse(template).names
    rows, unread = read_prompts(values or file, names)
    if not rows:
        raise RequestError(f"no line of {values or file} can be read; line {unread[0].line}: "
                           f"{unread[0].reason}")  # fmt: skip
    request = request_from_arguments(arguments, prompt=template or rows[0].values[0])
    question = ReadConsensus(
        request,
        values=tuple(repeat_values(row, names, names) for row in rows),
        lines=tuple(row.line for row in rows),
        targets=tuple(row.target for row in rows),
        template=template or "",
        strongest=arguments.n_strongest,
        effects=arguments.measures,
        batch=arguments.batch,
    )
    return question, unread


def _write(consensus: Consensus, arguments: Namespace) -> None:
    """The summary, the document, or both."""
    from visit.formats.consensus import json_from_consensus
    from visit.formats.consensus_summary import text_from_consensus

    write_answer(
        arguments,
        lambda: text_from_consensus(consensus, arguments.count, arguments.by),
        lambda created: json_from_consensus(consensus, created),
    )

"""``visit generate``: what a model goes on with, or what it made of a given continuation."""

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
from visit.cli.prompt_input import add_prompt, check_prompt_named, text_or_file
from visit.cli.request_options import (
    add_prompt_ids,
    add_reading,
    ids_from_text,
    request_from_arguments,
)
from visit.cli.results import check_output, write_answer
from visit.engine.generating import Generate

if TYPE_CHECKING:
    from visit.graph.generation import Generation

_DEFAULTS = {one.name: one.default for one in fields(Generate)}


def describe(command: Parser) -> None:
    """The options of ``visit generate``."""
    add_prompt(command, "the text the model reads, or with --chat the messages")
    taken = command.add_argument_group("how tokens are taken")
    taken.add_argument(
        "-n",
        "--count",
        metavar="N",
        type=int,
        help=f"how many tokens the model takes, unless its text ends before (default: "
        f"{_DEFAULTS['count']}, or 0 where a continuation is given)",
    )
    taken.add_argument(
        "--temperature",
        metavar="T",
        type=float,
        default=_DEFAULTS["temperature"],
        help="what the logits are divided by before a token is drawn; 0 takes the likeliest "
        "(default: 0)",
    )
    taken.add_argument(
        "--top-p",
        metavar="P",
        type=float,
        default=_DEFAULTS["top_p"],
        help="draw from the likeliest tokens that have this much probability together (default: 1)",
    )
    taken.add_argument(
        "--seed",
        metavar="S",
        type=int,
        default=_DEFAULTS["seed"],
        help="of the draws (default: %(default)s)",
    )
    given = command.add_argument_group("what it begins with")
    given.add_argument(
        "--given",
        metavar="TEXT",
        default="",
        help="a continuation to read instead of the model's own, its leading space too; @FILE "
        "reads it from a file. With -n the model goes on after it",
    )
    given.add_argument(
        "--given-ids",
        metavar="ID,ID,...",
        type=ids_from_text,
        default=(),
        help="its tokens by id, in place of a text",
    )
    add_model(command)
    add_reading(command)
    add_prompt_ids(command)
    add_running(command)
    add_output(command, "the text, and each token's probability, rank and likeliest others")


def run(arguments: Namespace) -> None:
    """Go on after a prompt and write the document, the summary, or both."""
    check_prompt_named(arguments, "generate")
    request = request_from_arguments(arguments)
    given, given_ids = text_or_file(arguments.given, "continuation"), arguments.given_ids
    count = arguments.count
    if count is None:
        count = 0 if given or given_ids else _DEFAULTS["count"]
    question = Generate(
        request,
        count,
        arguments.temperature,
        arguments.top_p,
        arguments.seed,
        given=given,
        given_ids=given_ids,
    )
    check_output(arguments)
    with progress_bar() as progress:
        session = load_session(arguments, progress)
        generation = session.ask(question, progress)
    _write(generation, arguments)


def _write(generation: Generation, arguments: Namespace) -> None:
    """The summary, the document, or both."""
    from visit.formats.generation import json_from_generation
    from visit.formats.generation_summary import text_from_generation

    write_answer(
        arguments,
        lambda: text_from_generation(generation),
        lambda created: json_from_generation(generation, created),
    )

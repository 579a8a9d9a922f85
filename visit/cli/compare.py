"""``visit compare``: what differs between two prompts, targets, models or documents."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from visit.cli.named_files import check_no_lost_file, is_there
from visit.cli.options import (
    MODEL_HELP,
    Parser,
    add_model,
    add_output,
    add_running,
    check_unicode,
    count_from_text,
    load_session,
)
from visit.cli.progress import progress_bar
from visit.cli.request_options import (
    add_drawing,
    add_metric,
    add_reading,
    add_tokens,
    request_from_arguments,
)
from visit.cli.results import check_measured, check_output, write_answer
from visit.errors import RequestError
from visit.graph.compare import MEASURES

if TYPE_CHECKING:
    from visit.graph.compare import Difference

_ENDINGS = {".json", ".html", ".htm"}
_OF_DOCUMENTS = {"prompt", "other", "output", "summary", "reproducible", "by", "count"}
"""What can be said of two documents: which they are, and what is written."""
_MEMORIES = 20


def describe(command: Parser) -> None:
    """The options of ``visit compare``."""
    command.add_argument(
        "prompt", metavar="A", help="a prompt, or a document that visit trace wrote"
    )
    command.add_argument(
        "other",
        metavar="B",
        nargs="?",
        help="another of the same sort; left out, A itself with --target-b or --model-b",
    )
    add_model(command)
    command.add_argument("--model-b", metavar="M", help=f"the model of B: {MODEL_HELP}")
    add_tokens(command)
    command.add_argument(
        "--target-b", metavar="TOK", help="the token to explain in B (default: as --target)"
    )
    add_reading(command)
    add_metric(command)
    add_drawing(command)
    add_running(command)
    output = add_output(command, "the two predictions and the parts that differ most")
    output.add_argument(
        "--by",
        choices=MEASURES,
        default=MEASURES[0],
        help="what the summary ranks parts by (default: %(default)s)",
    )
    output.add_argument(
        "--count",
        metavar="N",
        type=count_from_text,
        default=20,
        help="parts listed in the summary (default: %(default)s)",
    )
    command.set_defaults(
        prompt_file=None, prompt_ids=None, layers="none", strongest_memories=_MEMORIES
    )


def run(arguments: Namespace) -> None:
    """Compare and write the document, the summary, or both."""
    check_measured(arguments.by, measures=arguments.effects is not False)
    check_output(arguments)
    _write(_compare(arguments), arguments)


def _compare(arguments: Namespace) -> Difference:
    given = (arguments.prompt, arguments.other)
    for one in given:
        if one is not None:
            check_no_lost_file(one, "two prompts")
    are_files = [one is not None and _is_document(one) for one in given]
    if not any(are_files):
        return _compare_prompts(arguments)
    if not all(are_files):
        name = given[are_files.index(False)]
        raise RequestError(
            f"{given[are_files.index(True)]} is a document and "
            f"{'nothing' if name is None else repr(name)} is beside it; give two documents or two "
            "prompts"
        )
    _check_reads_nothing(arguments)
    from visit.formats.document import read_flow
    from visit.graph.compare import compare

    return compare(*map(read_flow, given))


def _is_document(given: str) -> bool:
    return Path(given).suffix.lower() in _ENDINGS and is_there(given)


def _check_reads_nothing(arguments: Namespace) -> None:
    """Refuse options that say how prompts are read, where documents hold them read already.

    An option that says what holds without it changes nothing, and is not noticed.

    Raises:
        RequestError: there is such an option; the text names the first.
    """
    options = Parser()
    describe(options)
    by_default = vars(options.parse_args(["A", "B"]))
    for name, default in by_default.items():
        given = getattr(arguments, name)
        if name not in _OF_DOCUMENTS and given != default:
            option = f"--{'no-' if given is False else ''}{name.replace('_', '-')}"
            raise RequestError(
                f"{option} says how a prompt is read, and two documents hold theirs read already; "
                f"leave {option} out, or give two prompts"
            )


def _compare_prompts(arguments: Namespace) -> Difference:
    other, model, target = arguments.other, arguments.model_b, arguments.target_b
    if other is None and model is None and target is None:
        raise RequestError(
            "A stands alone; give B, or another target with --target-b or model with --model-b"
        )
    first = request_from_arguments(arguments)
    b = {
        "prompt": arguments.prompt if other is None else other,
        "target": arguments.target if target is None else target,
        "model": model,
    }
    check_unicode("second prompt", b["prompt"])
    second = request_from_arguments(Namespace(**{**vars(arguments), **b}))
    from visit.engine.comparing import compare_requests

    with progress_bar() as progress:
        session = load_session(arguments, progress)
        return compare_requests(session, first, second, progress)


def _write(difference: Difference, arguments: Namespace) -> None:
    """The summary, the document, or both."""
    from visit.formats.difference import json_from_difference
    from visit.formats.difference_summary import text_from_difference

    write_answer(
        arguments,
        lambda: text_from_difference(difference, arguments.count, arguments.by),
        lambda created: json_from_difference(difference, created),
    )

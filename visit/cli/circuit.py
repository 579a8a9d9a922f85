"""``visit circuit``: the parts that keep a prediction while all others are ablated."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import fields
from typing import TYPE_CHECKING

from visit.cli.ablating import add_memories, add_positions, add_reference, read_reference
from visit.cli.options import (
    Parser,
    add_model,
    add_output,
    add_running,
    count_from_text,
    load_session,
)
from visit.cli.progress import progress_bar
from visit.cli.prompt_input import add_prompt, check_prompt_named
from visit.cli.request_options import (
    add_metric,
    add_prompt_ids,
    add_reading,
    add_tokens,
    names_from_text,
    request_from_arguments,
)
from visit.cli.results import check_output, write_answer
from visit.engine.questions import FindCircuit
from visit.errors import RequestError
from visit.graph.circuit import Score
from visit.graph.interventions import ABLATING_WAYS, OWN_PROMPT, Positions

if TYPE_CHECKING:
    from visit.graph.circuit import Circuit

_DEFAULTS = {field.name: field.default for field in fields(FindCircuit)}
_SORTS = "heads, memories, attn, mlp"


def describe(command: Parser) -> None:
    """The options of ``visit circuit``."""
    add_prompt(command, "the text the model reads, or with --chat the messages")
    add_model(command)
    add_tokens(command)
    add_reading(command)
    add_prompt_ids(command)
    add_metric(command, without=("outcome",))
    _add_question(command)
    _add_size(command)
    add_running(command)
    output = add_output(command, "the curve, the kept parts and which others are missed")
    output.add_argument(
        "--count",
        metavar="N",
        type=count_from_text,
        default=20,
        help="kept parts listed in the summary (default: %(default)s)",
    )


def _add_question(command: Parser) -> None:
    question = command.add_argument_group("what is kept or ablated")
    question.add_argument(
        "--parts",
        metavar="heads,mlp,...|ID,ID,...",
        default="heads",
        help=f"the parts in question: sorts ({_SORTS}), or sites like L5.head3@7 and L5.mlp@*; "
        "all else stays as it is (default: %(default)s)",
    )
    add_positions(question)
    question.add_argument(
        "--how",
        choices=[way.value for way in ABLATING_WAYS],
        help="what becomes of the parts that are left out (default: patch with one reference "
        "prompt, else mean)",
    )
    add_reference(
        question,
        "the contrast prompt that values come from, of as many tokens; or a text file with "
        f"one a line, for mean and resample; {OWN_PROMPT!r} for a mean over the prompt itself",
    )
    question.add_argument(
        "--by",
        choices=[one.value for one in Score],
        default=Score.EFFECT.value,
        help="what parts are ranked by: the measured effect of ablating each alone, or what the "
        "flow, the gradient or the direct logit predict of it (default: %(default)s)",
    )
    add_memories(question, FindCircuit)
    question.add_argument(
        "--points",
        metavar="N",
        type=int,
        default=_DEFAULTS["points"],
        help="sizes on the curve (default: %(default)s)",
    )
    question.add_argument(
        "--checks",
        metavar="N",
        type=int,
        default=_DEFAULTS["checks"],
        help="kept parts, and parts left out, that change sides one by one, to find those that "
        "are not needed or missed (default: %(default)s)",
    )


def _add_size(command: Parser) -> None:
    size = command.add_argument_group(
        "how many are kept", "by default the fewest on the curve that keep 80 % to 120 %"
    ).add_mutually_exclusive_group()
    size.add_argument("--keep", metavar="N", type=int, help="the N strongest")
    size.add_argument(
        "--threshold",
        metavar="X",
        type=float,
        dest="least_score",  # a request's threshold is another
        help="those that score at least X, signs aside, in the metric's unit",
    )
    size.add_argument(
        "--cumulative",
        metavar="X",
        type=float,
        help="so many of the strongest as make up this part of all scores, like 0.8",
    )
    size.add_argument("--sites", metavar="ID,ID,...", help="these parts, chosen by hand")


def run(arguments: Namespace) -> None:
    """Find the circuit and write the document, the summary, or both."""
    check_prompt_named(arguments, "circuit")
    question = FindCircuit(
        request_from_arguments(arguments),
        parts=names_from_text(arguments.parts),
        by=Score(arguments.by),
        how=arguments.how,
        reference=read_reference(arguments.reference),
        positions=Positions(arguments.positions),
        memories=arguments.n_memories,
        sites=_read_sites(arguments.sites),
        keep=arguments.keep,
        threshold=arguments.least_score,
        cumulative=arguments.cumulative,
        points=arguments.points,
        checks=arguments.checks,
    )
    check_output(arguments)
    with progress_bar() as progress:
        circuit = load_session(arguments, progress).ask(question, progress)
    _write(circuit, arguments)


def _read_sites(given: str | None) -> tuple[str, ...]:
    """The parts that ``--sites`` chooses by hand; none where it is left out.

    Raises:
        RequestError: it is given and names none.
    """
    sites = names_from_text(given or "")
    if given is not None and not sites:
        raise RequestError(
            f"--sites {given!r} names no part; give ids like L5.head3@7, or leave it out"
        )
    return sites


def _write(circuit: Circuit, arguments: Namespace) -> None:
    """The summary, the document, or both."""
    from visit.formats.circuit import json_from_circuit
    from visit.formats.circuit_summary import text_from_circuit

    write_answer(
        arguments,
        lambda: text_from_circuit(circuit, arguments.count),
        lambda created: json_from_circuit(circuit, created),
    )

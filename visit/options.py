"""The grammar of the command line: commands, options and their help, with nothing behind them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from typing import Any, NoReturn

from visit import __version__
from visit.flow import RankBy, Request
from visit.text import one_line

USERS_FAULT = 2
_PROMPT = "The capital of Japan is the city of"
_DEFAULTS = {field.name: field.default for field in fields(Request)}
_FILE_HELP = "a document that visit trace wrote, or an HTML file that holds one"
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
    commands = whole.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    for name, describe, summary in (
        ("trace", _describe_trace, "explain one prediction, as a JSON document or a summary"),
        ("serve", _describe_serve, "open the app with a model in memory"),
        ("show", _describe_show, "open a document in the viewer; needs no model"),
        ("export", _describe_export, "write a document in another program's format"),
        ("models", _describe_models, "list what can be run"),
    ):
        command = commands.add_parser(
            name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
        )
        describe(command)
        command.add_argument(
            "--debug", action="store_true", help="on an error, show the whole traceback"
        )
    return whole


def _describe_trace(command: Parser) -> None:
    command.add_argument("prompt", metavar="PROMPT", help="the text the model reads")
    command.add_argument(
        "--model", metavar="M", default="mini", help=f"{_MODEL_HELP} (default: mini)"
    )
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

    drawing = command.add_argument_group("how much is drawn")
    drawing.add_argument(
        "--layers",
        metavar="SPEC",
        default=_DEFAULTS["layers"],
        help="the layers to open: all, none, or like 0-5,11 (default: %(default)s)",
    )
    _count(drawing, "--heads", "N", "heads of an opened layer")
    _count(drawing, "--sources", "N", "sources of a drawn head")
    _count(drawing, "--memories", "N", "memories of an opened layer that push along their value")
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
        choices=["html", "json", "graphml", "gexf", "cyjs", "csv"],
        help="the format; html is one file that works offline, and csv makes two, OUT.nodes.csv "
        "and OUT.edges.csv",
    )
    command.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="the file to write (default: FILE's name with the format's ending)",
    )


def _describe_models(command: Parser) -> None:
    """It takes no option of its own."""


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

"""``visit serve`` and ``visit show``: the app, with a model in memory or with a document alone."""

from __future__ import annotations

import argparse
import ipaddress
from argparse import Namespace
from dataclasses import replace

from visit.cli.options import (
    FILE_HELP,
    MODEL_HELP,
    Parser,
    add_running,
    complain,
    running_from_arguments,
)
from visit.cli.progress import progress_bar
from visit.cli.prompt_input import add_prompt
from visit.cli.request_options import add_reading, request_from_arguments

_PROMPT = "The capital of Japan is the city of"


def describe_serve(command: Parser) -> None:
    """The options of ``visit serve``."""
    add_prompt(command, f"the prompt drawn first (default: {_PROMPT})")
    command.add_argument(
        "--model",
        metavar="M",
        help=f"{MODEL_HELP} (default: the first of --models, or mini)",
    )
    command.add_argument(
        "--models",
        metavar="M,M,...",
        type=_names,
        help="the only models that the app may load (default: any)",
    )
    add_reading(command)
    _add_address(command)
    add_running(command)


def describe_show(command: Parser) -> None:
    """The options of ``visit show``."""
    command.add_argument("file", metavar="FILE", help=FILE_HELP)
    _add_address(command)


def serve(arguments: Namespace) -> None:
    """Load a model and open the app with it."""
    # A page that names no model asks whichever is in memory.
    request = replace(request_from_arguments(arguments, _PROMPT), model=None)
    _warn_of_open_host(arguments.host)
    from visit.web.app import bind, create_app, run

    bind(arguments.host, arguments.port).close()  # before a model is loaded for nothing
    from visit.session import Session

    name = arguments.model or (arguments.models or ("mini",))[0]
    with progress_bar() as progress:
        session = Session.load(
            name, **running_from_arguments(arguments), allowed=arguments.models, progress=progress
        )
    run(create_app(session, request=request), arguments.host, arguments.port)


def show(arguments: Namespace) -> None:
    """Open a document in the viewer."""
    from visit.formats.document import read_flow
    from visit.formats.drawable import check_drawable

    flow = read_flow(arguments.file)
    check_drawable(flow)
    _warn_of_open_host(arguments.host)
    from visit.web.app import create_app, run

    run(create_app(None, flow=flow), arguments.host, arguments.port)


def _warn_of_open_host(host: str) -> None:
    try:
        is_closed = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_closed = host == "localhost"
    if not is_closed:
        complain(f"warning: {host} lets other machines in, and this app asks for no password")


def _add_address(command: Parser) -> None:
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

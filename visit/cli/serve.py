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
from visit.engine.line import MOST_WAITING

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
    command.add_argument(
        "--allow-paths",
        action=argparse.BooleanOptionalAction,
        help="whether the app may load models from local paths (default: if only this machine "
        "reaches it); --model and --models may always name some",
    )
    command.add_argument(
        "--most-waiting",
        metavar="N",
        type=_count,
        default=MOST_WAITING,
        help="how many traces may wait, and how many looks at graphs (default: %(default)s)",
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
    # A page that names no model asks whichever is in memory, and opens blocks as they are tapped.
    request = replace(request_from_arguments(arguments, _PROMPT), model=None, layers="none")
    _warn_of_open_host(arguments.host)
    from visit.web.app import bind, create_app, run
    from visit.web.server.hosts import Hosts

    bind(arguments.host, arguments.port).close()  # before a model is loaded for nothing
    from visit.session import Session

    name = arguments.model or (arguments.models or ("mini",))[0]
    with progress_bar() as progress:
        session = Session.load(
            name,
            **running_from_arguments(arguments),
            allowed=arguments.models,
            paths=_allows_paths(arguments),
            most_waiting=arguments.most_waiting,
            progress=progress,
        )
    hosts = Hosts.of(arguments.host, arguments.allow_host)
    run(create_app(session, request=request, hosts=hosts), arguments.host, arguments.port)


def show(arguments: Namespace) -> None:
    """Open a document in the viewer."""
    from visit.formats.document import read_flow
    from visit.formats.drawable import check_drawable

    flow = read_flow(arguments.file)
    check_drawable(flow)
    _warn_of_open_host(arguments.host)
    from visit.web.app import create_app, run
    from visit.web.server.hosts import Hosts

    hosts = Hosts.of(arguments.host, arguments.allow_host)
    run(create_app(None, flow=flow, hosts=hosts), arguments.host, arguments.port)


def _is_closed(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _allows_paths(arguments: Namespace) -> bool:
    """As was said; else where only this machine reaches the app, by no other name than its own."""
    said: bool | None = arguments.allow_paths
    return _is_closed(arguments.host) and not arguments.allow_host if said is None else said


def _warn_of_open_host(host: str) -> None:
    if not _is_closed(host):
        complain(f"warning: {host} lets other machines in, and this app asks for no password")


def _add_address(command: Parser) -> None:
    command.add_argument(
        "--host", default="127.0.0.1", help="the address to listen at (default: %(default)s)"
    )
    command.add_argument(
        "--port", type=_port, default=8050, help="the port to listen at (default: %(default)s)"
    )
    command.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="another name by which browsers may ask for the app, such as a proxy's; may be given "
        "again (default: this machine's own names and --host)",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give a whole number from 1 up")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    """Names between commas, each once, in order."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} names no model; give names between commas")
    return names

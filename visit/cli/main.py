"""The commands. What is heavy is imported inside the command that needs it."""

from __future__ import annotations

import argparse
import gc
import ipaddress
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from visit.cli.options import USERS_FAULT, complain, parser
from visit.errors import RequestError, VisitError
from visit.graph.flow import RankBy, Request
from visit.text import one_line

if TYPE_CHECKING:
    from visit.engine.protocol import Progress
    from visit.graph.flow import FlowGraph

_OUR_FAULT, _INTERRUPTED, _PIPE_CLOSED = 70, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one line and code 2."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    _quieten_libraries()
    _share_processors()
    _collect_seldom()
    try:
        try:
            return _run(parser().parse_args(argv))
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; Python's own flush at exit must not complain of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED


def _run(arguments: argparse.Namespace) -> int:
    try:
        COMMANDS[arguments.command](arguments)
    except BrokenPipeError:
        raise
    except Exception as error:
        is_theirs = isinstance(error, VisitError)
        if arguments.debug:
            traceback.print_exc()
        elif is_theirs:
            complain(str(error))
        else:
            complain(f"a fault of ours, {type(error).__name__}: {error}; --debug says where")
        return USERS_FAULT if is_theirs else _OUR_FAULT
    return 0


# ---------------------------------------------------------------- the commands


def _trace(arguments: argparse.Namespace) -> None:
    request = _request_from_arguments(arguments)
    if arguments.output not in (None, "-"):
        from visit.formats.files import check_writable

        check_writable(arguments.output)
    from visit.session import Session

    with _progress_bar() as progress:
        session = Session.load(arguments.model, **_running(arguments), progress=progress)
        flow = session.explain(request, progress)
        # What is drawn may be fewer parts than the summary lists, or others.
        full = session.explain(_for_summary(request), progress) if arguments.summary else flow
    if not arguments.reproducible:
        flow = replace(flow, created=datetime.now(UTC).isoformat(timespec="seconds"))
    if arguments.summary:
        from visit.formats.summary import text_from_flow

        sys.stdout.write(text_from_flow(full))
    if arguments.output is not None or not arguments.summary:
        _write_document(flow, arguments.output)


def _running(arguments: argparse.Namespace) -> dict[str, Any]:
    """How the model is to be run, as ``Session.load`` takes it."""
    names = ("dtype", "device", "device_map", "quant", "revision")
    return {name: getattr(arguments, name) for name in names}


def _request_from_arguments(arguments: argparse.Namespace) -> Request:
    names = (
        "prompt model target versus position layers heads sources memories anti_memories "
        "attn_neurons anti_attn_neurons top_k threshold bos chat"
    ).split()
    given = {name: getattr(arguments, name) for name in names}
    for name in ("prompt", "target", "versus"):
        _check_unicode(name, given[name])
    return Request(**given, rank_by=RankBy(arguments.rank_by))


def _check_unicode(name: str, text: str | None) -> None:
    try:
        (text or "").encode("utf-8")
    except UnicodeEncodeError as error:
        raise RequestError(f"the {name} is not UTF-8 at character {error.start}") from None


def _for_summary(request: Request) -> Request:
    """The same question, drawn so that the ten strongest parts of either sign are there."""
    return replace(
        request, rank_by=RankBy.LOGIT, layers="all", heads=10, memories=10, anti_memories=10
    )


def _write_document(flow: FlowGraph, output: str | None) -> None:
    from visit.formats.document import json_from_flow, write_flow

    if output in (None, "-"):
        sys.stdout.flush()
        sys.stdout.buffer.write(json_from_flow(flow).encode("utf-8"))
    else:
        write_flow(flow, output)


def _serve(arguments: argparse.Namespace) -> None:
    _check_unicode("prompt", arguments.prompt)
    request = Request(prompt=arguments.prompt, bos=arguments.bos, chat=arguments.chat)
    _warn_of_open_host(arguments.host)
    from visit.web.app import bind, create_app, run

    bind(arguments.host, arguments.port).close()  # before a model is loaded for nothing
    from visit.session import Session

    name = arguments.model or (arguments.models or ("mini",))[0]
    with _progress_bar() as progress:
        session = Session.load(
            name, **_running(arguments), allowed=arguments.models, progress=progress
        )
    run(create_app(session, request=request), arguments.host, arguments.port)


def _show(arguments: argparse.Namespace) -> None:
    from visit.formats.document import read_flow

    flow = read_flow(arguments.file)
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


def _export(arguments: argparse.Namespace) -> None:
    from visit.formats.document import read_flow
    from visit.formats.export import export, path_beside
    from visit.formats.registry import FORMATS

    flow = read_flow(arguments.file)
    path = arguments.output or path_beside(arguments.file, arguments.to)
    write = FORMATS[arguments.to].write
    if write is None:
        from visit.web.exports.downloads import DRAWN

        write = DRAWN[arguments.to]
    for written in export(flow, write, path):
        print(written)


def _models(arguments: argparse.Namespace) -> None:
    from visit.models.architectures import families
    from visit.models.loading import MINI, cached_models

    _list("families that can be taken apart", families())
    print()
    _list("models that need no download", {MINI: "bundled, the default", **cached_models()})


def _atlas(arguments: argparse.Namespace) -> None:
    _check_unicode("token", getattr(arguments, "token", None))
    from visit.cli import atlas
    from visit.lens.atlas import Atlas

    with _progress_bar() as progress:

        def open_atlas() -> Atlas:
            from visit.session import Session

            return Session.load(arguments.model, **_running(arguments), progress=progress).atlas

        text = atlas.COMMANDS[arguments.atlas_command](arguments, open_atlas, progress)
    sys.stdout.write(text)


def _list(title: str, notes: dict[str, str]) -> None:
    width = max(map(len, notes))
    print(title)
    for name, note in notes.items():
        print(f"  {one_line(name):<{width}}  {one_line(note)}")


# ---------------------------------------------------------------- the terminal


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    """A bar on stderr, once the work has taken a second, where stderr is a terminal."""
    from tqdm import tqdm

    looks = "{desc} {percentage:3.0f} % |{bar:30}|"
    with tqdm(total=1.0, delay=1.0, disable=None, leave=False, bar_format=looks) as bar:

        def show(stage: str, fraction: float) -> None:
            # How far a download or the line before us is stands in words; it is no part of ours.
            bar.bar_format = looks if fraction else "{desc}"
            bar.set_description_str(stage, refresh=False)
            bar.update(fraction - bar.n)

        yield show


def _quieten_libraries() -> None:
    """Keep libraries from talking on stderr; where it is the user's to set, that stands."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TQDM_DISABLE", "1")  # gguf's own bar


WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}
"""How torch's threads wait for each other: they spin for some microseconds, then sleep."""


def _share_processors() -> None:
    """Let torch's threads sleep while they wait; a user's own setting stands.

    By default they spin. Where anything else wants the processor too, a browser on the same machine
    for one, each then spins while the other waits to run, and a trace takes up to nine times as
    long. OpenMP reads this when torch is imported, which no command has done yet.
    """
    if os.environ.keys().isdisjoint(WAITING):
        os.environ.update(WAITING)


def _collect_seldom() -> None:
    """Look for garbage in rings every hundred thousand objects rather than every 700.

    A whole graph is as many objects, none of them in a ring, and each look goes through all that
    torch and transformers brought: a tenth of a graph's time.
    """
    gc.set_threshold(100_000, 20, 20)


COMMANDS = {
    "trace": _trace,
    "serve": _serve,
    "show": _show,
    "export": _export,
    "models": _models,
    "atlas": _atlas,
}
